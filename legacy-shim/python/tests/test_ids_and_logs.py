"""Request id and trace context: what is accepted, where it shows, and that nothing else does."""

import io
import json
import logging

import pytest
from flask import Flask
from flask import Response
from flask import g
from flask import jsonify
from flask import stream_with_context

from legacy_shim import LegacyShim
from legacy_shim import tracing
from legacy_shim.logs import JsonFormatter
from legacy_shim.logs import RequestContextFilter

TRACE = "0af7651916cd43dd8448eb211c80319c"
SPAN = "b7ad6b7169203331"
TRACEPARENT = f"00-{TRACE}-{SPAN}-01"


@pytest.fixture
def lines():
    """A handler on the root logger with a filter of its own, and what was written to it."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(logging.Formatter("%(message)s|%(request_id)s|%(trace_id)s|%(span_id)s"))
    handler.addFilter(RequestContextFilter())
    root = logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.INFO)
    yield lambda: stream.getvalue().splitlines()
    root.removeHandler(handler)
    root.setLevel(level)


@pytest.fixture
def client():
    """Makes a client of a small application with the shim."""

    def make(**config):
        app = Flask("traced", static_folder=None)
        app.config.update(config)
        LegacyShim(app)

        @app.route("/")
        def index():
            logging.getLogger("app.views").info("seen")
            return jsonify(request_id=g.request_id, trace_id=g.trace_id, span_id=g.span_id)

        @app.route("/stream")
        def stream():
            def rows():
                yield "a"
                logging.getLogger("app.views").info("streaming")
                yield "b"

            return Response(rows())

        @app.route("/stream/context")
        def stream_context():
            def rows():
                yield "a"
                logging.getLogger("app.views").info("streaming")

            return Response(stream_with_context(rows()))

        @app.route("/own")
        def own():
            response = jsonify()
            response.headers["X-Request-Id"] = "own"
            return response

        @app.route("/fails")
        def fails():
            raise ValueError("broken")

        return app.test_client()

    return make


@pytest.mark.parametrize("sent", ["abc-123", "a" * 128, "01HX.9:/+=@_-"])
def test_a_good_request_id_is_taken(client, sent):
    assert client().get("/", headers={"X-Request-Id": sent}).get_json()["request_id"] == sent


@pytest.mark.parametrize("sent", ["", "a" * 129, "a b", "a\tb", 'a"b', "a;b", "ä", "<x>", "a%0ab"])
def test_a_bad_request_id_is_replaced(sent):
    assert tracing.read({"HTTP_X_REQUEST_ID": sent}, lambda: "new").request_id == "new"


def test_a_line_end_cannot_get_into_the_logs():
    for sent in ("a\n", "a\nb", "a\r\nb", "a\x00b", "a\x1b[0m"):
        assert "\n" not in tracing.read({"HTTP_X_REQUEST_ID": sent}).request_id
        assert tracing.read({"HTTP_X_REQUEST_ID": sent.strip("\n") + "\n\x1b"}, lambda: "new").request_id == "new"


def test_every_request_without_an_id_gets_a_new_one(client):
    client = client()
    first, second = (client.get("/").get_json()["request_id"] for _ in range(2))
    assert len(first) == 32
    assert first != second


def test_a_trace_is_continued(client):
    view = client().get("/", headers={"traceparent": TRACEPARENT}).get_json()
    assert (view["trace_id"], view["span_id"]) == (TRACE, SPAN)


@pytest.mark.parametrize(
    "header, expected",
    [
        (TRACEPARENT, (TRACE, SPAN)),
        (f"cc-{TRACE}-{SPAN}-01-what-comes", (TRACE, SPAN)),
        (f"cc-{TRACE}-{SPAN}-01", (TRACE, SPAN)),
        (TRACEPARENT + "-more", ("", "")),
        (f"ff-{TRACE}-{SPAN}-01", ("", "")),
        ("00-{}-{}-01".format("0" * 32, SPAN), ("", "")),
        ("00-{}-{}-01".format(TRACE, "0" * 16), ("", "")),
        (TRACEPARENT.upper(), ("", "")),
        (f"cc-{TRACE}-{SPAN}-01x", ("", "")),
        (f"00-{TRACE}-{SPAN}", ("", "")),
        (f"00-{TRACE}-{SPAN}-1", ("", "")),
        ("", ("", "")),
    ],
)
def test_only_a_valid_traceparent_counts(header, expected):
    ids = tracing.read({"HTTP_TRACEPARENT": header})
    assert (ids.trace_id, ids.span_id) == expected


def test_log_lines_carry_the_ids(client, lines):
    client().get("/", headers={"X-Request-Id": "r1", "traceparent": TRACEPARENT})
    assert f"seen|r1|{TRACE}|{SPAN}" in lines()
    client().get("/", headers={"X-Request-Id": "r2"})
    assert "seen|r2|-|-" in lines()


@pytest.mark.parametrize("path", ["/stream", "/stream/context"])
def test_lines_while_streaming_carry_the_ids_and_later_ones_do_not(client, lines, path):
    response = client().get(path, headers={"X-Request-Id": "r1"}, buffered=True)
    response.close()
    logging.getLogger("app.later").info("after")
    assert "streaming|r1|-|-" in lines()
    assert "after|-|-|-" in lines()


def test_an_exception_ends_the_request_too(client, lines):
    traced = client(PROPAGATE_EXCEPTIONS=True)
    with pytest.raises(ValueError):
        traced.get("/fails", headers={"X-Request-Id": "r1"})
    logging.getLogger("app.later").info("after")
    assert "after|-|-|-" in lines()


def test_the_applications_logger_needs_no_configuration(client):
    client()
    assert any(isinstance(known, RequestContextFilter) for known in logging.getLogger("traced").filters)
    client()
    assert sum(isinstance(known, RequestContextFilter) for known in logging.getLogger("traced").filters) == 1


def test_the_applications_logging_is_not_configured_before_it_wants_it():
    app = Flask("quiet_logger", static_folder=None)
    LegacyShim(app)
    assert logging.getLogger("quiet_logger").handlers == []


def test_an_extra_of_the_application_stays(client, lines):
    logging.getLogger("app").info("own", extra={"request_id": "mine"})
    assert "own|mine|-|-" in lines()


def test_own_values_in_g_stay():
    app = Flask("own_g", static_folder=None)
    LegacyShim(app)
    with app.test_request_context("/", environ_overrides={tracing.ENVIRON_KEY: tracing.Ids("r1")}):
        g.request_id = "mine"
        app.preprocess_request()
        assert g.request_id == "mine"
        assert g.trace_id == ""


def test_without_the_middleware_nothing_breaks():
    app = Flask("bare", static_folder=None)
    LegacyShim(app)
    with app.test_request_context("/"):
        app.preprocess_request()
        assert "request_id" not in g


def test_responses_are_untouched_by_default(client):
    plain = Flask("plain", static_folder=None)
    plain.add_url_rule("/", "index", lambda: "x")
    shimmed = Flask("plain", static_folder=None)
    shimmed.add_url_rule("/", "index", lambda: "x")
    LegacyShim(shimmed)
    for method in ("get", "head", "options", "post"):
        before, after = (
            getattr(app.test_client(), method)("/", headers={"X-Request-Id": "r"}) for app in (plain, shimmed)
        )
        assert (before.status, list(before.headers), before.data) == (after.status, list(after.headers), after.data)


def test_the_id_is_echoed_on_request(client):
    echoing = client(LEGACY_SHIM_ECHO_REQUEST_ID=True)
    assert echoing.get("/", headers={"X-Request-Id": "r1"}).headers.getlist("X-Request-Id") == ["r1"]
    assert echoing.get("/own", headers={"X-Request-Id": "r1"}).headers.getlist("X-Request-Id") == ["own"]


def test_a_json_line_has_the_ids_and_no_extras(client):
    record = logging.LogRecord("app", logging.WARNING, "x.py", 1, "it is %s", ("so",), None)
    record.created = 1700000000.25
    record.password = "secret"
    record.request_id = "r1"
    record.trace_id = "-"
    assert json.loads(JsonFormatter().format(record)) == {
        "time": "2023-11-14T22:13:20.250Z",
        "level": "warning",
        "logger": "app",
        "message": "it is so",
        "request_id": "r1",
    }


def test_json_can_be_switched_on():
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    root = logging.getLogger()
    root.addHandler(handler)
    from flask.logging import default_handler

    before = default_handler.formatter
    try:
        app = Flask("json_logger", static_folder=None)
        app.config["LEGACY_SHIM_LOG_FORMAT"] = "json"
        LegacyShim(app)
        app.add_url_rule("/fails", "fails", lambda: 1 / 0)
        assert app.test_client().get("/fails", headers={"X-Request-Id": "r1"}).status_code == 500
    finally:
        root.removeHandler(handler)
        for other in [default_handler] + root.handlers:
            other.setFormatter(before)
    line = json.loads(stream.getvalue().splitlines()[0])
    assert line["request_id"] == "r1"
    assert line["level"] == "error"
    assert "ZeroDivisionError" in line["exception"]


def test_a_file_keeps_its_wrapper_for_sendfile():
    app = Flask("files", static_folder=None)

    class Wrapper:
        def __init__(self, file, size=8192):
            self.file = file

        def __iter__(self):
            return iter([b"x"])

    app.wsgi_app = lambda environ, start_response: environ["wsgi.file_wrapper"](None)
    LegacyShim(app)
    body = app.wsgi_app({"wsgi.file_wrapper": Wrapper, "REMOTE_ADDR": ""}, None)
    assert isinstance(body, Wrapper)
    assert tracing.current() is None
