"""Flask-Login: identifiers, remember cookies, and whole requests with every kind of session and protection."""

import flask
from flask_login import (
    LoginManager,
    UserMixin,
    confirm_login,
    fresh_login_required,
    login_required,
    login_user,
    logout_user,
)
from flask_login.utils import _create_identifier, encode_cookie

import datetime

import frozen
from section_sessions import cookie

AGENTS = ["curl/7.0", "it's", 'say "hi"', "both ' and \"", "caf\xc3\xa9", "tab\there \\ \x7f", "", None]
ADDRESSES = [
    ("127.0.0.1", None),
    ("127.0.0.1", "10.1.2.3"),
    ("127.0.0.1", " 10.1.2.3 , 10.0.0.1"),
    ("::1", None),
    ("127.0.0.1", ""),
]
KNOWN = {"1", "2"}


class User(UserMixin):
    def __init__(self, user_id):
        self.id = user_id


def make_app(config):
    app = flask.Flask("vectors")
    app.config.update(config)
    app.secret_key = frozen.ASCII_SECRET
    manager = LoginManager(app)
    manager.login_view = app.config.get("LOGIN_VIEW", "log_in") or None
    manager.login_message_category = "warning"
    manager.refresh_view = app.config.get("REFRESH_VIEW")
    manager.needs_refresh_message_category = "info"
    manager.blueprint_login_views = app.config.get("BLUEPRINT_LOGIN_VIEWS", {})
    manager.user_loader(lambda user_id: User(user_id) if user_id in KNOWN else None)

    @app.route("/public")
    def public():
        return "ok"

    @app.route("/me")
    @login_required
    def me():
        return "ok"

    @app.route("/fresh")
    @fresh_login_required
    def fresh():
        return "ok"

    part = flask.Blueprint("part", "part")

    @part.route("/part/me")
    @login_required
    def part_me():
        return "ok"

    app.register_blueprint(part)

    @app.route("/who")
    def who():
        from flask_login import current_user

        return "user " + str(current_user.get_id())

    @app.route("/login")
    def log_in():
        login_user(User("2"), remember="remember" in flask.request.args)
        return "ok"

    @app.route("/login-for")
    def log_in_for():
        login_user(User("2"), remember=True, duration=datetime.timedelta(seconds=90))
        return "ok"

    @app.route("/logout")
    def log_out():
        logout_user()
        return "ok"

    @app.route("/confirm")
    def confirm():
        confirm_login()
        return "ok"

    return app


def ident(app):
    with app.test_request_context(headers={"User-Agent": "agent"}, environ_base={"REMOTE_ADDR": "127.0.0.1"}):
        return _create_identifier()


CONFIGS = {
    "basic": {},
    "strong": {"SESSION_PROTECTION": "strong"},
    "off": {"SESSION_PROTECTION": None},
    "remember settings": {
        "REMEMBER_COOKIE_NAME": "keep",
        "REMEMBER_COOKIE_SECURE": True,
        "REMEMBER_COOKIE_HTTPONLY": True,
        "REMEMBER_COOKIE_DOMAIN": ".example.com",
        "REMEMBER_COOKIE_SAMESITE": "Lax",
        "REMEMBER_COOKIE_DURATION": datetime.timedelta(days=3),
        "REMEMBER_COOKIE_PATH": "/app",
    },
    "refresh": {"REMEMBER_COOKIE_REFRESH_EACH_REQUEST": True},
    "next in session": {"USE_SESSION_FOR_NEXT": True},
}

# What an anonymous or stale visitor is told: beside the flows above, as only whole handlers answer these.
REFUSALS = {
    "no login view": {"LOGIN_VIEW": ""},
    "login view as a path": {"LOGIN_VIEW": "/sign-in?a=b"},
    "login view elsewhere": {"LOGIN_VIEW": "https://login.example.com/in"},
    "forced host": {"FORCE_HOST_FOR_REDIRECTS": "www.example.com"},
    "refresh view": {"REFRESH_VIEW": "log_in"},
    "refresh view and next in session": {"REFRESH_VIEW": "log_in", "USE_SESSION_FOR_NEXT": True},
    "no refresh view": {},
    "of a blueprint": {"BLUEPRINT_LOGIN_VIEWS": {"part": "/part/login"}},
}

PATHS = ["/public", "/me", "/me?a=b c&d=%C3%A9", "/who", "/login", "/login?remember", "/login-for", "/logout", "/confirm"]

