"""`census` and `match`: what Ficus asks the shim before anything moves, as JSON on standard output."""

import json
import re

import pytest

from legacy_shim.census import take_census
from legacy_shim.session_kind import session_kind


def asked(run, questions, app="apps.office:create_app"):
    """Header and answers of `match`."""
    import os
    import subprocess
    import sys

    from conftest import HERE
    from conftest import SOURCES

    done = subprocess.run(
        [sys.executable, "-m", "legacy_shim", "match", "--app", app],
        cwd=str(HERE),
        env=dict(os.environ, PYTHONPATH=SOURCES, PYTHONDONTWRITEBYTECODE="1"),
        input="".join(json.dumps(question) + "\n" for question in questions),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        universal_newlines=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    header, *answers = [json.loads(line) for line in done.stdout.splitlines()]
    return header, answers


def test_the_census_is_one_document_on_standard_output(run):
    done = run("-m", "legacy_shim", "census", "--app", "apps.office:create_app", "--json")
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    assert document["schema"] == 1
    assert document["profile"] in ("werkzeug-1.0", "werkzeug-2.3", "werkzeug-3.0", "werkzeug-3.1")
    assert document["session"]["kind"] == "cookie"
    names = [extension["name"] for extension in document["extensions"]]
    assert {"Flask-Login", "Flask-RESTful", "Flask-WTF"} <= set(names)
    assert len(names) == len(set(names))
    routes = run("-m", "legacy_shim", "routes", "--app", "apps.office:create_app")
    assert document["routes_toml"] == routes.stdout


def test_what_the_application_prints_is_not_in_the_document(run, tmp_path):
    (tmp_path / "loud.py").write_text(
        "import os\nfrom flask import Flask\nprint('hello')\nos.write(1, b'raw')\napp = Flask(__name__)\n"
    )
    done = run("-m", "legacy_shim", "census", "--app", "loud", cwd=str(tmp_path))
    assert json.loads(done.stdout)["app"]["name"] == "loud"
    assert "hello" in done.stderr and "raw" in done.stderr


def test_an_application_that_does_not_start_says_where(run, tmp_path):
    (tmp_path / "broken.py").write_text("def settings():\n    raise KeyError('CRM_URL')\n\n\nsettings()\n")
    done = run("-m", "legacy_shim", "census", "--app", "broken", cwd=str(tmp_path))
    assert done.returncode == 1
    error = json.loads(done.stdout)["error"]
    assert error == {"problem": "does not start", "message": "KeyError: 'CRM_URL'", "where": "broken.py:2 in settings"}


@pytest.mark.parametrize("source", ["import sys; sys.exit('no config')", "import not_there_at_all", "def ("])
def test_whatever_stops_the_application_is_told(run, tmp_path, source):
    (tmp_path / "broken.py").write_text(source + "\n")
    done = run("-m", "legacy_shim", "match", "--app", "broken", cwd=str(tmp_path))
    assert done.returncode == 1
    assert json.loads(done.stdout)["error"]["message"]


def test_an_application_that_is_not_there_is_told(run):
    done = run("-m", "legacy_shim", "census", "--app", "nowhere:app")
    assert done.returncode == 1
    assert json.loads(done.stdout)["error"]["problem"] == "not found"


def test_the_secret_key_is_nowhere_in_the_document(app):
    app.secret_key = "do-not-tell"
    with app.app_context():
        document = take_census(app, "office", {"CRM_KEY": "do-not-tell", "OTHER": "x"})
    assert document["secret_key"] == {"set": True, "variables": ["CRM_KEY"], "fallbacks": 0}
    assert "do-not-tell" not in json.dumps(document)


def test_special_views_are_warned_about(app):
    with app.app_context():
        text = "\n".join(take_census(app, "office")["warnings"])
    assert "customers.export" in text
    assert "converter" in text
    # How many depends on Werkzeug's order.
    assert re.search(r"\d times? Flask may try such a rule first", text)


def test_sessions_of_other_classes_are_told_apart(app):
    from flask.sessions import SecureCookieSessionInterface

    class Renamed(SecureCookieSessionInterface):
        pass

    class Salted(SecureCookieSessionInterface):
        salt = "own"

    class Own(SecureCookieSessionInterface):
        def open_session(self, app, request):
            return None

    class Stored(SecureCookieSessionInterface):
        __module__ = "flask_session.sessions"

    app.config["SESSION_TYPE"] = "redis"
    found = []
    for interface in (Renamed, Salted, Own, Stored):
        app.session_interface = interface()
        kind = session_kind(app)
        found.append((kind["kind"], kind["store"], len(kind["warnings"])))
    assert found == [("cookie", None, 0), ("cookie", None, 1), ("unknown", None, 1), ("server", "redis", 0)]


def test_match_answers_as_the_map_does(run):
    requests = [
        ("GET", "/customers/7"),
        ("GET", "/customers"),
        ("DELETE", "/customers/7"),
        ("GET", "/nowhere"),
        ("POST", "/customers/1,2/merge"),
        ("GET", "/customers/%37"),
    ]
    questions = [{"method": method, "host": "localhost", "path": path} for method, path in requests]
    header, answers = asked(run, questions)
    assert any(rule["rule"] == "/customers/<int:customer_id>" for rule in header["rules"])
    detail, slash, wrong, nothing, own, escaped = answers
    assert detail["endpoint"] == "customers.detail" and detail["arguments"] == {"customer_id": ["int", "7"]}
    assert slash == {"answer": "redirect", "location": "http://localhost/customers/"}
    assert wrong["answer"] == "method not allowed" and {"GET", "HEAD", "OPTIONS"} <= set(wrong["allow"])
    assert nothing == {"answer": "not found"}
    assert own["kind"] == "converter"
    assert escaped == detail
