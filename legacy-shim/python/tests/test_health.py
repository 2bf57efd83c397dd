"""The health endpoint, and the settings."""

import pytest
from flask import Flask
from flask import abort

from legacy_shim import LegacyShim
from legacy_shim import settings
from legacy_shim.settings import SettingError


def client(peer="127.0.0.1", environment=None, **config):
    app = Flask("healthy", static_folder=None)
    app.config.update(config)
    LegacyShim(app)
    app.before_request(lambda: abort(401))
    made = app.test_client()
    made.environ_base["REMOTE_ADDR"] = peer
    return made


def test_it_answers_before_the_application_can_refuse():
    response = client().get("/_shim/health")
    assert response.status_code == 200
    assert response.mimetype == "application/json"
    assert response.headers["Cache-Control"] == "no-store"
    assert response.get_json()["status"] == "ok"


def test_it_answers_for_any_host_when_server_name_is_set():
    probe = client(SERVER_NAME="crm.example.com")
    assert probe.get("/_shim/health", base_url="http://127.0.0.1:5000").status_code == 200


def test_versions_are_for_trusted_peers_that_speak_for_themselves():
    assert set(client().get("/_shim/health").get_json()) == {"status", "flask", "werkzeug", "python"}
    assert client(peer="").get("/_shim/health").get_json()["flask"][0] in "123"
    assert client(peer="203.0.113.9").get("/_shim/health").get_json() == {"status": "ok"}
    through = {"X-Forwarded-For": "203.0.113.9"}
    assert client().get("/_shim/health", headers=through).get_json() == {"status": "ok"}


def test_methods():
    probe = client()
    head = probe.head("/_shim/health")
    assert head.status_code == 200
    assert head.data == b""
    assert int(head.headers["Content-Length"]) > 0
    assert probe.post("/_shim/health").status_code == 405


def test_the_path_can_be_changed_and_switched_off():
    moved = client(LEGACY_SHIM_HEALTH_PATH="/alive")
    assert moved.get("/alive").status_code == 200
    assert moved.get("/_shim/health").status_code == 401
    assert client(LEGACY_SHIM_HEALTH_PATH="").get("/_shim/health").status_code == 401


def test_it_is_no_route(shimmed):
    from legacy_shim.export import write_routes

    assert "_shim" not in write_routes(shimmed(), "legacy", "flask shim routes", "0.0.0")


def test_the_environment_counts_and_the_configuration_wins():
    environment = {"LEGACY_SHIM_HEALTH_PATH": "/env", "LEGACY_SHIM_ECHO_REQUEST_ID": "yes"}
    assert settings.load({}, environment).health_path == "/env"
    assert settings.load({}, environment).echo_request_id is True
    assert settings.load({"LEGACY_SHIM_HEALTH_PATH": "/config"}, environment).health_path == "/config"


@pytest.mark.parametrize(
    "key, value, message",
    [
        ("TRUSTED_PROXIES", "10.0.0.0/33", "`10.0.0.0/33` is not an address, a network, `loopback` or `unix`"),
        ("TRUSTED_PROXIES", ["nginx"], "`nginx` is not an address, a network, `loopback` or `unix`"),
        ("UNTRUSTED_FORWARDED", "drop", "`drop` is neither `keep` nor `remove`"),
        ("HEALTH_PATH", "health", "`health` is not a path that starts with `/`"),
        ("ECHO_REQUEST_ID", "maybe", "`maybe` is neither true nor false"),
        ("LOG_FORMAT", "xml", "`xml` is neither `plain` nor `json`"),
    ],
)
def test_wrong_settings_stop_the_start(key, value, message):
    with pytest.raises(SettingError) as error:
        client(**{"LEGACY_SHIM_" + key: value})
    assert str(error.value) == f"LEGACY_SHIM_{key}: {message}"


def test_a_second_init_does_nothing():
    app = Flask("twice", static_folder=None)
    shim = LegacyShim()
    shim.init_app(app)
    wrapped = app.wsgi_app
    shim.init_app(app)
    LegacyShim(app)
    assert app.wsgi_app is wrapped
    assert len(app.before_request_funcs[None]) == 1


def test_an_application_behind_another_with_the_shim_keeps_its_ids():
    from werkzeug.middleware.dispatcher import DispatcherMiddleware

    outer, inner = Flask("outer", static_folder=None), Flask("inner", static_folder=None)
    inner.add_url_rule("/", "index", lambda: __import__("flask").g.request_id)
    outer.wsgi_app = DispatcherMiddleware(outer.wsgi_app, {"/inner": inner})
    LegacyShim(inner)
    LegacyShim(outer)
    assert outer.test_client().get("/inner/", headers={"X-Request-Id": "r1"}).data == b"r1"
