"""Bodies on their way to the origin: whole, at once, never made up."""

from ..case import Case, chunked, get, post
from ..client import End, HalfClose, Pause, Read
from ..judge import DANGEROUS, DEGRADED, answered, arrived, holds, sent, sent_body
from ..origin import answers, read_body

CASES = []
BIG = bytes(range(256)) * 4096
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
OK_CLOSE = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok"


def incomplete(seen):
    return not any(request.complete for request in seen.arrived)


def waits_for_body(conn, request):
    conn.send(CONTINUE)
    request.complete = read_body(conn, request)
    conn.send(OK_CLOSE)


def arrives_as_sent(name, request, part):
    """The origin answers in two parts, the second only after `part` of the body was here."""

    def after_part(conn, request):
        conn.sock.settimeout(3)
        request.body = conn.exactly(len(part))
        conn.send(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\nConnection: close\r\n\r\n")
        conn.send(b"half")
        request.complete = len(request.body) == len(part)

    streams = holds(
        "what was sent waits for the rest",
        lambda seen: bool(seen.arrived and seen.arrived[0].body == part),
        DEGRADED,
    )
    return Case(name, [request, Read(), End(0.05)], [streams], origin=after_part)


CASES += [
    Case(
        "1 MiB with Content-Length",
        post(b"Content-Length: %d\r\n" % len(BIG), BIG),
        [answered(200), arrived(), sent_body(BIG)],
    ),
    Case(
        "1 MiB in chunks",
        chunked(b"%x\r\n" % len(BIG) + BIG + b"\r\n0\r\n\r\n"),
        [answered(200), arrived(), sent_body(BIG)],
    ),
    Case("an empty POST", post(b"Content-Length: 0\r\n"), [answered(200), arrived(), sent_body(b"")]),
    Case("a POST that says nothing of a body", post(b""), [answered(200), arrived(), sent_body(b"")]),
    Case(
        "Content-Length with leading zeros",
        post(b"Content-Length: 0002\r\n", b"hi"),
        [answered(200), arrived(), sent_body(b"hi")],
    ),
    Case(
        "a body that breaks off",
        [post(b"Content-Length: 10\r\n", b"half"), HalfClose(), Read(), End()],
        [holds("the origin thinks it is whole", incomplete, DANGEROUS)],
    ),
    Case(
        "chunks that break off",
        [chunked(b"5\r\nhalf"), HalfClose(), Read(), End()],
        [holds("the origin thinks it is whole", incomplete, DANGEROUS)],
    ),
    Case(
        "chunks without a last one",
        [chunked(b"2\r\nhi\r\n"), HalfClose(), Read(), End()],
        [holds("the origin thinks it is whole", incomplete, DANGEROUS)],
    ),
    Case(
        "trailers that break off",
        [chunked(b"2\r\nhi\r\n0\r\nX: "), HalfClose(), Read(), End()],
        [holds("the origin thinks it is whole", incomplete, DANGEROUS)],
    ),
    arrives_as_sent("an upload arrives as it is sent", post(b"Content-Length: 10\r\n", b"first"), b"first"),
    arrives_as_sent("a large upload arrives as it is sent", post(b"Content-Length: 100000\r\n", b"first"), b"first"),
    arrives_as_sent("chunks arrive as they are sent", chunked(b"5\r\nfirst\r\n"), b"5\r\nfirst"),
    Case(
        "leave to continue comes from the origin",
        [get(b"/", b"Content-Length: 2\r\nExpect: 100-continue\r\n", b"POST"), Pause(0.1), b"hi", Read(), End(0.05)],
        [
            answered(200),
            sent_body(b"hi"),
            holds("no 100", lambda seen: any(reply.status == 100 for reply in seen.interim), DEGRADED),
        ],
        origin=waits_for_body,
    ),
    Case(
        "no leave to continue: the refusal comes at once",
        [get(b"/", b"Content-Length: 2\r\nExpect: 100-continue\r\n", b"POST"), Read(), End(0.05)],
        [answered(417)],
        origin=answers(
            b"HTTP/1.1 417 Expectation Failed\r\nContent-Length: 0\r\nConnection: close\r\n\r\n", read=False
        ),
    ),
    Case(
        "Expect: 100-continue and the body at once",
        [get(b"/", b"Content-Length: 2\r\nExpect: 100-continue\r\n", b"POST") + b"hi", Read(), End(0.05)],
        [answered(200), sent_body(b"hi")],
        origin=waits_for_body,
    ),
    Case(
        "an answer before the body is read",
        [post(b"Content-Length: 1000000\r\n", b"x" * 1000), Read(), End(0.1)],
        [answered(413)],
        origin=answers(b"HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\nConnection: close\r\n\r\nno", 0.1, read=False),
    ),
    Case(
        "the coding of a chunked body stays clear",
        chunked(b"2\r\nhi\r\n0\r\n\r\n"),
        [
            answered(200),
            arrived(),
            holds(
                "neither length nor chunked",
                lambda seen: (
                    seen.arrived[0].all(b"transfer-encoding") == [b"chunked"]
                    or seen.arrived[0].all(b"content-length") == [b"2"]
                ),
            ),
        ],
    ),
    Case(
        "Content-Encoding is the client's",
        post(b"Content-Length: 2\r\nContent-Encoding: gzip\r\n", b"hi"),
        [answered(200), arrived(), sent(b"content-encoding", b"gzip"), sent_body(b"hi")],
    ),
    Case(
        "a body of an HTTP/1.0 client",
        b"POST / HTTP/1.0\r\nHost: a.example\r\nContent-Length: 2\r\n\r\nhi",
        [answered(200), arrived(), sent_body(b"hi")],
    ),
    Case(
        "DELETE with a body",
        get(b"/", b"Content-Length: 2\r\n", b"DELETE") + b"hi",
        [answered(200), arrived(), sent_body(b"hi")],
    ),
    Case(
        "an odd method with a body",
        get(b"/", b"Content-Length: 2\r\n", b"REPORT") + b"hi",
        [answered(200), arrived(), sent_body(b"hi")],
    ),
]
