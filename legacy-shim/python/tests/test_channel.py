"""The channel: sessions of every kind and users, read and written over WSGI, beside a Flask that goes on using them."""

import json
import os
import shutil
import subprocess
import sys
import time
from datetime import datetime
from decimal import Decimal

import pytest
from flask import session as flask_session_proxy

from apps import desk

KINDS = pytest.mark.parametrize("kind", desk.KINDS)
AUTHORIZATION = {"X-Legacy-Shim-Authorization": "Bearer " + desk.SECRET}


@pytest.fixture(scope="module")
def redis_client(tmp_path_factory):
    """A real Redis if the machine has one, on a Unix socket of its own; else the imitation from PyPI."""
    import redis

    if shutil.which("redis-server") is None:
        import fakeredis

        yield fakeredis.FakeStrictRedis()
        return
    folder = tmp_path_factory.mktemp("redis")
    path = str(folder / "redis.sock")
    server = subprocess.Popen(
        ["redis-server", "--port", "0", "--unixsocket", path, "--save", "", "--dir", str(folder)],
        stdout=subprocess.DEVNULL,
    )
    deadline = time.monotonic() + 30
    while not os.path.exists(path):
        assert server.poll() is None and time.monotonic() < deadline, "redis-server does not start"
        time.sleep(0.02)
    client = redis.Redis(unix_socket_path=path)
    yield client
    client.connection_pool.disconnect()
    server.terminate()
    server.wait(30)


@pytest.fixture
def make(tmp_path, redis_client):
    """Makes the application; `user` is its browser, which keeps cookies."""
    made = []

    def make(kind, **config):
        if kind == "redis":
            config["SESSION_REDIS"] = redis_client
        app = desk.create_app(kind, str(tmp_path), **config)
        made.append((kind, app))
        return app

    yield make
    for kind, app in made:
        if kind == "sql":
            with app.app_context():
                database = app.config["SESSION_SQLALCHEMY"]
                database.session.remove()
                database.engine.dispose()
    if any(kind == "redis" for kind, _ in made):
        redis_client.flushall()


class Browser:
    """Keeps cookies; the test clients of Flask do it each in another way."""

    def __init__(self, app):
        self.client = app.test_client(use_cookies=False)
        self.cookies = {}

    def get(self, path):
        response = self.client.get(path, headers=dict(self.headers(), **{"User-Agent": "agent"}))
        self.keep(response)
        return response

    def headers(self):
        cookies = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        return {"Cookie": cookies} if cookies else {}

    def keep(self, response):
        for header in response.headers.getlist("Set-Cookie"):
            name, _, value = header.split(";")[0].partition("=")
            self.cookies[name] = value


class Handler:
    """Asks the channel as a Rust handler does: the browser's headers, and the request that it got."""

    def __init__(self, app, browser):
        self.client = app.test_client(use_cookies=False)
        self.browser = browser

    def ask(self, method="GET", path="/_shim/session", headers=None, origin=None, **more):
        headers = dict(AUTHORIZATION, **dict(self.browser.headers(), **(headers or {})))
        headers["X-Legacy-Shim-Origin"] = json.dumps(origin or {"method": "GET", "target": "/x", "for": "127.0.0.1"})
        return self.client.open(path, method=method, headers=headers, **more)

    def load(self):
        response = self.ask()
        assert response.status_code == 200, response.data
        assert "Set-Cookie" not in response.headers
        assert response.headers["Cache-Control"] == "no-store"
        return json.loads(response.data)

    def save(self, session, base, modified=True):
        return self.ask("PUT", data=json.dumps({"session": session, "base": base, "modified": modified}))


def people(app):
    browser = Browser(app)
    return browser, Handler(app, browser)


