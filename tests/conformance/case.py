"""One case: what is sent, what the origin does, what is checked."""

from dataclasses import dataclass, field

from . import http2
from .client import End, Read, play
from .judge import always, worst
from .origin import OK as ORIGIN_OK

HOST = b"Host: a.example\r\n"


@dataclass
class Case:
    """`steps` for HTTP/1, or `act` for HTTP/2."""

    name: str
    steps: list = field(default_factory=list)
    checks: list = field(default_factory=list)
    origin: object = ORIGIN_OK
    act: object = None
    entrance: str = "http"
    before: bytes = b""

    def __post_init__(self):
        if isinstance(self.steps, bytes):
            self.steps = [self.steps, Read(), End()]

    def run(self, lane, patience):
        """Plays the case; verdict, why, and what was seen."""
        lane.origin.begin(self.origin)
        if self.act:
            seen = http2.play(self.act, lane.address("https"), patience)
        else:
            tls = self.entrance in ("https", "preamble_tls")
            seen = play(self.steps, lane.address(self.entrance), tls, patience, self.before, lane.origin.client_saw.set)
        lane.origin.settle()
        seen.prompt = lane.origin.prompt
        with lane.origin.lock:
            seen.arrived, seen.connections = list(lane.origin.arrived), lane.origin.connections
        findings = [finding for check in self.checks for finding in check(seen)]
        return *worst(list(always(seen)) + findings), seen


def get(path=b"/", more=b"", method=b"GET", version=b"HTTP/1.1"):
    """The bytes of a plain request."""
    return method + b" " + path + b" " + version + b"\r\n" + HOST + more + b"\r\n"


def post(more, body=b"", path=b"/"):
    return get(path, more, b"POST") + body


def chunked(body, more=b"", path=b"/"):
    return post(b"Transfer-Encoding: chunked\r\n" + more, body, path)
