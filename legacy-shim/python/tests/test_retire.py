"""`retire`: what would go with a view, and who needs it, for the shapes that Flask applications have."""

import json

import pytest

PACKAGE = {
    "shop/__init__.py": """
from flask import Flask

from . import items
from .urls import register


def create_app():
    app = Flask(__name__)
    app.register_blueprint(items.bp)
    register(app)
    return app
""",
    "shop/items.py": """
import functools

from flask import Blueprint
from flask import redirect
from flask import render_template
from flask import request
from flask import url_for
from flask.views import MethodView

bp = Blueprint("items", __name__, url_prefix="/items")


def logged(view):
    @functools.wraps(view)
    def wrapper(*args, **kwargs):
        return view(*args, **kwargs)

    return wrapper


def hidden(view):
    def wrapper(*args, **kwargs):
        return view(*args, **kwargs)

    wrapper.__name__ = view.__name__
    return wrapper


def only_for_list():
    return 1


def for_both():
    return 2


@bp.route("/")
@logged
def list():
    return render_template("items/list.html", one=only_for_list(), two=for_both())


@bp.route("/<int:item_id>")
@hidden
def detail(item_id):
    return render_template("items/detail.html", two=for_both(), back=url_for(".list"))


@bp.route("/go")
def go():
    page = request.args.get("to", "list")
    return redirect(url_for("items." + page))


class Remove(MethodView):
    def post(self, item_id):
        return "removed"


remove = Remove.as_view("remove")
bp.add_url_rule("/<int:item_id>/remove", view_func=remove)


class Edit(MethodView):
    def get(self, item_id):
        return "form"

    def post(self, item_id):
        return redirect(url_for("items.detail", item_id=item_id))


bp.add_url_rule("/<int:item_id>/edit", view_func=Edit.as_view("edit"))
""",
    "shop/urls.py": """
from .pages import about
from .pages import contact as contact_page
from .pages import twice


def register(app):
    app.add_url_rule("/about", view_func=about)
    app.add_url_rule("/contact", endpoint="contact", view_func=contact_page)
    app.add_url_rule("/twice", endpoint="first", view_func=twice)
    app.add_url_rule("/again", endpoint="second", view_func=twice)
""",
    "shop/pages.py": """
def about():
    return "about"


def contact():
    return about() + "contact"


def twice():
    return "twice"
""",
    "shop/templates/items/list.html": "{% extends 'base.html' %}{{ url_for('items.list', page=2) }}",
    "shop/templates/items/detail.html": "{% extends 'base.html' %}{% include 'items/part.html' %}",
    "shop/templates/items/part.html": "{{ url_for('items.edit', item_id=1) }}",
    "shop/templates/base.html": "<a href=\"{{ url_for('items.list') }}\">items</a>{% block x %}{% endblock %}",
    "shop/broken.py": "def broken(:\n",
    "tests/test_items.py": "from flask import url_for\n\n\ndef test_it():\n    url_for('items.list')\n",
    ".venv/lib/site-packages/other.py": "url_for('items.list')\n",
}


@pytest.fixture
def shop(run, tmp_path):
    for name, text in PACKAGE.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def ask(endpoint):
        arguments = ["-m", "legacy_shim", "retire", "--app", "shop:create_app", "--endpoint", endpoint]
        done = run(*arguments, cwd=str(tmp_path))
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    return ask


def lines(name, start, end):
    """First and last line of the part of a file between two texts."""
    text = PACKAGE[name]
    return text[: text.index(start)].count("\n") + 1, text[: text.index(end)].count("\n") + 1