@KINDS
def test_a_session_goes_there_and_back(make, kind):
    browser, handler = people(make(kind))
    assert browser.get("/set/color/red").data == b"set"
    assert browser.get("/flash/hello").data == b"said"
    loaded = handler.load()
    assert loaded["session"]["color"] == "red"
    # Flask-Session's msgpack makes a list of a tuple.
    assert loaded["session"]["_flashes"] in ([{" t": ["message", "hello"]}], [["message", "hello"]])

    session = dict(loaded["session"], size="big", _flashes=[{" t": ["message", "from Rust"]}])
    del session["color"]
    saved = handler.save(session, loaded["version"])
    assert (saved.status_code, saved.get_json()) == (200, {"saved": True})
    assert saved.headers.getlist("Set-Cookie")[0].startswith("session=")
    browser.keep(saved)
    shown = browser.get("/show").get_json()
    assert shown["messages"] == ["from Rust"]
    assert shown["values"]["size"] == "big"
    assert "color" not in shown["values"]


@KINDS
def test_reading_changes_nothing(make, kind):
    browser, handler = people(make(kind))
    browser.get("/set/color/red")
    assert handler.load() == handler.load()
    before = dict(browser.cookies)
    # Whoever has no session does not get one.
    nobody, asking = people(handler.client.application)
    session = asking.load()["session"]
    assert set(session) <= {"_permanent"}
    assert (browser.cookies, nobody.cookies) == (before, {})


@KINDS
def test_a_new_session_can_be_made_and_emptied(make, kind):
    browser, handler = people(make(kind))
    loaded = handler.load()
    saved = handler.save(dict(loaded["session"], color="blue"), loaded["version"])
    assert saved.status_code == 200
    browser.keep(saved)
    loaded = handler.load()
    assert loaded["session"]["color"] == "blue"
    gone = handler.save({}, loaded["version"])
    assert "1970" in gone.headers["Set-Cookie"]
    if kind != "cookie":
        assert "color" not in handler.load()["session"]


@KINDS
def test_a_change_by_somebody_else_is_a_conflict(make, kind):
    browser, handler = people(make(kind))
    browser.get("/set/color/red")
    loaded = handler.load()
    browser.get("/set/color/green")
    refused = handler.save(dict(loaded["session"], size="big"), loaded["version"])
    assert refused.status_code == 409
    assert "Set-Cookie" not in refused.headers
    assert handler.load()["session"]["color"] == "green"


@KINDS
def test_an_unchanged_session_is_saved_as_flask_would(make, kind):
    browser, handler = people(make(kind))
    browser.get("/set/color/red")
    session = handler.load()
    # A cookie that is not permanent is not sent again; Flask-Session's is permanent by default.
    assert session["refresh"] is (kind != "cookie")
    saved = handler.ask("POST", data=json.dumps({"modified": False}))
    assert saved.status_code == 200
    assert ("Set-Cookie" in saved.headers) is (kind != "cookie")
    assert handler.load()["session"] == session["session"]


def test_permanent_cookies_are_refreshed(make):
    app = make("cookie")

    @app.route("/stay")
    def stay():
        flask_session_proxy.permanent = True
        return "stays"

    browser, handler = people(app)
    browser.get("/stay")
    assert handler.load()["refresh"] is True


def test_untouched_values_keep_what_json_would_lose(make):
    app = make("files")
    moment = datetime(2020, 1, 2, 3, 4, 5, 678)

    @app.route("/moment")
    def remember():
        flask_session_proxy["moment"] = moment
        return "noted"

    @app.route("/same")
    def same():
        return str(flask_session_proxy["moment"].replace(tzinfo=None) == moment)

    browser, handler = people(app)
    browser.get("/moment")
    loaded = handler.load()
    assert loaded["session"]["moment"] == {" d": "Thu, 02 Jan 2020 03:04:05 GMT"}
    saved = handler.save(dict(loaded["session"], size="big"), loaded["version"])
    assert saved.status_code == 200
    assert browser.get("/same").data == b"True"


