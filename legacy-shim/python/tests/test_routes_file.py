"""routes.toml of the office application: what each route says, in values and in comments."""

import functools
import re

import pytest
from flask import Blueprint
from flask import Flask
from flask import send_file
from flask import stream_with_context
from werkzeug.routing import BaseConverter
from werkzeug.routing import IntegerConverter

from legacy_shim.export import converters
from legacy_shim.export import write_routes
from legacy_shim.export.converters import Converter


@pytest.fixture
def document(app):
    return write_routes(app, "legacy", "flask shim routes", "0.0.0")


@pytest.fixture
def routes(document, parse):
    return {route["name"]: route for route in parse(document)["route"]}


@pytest.fixture
def comments(document):
    """The comment lines above each route, by name."""
    blocks = (block for block in document.split("\n\n") if "[[route]]" in block)
    return {
        re.search(r'^name = "(.*)"$', block, re.M).group(1): [
            line[2:] for line in block.split("\n") if line.startswith("# ")
        ]
        for block in blocks
    }


def write(app):
    return write_routes(app, "legacy", "flask shim routes", "0.0.0")


def test_the_head_is_the_one_ficus_expects(document, parse):
    parsed = parse(document)
    assert parsed["version"] == 1
    assert parsed["defaults"] == {"serve": "legacy", "candidate": "rust", "fallback": "legacy"}


def test_every_route_has_only_keys_that_ficus_knows(routes):
    known = {
        "name", "endpoint", "rule", "rules", "methods", "serve", "defaults", "host", "subdomain", "strict_slashes",
        "provide_automatic_options",
    }  # fmt: skip
    assert {key for route in routes.values() for key in route} <= known


def test_a_plain_route(routes):
    assert routes["customers.detail"] == {
        "name": "customers.detail",
        "rule": "/customers/<int:customer_id>",
        "methods": ["GET"],
        "serve": "legacy",
    }


def test_methods_leave_out_what_flask_adds(routes):
    assert routes["customers.create"]["methods"] == ["GET", "POST"]


def test_options_are_told_when_they_are_not_flasks(routes):
    assert routes["quiet"]["methods"] == ["GET"]
    assert routes["quiet"]["provide_automatic_options"] is False
    assert routes["options"]["methods"] == ["GET", "OPTIONS"]
    assert "provide_automatic_options" not in routes["options"]


def test_a_rule_without_methods_takes_any(routes):
    assert routes["anything"]["methods"] == ["*"]
    assert "provide_automatic_options" not in routes["anything"]


def test_rules_of_one_endpoint_are_one_route_as_url_for_prefers_them(routes):
    assert routes["api.deal"]["rules"] == ["/api/deals/<int:deal_id>", "/api/d/<int:deal_id>"]
    assert routes["two"]["rules"] == ["/two", "/zwei"]


def test_a_class_with_methods_at_different_rules_is_split_by_method(routes):
    assert routes["users.get"]["endpoint"] == "users"
    assert routes["users.get"]["rule"] == "/users/"
    assert routes["users.put-delete"]["endpoint"] == "users"
    assert routes["users.put-delete"]["methods"] == ["PUT", "DELETE"]
    assert "users" not in routes


def test_rules_with_other_defaults_are_numbered_by_their_text(routes):
    assert routes["page"]["rule"] == "/pages/"
    assert routes["page"]["defaults"] == {"number": 1}
    assert routes["page.2"]["rule"] == "/pages/<int:number>"
    assert routes["page.2"]["endpoint"] == "page"


def test_slashes_and_static_files(routes, comments):
    assert routes["both"]["strict_slashes"] is False
    assert "strict_slashes" not in routes["quiet"]
    assert routes["static"]["rule"] == "/static/<path:filename>"
    assert "view: Flask's static files, from apps/static" in comments["static"]
    assert "streaming: yes (files)" in comments["static"]


def test_names_and_rules_are_escaped(routes):
    assert routes['odd-"name"']["rule"] == '/quote"d\\<path:rest>'


