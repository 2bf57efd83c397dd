"""A collector of traces: reads what is posted with OpenTelemetry's own protobuf classes, and remembers the spans."""

import threading
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span as Wire


@dataclass(frozen=True)
class Span:
    """One span, as text and numbers."""

    trace_id: str
    span_id: str
    parent_id: str
    name: str
    kind: str
    start: int
    end: int
    attributes: dict
    failed: bool


def _value(any_value):
    return getattr(any_value, any_value.WhichOneof("value"))


def _span(wire) -> Span:
    return Span(
        wire.trace_id.hex(), wire.span_id.hex(), wire.parent_span_id.hex(), wire.name, Wire.SpanKind.Name(wire.kind),
        wire.start_time_unix_nano, wire.end_time_unix_nano,
        {pair.key: _value(pair.value) for pair in wire.attributes}, wire.status.code == 2,
    )


class Collector:
    """Listens on a free port until it is stopped."""

    def __init__(self):
        self.spans = []
        self.resources = []
        self._lock = threading.Lock()
        collector = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                request = ExportTraceServiceRequest.FromString(body)
                with collector._lock:
                    for resource in request.resource_spans:
                        collector.resources.append({pair.key: _value(pair.value) for pair in resource.resource.attributes})
                        for scope in resource.scope_spans:
                            collector.spans.extend(_span(span) for span in scope.spans)
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def of_trace(self, trace_id: str) -> list:
        """The spans of one trace so far."""
        with self._lock:
            return [span for span in self.spans if span.trace_id == trace_id]

    def stop(self):
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
