"""A candidate that is wrong on purpose: it asks the real handlers and spoils their answers, one fault at a time."""

import http.client
import http.server
import socket
import threading
from dataclasses import dataclass, field


@dataclass
class Spoiled:
    """An answer on its way out."""

    status: int
    headers: list
    body: bytes

    def replace(self, old: str, new: str):
        """Replaces the first `old` in the body, which must be there."""
        assert old.encode() in self.body, f"the page has no {old!r}"
        self.body = self.body.replace(old.encode(), new.encode(), 1)

    def drop(self, name: str):
        self.headers = [(key, value) for key, value in self.headers if key.lower() != name]


class _Connection(http.client.HTTPConnection):
    def __init__(self, path: str):
        super().__init__("handlers", timeout=30)
        self._path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.connect(self._path)


@dataclass
class WrongSide:
    """Listens on a free port of 127.0.0.1 until `stop`."""

    handlers_socket: str
    fault: object = None
    marks: list = field(default_factory=list)

    def __post_init__(self):
        side = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                # Ficus itself asks which build this is: no copy, and no answer that a user would get.
                about = self.path == "/_ficus/about"
                if not about:
                    side.marks.append(self.headers.get("x-ficus-shadow"))
                answer = side.ask(self.command, self.path, self.headers.items())
                if side.fault and not about:
                    side.fault(answer)
                self.send_response_only(answer.status)
                for key, value in answer.headers:
                    self.send_header(key, value)
                self.send_header("Content-Length", str(len(answer.body)))
                self.end_headers()
                self.wfile.write(answer.body)

            def log_message(self, *_):
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def ask(self, method: str, target: str, headers) -> Spoiled:
        connection = _Connection(self.handlers_socket)
        try:
            connection.putrequest(method, target, skip_host=True, skip_accept_encoding=True)
            for key, value in headers:
                connection.putheader(key, value)
            connection.endheaders()
            response = connection.getresponse()
            body = response.read()
            kept = [(k, v) for k, v in response.getheaders() if k.lower() not in ("content-length", "connection")]
            return Spoiled(response.status, kept, body)
        finally:
            connection.close()

    def stop(self):
        self._server.shutdown()
        self._server.server_close()
