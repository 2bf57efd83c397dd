"""Session cookies: what Flask writes for all kinds of values, reads from good and bad cookies, and sends after each kind of use."""

import datetime
import hashlib
import uuid

import flask
from flask.sessions import session_json_serializer
from itsdangerous import TimestampSigner, URLSafeTimedSerializer
from markupsafe import Markup

import frozen

VALUES = {
    "empty": {},
    "plain": {"n": None, "t": True, "f": False, "i": 1, "neg": -5, "s": "text", "l": [1, [2]], "d": {"x": 1}},
    "numbers": {"big": 123456789012345678901234567890, "f": 1.0, "g": 1e16, "h": 1e-05, "i": 0.1, "j": -0.0, "k": 1e22},
    "strings": {"e": "é€😀", "q": "\"\\/\b\f\n\r\t\x01\x7f", "html": "<&'>"},
    "tags": {
        "tuple": (1, (2, "x"), [3]),
        "bytes": b"\x00\xffbytes",
        "markup": Markup("<b>&amp;</b>"),
        "uuid": uuid.UUID("12345678-1234-5678-1234-567812345678"),
        "date": datetime.datetime(2020, 2, 29, 12, 30, 45),
        "looks_like_tag": {" t": [1]},
        "nested_tag": {" di": {" t": 1}},
        "two": {" t": 1, " b": 2},
        "other_tag": {" zz": 1},
        "deep": [{"a": (b"x", {" m": "y"})}],
    },
    "key order": {"b": 1, "a": 2, "é": 3, "Z": 4, "10": 5, "9": 6},
    "flashes": {"_flashes": [("message", "hello"), ("error", Markup("<b>no</b>"))], "_fresh": True, "_user_id": "7"},
    "long": {"text": "lorem ipsum " * 60, "_permanent": True},
    "compression border": {"a": "aaaaaaaaaaaaaaaaaa"},
}

UNREADABLE = ['{"a":NaN}', '{"a":Infinity}', '{"a":"\\ud800"}', '{"a":-Infinity}']

ACTIONS = {
    "untouched": [],
    "read": [["get", "k"]],
    "contains": [["contains", "k"]],
    "changed": [["set", "k", "new"]],
    "added": [["set", "other", [1, {"x": None}]]],
    "removed missing": [["pop", "missing"]],
    "removed last": [["pop", "k"], ["pop", "_permanent"]],
    "cleared": [["clear"]],
    "made permanent": [["permanent", True]],
    "marked": [["modified"]],
}

CONFIGS = {
    "default": {},
    "strict": {
        "SESSION_COOKIE_SECURE": True,
        "SESSION_COOKIE_SAMESITE": "Lax",
        "SESSION_COOKIE_DOMAIN": ".example.com",
        "SESSION_COOKIE_PATH": "/app",
        "SESSION_COOKIE_NAME": "sid",
    },
    "partitioned": {"SESSION_COOKIE_PARTITIONED": True, "SESSION_COOKIE_SAMESITE": "None"},
    "no refresh": {"SESSION_REFRESH_EACH_REQUEST": False, "SESSION_COOKIE_HTTPONLY": False, "PERMANENT_SESSION_LIFETIME": 60},
}

STORED = {"none": None, "plain": {"k": "v"}, "permanent": {"k": "v", "_permanent": True}}


def make_app(config=None, secret=frozen.SECRET):
    app = flask.Flask("vectors")
    app.config.update(config or {})
    app.secret_key = secret
    return app


def cookie(app, data, now):
    frozen.CLOCK.now = now
    with app.test_request_context():
        text = app.session_interface.get_signing_serializer(app).dumps(data)
    frozen.CLOCK.now = frozen.NOW
    return text


def tagged(app, data):
    with app.test_request_context():
        return session_json_serializer.dumps(data)


def load(app, text):
    """What Flask makes of a cookie: tagged JSON of the session, or the name of what it raised."""
    with app.test_request_context(headers={"Cookie": "session=" + text}, base_url="http://localhost"):
        return tagged(app, dict(flask.session))