def test_what_flasks_map_answers_by_itself_stays_on_legacy(app, parse):
    parsed = parse(write_routes(app, "rust", "flask shim routes --serve rust", "0.0.0"))
    serve = {route["name"]: route["serve"] for route in parsed["route"]}
    assert {name for name in serve if serve[name] == "legacy"} == {"old", "two.alias", "socket", "customers.merge"}
    assert parsed["defaults"]["serve"] == "legacy"


def test_a_custom_converter_is_written_down_and_its_routes_stay_on_legacy(routes, comments, document, parse):
    assert parse(document)["converters"] == {"list": {"regex": r"\d+(?:,\d+)*", "weight": 60}}
    assert routes["customers.merge"]["rule"] == "/customers/<list:ids>/merge"
    assert comments["customers.merge"][0].startswith("stays on legacy: its converter is Python;")
    assert "# list is apps.office.ListConverter; a value that its Python refuses still matches here" in document


def test_rules_that_ficus_cannot_match_are_told_at_the_end(document, routes):
    assert "customers.by_tag" not in routes
    assert "elsewhere" not in routes
    end = document[document.index("# Rules that are not routes") :]
    assert "`/customers/<not_new:tag>/tags`, endpoint customers.by_tag, GET: unknown converter" in end
    assert "tag: not_new, which is apps.office.NotNewConverter, weight 100, regex (?!new)[^/]+" in end
    assert "`/somewhere/else`, endpoint elsewhere" in end


def test_routes_behind_a_rule_that_is_missing_are_warned_of(comments):
    caution = [line for line in comments["customers.by_name"] if line.startswith("caution:")]
    assert len(caution) == 1
    assert "`/customers/<not_new:tag>/tags` (endpoint customers.by_tag" in caution[0]
    assert not [line for line in comments["customers.list"] if line.startswith("caution:")]


@pytest.mark.parametrize(
    "regex, writable",
    [
        (r"[a-z]{2}", True),
        (r"[^/]+?", True),
        (r"\d{4}-\d{2}", True),
        (r"(?:a|b)\.json", True),
        (r"[A-Za-z0-9_-]+", True),
        (r"(?=a)b", False),
        (r"(?<!a)b", False),
        (r"(a)\1", False),
        (r"a\Z", False),
        (r"(?i)a", False),
        (r"[[a]", False),
        (r"[a--b]", False),
        (r"[a&&b]", False),
        (r"a++", False),
        (r"(?P<n>a)", False),
        (r"^a$", False),
        (r"\bword", False),
    ],
)
def test_only_expressions_that_every_engine_reads_alike_are_written(regex, writable):
    converter = Converter("x", "own", "app.Own", regex, 100, None, True)
    assert (converters.writable([(converter,)]) == {"own": converter}) is writable


def test_a_name_that_stands_for_two_things_is_not_written():
    converter = Converter("x", "own", "app.Own", "a", 100, None, True)
    assert converters.writable([(converter, converter._replace(variable="y"))])
    assert not converters.writable([(converter, converter._replace(regex="b"))])
    assert not converters.writable([(converter._replace(fixed=False),)])


@pytest.mark.parametrize(
    "name, login",
    [
        ("customers.list", "required (login_required)"),
        ("customers.detail", "required (fresh_login_required)"),
        ("customers.export", "unknown (no Flask-Login decorator on the view)"),
        ("users.get", "unknown (no Flask-Login decorator on the view)"),
        ("users.put-delete", "required (login_required)"),
        ("api.deal", "required (login_required)"),
        ("api.deals", "required (login_required) on POST; unknown on GET"),
    ],
)
def test_login_is_told_by_flask_logins_own_decorator(comments, name, login):
    assert "login: " + login in comments[name]


def test_other_decorators_and_before_request_functions_are_named(comments):
    assert [
        line for line in comments["customers.detail"] if re.match(r"decorators: checked at apps/office.py:\d+$", line)
    ]
    assert [
        line
        for line in comments["hooks.mail"]
        if re.match(r"before_request: check_signature at apps/office.py:\d+$", line)
    ]
    assert not [line for line in comments["report"] if line.startswith(("decorators:", "before_request:"))]