def test_a_view_of_a_blueprint_has_its_lines_helpers_and_templates(shop):
    document = shop("items.list")
    first, last = lines("shop/items.py", '@bp.route("/")', "    return render_template(\"items/list")
    view = {"file": "shop/items.py", "from": first, "to": last, "name": "list", "kind": "function"}
    assert document["view"] == view
    assert document["decorators"] == ['bp.route("/")', "logged"]
    # A decorator that nothing else uses goes too.
    assert [helper["name"] for helper in document["only"]] == ["logged", "only_for_list"]
    assert document["templates"] == [
        {"name": "items/list.html", "file": "shop/templates/items/list.html", "only": True}
    ]
    assert document["rules"] == [{"rule": "/items/", "methods": ["GET"]}]
    assert document["unread"][0]["file"] == "shop/broken.py"


def test_whoever_names_the_endpoint_is_found(shop):
    found = {(r["kind"], r["file"], r["test"]) for r in shop("items.list")["references"]}
    assert found == {
        ("url_for", "shop/items.py", False),  # `.list`, in the same blueprint
        ("unknown", "shop/items.py", False),  # "items." + page
        ("template", "shop/templates/base.html", False),
        ("url_for", "tests/test_items.py", True),
    }
    # Its own template names it too, and goes with it.
    assert not any("list.html" in r["file"] for r in shop("items.list")["references"])


def test_a_decorator_without_wraps_does_not_hide_the_view(shop):
    document = shop("items.detail")
    first, last = lines("shop/items.py", '@bp.route("/<int:item_id>")', "    return render_template(\"items/detail")
    assert (document["view"]["name"], document["view"]["from"], document["view"]["to"]) == ("detail", first, last)
    kinds = [(r["kind"], r["text"]) for r in document["references"]]
    assert ("url_for", 'return redirect(url_for("items.detail", item_id=item_id))') in kinds
    assert [helper["name"] for helper in document["only"]] == ["hidden"]


def test_a_class_goes_as_a_whole(shop):
    document = shop("items.edit")
    first, last = lines("shop/items.py", "class Edit", '        return redirect(url_for("items.detail"')
    assert document["view"] == {
        "file": "shop/items.py",
        "from": first,
        "to": last,
        "name": "Edit",
        "kind": "class",
    }
    assert [line["text"] for line in document["registered"]] == [
        'bp.add_url_rule("/<int:item_id>/edit", view_func=Edit.as_view("edit"))'
    ]
    assert [r["file"] for r in document["references"] if r["kind"] == "template"] == ["shop/templates/items/part.html"]
    assert document["uses"] == []


def test_a_view_that_is_made_first_and_registered_later_has_both_lines(shop):
    document = shop("items.remove")
    assert [line["text"] for line in document["registered"]] == [
        'remove = Remove.as_view("remove")',
        'bp.add_url_rule("/<int:item_id>/remove", view_func=remove)',
    ]
    assert document["uses"] == []


def test_functions_that_are_registered_elsewhere_are_followed(shop):
    about = shop("about")
    assert [(line["file"], line["text"]) for line in about["registered"]] == [
        ("shop/urls.py", "from .pages import about"),
        ("shop/urls.py", 'app.add_url_rule("/about", view_func=about)'),
    ]
    assert [(use["file"], use["text"]) for use in about["uses"]] == [
        ("shop/pages.py", 'return about() + "contact"')
    ]
    contact = shop("contact")
    assert contact["uses"] == []
    assert 'app.add_url_rule("/contact", endpoint="contact", view_func=contact_page)' in [
        line["text"] for line in contact["registered"]
    ]


def test_one_function_for_two_endpoints_is_told(shop):
    assert shop("first")["shared_with"] == ["second"]
    assert shop("about")["shared_with"] == []


def test_an_endpoint_that_is_not_there_is_told(shop):
    assert shop("nothing")["known"] is False


def test_static_files_and_resources_of_an_office(run):
    for endpoint, kind in (("static", None), ("customers.list", "function"), ("api.deals", "class")):
        done = run("-m", "legacy_shim", "retire", "--app", "apps.office:create_app", "--endpoint", endpoint)
        assert done.returncode == 0, done.stderr
        view = json.loads(done.stdout)["view"]
        assert (view and view["kind"]) == kind
