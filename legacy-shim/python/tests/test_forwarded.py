"""Forwarded headers: who is believed, and what Flask, Flask-Login and Flask-WTF then see."""

import pytest
from flask import Flask
from flask import jsonify
from flask import request
from flask_login import LoginManager
from flask_login import UserMixin
from flask_login import login_user
from werkzeug.middleware.proxy_fix import ProxyFix

from legacy_shim import LegacyShim
from legacy_shim import forwarded
from legacy_shim.peers import parse_peers

LOOPBACK = parse_peers("loopback, unix")


def apply(environ, peers=LOOPBACK):
    environ = dict({"REMOTE_ADDR": "127.0.0.1", "HTTP_HOST": "inner:5000", "wsgi.url_scheme": "http"}, **environ)
    forwarded.apply(environ, peers)
    return environ


@pytest.fixture
def seen():
    """Sends a request to an application with the shim and returns what the view saw."""

    def send(headers=None, peer="127.0.0.1", wrap=None, before=None, **config):
        app = Flask("seen", static_folder=None)
        app.config.update(config)
        if before is not None:
            app.wsgi_app = before(app.wsgi_app)
        LegacyShim(app)
        if wrap is not None:
            app.wsgi_app = wrap(app.wsgi_app)

        @app.route("/")
        def index():
            return jsonify(
                addr=request.remote_addr,
                scheme=request.scheme,
                host=request.host,
                forwarded_for=request.headers.get("X-Forwarded-For"),
                forwarded_proto=request.headers.get("X-Forwarded-Proto"),
            )

        return app.test_client().get("/", headers=headers, environ_base={"REMOTE_ADDR": peer}).get_json()

    return send


def test_a_trusted_peer_is_believed(seen):
    view = seen({"X-Forwarded-For": "203.0.113.9", "X-Forwarded-Proto": "https", "X-Forwarded-Host": "crm.example.com"})
    assert view["addr"] == "203.0.113.9"
    assert view["scheme"] == "https"
    assert view["host"] == "crm.example.com"


@pytest.mark.parametrize("peer", ["127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1", "", "<local>"])
def test_loopback_and_unix_sockets_are_trusted_by_default(seen, peer):
    assert seen({"X-Forwarded-For": "203.0.113.9"}, peer=peer)["addr"] == "203.0.113.9"


def test_nobody_else_is_and_what_the_application_saw_before_stays(seen):
    view = seen({"X-Forwarded-For": "203.0.113.9", "X-Forwarded-Proto": "https"}, peer="10.0.0.5")
    assert view["addr"] == "10.0.0.5"
    assert view["scheme"] == "http"
    assert view["forwarded_for"] == "203.0.113.9"


def test_headers_of_others_are_removed_on_request(seen):
    headers = {"X-Forwarded-For": "203.0.113.9", "X-Forwarded-Proto": "https"}
    view = seen(headers, peer="10.0.0.5", LEGACY_SHIM_UNTRUSTED_FORWARDED="remove")
    assert view["addr"] == "10.0.0.5"
    assert view["forwarded_for"] is None
    assert view["forwarded_proto"] is None


def test_networks_can_be_trusted(seen):
    headers = {"X-Forwarded-For": "203.0.113.9, 10.1.2.3"}
    trusted = "loopback, 10.0.0.0/8"
    assert seen(headers, LEGACY_SHIM_TRUSTED_PROXIES=trusted)["addr"] == "203.0.113.9"
    assert seen(headers, LEGACY_SHIM_TRUSTED_PROXIES=["127.0.0.1"])["addr"] == "10.1.2.3"
    assert seen(headers, LEGACY_SHIM_TRUSTED_PROXIES="")["addr"] == "127.0.0.1"


@pytest.mark.parametrize(
    "header, trusted, address, left",
    [
        ("203.0.113.9", "loopback", "203.0.113.9", "203.0.113.9"),
        ("203.0.113.9, 10.0.0.5", "loopback", "10.0.0.5", "203.0.113.9"),
        ("203.0.113.9, 10.0.0.5", "loopback, 10.0.0.0/8", "203.0.113.9", "203.0.113.9"),
        ("6.6.6.6, 203.0.113.9, 10.0.0.5", "loopback, 10.0.0.0/8", "203.0.113.9", "6.6.6.6"),
        ("127.0.0.1, 127.0.0.2", "loopback", "127.0.0.1", "127.0.0.1"),
        ("203.0.113.9:4711", "loopback", "203.0.113.9", "203.0.113.9:4711"),
        ("[2001:db8::1]:4711", "loopback", "2001:db8::1", "[2001:db8::1]:4711"),
        ("unknown", "loopback", "127.0.0.1", "unknown"),
        ("203.0.113.9, <script>", "loopback", "127.0.0.1", "203.0.113.9, <script>"),
    ],
)
def test_the_chain_is_walked_from_the_nearest_hop(header, trusted, address, left):
    environ = apply({"HTTP_X_FORWARDED_FOR": header}, parse_peers(trusted))
    assert environ["REMOTE_ADDR"] == address
    assert environ["HTTP_X_FORWARDED_FOR"] == left


