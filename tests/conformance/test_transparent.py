"""With everything on legacy a client cannot tell Ficus from the server behind it, whatever application that serves."""

import os
import subprocess
from pathlib import Path

import pytest

from stack.process import free_port, wait_until

from . import hostile
from .client import End, Read, play
from .proxies import HOST, Ficus, Lane

PYTHON = Path(__file__).parents[2] / "target/python"
#: What belongs to the connection, not to the answer (RFC 9110, 7.6.1), and the second in which it was given.
FRAMING = {b"connection", b"keep-alive", b"transfer-encoding", b"date"}
VIEWS = sorted(set(hostile.VIEWS) - {"echo", "seen"})
REQUESTS = {
    "query": b"GET /seen/a%2Fb//../c?x=%20&y=1+2&&z HTTP/1.1\r\nHost: crm.example:8080\r\nConnection: close\r\n\r\n",
    "headers": b"GET /seen HTTP/1.1\r\nHost: a\r\nX-Odd: caf\xe9\r\nX-Two: a\r\nX-Two: b\r\nX-Empty:\r\nAccept: */*\r\n"
    b'Cookie: a=1; b="2"\r\nUser-Agent: x (y; z)\r\nReferer: http://a/?b\r\nConnection: close\r\n\r\n',
    "range": b'GET /seen HTTP/1.1\r\nHost: a\r\nRange: bytes=0-1\r\nIf-Range: "a"\r\nIf-None-Match: "a"\r\nConnection: close\r\n\r\n',
    "post": b"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Type: text/plain\r\nContent-Length: 11\r\nConnection: close\r\n\r\nhello world",
    "put": b"PUT /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nConnection: close\r\n\r\n\x00\xff\x01",
    "empty post": b"POST /seen HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
    "options": b"OPTIONS /seen HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
    "odd method": b"PROPFIND /seen HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
    "old client": b"GET /streamed HTTP/1.0\r\nHost: a\r\n\r\n",
    "old client, cookies": b"GET /cookies HTTP/1.0\r\nHost: a\r\n\r\n",
}


def gunicorn(environment, kind):
    return lambda port: [
        PYTHON / environment / "bin/python",
        "-m",
        "gunicorn",
        "--bind",
        f"{HOST}:{port}",
        "--worker-class",
        kind,
        *(["--threads", "4"] if kind == "gthread" else []),
        "hostile:application",
    ]


SERVERS = {
    "gunicorn 20, sync": gunicorn("flask-1.1", "sync"),
    "gunicorn, sync": gunicorn("flask-2.3", "sync"),
    "gunicorn, gthread": gunicorn("flask-2.3", "gthread"),
    "Werkzeug 1.0": lambda port: [PYTHON / "flask-1.1/bin/python", Path(hostile.__file__), port],
    "Werkzeug 2.3": lambda port: [PYTHON / "flask-2.3/bin/python", Path(hostile.__file__), port],
}


class Served:
    """A server with the hostile application, and Ficus before it."""

    def __init__(self, command, folder):
        self.port = free_port()
        self.log = open(folder / "log", "wb")
        self.child = subprocess.Popen(
            [str(word) for word in command(self.port)],
            cwd=Path(__file__).parent,
            stdout=self.log,
            stderr=self.log,
            stdin=subprocess.DEVNULL,
            env=os.environ | {"PYTHONDONTWRITEBYTECODE": "1"},
        )
        self.origin = self
        try:
            wait_until(
                lambda: play([b"GET /seen HTTP/1.0\r\n\r\n", Read()], (HOST, self.port), False, 5).replies, "server", 60
            )
        except BaseException:
            self.end()
            raise
        self.ficus = OneFicus(folder, self)
        self.ficus.start()

    def address(self, through):
        return (HOST, self.port) if not through else self.ficus.lanes[0].address("http")

    def stop(self):
        """Called for the origin of a lane; this one ends with `end`."""

    def end(self):
        self.child.kill()
        self.child.wait()
        self.log.close()


class OneFicus(Ficus):
    def __init__(self, folder, origin):
        super().__init__(folder, 0)
        self.lanes = [Lane(origin)]

    def start(self):
        self._one(self.lanes[0], "only", ("http", "https"))
        self.wait()


@pytest.fixture(scope="module", params=SERVERS)
def served(request, tmp_path_factory):
    served = Served(SERVERS[request.param], tmp_path_factory.mktemp("served"))
    yield served
    served.ficus.stop()
    served.end()


def answer(served, request, through):
    seen = play([request, Read(head=request.startswith(b"HEAD")), End(0.1)], served.address(through), False, 15)
    assert seen.reply, f"no answer {'through ficus' if through else 'directly'}: {seen.garbage}"
    lines = seen.reply.raw_head.split(b"\r\n")
    kept = [line for line in lines[1:] if line and line.split(b":")[0].lower() not in FRAMING]
    return {
        "status": lines[0].split(b" ", 1)[1:],
        "body": seen.reply.body,
        "whole": seen.reply.complete,
        # The order of headers with different names means nothing (RFC 9110, 5.3), that of equal names does.
        "headers": sorted(kept, key=lambda line: line.split(b":")[0].lower()),
        "dates": seen.reply.all(b"date"),
        "rest": seen.garbage,
    }


def close(path, method=b"GET"):
    return method + b" /" + path.encode() + b" HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"


def compare(served, request):
    direct, through = answer(served, request, False), answer(served, request, True)
    # What ends with the connection looks whole to whoever sees the connection end in good order, and only to them.
    if not through["whole"]:
        through["whole"] = direct["whole"]
        assert direct["body"].startswith(through["body"])
    # A body behind HEAD or 204 is one that the server should not have sent; and who forwards an answer without a
    # date adds one (RFC 9110, 6.6.1). Werkzeug's server sends two if the application has one of its own.
    assert through.pop("rest") == b""
    del direct["rest"]
    if direct["status"][0].startswith(b"204 "):
        # Nor may the server announce one (RFC 9110, 8.6).
        direct["headers"] = [line for line in direct["headers"] if not line.lower().startswith(b"content-length:")]
    dates, direct_dates = through.pop("dates"), direct.pop("dates")
    assert len(dates) == 1
    if direct_dates == [hostile.DATE.encode()]:
        assert dates == direct_dates
    assert through == direct


@pytest.mark.parametrize("view", VIEWS)
def test_answers_are_the_same(served, view):
    compare(served, close(view))


@pytest.mark.parametrize("view", ["head", "streamed", "cookies", "server_error"])
def test_head_is_the_same(served, view):
    compare(served, close(view, b"HEAD"))


@pytest.mark.parametrize("name", REQUESTS)
def test_requests_are_the_same(served, name):
    compare(served, REQUESTS[name])


@pytest.mark.parametrize("view", ["raises_half_way", "short"])
def test_a_broken_answer_does_not_look_whole(served, view):
    assert not answer(served, close(view), True)["whole"]