@pytest.mark.parametrize(
    "value, reason",
    [
        ({1, 2}, "a value of type `set` has no tagged JSON form"),
        (Decimal("1.5"), "a value of type `Decimal` has no tagged JSON form"),
        ({1: "one"}, "a key of type `int` has no tagged JSON form"),
        (float("nan"), "a value has no tagged JSON form"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_tagged_json_cannot_hold_is_refused(make, value, reason):
    app = make("cookie")

    class Kept(type(app.session_interface)):
        def open_session(self, app, request):
            session = super().open_session(app, request)
            session["odd"] = value
            return session

    app.session_interface = Kept()
    _, handler = people(app)
    response = handler.ask()
    assert (response.status_code, response.get_json()) == (422, {"error": reason})


@KINDS
def test_users_are_found_by_the_applications_own_loaders(make, kind):
    browser, handler = people(make(kind))

    def user(**headers):
        return handler.ask(path="/_shim/user", headers=dict({"User-Agent": "agent"}, **headers)).get_json()

    nobody = {"id": None, "is_authenticated": False, "is_active": False, "is_fresh": False, "attributes": {}}
    assert user() == nobody
    by_key = user(**{"X-Api-Key": "key of 2"})
    assert (by_key["id"], by_key["attributes"]) == ("2", {"name": "Person 2", "role": "rep"})
    browser.get("/login/1")
    assert user() == {
        "id": "1",
        "is_authenticated": True,
        "is_active": True,
        "is_fresh": True,
        "attributes": {"name": "Person 1", "role": "admin"},
    }
    # Another browser: Flask-Login's protection sees the headers of the client, not those of the handler.
    assert user(**{"User-Agent": "another"})["is_fresh"] is False
    assert user()["is_fresh"] is True


def test_remembered_users_are_found_and_nothing_is_kept(make):
    app = make("files")
    browser, handler = people(app)
    browser.get("/login/1?remember")
    del browser.cookies["session"]
    response = handler.ask(path="/_shim/user")
    assert response.get_json()["id"] == "1"
    assert response.get_json()["is_fresh"] is False
    assert "Set-Cookie" not in response.headers


def test_the_request_of_the_handler_is_what_flask_sees(make):
    app = make("cookie", SERVER_NAME="crm.example.com")
    seen = {}

    @app.login_manager.request_loader
    def load(request):
        seen.update(url=request.url, method=request.method, address=request.remote_addr, endpoint=request.endpoint)
        seen["headers"] = [name for name, _ in request.headers if name.lower().startswith("x-legacy-shim")]

    _, handler = people(app)
    origin = {
        "method": "POST",
        "target": "/set/%C3%A9/1?a=%20b",
        "for": "203.0.113.9, 127.0.0.1",
        "proto": "https",
        "host": "crm.example.com",
    }
    assert handler.ask(path="/_shim/user", origin=dict(origin, method="GET")).status_code == 200
    assert seen.pop("url") in ("https://crm.example.com/set/%C3%A9/1?a=%20b", "https://crm.example.com/set/é/1?a=%20b")
    assert seen == {"method": "GET", "address": "203.0.113.9", "endpoint": "set_value", "headers": []}
    assert handler.ask(path="/_shim/user", origin=origin).status_code == 200
    assert seen["method"] == "POST"


@pytest.mark.parametrize("path", ["/_shim/session", "/_shim/user"])
def test_without_a_secret_there_is_no_channel(make, path):
    app = make("cookie", LEGACY_SHIM_CHANNEL_SECRET="")
    response = app.test_client().get(path, headers={"X-Legacy-Shim-Authorization": "Bearer "})
    assert response.status_code == 401, "the application's own answer"


@pytest.mark.parametrize(
    "header", ["X-Forwarded-For", "X-Forwarded-Proto", "X-Forwarded-Host", "Forwarded", "X-Real-Ip", "Via"]
)
def test_what_came_through_a_proxy_is_not_for_the_channel(make, header):
    _, handler = people(make("cookie"))
    assert handler.ask(headers={header: "1.1 proxy"}).status_code == 401


def test_strangers_and_wrong_secrets_are_refused(make):
    _, handler = people(make("cookie"))
    stranger = {"REMOTE_ADDR": "203.0.113.9"}
    assert handler.ask(environ_overrides=stranger).status_code == 401
    for wrong in ("", desk.SECRET, "Bearer ", "Bearer " + desk.SECRET[:-1], "Bearer " + desk.SECRET + "x", "\xff"):
        response = handler.ask(headers={"X-Legacy-Shim-Authorization": wrong})
        assert response.status_code == 403
        assert desk.SECRET.encode() not in response.data


def test_methods_and_bodies(make):
    _, handler = people(make("cookie"))
    refused = handler.ask("DELETE")
    assert (refused.status_code, refused.headers["Allow"]) == (405, "GET, PUT, POST")
    assert handler.ask("POST", path="/_shim/user").status_code == 405
    assert handler.ask("PUT", headers={"Content-Length": ""}).status_code == 411
    bodies = ["{", "[]", '"x"', "{}", '{"modified":true}', '{"modified":true,"base":1,"session":{}}', '{"modified":1}']
    for body in bodies + ['{"modified":true,"base":"x","session":[]}', '{"a":{" u":"no"}}', "[" * 5000]:
        assert handler.ask("PUT", data=body).status_code == 400, body
    assert handler.ask("PUT", data=" " * (1024 * 1024 + 1)).status_code == 413
    for origin in ([], {"secret": "x"}, {"target": 1}, {"target": "x"}, {"for": "a\nb"}, {"for": "\u20ac"}):
        assert handler.ask(origin=origin or [1]).status_code == 400, origin


def test_an_exception_is_logged_and_answered(make, caplog):
    app = make("cookie")

    @app.login_manager.request_loader
    def load(request):
        raise RuntimeError("the database is gone")

    _, handler = people(app)
    response = handler.ask(path="/_shim/user")
    assert response.status_code == 500
    assert b"database" not in response.data
    assert "the database is gone" in caplog.text
    assert desk.SECRET not in caplog.text


def test_hooks_of_the_application_do_not_run_but_teardown_does(make):
    app = make("cookie")
    ran = []
    app.before_request(lambda: ran.append("before"))
    app.after_request(lambda response: ran.append("after") or response)
    app.teardown_appcontext(lambda error: ran.append("teardown"))
    _, handler = people(app)
    handler.load()
    assert ran == ["teardown"]


def test_the_secret_shows_itself_nowhere(make):
    app = make("cookie")
    assert desk.SECRET not in repr(app.extensions["legacy_shim"])
    with pytest.raises(ValueError) as error:
        make("cookie", LEGACY_SHIM_CHANNEL_SECRET="too short")
    assert str(error.value).startswith("LEGACY_SHIM_CHANNEL_SECRET: the secret must have at least 16 characters")
    assert "too short" not in str(error.value)
    with pytest.raises(ValueError, match="`a-b` is not the name of an attribute"):
        make("cookie", LEGACY_SHIM_USER_ATTRIBUTES="name, a-b")


def test_an_application_without_flask_login(tmp_path):
    from flask import Flask

    from legacy_shim import LegacyShim

    app = Flask("plain", static_folder=None)
    app.config.update(LEGACY_SHIM_CHANNEL_SECRET=desk.SECRET, SECRET_KEY="x")
    LegacyShim(app)
    assert app.test_client().get("/_shim/user", headers=AUTHORIZATION).status_code == 404
    app.secret_key = None
    assert app.test_client().get("/_shim/session", headers=AUTHORIZATION).status_code == 500


def test_the_desk_runs_as_a_process(tmp_path):
    """What the Rust tests start."""
    import urllib.request

    command = [sys.executable, "-m", "apps.desk", str(tmp_path), desk.SECRET]
    environment = {"PYTHONPATH": "src:tests", "PYTHONWARNINGS": "ignore"}
    process = subprocess.Popen(command, stdout=subprocess.PIPE, env=environment, universal_newlines=True)
    try:
        port = process.stdout.readline().strip()
        asked = urllib.request.Request(f"http://127.0.0.1:{port}/_shim/session", headers=AUTHORIZATION)
        with urllib.request.urlopen(asked, timeout=30) as response:
            assert response.status == 200
    finally:
        process.kill()
        process.wait(30)
        process.stdout.close()