@pytest.mark.parametrize(
    "name, csrf",
    [
        ("customers.list", "not checked for GET"),
        ("customers.create", "checked on POST"),
        ("users.put-delete", "checked on PUT, DELETE"),
        ("hooks.mail", "exempt (blueprint hooks); a FlaskForm still checks its own token"),
    ],
)
def test_csrf(comments, name, csrf):
    assert "csrf: " + csrf in comments[name]


def test_csrf_exemptions_of_views_and_switches(app):
    app.extensions["csrf"].exempt(app.view_functions["customers.create"])
    assert "csrf: exempt (view); a FlaskForm" in write(app)
    app.config["WTF_CSRF_CHECK_DEFAULT"] = False
    assert "csrf: unknown (WTF_CSRF_CHECK_DEFAULT is off" in write(app)
    app.config["WTF_CSRF_ENABLED"] = False
    assert "csrf: switched off by WTF_CSRF_ENABLED" in write(app)


@pytest.mark.parametrize(
    "name, streaming",
    [
        ("customers.export", r"yes \(stream_with_context\)"),
        ("report", r"yes \(Response with a generator in apps/office.py:\d+\)"),
        ("download", r"yes \(send_file\)"),
        ("feed", r"unknown \(Response\(lines\)\)"),
        ("customers.list", "not seen in the source"),
    ],
)
def test_streaming(comments, name, streaming):
    assert [line for line in comments[name] if re.match("streaming: " + streaming + "$", line)]


def test_without_extensions_login_and_csrf_are_unknown():
    plain = Flask("plain", static_folder=None)
    plain.add_url_rule("/", "index", lambda: "x", methods=["POST"])
    document = write(plain)
    assert "# login: unknown (Flask-Login is not in use)" in document
    assert "# csrf: unknown (Flask-WTF's CSRFProtect is not in use)" in document


def test_a_view_without_source_is_unknown(parse):
    plain = Flask("plain", static_folder=None)
    space = {}
    exec("def made():\n    return 'x'\n", space)
    plain.add_url_rule("/", "made", space["made"])
    plain.add_url_rule("/len", "len", len)
    document = write(plain)
    assert document.count("# streaming: unknown (source not available)") == 2
    assert "# view: unknown (len)" in document
    assert len(parse(document)["route"]) == 2


def test_views_that_are_objects_or_partial_functions_are_read():
    class View:
        def __call__(self):
            return send_file("x")

    def view(name):
        return stream_with_context(name)

    plain = Flask("plain", static_folder=None)
    plain.add_url_rule("/object", "object", View())
    plain.add_url_rule("/partial", "partial", functools.partial(view, "x"))
    document = write(plain)
    assert "# streaming: yes (send_file)" in document
    assert "# streaming: yes (stream_with_context)" in document
    assert "(View)" in document
    assert "(view)" in document


def test_every_custom_variable_of_a_rule_is_explained():
    class Regex(BaseConverter):
        def __init__(self, url_map, regex):
            super().__init__(url_map)
            self.regex = regex

    plain = Flask("plain", static_folder=None)
    plain.url_map.converters["re"] = Regex
    plain.add_url_rule('/<re("[a-c]+"):x>/<re("[0-9]"):y>', "index", lambda x, y: "x")
    document = write(plain)
    assert '# `/<re("[a-c]+"):x>/<re("[0-9]"):y>`, endpoint index, GET: unknown converter' in document
    assert "x: re, which is test_routes_file." in document
    assert "weight 100, regex [a-c]+" in document
    assert "weight 100, regex [0-9]" in document


def test_what_the_map_says_is_written_where_it_is_not_the_default(document, parse):
    assert "map" not in parse(document)
    plain = Flask("plain", static_folder=None, subdomain_matching=True)
    plain.config["SERVER_NAME"] = "example.com"
    plain.url_map.strict_slashes = False
    plain.add_url_rule("/", "sub", lambda: "x", subdomain="<tenant>")
    plain.add_url_rule("/strict/", "strict", lambda: "x", strict_slashes=True)
    parsed = parse(write(plain))
    assert parsed["map"] == {"strict_slashes": False, "subdomain_matching": True, "server_name": "example.com"}
    by_name = {route["name"]: route for route in parsed["route"]}
    assert by_name["sub"]["subdomain"] == "<tenant>"
    assert "strict_slashes" not in by_name["sub"]
    assert by_name["strict"]["strict_slashes"] is True


