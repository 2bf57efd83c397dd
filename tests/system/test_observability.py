"""One request seen from everywhere: spans at the collector, the logs of Flask and of the handlers, the metrics."""

import json
import os
import subprocess

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from stack.client import Client
from stack.collector import Collector
from stack.process import wait_until
from stack.stack import MOVED

TRACE = "0af7651916cd43dd8448eb211c80319c"
CALLER = "b7ad6b7169203331"


@pytest.fixture
def collector():
    collector = Collector()
    yield collector
    collector.stop()


def json_lines(path) -> list:
    """The lines of a log that are JSON."""
    lines = []
    for line in path.read_text(errors="replace").splitlines():
        if line.startswith("{"):
            lines.append(json.loads(line))
    return lines


def test_a_trace_goes_from_the_client_through_ficus_into_handlers_and_flask(stacks, collector):
    env = {
        "OTEL_EXPORTER_OTLP_ENDPOINT": collector.url,
        "OTEL_BSP_SCHEDULE_DELAY": "50",
        "LEGACY_SHIM_LOG_FORMAT": "json",
    }
    stack = stacks(moved=MOVED, scope="traces", env=env)
    client = Client(stack.port)
    client.log_in("ana@example.com")
    # What handlers and Flask log in this request, they log because neither finds its table.
    stack.query("ALTER TABLE customers RENAME TO customers_gone")
    answer = client.get("/customers/1?q=SECRET", [("traceparent", f"00-{TRACE}-{CALLER}-01")])
    assert (answer.status, answer.header("x-ficus-backend")) == (500, "legacy")

    spans = wait_until(lambda: len(found := collector.of_trace(TRACE)) >= 3 and found, "three spans of the trace")
    by_kind = {}
    for span in spans:
        by_kind.setdefault(span.kind, []).append(span)
    [server] = by_kind["SPAN_KIND_SERVER"]
    assert (server.parent_id, server.name) == (CALLER, "GET /customers/<int:customer_id>")
    assert server.failed
    expected = {
        "http.request.method": "GET", "http.route": "/customers/<int:customer_id>", "http.response.status_code": 500,
        "url.path": "/customers/1", "ficus.route": "customers.detail", "ficus.backend": "legacy", "ficus.fallback": "status",
    }
    assert expected.items() <= server.attributes.items()
    attempts = sorted(by_kind["SPAN_KIND_CLIENT"], key=lambda span: span.start)
    assert [span.attributes["ficus.backend"] for span in attempts] == ["rust", "legacy"]
    assert all(span.parent_id == server.span_id and span.failed for span in attempts)
    assert all(server.start <= span.start <= span.end <= server.end for span in attempts)
    assert collector.resources[0]["service.name"] == "ficus"
    assert "SECRET" not in repr(spans)

    def logged(name: str, span_id: str) -> bool:
        lines = json_lines(stack.folder / f"{name}.log")
        ids = [line.get("span", line) for line in lines]
        return any((one.get("trace_id"), one.get("span_id")) == (TRACE, span_id) for one in ids)

    wait_until(lambda: logged("handlers", attempts[0].span_id), "the handlers' log has the ids")
    wait_until(lambda: logged("legacy", attempts[1].span_id), "Flask's log has the ids")
    line = wait_until(
        lambda: next((line for line in stack.access_log() if line["trace_id"] == TRACE), None), "the access log has it"
    )
    request_id = line["request_id"]
    assert server.attributes["ficus.request_id"] == request_id
    for name in ("handlers", "legacy"):
        assert request_id in (stack.folder / f"{name}.log").read_text(), name
    for name in ("ficus", "handlers", "access"):
        assert "SECRET" not in (stack.folder / f"{name}.log").read_text(), name
    stack.stop()


def test_promtool_has_no_complaint_about_the_metrics(rust_stack):
    client = Client(rust_stack.port)
    client.log_in("ana@example.com")
    for target in ("/customers/", "/customers/1", "/customers/999999", "/deals/", "/nowhere", "/api/customers"):
        client.get(target)
    text = Client(rust_stack.admin_port).get("/metrics").text
    assert "http_server_request_duration_seconds_bucket" in text
    promtool = os.environ.get("PROMTOOL", "promtool")
    checked = subprocess.run(
        [promtool, "check", "metrics"], input=text, capture_output=True, text=True, timeout=60, check=False
    )
    assert (checked.returncode, checked.stdout + checked.stderr) == (0, "")


def test_prometheus_gets_openmetrics(rust_stack):
    accept = "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5"
    answer = Client(rust_stack.admin_port).get("/metrics", [("Accept", accept)])
    assert answer.header("Content-Type").startswith("application/openmetrics-text; version=1.0.0")
    assert answer.text.endswith("# EOF\n")
    # Prometheus' own reader of OpenMetrics is strict about names, units, order and bounds.
    families = {family.name: family for family in text_string_to_metric_families(answer.text)}
    durations = families["http_server_request_duration_seconds"]
    assert (durations.type, durations.unit) == ("histogram", "seconds")
    assert families["ficus_requests"].type == "counter"
