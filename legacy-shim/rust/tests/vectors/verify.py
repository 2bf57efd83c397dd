"""Reads what Rust wrote (`examples/mint.rs`, on standard input) with the real Flask, Flask-Login, Flask-WTF, Werkzeug and
cryptography of the Python that runs this. Prints the count of checks; fails on the first thing that Python refuses.

    cargo run -q -p flask-compat --example mint | python legacy-shim/rust/tests/vectors/verify.py
"""

import json
import sys
from importlib.metadata import version as version_of

import flask
from cryptography.fernet import Fernet, MultiFernet
from flask.sessions import session_json_serializer
from flask_login import LoginManager, UserMixin, current_user, login_fresh
from flask_login.utils import decode_cookie
from flask_wtf.csrf import validate_csrf
from werkzeug.security import check_password_hash
from werkzeug.wrappers import Request

CHECKS = [0]


class User(UserMixin):
    def __init__(self, user_id):
        self.id = user_id


def same(found, wanted, what):
    if found != wanted:
        sys.exit("{}: Python reads {!r}, Rust meant {!r}".format(what, found, wanted))
    CHECKS[0] += 1


def make_app(secret):
    app = flask.Flask("verify")
    app.secret_key = secret
    LoginManager(app).user_loader(User)
    return app


def check_sessions(app, minted):
    for case in minted["sessions"]:
        with app.test_request_context(headers={"Cookie": "session=" + case["cookie"]}):
            same(session_json_serializer.dumps(dict(flask.session)), case["tagged"], "session")


def check_login(app, case):
    headers = {"Cookie": "session=" + case["cookie"], "User-Agent": case["agent"], "X-Forwarded-For": case["address"]}
    with app.test_request_context(headers=headers):
        same(current_user.get_id(), case["user"], "user id")
        same(login_fresh(), True, "fresh login")
        same(flask.get_flashed_messages(with_categories=True), [("success", "Customer created.")], "flash")


def browser(cookies):
    """The Cookie header of a browser that got these Set-Cookie headers."""
    pairs = [cookie.split(";")[0] for cookie in cookies]
    return "; ".join(pair for pair in pairs if not pair.endswith("="))


def check_web_logins(minted):
    """Logins that a Rust handler answered: Flask-Login knows the user, by the session and by the remember cookie alone."""
    version = tuple(int(part) for part in version_of("werkzeug").split(".")[:2])
    profile = "werkzeug-{}.{}".format(*version)
    answers = minted["web"][profile]
    where = {"User-Agent": "it's an agent", "X-Forwarded-For": "10.1.2.3, 10.0.0.1"}
    elsewhere = dict(where, **{"X-Forwarded-For": "10.9.9.9"})
    for protection in ["basic", "strong"]:
        app = make_app(minted["secret"])
        app.config["SESSION_PROTECTION"] = protection
        session, both = browser(answers["/in"]), browser(answers["/in?remember"])
        remember = "; ".join(pair for pair in both.split("; ") if pair.startswith("remember_token"))
        for cookie, headers, user, fresh in [
            (session, where, "7", True),
            (session, elsewhere, "7" if protection == "basic" else None, False),
            (both, where, "7", True),
            (remember, where, "7", False),
            ("", where, None, False),
        ]:
            with app.test_request_context(headers=dict(headers, Cookie=cookie)):
                same(current_user.get_id(), user, "user of " + cookie)
                same(bool(login_fresh()), fresh, "fresh login of " + cookie)
        with app.test_request_context(headers=dict(where, Cookie=session)):
            same(flask.get_flashed_messages(with_categories=True), [("success", "Welcome.")], "flash")
    same(browser(answers["/out"]), "", "cookies after the logout")
    same(sorted(cookie.split("=")[0] for cookie in answers["/out"]), ["remember_token", "session"], "deleted cookies")


def check_tokens(app, minted):
    with app.test_request_context():
        for case in minted["remember"]:
            same(decode_cookie(case["cookie"]), case["user"], "remember cookie")
            same(decode_cookie(case["cookie"][:-1] + "x"), None, "damaged remember cookie")
        flask.session["csrf_token"] = minted["csrf"]["raw"]
        same(validate_csrf(minted["csrf"]["token"]), None, "csrf token")


def check_secrets(minted):
    old = not hasattr(__import__("werkzeug.security").security, "_windows_device_files") and hasattr(
        __import__("werkzeug.security").security, "pbkdf2_hex"
    )
    for case in minted["passwords"]:
        if old and case["hash"].startswith("scrypt"):
            continue
        same(check_password_hash(case["hash"], case["password"]), True, "password")
        same(check_password_hash(case["hash"], case["password"] + "x"), False, "wrong password")
    keys = MultiFernet([Fernet(key) for key in minted["fernet"]["keys"]])
    for case in minted["fernet"]["tokens"]:
        same(keys.decrypt(case["token"].encode()).decode(), case["text"], "fernet token")


def check_cookies(minted):
    for case in minted["cookies"]:
        request = Request({"HTTP_COOKIE": case["header"], "REQUEST_METHOD": "GET"})
        same(request.cookies.get("name"), case["text"], "cookie " + case["header"])


def main():
    minted = json.load(sys.stdin)
    app = make_app(minted["secret"])
    check_sessions(app, minted)
    check_login(app, minted["logged_in"])
    check_web_logins(minted)
    check_tokens(app, minted)
    check_secrets(minted)
    check_cookies(minted)
    print("{} values of Rust read by Python".format(CHECKS[0]))


if __name__ == "__main__":
    main()
