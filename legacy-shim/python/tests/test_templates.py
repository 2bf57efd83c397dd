"""`python -m legacy_shim templates`: which templates a view renders, invented contexts, and values on their way."""

import datetime
import io
import json
import sys

import flask
import jinja2
import pytest

from legacy_shim.templates.find import templates_of
from legacy_shim.templates.sample import invent
from legacy_shim.templates.serve import serve
from legacy_shim.templates.wire import Lent

TEMPLATES = {
    "base.html": "<title>{{ title }}</title>{% block body %}{% endblock %}",
    "list.html": "{% extends 'base.html' %}{% block body %}"
    "{% for item in items %}{{ item.name|shout }}{% endfor %}{% endblock %}",
    "broken.html": "{{ nothing.at.all() }}",
}


@pytest.fixture
def site():
    app = flask.Flask("templates")
    app.jinja_loader = jinja2.DictLoader(TEMPLATES)
    app.add_template_filter(lambda value: value.upper() + "!", "shout")
    app.context_processor(lambda: {"title": "T & T"})
    app.add_url_rule("/list", "list", lambda: flask.render_template("list.html", items=[{"name": "<a>"}]))
    app.add_url_rule("/away", "away", lambda: flask.redirect("/list"))
    return app


def talk(app, *questions):
    """The answers to these questions, without the line about the application."""
    answers = io.StringIO()
    with app.app_context():
        serve(app, io.StringIO("".join(json.dumps(question) + "\n" for question in questions)), answers)
    return [json.loads(line) for line in answers.getvalue().splitlines()]


def test_the_first_line_names_templates_and_what_is_the_applications_own(site):
    (header,) = talk(site)
    routes = {route["endpoint"]: route for route in header["routes"]}
    assert routes["list"]["templates"] == ["list.html"]
    assert routes["away"] == {"endpoint": "away", "templates": [], "unknown": False}
    assert header["filters"] == ["shout"]
    assert header["tests"] == header["options"] == []


def test_options_that_are_not_flasks_are_named(site):
    site.jinja_env.trim_blocks = True
    assert talk(site)[0]["options"] == ["trim_blocks"]


def test_a_template_is_rendered_and_its_context_lent(site):
    context = {"items": [{"name": "<a>"}]}
    render = {"do": "render", "name": "list.html", "context": context}
    call = {"do": "filter", "name": "shout", "args": [{"safe": "a"}], "named": {}}
    _, page, shouted, source = talk(site, render, call, {"do": "source", "name": "base.html"}, {"do": "done"})
    assert page["text"] == "<title>T &amp; T</title>&lt;A&gt;!"
    assert page["stable"] is True
    assert page["context"]["title"] == "T & T"
    assert page["context"]["items"] == {"list": [{"dict": [["name", "<a>"]]}]}
    assert {"url_for", "get_flashed_messages"} <= set(page["globals"])
    assert shouted == {"value": {"safe": "A!"}}
    assert source["source"] == TEMPLATES["base.html"]


def test_without_a_context_one_is_invented(site):
    pages = [talk(site, {"do": "render", "name": "list.html"}, {"do": "done"})[1] for _ in range(2)]
    assert "ITEMS.1.NAME &lt;B&gt;" in pages[0]["text"]
    assert pages[0]["text"] == pages[1]["text"]


def test_a_view_that_runs_lends_what_it_renders(site):
    _, page, end = talk(site, {"do": "request", "path": "/list"}, {"do": "done"})
    assert page["text"].endswith("&lt;A&gt;!")
    assert end == {"status": 200, "templates": ["list.html"], "location": None}
    _, end = talk(site, {"do": "request", "path": "/away"})
    assert end["status"] == 302
    assert end["templates"] == []


def test_what_goes_wrong_is_an_answer(site):
    _, page = talk(site, {"do": "render", "name": "broken.html", "context": {"nothing": "x"}}, {"do": "done"})
    assert "UndefinedError" in page["error"]
    assert page["closure"] == ["broken.html"]
    _, missing, unknown = talk(site, {"do": "render", "name": "no.html"}, {"do": "source", "name": "no.html"})
    assert "TemplateNotFound" in missing["error"]
    assert unknown == {"source": None}


