"""What must not wait, and what must not wait for ever."""

from ..case import Case, get
from ..client import End, Pause, Read, Sees
from ..judge import DEGRADED, answered, holds
from ..origin import SEEN, answers

CASES = []
CLOSE = b"Connection: close\r\n\r\n"


def prompt(name, first, sees, rest, more=b""):
    """What the origin sends first reaches the client before the origin sends the rest."""
    checks = [answered(200), holds("held back until the rest came", lambda seen: seen.prompt is True)]
    steps = [get(more=more), Sees(sees), Read(), End(0.05)]
    CASES.append(Case(name, steps, checks, origin=answers(first, SEEN, rest)))


OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n" + CLOSE
EVENTS = OK + b"Content-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n" + CLOSE
prompt("the first chunk does not wait for the last", CHUNKED + b"3\r\none\r\n", b"one", b"3\r\ntwo\r\n0\r\n\r\n")
prompt("a body of known length does not wait", OK + b"Content-Length: 6\r\n" + CLOSE + b"one", b"one", b"two")
prompt("a body until the end does not wait", OK + CLOSE + b"one", b"one", b"two")
prompt(
    "server-sent events",
    EVENTS + b"9\r\ndata: 1\n\n\r\n",
    b"data: 1\n\n",
    b"9\r\ndata: 2\n\n\r\n0\r\n\r\n",
    more=b"Accept: text/event-stream\r\n",
)
prompt("a head does not wait for its body", CHUNKED, b"\r\n\r\n", b"3\r\none\r\n0\r\n\r\n")
prompt("a head with a length does not wait for its body", OK + b"Content-Length: 3\r\n" + CLOSE, b"\r\n\r\n", b"one")
prompt(
    "early hints do not wait",
    b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n",
    b" 103 ",
    OK + b"Content-Length: 3\r\n" + CLOSE + b"one",
)
CASES += [
    Case("an upstream that does not answer", [get(), Read()], [answered(504)], origin=answers(then="hold")),
    Case(
        "a head that never ends",
        [b"GET / HTTP/1.1\r\nHost: a", Read(), End(0.5)],
        [
            holds("no 408", lambda seen: bool(seen.reply) and seen.reply.status == 408, DEGRADED),
            holds("still open", lambda seen: seen.closed),
        ],
    ),
    Case(
        "a head that comes drop by drop",
        [b"GET / HTTP/1.1\r\n", *[step for _ in range(30) for step in (b"X: y\r\n", Pause(0.05))], Read(), End(0.5)],
        [
            holds("no 408", lambda seen: bool(seen.reply) and seen.reply.status == 408, DEGRADED),
            holds("still open", lambda seen: seen.closed),
        ],
    ),
]
