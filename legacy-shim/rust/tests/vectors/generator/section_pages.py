"""Addresses as a view sees them, redirects, error pages, JSON answers."""

import json

import flask
import flask_restful
from werkzeug.exceptions import default_exceptions

import frozen

TARGETS = [
    "/",
    "/a/b",
    "/a?x=1",
    "/caf%C3%A9?q=%C3%A9+b%20c",
    "/caf%E9?q=%E9",
    "/a%20b%22%3C%3E?q=%22%3C%3E'",
    "/a%2Fb%3Fc%23d%25?a=%26%3D%2B%23%25",
    "//a//b",
    "/a;b=c,d:e@f!$&'()*+=?g;h,i:j@k!$'()*+/?",
    "/~x-y._z?[a]=1&b[]=2",
    "/a%0Ab%7F?x=%0A%00",
    "/%41%7e?%41=%7e",
    "/a?x=1#not",
    "/%zz?%zz=%",
    "/x?=1&&a&b=&c==d",
    "/%F0%9F%98%80?%F0%9F%98%80",
]
HOSTS = [("http", "localhost"), ("http", "crm.example.com:80"), ("https", "CRM.example.com:443"), ("http", "h:8080"), ("https", "h:80")]
LOCATIONS = [
    "/",
    "/customers/7?a=b&c=d",
    "leaf",
    "../up",
    "?q=1",
    "//other.example.com/x",
    "https://other.example.com/x?a=b#c",
    "/caf\xe9?q=\xe9",
    "/with space",
    "/a<b>\"c'",
    "/auth/login?next=%2Fcustomers%2F%3Fpage%3D2",
    "",
]


def make_app():
    app = flask.Flask("vectors")

    @app.route("/", defaults={"path": ""})
    @app.route("/<path:path>")
    def show(path):
        request = flask.request
        return json.dumps(
            {
                "url": request.url,
                "base_url": request.base_url,
                "host_url": request.host_url,
                "path": request.path,
                "full_path": request.full_path,
                "host": request.host,
                "args": [list(pair) for pair in request.args.items(multi=True)],
            }
        )

    return app


def raw_get(app, target, scheme, host):
    """A request as gunicorn would hand it over: PATH_INFO decoded once, the query as it is."""
    from urllib.parse import unquote_to_bytes

    path, _, query = target.partition("?")
    environ = {
        "REQUEST_METHOD": "GET",
        "SCRIPT_NAME": "",
        "PATH_INFO": unquote_to_bytes(path).decode("latin-1"),
        "QUERY_STRING": query,
        "HTTP_HOST": host,
        "SERVER_NAME": "localhost",
        "SERVER_PORT": "80",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "wsgi.url_scheme": scheme,
        "wsgi.input": __import__("io").BytesIO(),
        "wsgi.errors": __import__("sys").stderr,
    }
    with app.request_context(environ):
        return json.loads(app.view_functions["show"](path))


def addresses():
    app = make_app()
    out = []
    for target in TARGETS:
        out.append({"scheme": "http", "host": "h:8080", "target": target, "seen": raw_get(app, target, "http", "h:8080")})
    for scheme, host in HOSTS:
        out.append({"scheme": scheme, "host": host, "target": "/a?b", "seen": raw_get(app, "/a?b", scheme, host)})
    return out


def redirects():
    app = flask.Flask("vectors")
    out = []
    for location in LOCATIONS:
        for scheme, target in [("http", "/a/b"), ("https", "/caf%C3%A9/x")]:
            app = flask.Flask("vectors")
            app.add_url_rule("/<path:p>", "go", lambda p: flask.redirect(location))
            answer = app.test_client().get(target, base_url=scheme + "://crm.example.com/")
            out.append(
                {
                    "given": location,
                    "scheme": scheme,
                    "target": target,
                    "location": answer.headers["Location"],
                    "type": answer.headers["Content-Type"],
                    "body": answer.get_data(as_text=True),
                }
            )
    return out


def errors():
    out = []
    for code in [400, 401, 403, 404, 405, 410, 413, 415, 429, 500, 503]:
        error = default_exceptions[code]()
        answer = error.get_response({})
        out.append({"code": code, "body": answer.get_data(as_text=True), "type": answer.headers["Content-Type"]})
    error = default_exceptions[400](description="The CSRF token is missing.")
    out.append({"code": 400, "description": error.description, "body": error.get_response({}).get_data(as_text=True), "type": "text/html; charset=utf-8"})
    error = default_exceptions[404](description="It's <gone> & \"lost\"")
    out.append({"code": 404, "description": error.description, "body": error.get_response({}).get_data(as_text=True), "type": "text/html; charset=utf-8"})
    return out


VALUES = [
    {},
    [],
    None,
    {"id": 1, "name": "Zoë <&>", "a": [1, 2.5, None, True], "nested": {"z": {}, "a": []}},
    [1, "two", {"b": 1, "a": 2}],
    {"float": [1.0, 1e16, 1e-05, 0.1], "big": 9007199254740993},
    "text\n\x7f\u2028",
]


def json_answers():
    out = []
    for value in VALUES:
        app = flask.Flask("vectors")
        app.add_url_rule("/j", "j", lambda: flask.jsonify(value))
        api = flask_restful.Api(app)

        class Show(flask_restful.Resource):
            def get(self):
                return value

        api.add_resource(Show, "/r")
        client = app.test_client()
        plain, restful = client.get("/j"), client.get("/r")
        out.append(
            {
                "value": json.dumps(value),
                "jsonify": plain.get_data(as_text=True),
                "restful": restful.get_data(as_text=True),
                "type": plain.headers["Content-Type"],
                "restful_type": restful.headers["Content-Type"],
            }
        )
    return out


def restful_errors():
    app = flask.Flask("vectors")
    api = flask_restful.Api(app)

    class Stop(flask_restful.Resource):
        def get(self, code):
            if code == 422:
                flask_restful.abort(422, message="no good", errors={"name": ["x"]})
            flask_restful.abort(code)

    class Known(flask_restful.Resource):
        def get(self):
            flask_restful.abort(404, message="Customer 7 doesn't exist")

    api.add_resource(Stop, "/stop/<int:code>")
    api.add_resource(Known, "/known")
    client = app.test_client()
    out = []
    for path in ["/stop/400", "/stop/401", "/stop/403", "/stop/404", "/stop/409", "/stop/422", "/known"]:
        answer = client.get(path)
        out.append({"path": path, "status": answer.status_code, "body": answer.get_data(as_text=True), "type": answer.headers["Content-Type"]})
    answer = client.post("/known")
    out.append({"path": "POST /known", "status": answer.status_code, "body": answer.get_data(as_text=True), "type": answer.headers["Content-Type"]})
    return out


def vectors():
    frozen.freeze()
    return {
        "addresses": addresses(),
        "redirects": redirects(),
        "errors": errors(),
        "json": json_answers(),
        "restful_errors": restful_errors(),
    }