def helper(name):
    return flask.render_template(name)


def view_with_a_constant():
    return flask.render_template(CHOSEN if flask.request.args else "other.html")


def view_through_a_function():
    return helper("handed.html")


def view_of_no_name():
    return flask.render_template(flask.request.args["name"])


class Listed(flask.views.MethodView):
    template_name = "listed.html"

    def get(self):
        return flask.render_template("got.html")


CHOSEN = "chosen.html"


@pytest.mark.parametrize(
    "view, names, unknown",
    [
        (view_with_a_constant, ["chosen.html", "other.html"], False),
        (view_through_a_function, ["handed.html"], False),
        (view_of_no_name, [], True),
        (Listed.as_view("listed"), ["listed.html", "got.html"], False),
    ],
)
def test_templates_are_read_from_the_source(monkeypatch, view, names, unknown):
    from conftest import HERE

    monkeypatch.chdir(HERE)
    found = templates_of(view)
    assert (found.names, found.unknown) == (names, unknown)


@pytest.mark.parametrize(
    "template, check",
    [
        ("{{ a }}", lambda c: "<b>" in c["a"]),
        ("{{ a.b.c }}", lambda c: "<b>" in c["a"].b.c),
        ("{% for x in a %}{{ x.y }}{% endfor %}", lambda c: len([x.y for x in c["a"]]) == 2),
        ("{{ a + 1 }}{{ b|round }}{% if c > 5 %}{% endif %}", lambda c: (c["a"], c["b"], c["c"]) == (3, 3, 3)),
        ("{{ a.strftime('%d') }}", lambda c: isinstance(c["a"], datetime.datetime)),
        ("{{ a.upper() }}", lambda c: isinstance(c["a"], str)),
        ("{{ a.title }}", lambda c: "<b>" in c["a"].title),
        ("{% for k, v in a.items() %}{{ v.w }}{% endfor %}", lambda c: len({v.w for v in c["a"].values()}) == 2),
        ("{{ a(1).b }}", lambda c: "<b>" in c["a"](2).b),
        ("{{ f(**a) }}", lambda c: dict(c["a"]) == {}),
        ("{% macro m(x) %}{{ x.y }}{% endmacro %}{{ m(a) }}", lambda c: "<b>" in c["a"].y),
        ("{{ a|own }}{{ b|day }}", lambda c: c["a"] == 3 and c["b"].year == 2024),
        ("{% set x = 1 %}{{ x }}{{ given }}{{ range(3) }}", lambda c: c == {}),
    ],
)
def test_values_are_invented_as_templates_use_them(template, check):
    env = jinja2.Environment()
    env.filters.update(own=abs, day=str)
    known = {"given"} | set(env.globals)
    assert check(invent([env.parse(template)], known, {"own": "number", "day": "date"}))


def test_plain_values_are_written_and_others_lent():
    lent = Lent(jinja2.Environment())
    plain = [None, True, 1.5, -2, "a", [1, (2, "b")], {"k": [None]}]
    assert [lent.read(lent.write(value)) for value in plain] == plain
    written = lent.write(datetime.date(2024, 2, 3))
    assert written["object"] == 0
    assert written["type"] == "date"
    assert lent.get(0, "year") == {"number": "2024"}
    assert lent.get(0, "nothing") == {"undefined": True}
    assert lent.text(0) == "2024-02-03"
    lent.write(max)
    assert lent.call(1, [{"number": "3"}, {"number": "4"}], {}) == {"number": "4"}
    assert lent.write(jinja2.Undefined()) == {"undefined": True}


def test_the_command_speaks_json(run):
    done = run("-m", "legacy_shim", "templates", "--app", "apps.office")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["schema"] == 1
    assert sys.version_info[0] == 3
