"""Flask-WTF: tokens, and requests through CSRFProtect with tokens in every place."""

import flask
from flask_wtf.csrf import CSRFProtect, generate_csrf, validate_csrf
from wtforms import ValidationError

import frozen
from section_sessions import cookie

RAW = "0123456789abcdef0123456789abcdef01234567"
OTHER = "f" * 40


def make_app(config=None, secret=frozen.SECRET):
    app = flask.Flask("vectors")
    app.config.update(config or {})
    app.secret_key = secret
    csrf = CSRFProtect(app)

    @app.route("/form", methods=["GET", "POST", "PUT", "DELETE"])
    def form():
        return "ok"

    @app.route("/asks", methods=["GET", "POST"])
    def asks():
        csrf.protect()
        return "ok"

    @app.route("/exempt", methods=["GET", "POST"])
    @csrf.exempt
    def exempt():
        return "ok"

    part = flask.Blueprint("part", "part")

    @part.route("/part/form", methods=["POST"])
    def part_form():
        return "ok"

    csrf.exempt(part)
    app.register_blueprint(part)
    return app


# One thing configured differently each time.
CONFIGS = {
    "default": {},
    "no time limit": {"WTF_CSRF_TIME_LIMIT": None},
    "short time limit": {"WTF_CSRF_TIME_LIMIT": 10},
    "field name": {"WTF_CSRF_FIELD_NAME": "token"},
    "headers": {"WTF_CSRF_HEADERS": ["X-Other"]},
    "methods": {"WTF_CSRF_METHODS": ["PUT", "GET"]},
    "not by default": {"WTF_CSRF_CHECK_DEFAULT": False},
    "own key": {"WTF_CSRF_SECRET_KEY": "another key"},
    "not strict": {"WTF_CSRF_SSL_STRICT": False},
    "off": {"WTF_CSRF_ENABLED": False},
}


def token(app, raw, now=frozen.NOW):
    frozen.CLOCK.now = now
    with app.test_request_context():
        flask.session["csrf_token"] = raw
        text = generate_csrf()
    frozen.CLOCK.now = frozen.NOW
    return text


def validations(app):
    good = token(app, RAW)
    cases = {
        "good": (good, RAW),
        "empty": ("", RAW),
        "no session": (good, None),
        "oldest": (token(app, RAW, frozen.NOW - 3600), RAW),
        "expired": (token(app, RAW, frozen.NOW - 3601), RAW),
        "future": (token(app, RAW, frozen.NOW + 1), RAW),
        "other session": (token(app, OTHER), RAW),
        "forged": (token(make_app(secret="other"), RAW), RAW),
        "garbage": ("garbage", RAW),
        "flipped": ("X" + good[1:], RAW),
        "unicode": ("é" + good, RAW),
        "cut": (good[:-1], RAW),
        "expired and other": (token(app, OTHER, frozen.NOW - 3601), RAW),
    }
    out = []
    for name, (text, raw) in cases.items():
        with app.test_request_context():
            if raw is not None:
                flask.session["csrf_token"] = raw
            try:
                validate_csrf(text)
                error = None
            except ValidationError as found:
                error = found.args[0]
        out.append({"name": name, "token": text, "session": raw, "error": error})
    return out


def requests(app):
    good, bad = token(app, RAW), token(app, OTHER)
    https = {"Referer": "https://crm.example.com/form"}
    return [
        {"form": "csrf_token=" + good},
        {"form": "a=1&csrf_token=" + good},
        {"form": "csrf_token=&x-csrf_token=" + good},
        {"form": "x-csrf_token=&y-csrf_token=" + good},
        {"form": "x-csrf_token=" + bad + "&csrf_token=" + good},
        {"form": "csrf_token=" + bad + "&csrf_token=" + good},
        {"form": "csrf_token=" + bad, "headers": {"X-CSRFToken": good}},
        {"form": "csrf_token=", "headers": {"X-CSRFToken": good}},
        {"form": "a=1", "headers": {"X-CSRF-Token": good}},
        {"form": "a=1", "headers": {"X-CSRFToken": "", "X-CSRF-Token": good}},
        {"form": "a=1", "headers": {"X-CSRFToken": bad, "X-CSRF-Token": good}},
        {"form": "a=1"},
        {"form": "", "query": "csrf_token=" + good},
        {"form": "", "method": "PUT", "headers": {"X-CSRFToken": good}},
        {"form": "", "method": "DELETE"},
        {"form": "", "method": "GET"},
        {"form": "csrf_token=" + good, "session": False},
        {"form": "csrf_token=" + good, "scheme": "https"},
        {"form": "csrf_token=" + good, "scheme": "https", "headers": https},
        {"form": "csrf_token=" + good, "scheme": "https", "headers": {"Referer": "https://CRM.example.com"}},
        {"form": "csrf_token=" + good, "scheme": "https", "headers": {"Referer": "http://crm.example.com/"}},
        {"form": "csrf_token=" + good, "scheme": "https", "headers": {"Referer": "https://crm.example.com:443/"}},
        {"form": "csrf_token=" + good, "scheme": "https", "headers": {"Referer": "https://evil.example.com/"}},
        {"form": "csrf_token=" + good, "scheme": "https", "headers": {"Referer": "https://u:p@crm.example.com/"}},
        {"form": "csrf_token=" + good, "scheme": "https", "headers": {"Referer": "/form"}},
        {"form": "csrf_token=" + bad, "scheme": "https"},
    ]