@pytest.mark.parametrize(
    "headers, host, scheme",
    [
        ({"PROTO": "https"}, "inner:5000", "https"),
        ({"PROTO": "http, https"}, "inner:5000", "https"),
        ({"PROTO": "javascript"}, "inner:5000", "http"),
        ({"HOST": "crm.example.com:8443"}, "crm.example.com:8443", "http"),
        ({"HOST": "a b"}, "inner:5000", "http"),
        ({"HOST": "evil.example/x"}, "inner:5000", "http"),
        ({"HOST": "[::1]:80"}, "[::1]:80", "http"),
        ({"HOST": "crm.example.com", "PORT": "8443", "PROTO": "https"}, "crm.example.com:8443", "https"),
        ({"HOST": "crm.example.com", "PORT": "443", "PROTO": "https"}, "crm.example.com", "https"),
        ({"HOST": "[::1]", "PORT": "8080"}, "[::1]:8080", "http"),
        ({"PORT": "8443"}, "inner:5000", "http"),
        ({"PORT": "x"}, "inner:5000", "http"),
    ],
)
def test_scheme_host_and_port(headers, host, scheme):
    environ = apply({"HTTP_X_FORWARDED_" + name: value for name, value in headers.items()})
    assert environ["HTTP_HOST"] == host
    assert environ["wsgi.url_scheme"] == scheme


def test_what_the_server_saw_is_kept():
    environ = apply({"HTTP_X_FORWARDED_FOR": "203.0.113.9", "HTTP_X_FORWARDED_PROTO": "https"})
    assert environ[forwarded.ORIGINAL] == {
        "REMOTE_ADDR": "127.0.0.1",
        "HTTP_HOST": "inner:5000",
        "wsgi.url_scheme": "http",
    }


def test_a_proxy_fix_of_the_application_still_counts_right(seen):
    """nginx (10.0.0.5) in front, ProxyFix(x_for=1) in the application: before and after Ficus came between."""
    inside = {"before": lambda wsgi_app: ProxyFix(wsgi_app, x_for=1)}
    before = seen({"X-Forwarded-For": "203.0.113.9"}, peer="10.0.0.5", **inside)
    after = seen({"X-Forwarded-For": "203.0.113.9, 10.0.0.5"}, peer="127.0.0.1", **inside)
    assert before["addr"] == after["addr"] == "203.0.113.9"


def test_a_proxy_fix_around_the_shim_has_decided_already(seen):
    view = seen(
        {"X-Forwarded-For": "203.0.113.9", "X-Forwarded-Proto": "https"},
        wrap=lambda wsgi_app: ProxyFix(wsgi_app, x_for=1, x_proto=1),
        LEGACY_SHIM_UNTRUSTED_FORWARDED="remove",
    )
    assert view["addr"] == "203.0.113.9"
    assert view["scheme"] == "https"
    assert view["forwarded_for"] == "203.0.113.9"


def test_a_proxy_fix_around_the_shim_is_not_second_guessed(seen):
    """Its outcome may look like a trusted peer, and must not make the shim believe more of the header."""
    view = seen({"X-Forwarded-For": "6.6.6.6, 127.0.0.1"}, wrap=lambda wsgi_app: ProxyFix(wsgi_app, x_for=1))
    assert view["addr"] == "127.0.0.1"


def session_ids(with_shim, *requests):
    """The `_id` to which Flask-Login binds a session, for requests given as (peer, X-Forwarded-For)."""
    app = Flask("login", static_folder=None)
    app.secret_key = "only for tests"
    manager = LoginManager(app)
    manager.user_loader(lambda user_id: None)
    if with_shim:
        LegacyShim(app)

    class User(UserMixin):
        id = "7"

    @app.route("/login")
    def login():
        from flask import session

        login_user(User())
        return session["_id"]

    ids = []
    for peer, header in requests:
        headers = {"X-Forwarded-For": header} if header else {}
        ids.append(app.test_client().get("/login", headers=headers, environ_base={"REMOTE_ADDR": peer}).data)
    return ids


def test_flask_login_binds_sessions_to_the_same_address_as_before():
    direct, behind_nginx = session_ids(False, ("203.0.113.9", None), ("10.0.0.5", "203.0.113.9"))
    through_ficus = session_ids(
        True,
        ("127.0.0.1", "203.0.113.9"),  # Ficus in place of a direct connection
        ("127.0.0.1", "203.0.113.9, 10.0.0.5"),  # Ficus between nginx and Flask
        ("10.0.0.5", "203.0.113.9"),  # the shim is in, Ficus is not yet
        ("203.0.113.9", None),
    )
    assert direct == behind_nginx
    assert set(through_ficus) == {direct}


def test_https_from_the_proxy_switches_the_referrer_check_on(shimmed):
    app = shimmed()

    def post(**headers):
        from flask_wtf.csrf import generate_csrf

        client = app.test_client()
        with app.test_request_context("/"):
            from flask import session

            token, secret = generate_csrf(), session["csrf_token"]
        with client.session_transaction() as session:
            session["csrf_token"] = secret
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        sent["X-CSRFToken"] = token
        return client.post("/api/deals", headers=sent)

    assert b"The referrer header is missing" not in post().data
    assert b"The referrer header is missing" in post(X_Forwarded_Proto="https").data
    good = post(X_Forwarded_Proto="https", X_Forwarded_Host="crm.example.com", Referer="https://crm.example.com/x")
    assert b"referrer" not in good.data
