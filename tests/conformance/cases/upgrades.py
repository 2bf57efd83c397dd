"""WebSocket, and everything that only looks like it."""

from ..case import HOST, Case, get
from ..client import End, Pause, Raw, Read
from ..judge import DANGEROUS, DEGRADED, WRONG, answered, arrived, holds, not_sent, sent
from ..origin import OK, answers

CASES = []
ASK = b"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
AGREE = b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n"


def echo(conn, request):
    request.complete = True
    conn.send(AGREE)
    while conn.buffer or conn.fill():
        conn.send(conn.buffer)
        conn.buffer = b""


def speaks_first(conn, request):
    request.complete = True
    conn.send(AGREE + b"\x81\x02hi")
    conn.wait_for_end()


def tunnelled(text):
    return holds("not through the tunnel", lambda seen: text in seen.tunnel)


def agreed(seen):
    return [reply.status for reply in seen.replies] == [101]


CASES += [
    Case(
        "a WebSocket",
        [get(more=ASK), Read(), b"\x81\x85abcdhello", Raw(b"hello")],
        [holds("no 101", agreed), tunnelled(b"hello"), sent(b"sec-websocket-version", b"13")],
        origin=echo,
    ),
    Case(
        "a WebSocket over TLS",
        [get(more=ASK), Read(), b"\x81\x85abcdhello", Raw(b"hello")],
        [holds("no 101", agreed), tunnelled(b"hello")],
        origin=echo,
        entrance="https",
    ),
    Case(
        "the origin speaks first",
        [get(more=ASK), Read(), Raw(b"hi")],
        [holds("no 101", agreed), tunnelled(b"hi")],
        origin=speaks_first,
    ),
    Case(
        "a WebSocket with keep-alive in Connection, as Firefox asks",
        [get(more=ASK.replace(b"Upgrade\r\n", b"keep-alive, Upgrade\r\n", 1)), Read(), b"hello", Raw(b"hello")],
        [holds("no 101", agreed), tunnelled(b"hello")],
        origin=echo,
    ),
    Case(
        "WebSocket in capitals",
        [get(more=ASK.replace(b"websocket", b"WebSocket", 1)), Read(), b"hello", Raw(b"hello")],
        [holds("no 101", agreed), tunnelled(b"hello")],
        origin=echo,
    ),
    Case(
        "a WebSocket that is silent for longer than a request may take",
        [get(more=ASK), Read(), Pause(1.6), b"hello", Raw(b"hello")],
        [holds("no 101", agreed), holds("cut", lambda seen: b"hello" in seen.tunnel, DEGRADED)],
        origin=echo,
    ),
    Case("a WebSocket refused", [get(more=ASK), Read(), End()], [answered(200), arrived(1)]),
    Case(
        "a request hidden behind a refused WebSocket",
        [get(more=ASK) + get(b"/second"), Read(2), End()],
        [
            holds(
                "it was forwarded as bytes of a tunnel",
                lambda seen: (
                    len(seen.arrived) <= 2 and all(b"second" not in request.raw_body for request in seen.arrived)
                ),
                DANGEROUS,
            )
        ],
        origin=answers(0.1, OK),
    ),
    Case(
        "bytes behind a handshake wait for 101",
        [get(more=ASK) + b"GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n", Read(), End()],
        [],
        origin=answers(0.1, OK),
    ),
    Case(
        "another protocol is not offered on",
        [get(more=b"Connection: Upgrade\r\nUpgrade: foo/2\r\n"), Read(), End()],
        [answered(200), not_sent(b"upgrade")],
    ),
    Case(
        "HTTP/2 in clear is not offered on",
        [
            get(more=b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n"),
            Read(),
            End(),
        ],
        [answered(200), not_sent(b"upgrade", b"http2-settings", verdict=DANGEROUS)],
    ),
    Case(
        "the origin changes to HTTP/2 in clear",
        [get(more=b"Connection: Upgrade\r\nUpgrade: h2c\r\n"), Read(), End()],
        [holds("a tunnel opened", lambda seen: not agreed(seen), DANGEROUS)],
        origin=answers(b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n", 0.2),
    ),
    Case(
        "Upgrade without Connection",
        [get(more=b"Upgrade: websocket\r\n"), Read(), End()],
        [holds("a tunnel opened", lambda seen: not agreed(seen), WRONG)],
        origin=[echo],
    ),
    Case(
        "a WebSocket of HTTP/1.0",
        [b"GET / HTTP/1.0\r\n" + HOST + ASK + b"\r\n", Read(), End()],
        [holds("a tunnel opened", lambda seen: not agreed(seen), WRONG)],
        origin=[echo],
    ),
    Case(
        "a WebSocket with a body",
        [get(more=ASK + b"Content-Length: 5\r\n") + b"hello", Read(), End(0.1)],
        [
            holds(
                "the body was cut off",
                lambda seen: not seen.arrived or not agreed(seen) or seen.arrived[0].all(b"content-length") == [b"5"],
                DEGRADED,
            )
        ],
        origin=[echo],
    ),
    Case(
        "the preface of HTTP/2 in clear",
        [b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0", Read(), End()],
        [holds("it reached the origin", lambda seen: not seen.arrived, DANGEROUS)],
    ),
]
