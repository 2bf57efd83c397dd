"""What must not wait, and what must not wait for ever."""

from ..case import Case, get, post
from ..client import End, Pause, Read
from ..judge import DEGRADED, WRONG, answered, got_body, holds
from ..origin import answers
from .. import proxies

CASES = []
#: The origin pauses so long; what comes before the pause must reach the client well before it ends.
LONG = 0.6
CLOSE = b"Connection: close\r\n\r\n"


def early(seen):
    """The first piece of the body does not wait for the second."""
    return bool(seen.reply and seen.reply.pieces) and seen.reply.pieces[0][0] < LONG


def early_head(seen):
    return bool(seen.reply) and seen.reply.at < LONG


def late_hint(seen):
    return bool(seen.interim) and seen.interim[0].at < LONG


CASES += [
    Case("the first chunk does not wait for the last", get(), [answered(200), got_body(b"onetwo"), holds("it waits", early)],
         origin=answers(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n" + CLOSE + b"3\r\none\r\n", LONG, b"3\r\ntwo\r\n0\r\n\r\n")),
    Case("a body of known length does not wait", get(), [answered(200), holds("it waits", early)],
         origin=answers(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n" + CLOSE + b"one", LONG, b"two")),
    Case("a body until the end does not wait", get(), [answered(200), holds("it waits", early)],
         origin=answers(b"HTTP/1.1 200 OK\r\n" + CLOSE + b"one", LONG, b"two")),
    Case("server-sent events", get(more=b"Accept: text/event-stream\r\n"), [answered(200), holds("it waits", early)],
         origin=answers(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n" + CLOSE + b"9\r\ndata: 1\n\n\r\n", LONG, b"9\r\ndata: 2\n\n\r\n0\r\n\r\n")),
    Case("a head does not wait for its body", get(), [answered(200), holds("it waits", early_head, DEGRADED)],
         origin=answers(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n" + CLOSE, LONG, b"3\r\none\r\n0\r\n\r\n")),
    Case("a head with a length does not wait for its body", get(), [answered(200), holds("it waits", early_head, DEGRADED)],
         origin=answers(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n" + CLOSE, LONG, b"one")),
    Case("early hints do not wait", get(), [answered(200), holds("they wait, or do not come", late_hint, DEGRADED)],
         origin=answers(b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n", LONG, b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n" + CLOSE + b"one")),
    Case("an upstream that does not answer", [get(), Read()], [answered(504)], origin=answers(then="hold")),
    Case("a head that never ends", [b"GET / HTTP/1.1\r\nHost: a", Read(), End(0.5)], [
        holds("no 408", lambda seen: bool(seen.reply) and seen.reply.status == 408, DEGRADED), holds("still open", lambda seen: seen.closed)]),
    Case("a head that comes drop by drop",
         [b"GET / HTTP/1.1\r\n", *[step for _ in range(30) for step in (b"X: y\r\n", Pause(0.05))], Read(), End(0.5)],
         [holds("no 408", lambda seen: bool(seen.reply) and seen.reply.status == 408, DEGRADED), holds("still open", lambda seen: seen.closed)]),
]