SOME_PATHS = ["/me", "/who", "/login?remember", "/logout"]


def sessions(app):
    right = ident(app)
    return {
        "none": None,
        "other data": {"k": "v"},
        "fresh": {"_user_id": "1", "_fresh": True, "_id": right},
        "elsewhere": {"_user_id": "1", "_fresh": True, "_id": "x"},
        "elsewhere stale": {"_user_id": "1", "_fresh": False, "_id": "x"},
        "elsewhere permanent": {"_user_id": "1", "_fresh": True, "_id": "x", "_permanent": True},
        "unknown user": {"_user_id": "9", "_fresh": True, "_id": right},
    }


def remember_cookies():
    return {
        "none": None,
        "good": encode_cookie("2", key=frozen.ASCII_SECRET),
        "unknown": encode_cookie("8", key=frozen.ASCII_SECRET),
        "forged": encode_cookie("2", key="other"),
        "garbage": "2",
    }


def plain(config):
    return {key: value.total_seconds() if isinstance(value, datetime.timedelta) else value for key, value in config.items()}


def flows():
    out = []
    for config_name, config in CONFIGS.items():
        app = make_app(config)
        name = app.config.get("REMEMBER_COOKIE_NAME", "remember_token")
        for session_name, data in sessions(app).items():
            for remember_name, remember in remember_cookies().items():
                if config_name != "basic" and remember_name not in ("none", "good"):
                    continue
                for path in PATHS if config_name == "basic" else SOME_PATHS:
                    out.append(flow(app, config, name, data, remember, path))
                    out[-1]["name"] = " / ".join([config_name, session_name, remember_name, path])
    return out


def refusals():
    out = []
    for config_name, config in REFUSALS.items():
        app = make_app(config)
        for session_name, data in sessions(app).items():
            if session_name not in ("none", "fresh", "elsewhere"):
                continue
            for remember_name in ("none", "good"):
                for path in ["/me", "/fresh", "/part/me"]:
                    case = flow(app, config, "remember_token", data, remember_cookies()[remember_name], path)
                    case["name"] = " / ".join([config_name, session_name, remember_name, path])
                    out.append(case)
    return out


def flow(app, config, remember_name, data, remember, path):
    cookies = []
    text = None if data is None else cookie(app, data, frozen.NOW - 30)
    if text is not None:
        cookies.append("session=" + text)
    if remember is not None:
        cookies.append(remember_name + "=" + remember)
    headers = {"User-Agent": "agent"}
    if cookies:
        headers["Cookie"] = "; ".join(cookies)
    client = app.test_client(use_cookies=False)
    answer = client.get(path, headers=headers, base_url="http://crm.example.com/", environ_base={"REMOTE_ADDR": "127.0.0.1"})
    return {
        "config": plain(config),
        "cookie": headers.get("Cookie"),
        "path": path,
        "status": answer.status_code,
        "location": answer.headers.get("Location"),
        "body": answer.get_data(as_text=True) if answer.status_code in (200, 401) else None,
        "set_cookie": answer.headers.getlist("Set-Cookie"),
        "vary": answer.headers.get("Vary"),
    }


def identifiers():
    app = flask.Flask("vectors")
    out = []
    for peer, forwarded in ADDRESSES:
        for agent in AGENTS:
            headers = {}
            environ = {"REMOTE_ADDR": peer}
            if forwarded is not None:
                environ["HTTP_X_FORWARDED_FOR"] = forwarded
            if agent is not None:
                environ["HTTP_USER_AGENT"] = agent
            with app.test_request_context(headers=headers, environ_overrides=environ):
                if agent is None:
                    flask.request.environ.pop("HTTP_USER_AGENT", None)
                out.append({"peer": peer, "forwarded": forwarded, "agent": agent, "id": _create_identifier()})
    return out


def vectors():
    frozen.freeze()
    remember = [
        {"user": user, "secret": secret, "cookie": encode_cookie(user, key=secret)}
        for user in ["1", "é", "a|b", ""]
        for secret in [frozen.ASCII_SECRET, "l\xe4tin"]
    ]
    return {
        "now": frozen.NOW,
        "secret": frozen.ASCII_SECRET,
        "identifiers": identifiers(),
        "remember": remember,
        "flows": flows(),
        "refusals": refusals(),
    }
