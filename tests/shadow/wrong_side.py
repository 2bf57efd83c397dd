"""A candidate that is wrong on purpose. It asks the real handlers and spoils their answers, or it asks the CRM with mutated
views (faulty_crm.py), one fault at a time."""

import http.client
import http.server
import json
import socket
import threading
from dataclasses import dataclass, field


@dataclass
class Spoiled:
    """An answer on its way out, and what was asked."""

    status: int
    headers: list
    body: bytes
    method: str = "GET"
    target: str = ""
    asked: dict = field(default_factory=dict)

    def replace(self, old: str, new: str):
        """Replaces the first `old` in the body, which must be there."""
        assert old.encode() in self.body, f"the page has no {old!r}"
        self.body = self.body.replace(old.encode(), new.encode(), 1)

    def drop(self, name: str):
        self.headers = [(key, value) for key, value in self.headers if key.lower() != name]

    def header(self, name: str) -> str:
        return next((value for key, value in self.headers if key.lower() == name), "")

    def set(self, name: str, value: str):
        """Another value for a header that is there."""
        self.headers = [(key, value if key.lower() == name else old) for key, old in self.headers]

    @property
    def text(self) -> str:
        return self.body.decode()

    @text.setter
    def text(self, value: str):
        self.body = value.encode()

    @property
    def is_page(self) -> bool:
        return "html" in self.header("content-type")

    @property
    def is_json(self) -> bool:
        return "json" in self.header("content-type")

    @property
    def json(self):
        return json.loads(self.body)

    @json.setter
    def json(self, value):
        self.body = json.dumps(value).encode()


class _Connection(http.client.HTTPConnection):
    def __init__(self, path: str):
        super().__init__("handlers", timeout=30)
        self._path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.connect(self._path)


class _Server(http.server.ThreadingHTTPServer):
    request_queue_size = 128


@dataclass
class WrongSide:
    """Listens on a free port of 127.0.0.1 until `stop`."""

    handlers_socket: str
    # Of the mutated CRM; without it the handlers are asked.
    crm_port: int = None
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
                if self.command != "HEAD":
                    self.wfile.write(answer.body)

            do_HEAD = do_GET

            def log_message(self, *_):
                pass

        self._server = _Server(("127.0.0.1", 0), Handler)
        self.port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def ask(self, method: str, target: str, headers) -> Spoiled:
        headers = list(headers)
        if self.crm_port:
            connection = http.client.HTTPConnection("127.0.0.1", self.crm_port, timeout=30)
        else:
            connection = _Connection(self.handlers_socket)
        try:
            connection.putrequest(method, target, skip_host=True, skip_accept_encoding=True)
            for key, value in headers:
                connection.putheader(key, value)
            connection.endheaders()
            response = connection.getresponse()
            body = response.read()
            ours = ("content-length", "connection", "transfer-encoding")
            kept = [(k, v) for k, v in response.getheaders() if k.lower() not in ours]
            return Spoiled(response.status, kept, body, method, target, {k.lower(): v for k, v in headers})
        finally:
            connection.close()

    def stop(self):
        self._server.shutdown()
        self._server.server_close()