def answers(app):
    session = cookie(app, {"csrf_token": RAW}, frozen.NOW)
    out = []
    for case in requests(app):
        headers = dict(case.get("headers", {}))
        if case.get("session", True):
            headers["Cookie"] = "session=" + session
        scheme = case.get("scheme", "http")
        answer = app.test_client(use_cookies=False).open(
            "/form?" + case.get("query", ""),
            method=case.get("method", "POST"),
            data=case["form"],
            content_type="application/x-www-form-urlencoded",
            headers=headers,
            base_url=scheme + "://crm.example.com/",
        )
        out.append(dict(case, status=answer.status_code, body=answer.get_data(as_text=True)))
    return out


def multipart(fields):
    parts = ["--limit\r\nContent-Disposition: form-data; name=\"{}\"{}\r\n\r\n{}\r\n".format(*field) for field in fields]
    return "".join(parts) + "--limit--\r\n"


def configured():
    """Requests under other configurations: (config, session, token in the right field)."""
    out = []
    for name, config in CONFIGS.items():
        app = make_app(config, frozen.ASCII_SECRET)
        field = app.config["WTF_CSRF_FIELD_NAME"]
        frozen.CLOCK.now = frozen.NOW - 3700
        with app.test_request_context():
            flask.session[field] = RAW
            old = generate_csrf()
        frozen.CLOCK.now = frozen.NOW
        with app.test_request_context():
            flask.session[field] = RAW
            good = generate_csrf()
        session = cookie(app, {field: RAW}, frozen.NOW)
        urlencoded, multi = "application/x-www-form-urlencoded", "multipart/form-data; boundary=limit"
        for path, method, kind, body, headers, scheme in [
            ("/form", "POST", urlencoded, field + "=" + good, {}, "http"),
            ("/form", "POST", urlencoded, field + "=" + old, {}, "http"),
            ("/form", "POST", urlencoded, "csrf_token=" + good, {}, "http"),
            ("/form", "POST", urlencoded, "", {"X-CSRFToken": good}, "http"),
            ("/form", "POST", urlencoded, "", {"X-Other": good}, "http"),
            ("/form", "PUT", urlencoded, "", {}, "http"),
            ("/form", "GET", urlencoded, "", {}, "http"),
            ("/form", "POST", urlencoded, "a=1", {}, "http"),
            ("/form", "POST", urlencoded, field + "=" + good, {}, "https"),
            ("/asks", "POST", urlencoded, "a=1", {}, "http"),
            ("/asks", "POST", urlencoded, field + "=" + good, {}, "http"),
            ("/exempt", "POST", urlencoded, "a=1", {}, "http"),
            ("/part/form", "POST", urlencoded, "a=1", {}, "http"),
            ("/form", "POST", multi, multipart([(field, "", good), ("file", '; filename="a.txt"', "abc")]), {}, "http"),
            ("/form", "POST", multi, multipart([(field, '; filename="a.txt"', good)]), {}, "http"),
            ("/form", "POST", multi, multipart([("x-" + field, "", good)]), {}, "http"),
            ("/form", "POST", multi, multipart([(field, "", good)])[:-6], {}, "http"),
        ]:
            answer = app.test_client(use_cookies=False).open(
                path,
                method=method,
                data=body,
                content_type=kind,
                headers=dict(headers, Cookie="session=" + session),
                base_url=scheme + "://crm.example.com/",
            )
            out.append(
                {
                    "name": name,
                    "config": config,
                    "path": path,
                    "method": method,
                    "content_type": kind,
                    "body": body,
                    "headers": headers,
                    "scheme": scheme,
                    "session": session,
                    "status": answer.status_code,
                    "answer": answer.get_data(as_text=True),
                    "vary": answer.headers.get("Vary"),
                }
            )
    return out


def vectors():
    frozen.freeze()
    app = make_app()
    return {
        "now": frozen.NOW,
        "secret": frozen.SECRET,
        "raw": RAW,
        "token": token(app, RAW),
        "validations": validations(app),
        "requests": answers(app),
        "configured": configured(),
    }
