"""Connections that are kept, shared, and closed."""

from ..case import HOST, Case, get, post
from ..client import End, HalfClose, NewConnection, Pause, Read
from ..judge import DANGEROUS, DEGRADED, answered, arrived, got, holds
from ..origin import KEEP, OK, answers, read_body

CASES = []


def path_of(request):
    return request.line.split(b" ")[1]


def names_the_path(conn, request):
    request.complete = read_body(conn, request)
    path = path_of(request)
    conn.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(path), path))
    return True


def says_close_second(conn, request):
    request.complete = read_body(conn, request)
    conn.send(b"HTTP/1.1 200 OK\r\nConnection: keep-alive\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok")
    return True


def in_order(*paths):
    return holds(
        "answers in another order", lambda seen: [reply.body for reply in seen.replies] == list(paths), DANGEROUS
    )


def dies_unanswered(conn, request):
    request.complete = read_body(conn, request)


def once(seen):
    return sum(request.complete for request in seen.arrived) <= 1


CASES += [
    Case(
        "two requests, one after the other",
        [get(b"/1"), Read(1), get(b"/2"), Read(2)],
        [answered(200, 200), arrived(2), in_order(b"/1", b"/2")],
        origin=names_the_path,
    ),
    Case(
        "two requests at once",
        [get(b"/1") + get(b"/2"), Read(2)],
        [answered(200, 200), arrived(2), in_order(b"/1", b"/2")],
        origin=names_the_path,
    ),
    Case(
        "ten requests at once",
        [b"".join(get(b"/%d" % n) for n in range(10)), Read(10)],
        [answered(*[200] * 10), arrived(10), in_order(*[b"/%d" % n for n in range(10)])],
        origin=names_the_path,
    ),
    Case(
        "POSTs at once",
        [post(b"Content-Length: 2\r\n", b"hi", b"/1") + post(b"Content-Length: 2\r\n", b"ho", b"/2"), Read(2)],
        [answered(200, 200), arrived(2), in_order(b"/1", b"/2")],
        origin=names_the_path,
    ),
    Case(
        "a good request and then a bad one",
        [get(b"/1") + b"GET /2 HTTP/1.1\r\n\r\n", Read(2), End()],
        [
            arrived(1),
            holds(
                "not 200 and then 400", lambda seen: [reply.status for reply in seen.replies] == [200, 400], DEGRADED
            ),
        ],
        origin=names_the_path,
    ),
    Case(
        "a request in pieces",
        [
            b"GET / HT",
            Pause(0.02),
            b"TP/1.1\r",
            Pause(0.02),
            b"\nHost: a.ex",
            Pause(0.02),
            b"ample\r\n\r",
            Pause(0.02),
            b"\n",
            Read(),
        ],
        [answered(200), arrived()],
    ),
    Case(
        "a body in pieces",
        [post(b"Content-Length: 4\r\n", b"h"), Pause(0.02), b"i", Pause(0.02), b"ho", Read()],
        [answered(200), arrived()],
    ),
    Case(
        "chunks in pieces",
        [
            post(b"Transfer-Encoding: chunked\r\n", b"2"),
            Pause(0.02),
            b"\r",
            Pause(0.02),
            b"\nh",
            Pause(0.02),
            b"i\r\n0\r\n",
            Pause(0.02),
            b"\r\n",
            Read(),
        ],
        [answered(200), arrived()],
    ),
    Case(
        "empty lines between requests",
        [get(b"/1"), Read(1), b"\r\n" + get(b"/2"), Read(2)],
        [answered(200, 200), arrived(2)],
        origin=names_the_path,
    ),
    *[
        Case(
            f"close on another Connection line than {first}",
            [get(b"/1", f"Connection: {first}\r\nConnection: close\r\n".encode()) + get(b"/2"), Read(), End(0.5)],
            [answered(200), arrived(1), holds("stays open", lambda seen: seen.closed)],
            origin=names_the_path,
        )
        for first in ("keep-alive", "foo")
    ],
    Case(
        "an origin that closes, on another Connection line",
        [get(b"/1"), Read(1), get(b"/2"), Read(2)],
        [
            answered(200, 200),
            arrived(2),
            holds("the next request goes to a connection that closes", lambda seen: seen.connections == 2),
        ],
        origin=says_close_second,
    ),
    Case(
        "Connection: close closes",
        [get(more=b"Connection: close\r\n"), Read(), End(0.5)],
        [answered(200), got(b"connection", b"close", verdict=DEGRADED), holds("stays open", lambda seen: seen.closed)],
        origin=KEEP,
    ),
    Case(
        "Connection: Close, in capitals, among others",
        [get(more=b"Connection: foo, Close\r\n"), Read(), End(0.5)],
        [answered(200), holds("stays open", lambda seen: seen.closed)],
        origin=KEEP,
    ),
    Case(
        "HTTP/1.0 closes",
        [b"GET / HTTP/1.0\r\n" + HOST + b"\r\n", Read(), End(0.5)],
        [answered(200), holds("stays open", lambda seen: seen.closed)],
        origin=KEEP,
    ),
    Case(
        "HTTP/1.0 with keep-alive",
        [get(version=b"HTTP/1.0", more=b"Connection: keep-alive\r\n"), Read(), get(version=b"HTTP/1.0"), Read(2)],
        [holds("closed", lambda seen: len(seen.replies) == 2, DEGRADED)],
        origin=KEEP,
    ),
    Case("the origin closes, the client stays", [get(), Read(1), get(), Read(2)], [answered(200, 200)], origin=OK),
    Case(
        "a client that has said all it has to say gets its answer",
        [get(), HalfClose(), Read()],
        [holds("no answer", lambda seen: bool(seen.replies), DEGRADED)],
    ),
    Case(
        "a POST, and then the end",
        [post(b"Content-Length: 2\r\n", b"hi"), HalfClose(), Read()],
        [holds("no answer", lambda seen: bool(seen.replies), DEGRADED), arrived(1)],
        origin=answers(0.1, OK),
    ),
    Case(
        "GET whose origin dies unanswered",
        get(),
        [holds("no error", lambda seen: bool(seen.replies) and seen.reply.status in (502, 503))],
        origin=dies_unanswered,
    ),
    Case(
        "POST whose origin dies unanswered is not done twice",
        post(b"Content-Length: 2\r\n", b"hi"),
        [
            holds("done twice", once, DANGEROUS),
            holds("no error", lambda seen: bool(seen.replies) and seen.reply.status in (502, 503)),
        ],
        origin=dies_unanswered,
    ),
    Case(
        "POST on a connection that the origin has just closed",
        [
            post(b"Content-Length: 2\r\n", b"hi", b"/1"),
            Read(1),
            Pause(0.05),
            post(b"Content-Length: 2\r\n", b"ho", b"/2"),
            Read(2),
        ],
        [answered(200, 200), arrived(2)],
        origin=answers(KEEP),
    ),
    Case(
        "GET on a connection that the origin has just closed",
        [get(b"/1"), Read(1), Pause(0.05), get(b"/2"), Read(2)],
        [answered(200, 200), arrived(2)],
        origin=answers(KEEP),
    ),
    Case(
        "a client that leaves does not harm the next",
        [get(b"/1"), NewConnection(), get(b"/2"), Read()],
        [answered(200)],
        origin=answers(0.05, OK),
    ),
    Case(
        "after a refusal nothing more is read",
        [b"GET / HTTP/1.1\r\n\r\n" + get(b"/smuggled"), Read(), End()],
        [holds("goes on", lambda seen: seen.closed, DEGRADED)],
    ),
]
