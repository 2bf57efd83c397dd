"""An application whose session is not in the cookie: Flask-Session on files, SQL or Redis, Flask-Login, a login wall.

Also run as a process of its own, `python -m apps.desk FOLDER SECRET [KIND]`: it then prints its port.
"""

import sys
import warnings
from datetime import timedelta

from flask import Flask
from flask import abort
from flask import flash
from flask import get_flashed_messages
from flask import jsonify
from flask import request
from flask import session
from flask_login import LoginManager
from flask_login import UserMixin
from flask_login import current_user
from flask_login import login_required
from flask_login import login_user
from flask_wtf import CSRFProtect

from legacy_shim import LegacyShim

KINDS = ("cookie", "files", "sql", "redis")
SECRET = "the-secret-of-the-channel"


class User(UserMixin):
    def __init__(self, user_id):
        self.id = user_id
        self.name = "Person " + user_id
        self.role = "admin" if user_id == "1" else "rep"
        self.password_hash = "not to be told"


def create_app(kind, folder, **config):
    app = Flask("desk", static_folder=None)
    app.config.update(
        SECRET_KEY="a secret key",
        WTF_CSRF_ENABLED=True,
        PERMANENT_SESSION_LIFETIME=timedelta(days=5),
        LEGACY_SHIM_CHANNEL_SECRET=SECRET,
        LEGACY_SHIM_USER_ATTRIBUTES=["name", "role", "nickname"],
    )
    app.config.update(config)
    _set_up_session(app, kind, folder)
    CSRFProtect(app)
    _set_up_login(app)
    # As in an application where everything but the login page needs a user.
    app.before_request(lambda: abort(401) if request.path.startswith("/_shim") else None)
    LegacyShim(app)
    _add_views(app)
    return app


def _set_up_session(app, kind, folder):
    if kind == "cookie":
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from flask_session import Session
    if kind == "files":
        from cachelib import FileSystemCache

        # The first is read up to 0.5, the second from 0.6 on.
        app.config.update(SESSION_FILE_DIR=folder)
        app.config.setdefault("SESSION_CACHELIB", FileSystemCache(folder, threshold=500))
        app.config.update(SESSION_TYPE="cachelib" if _has_cachelib() else "filesystem")
    elif kind == "sql":
        app.config.update(
            SESSION_TYPE="sqlalchemy",
            SQLALCHEMY_DATABASE_URI="sqlite:///" + folder + "/sessions.db",
            SQLALCHEMY_TRACK_MODIFICATIONS=False,
        )
        from flask_sqlalchemy import SQLAlchemy

        app.config["SESSION_SQLALCHEMY"] = SQLAlchemy(app)
    else:
        app.config.update(SESSION_TYPE="redis")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        Session(app)
    if kind == "sql":
        with app.app_context():
            app.config["SESSION_SQLALCHEMY"].create_all()


def _has_cachelib():
    try:
        import flask_session.cachelib  # noqa: F401
    except ImportError:
        return False
    return True


def _set_up_login(app):
    manager = LoginManager(app)

    @manager.user_loader
    def load_user(user_id):
        return User(user_id) if user_id in ("1", "2") else None

    @manager.request_loader
    def load_from_key(request):
        return User("2") if request.headers.get("X-Api-Key") == "key of 2" else None


def _add_views(app):
    @app.route("/login/<user_id>")
    def login(user_id):
        login_user(User(user_id), remember="remember" in request.args)
        return "in"

    @app.route("/flash/<text>")
    def say(text):
        flash(text)
        return "said"

    @app.route("/set/<key>/<value>")
    def set_value(key, value):
        session[key] = value
        return "set"

    @app.route("/show")
    def show():
        return jsonify(
            values={key: value for key, value in session.items() if isinstance(value, (str, int))},
            messages=get_flashed_messages(),
            user=current_user.get_id(),
        )

    @app.route("/me")
    @login_required
    def me():
        return current_user.name


def main(folder, secret, kind="files"):
    from wsgiref.simple_server import WSGIRequestHandler
    from wsgiref.simple_server import make_server

    class Quiet(WSGIRequestHandler):
        def log_message(self, *_):
            pass

    app = create_app(kind, folder, LEGACY_SHIM_CHANNEL_SECRET=secret)
    server = make_server("127.0.0.1", 0, app, handler_class=Quiet)
    print(server.server_port, flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main(*sys.argv[1:])
