"""The order of routes.toml against Werkzeug itself, on fixed and on generated maps.

Two promises: trying the rules in match order and taking the first that fits gives Werkzeug's choice; and a map
built from the file again, in the file's order, chooses the same.
"""

import random

import pytest
from flask import Flask
from werkzeug.exceptions import HTTPException
from werkzeug.routing import Map
from werkzeug.routing import RequestRedirect
from werkzeug.routing import Rule

from legacy_shim.export.collect import collect
from legacy_shim.export.group import group
from legacy_shim.export.overlap import may_overlap

SEGMENTS = ("a", "b", "ab", "new", "<x>", "<int:n>", "<path:p>", "<any(a, b):k>", "<x>-<y>", "v<int:n>", "<f>.json")
VALUES = ("a", "b", "ab", "new", "7", "v7", "a-b", "a.json", "7.json", "x")


def first_endpoint(url_map, path, method):
    """Werkzeug's choice: endpoint and rule, or the word for what else it says."""
    try:
        rule, _ = url_map.bind("localhost").match(path, method, return_rule=True)
    except RequestRedirect:
        return "redirect"
    except HTTPException as error:
        return error.code
    return (rule.endpoint, rule.rule)


def fits(rule, path, method):
    """Whether a rule alone, in a map of its own, takes the request."""
    return isinstance(first_endpoint(Map([rule.empty()]), path, method), tuple)


def generated(seed):
    """A Flask application with up to eight random rules."""
    chance = random.Random(seed)
    app = Flask("generated", static_folder=None)
    for _ in range(chance.randint(2, 8)):
        count = chance.randint(1, 3)
        segments = [chance.choice(SEGMENTS) for _ in range(count)]
        names = "".join(segments)
        # Werkzeug refuses a variable that is used twice.
        if any(names.count(name) > 1 for name in ("<x>", "n>", "<path", "<any", "<y>", "<f>")):
            continue
        endpoint = f"e{chance.randint(0, 3)}"
        methods = chance.choice((["GET"], ["GET"], ["POST"], ["GET", "POST"]))
        app.url_map.add(Rule("/" + "/".join(segments), endpoint=endpoint, methods=methods))
    return app


def probes(seed):
    chance = random.Random(seed + 1)
    for _ in range(40):
        path = "/" + "/".join(chance.choice(VALUES) for _ in range(chance.randint(1, 3)))
        yield path, chance.choice(("GET", "POST"))


@pytest.mark.parametrize("seed", range(150))
def test_the_first_rule_that_fits_is_werkzeugs_choice(seed):
    app = generated(seed)
    entries = collect(app.url_map).entries
    for path, method in probes(seed):
        expected = first_endpoint(app.url_map, path, method)
        if not isinstance(expected, tuple):
            continue
        found = next(entry for entry in entries if fits(entry.source, path, method))
        assert (found.endpoint, found.rule) == expected, (path, method)


@pytest.mark.parametrize("seed", range(150))
def test_a_map_made_from_the_routes_chooses_the_same(seed):
    app = generated(seed)
    routes = group(collect(app.url_map))
    again = Map([Rule(rule, endpoint=r.first.endpoint, methods=r.first.methods) for r in routes for rule in r.rules])
    for path, method in probes(seed):
        assert first_endpoint(again, path, method) == first_endpoint(app.url_map, path, method), (path, method)


def test_rules_are_parted_only_where_putting_them_together_would_change_the_choice():
    app = Flask("ties", static_folder=None)
    for rule, endpoint in (("/<a>", "one"), ("/<b>", "two"), ("/<c>", "one"), ("/x/<a>", "one")):
        app.url_map.add(Rule(rule, endpoint=endpoint, methods=["GET"]))
    routes = group(collect(app.url_map))
    assert sorted((route.name, sorted(route.rules)) for route in routes) == [
        ("one", ["/<a>", "/x/<a>"]),
        ("one.2", ["/<c>"]),
        ("two", ["/<b>"]),
    ]


def test_rules_of_one_route_keep_their_order_where_it_decides():
    app = Flask("ties", static_folder=None)
    for rule in ("/<x>/b", "/<any(a, b):k>/<y>"):
        app.url_map.add(Rule(rule, endpoint="one", methods=["GET"]))
    (route,) = group(collect(app.url_map))
    again = Map([Rule(rule, endpoint="one") for rule in route.rules])
    assert first_endpoint(again, "/a/b", "GET") == first_endpoint(app.url_map, "/a/b", "GET")


@pytest.mark.parametrize(
    "one, other, expected",
    [
        ("/a", "/a/", True),
        ("/a", "/b", False),
        ("/a/<x>", "/a/b", True),
        ("/a/<x>", "/a", False),
        ("/a/<int:x>", "/a/new", False),
        ("/a/<int:x>", "/a/12", True),
        ("/<x>.json", "/a.json", True),
        ("/<x>.json", "/a.xml", False),
        ("/<x>.json", "/<y>.xml", False),
        ("/v<x>", "/w<y>", False),
        ("/a/<path:p>", "/a/b/c/d", True),
        ("/a/<path:p>/edit", "/b/<path:p>", False),
        ("/a/<list:p>", "/a/b/c", True),
        ("/<any(a/b, c):k>", "/a/b", True),
        ("/", "/a", False),
        ("/<path:p>", "/", True),
    ],
)
def test_overlap(one, other, expected):
    assert may_overlap(one, other) is expected
    assert may_overlap(other, one) is expected