def test_hosts(parse):
    hosts = Flask("hosts", static_folder=None, host_matching=True)
    hosts.add_url_rule("/", "index", lambda: "x", host="a.example.com")
    parsed = parse(write(hosts))
    assert parsed["map"] == {"host_matching": True}
    assert parsed["route"][0]["host"] == "a.example.com"


def test_a_builtin_converter_that_was_replaced_counts_as_custom(parse):
    class Positive(IntegerConverter):
        regex = r"[1-9]\d*"

    plain = Flask("plain", static_folder=None)
    plain.url_map.converters["int"] = Positive
    plain.add_url_rule("/<int:n>", "one", lambda n: "x")
    parsed = parse(write(plain))
    assert parsed["converters"] == {"int": {"regex": r"[1-9]\d*", "weight": 50}}
    assert parsed["route"][0]["serve"] == "legacy"


def test_a_rule_that_is_registered_twice_is_written_once(parse):
    plain = Flask("plain", static_folder=None)
    plain.add_url_rule("/same", "same", len)
    plain.add_url_rule("/same", "same", len)
    plain.add_url_rule("/more", "more", len)
    plain.add_url_rule("/more", "more", len, methods=["GET", "POST"])
    written = [(route["name"], route["rule"], route["methods"]) for route in parse(write(plain))["route"]]
    assert written == [
        ("same", "/same", ["GET"]),
        ("more.get", "/more", ["GET"]),
        ("more.post", "/more", ["POST"]),
    ]


def test_a_second_rule_that_is_never_reached_is_told():
    plain = Flask("plain", static_folder=None)
    plain.add_url_rule("/same", "first", lambda: "x")
    plain.add_url_rule("/same", "second", lambda: "y")
    assert "# never reached: `/same` is also a rule of first, which comes first" in write(plain)


def test_defaults_that_toml_cannot_say_are_told(parse):
    plain = Flask("plain", static_folder=None)
    plain.add_url_rule("/", "index", lambda **kw: "x", defaults={"a": b"", "b": True, "a b": 1.5, "c": "ü\n"})
    document = write(plain)
    assert "# defaults: a is a bytes and has no form in TOML" in document
    assert parse(document)["route"][0]["defaults"] == {"b": True, "a b": 1.5, "c": "ü\n"}


def test_a_default_of_none_is_said(parse):
    """As in Flask's own documentation of MethodView."""
    plain = Flask("plain", static_folder=None)
    plain.add_url_rule("/users/", "users", lambda user_id: "x", defaults={"user_id": None})
    assert parse(write(plain))["route"][0]["defaults"] == {"user_id": {"none": True}}


def test_nothing_in_a_comment_can_break_out_of_it(parse):
    class Newline(BaseConverter):
        regex = "a\nserve = 1\x7f"

    plain = Flask("plain\nserve = 1", static_folder=None, root_path="/")
    plain.url_map.converters["nl"] = Newline
    plain.add_url_rule("/<nl:x>", "index", lambda x: "x")
    assert "route" not in parse(write(plain))


def test_names_stay_free_of_clashes(parse):
    plain = Flask("plain", static_folder=None)
    bp = Blueprint("edit", __name__)
    bp.add_url_rule("/taken", "post", lambda: "x")
    plain.register_blueprint(bp)
    plain.add_url_rule("/a", "edit", lambda: "x", methods=["GET"])
    plain.add_url_rule("/a", "edit", plain.view_functions["edit"], methods=["POST"])
    names = {route["name"]: route.get("endpoint") for route in parse(write(plain))["route"]}
    assert names == {"edit.get": "edit", "edit.post": None, "edit.post-2": "edit"}