def load_cases(app):
    cases = []
    for name, data in VALUES.items():
        cases.append({"name": name, "cookie": cookie(app, data, frozen.NOW)})
    good = cookie(app, VALUES["plain"], frozen.NOW)
    payload, stamp, signature = good.split(".")
    lifetime = 31 * 24 * 3600
    for name, text in {
        "padded signature": good + "=",
        "garbage in signature": good + "!!!!",
        "standard alphabet": ".".join([payload, stamp, signature.replace("-", "+").replace("_", "/")]),
        "flipped signature": ".".join([payload, stamp, signature[:-2] + ("AA" if signature[-2:] != "AA" else "BB")]),
        "flipped payload": ".".join(["X" + payload[1:], stamp, signature]),
        "flipped stamp": ".".join([payload, stamp[:-1] + "B", signature]),
        "no signature": payload,
        "no stamp": ".".join([payload, signature]),
        "empty parts": "..",
        "other key": cookie(make_app(secret="other"), VALUES["plain"], frozen.NOW),
        "oldest": cookie(app, VALUES["plain"], frozen.NOW - lifetime),
        "too old": cookie(app, VALUES["plain"], frozen.NOW - lifetime - 1),
        "future": cookie(app, VALUES["plain"], frozen.NOW + 1),
        "compressed": cookie(app, VALUES["long"], frozen.NOW),
        "not base64 at all": "%%%.%%%.%%%",
    }.items():
        cases.append({"name": name, "cookie": text})
    for case in cases:
        case["tagged"] = load(app, case["cookie"])
    return cases


class Raw:
    """Serializer that signs texts as they are."""

    @staticmethod
    def dumps(text):
        return text

    @staticmethod
    def loads(text):
        return text


def as_text(value):
    return value.decode() if isinstance(value, bytes) else value


def unreadable_cases():
    signer = URLSafeTimedSerializer(
        frozen.SECRET, salt="cookie-session", serializer=Raw, signer_kwargs={"key_derivation": "hmac"}
    )
    return [{"payload": text, "cookie": as_text(signer.dumps(text))} for text in UNREADABLE]


def act(actions):
    for action in actions:
        if action[0] == "get":
            flask.session.get(action[1])
        elif action[0] == "contains":
            action[1] in flask.session
        elif action[0] == "set":
            flask.session[action[1]] = action[2]
        elif action[0] == "pop":
            flask.session.pop(action[1], None)
        elif action[0] == "clear":
            flask.session.clear()
        elif action[0] == "permanent":
            flask.session.permanent = action[1]
        elif action[0] == "modified":
            flask.session.modified = True


def save_cases():
    cases = []
    for config_name, config in CONFIGS.items():
        app = make_app(config)
        app.add_url_rule("/app/", "view", lambda: act(app.wanted) or "ok")
        for stored_name, stored in STORED.items():
            text = None if stored is None else cookie(app, stored, frozen.NOW - 30)
            for action_name, actions in ACTIONS.items():
                app.wanted = actions
                client = app.test_client(use_cookies=False)
                headers = {}
                if text is not None:
                    headers["Cookie"] = app.config["SESSION_COOKIE_NAME"] + "=" + text
                answer = client.get("/app/", headers=headers, base_url="http://www.example.com/")
                cases.append(
                    {
                        "name": "{} / {} / {}".format(config_name, stored_name, action_name),
                        "config": config,
                        "cookie": text,
                        "actions": actions,
                        "set_cookie": answer.headers.getlist("Set-Cookie"),
                        "vary": answer.headers.get("Vary"),
                    }
                )
    return cases


DERIVATIONS = ["hmac", "django-concat", "concat", "none"]
DIGESTS = ["sha1", "sha224", "sha256", "sha384", "sha512"]


def signed_cases():
    """itsdangerous alone: every way to make the key, every digest, with one key and with several."""
    cases = []
    for derivation in DERIVATIONS:
        for digest in DIGESTS:
            for keys in (["only"], ["old", "older", "new"]):
                options = {"key_derivation": derivation, "digest_method": getattr(hashlib, digest)}
                try:
                    signer = TimestampSigner(keys if len(keys) > 1 else keys[0], salt="a salt", **options)
                    text = as_text(signer.sign("value"))
                except Exception:  # itsdangerous 1 knows one key only
                    continue
                cases.append({"derivation": derivation, "digest": digest, "keys": keys, "signed": text})
    return cases


def fallback_cases():
    """`SECRET_KEY_FALLBACKS`: what an application with old keys reads; empty where Flask does not know them."""
    new = make_app({"SECRET_KEY_FALLBACKS": ["older key", "old key"]}, "new key")
    out = []
    for secret in ["new key", "old key", "older key", "unknown key"]:
        text = cookie(make_app(secret=secret), {"k": "v"}, frozen.NOW)
        out.append({"secret": secret, "cookie": text, "tagged": load(new, text)})
    return {"keys": ["new key", "old key", "older key"], "loads": out, "cookie": cookie(new, {"k": "v"}, frozen.NOW)}


def vectors():
    frozen.freeze()
    app = make_app()
    return {
        "now": frozen.NOW,
        "secret": frozen.SECRET,
        "loads": load_cases(app),
        "unreadable": unreadable_cases(),
        "saves": save_cases(),
        "signed": signed_cases(),
        "fallbacks": fallback_cases(),
    }
