"""HTTP/2 over TLS: what becomes of it on the way to an HTTP/1 origin, and frames that are wrong."""

from hyperframe.frame import PingFrame

from ..case import Case
from ..judge import (
    DANGEROUS,
    DEGRADED,
    WRONG,
    arrived,
    h2_body,
    h2_got,
    h2_refused,
    h2_status,
    holds,
    line,
    not_sent,
    not_whole,
    sent,
    sent_body,
)
from ..origin import OK, answers
from .persistence import names_the_path

CASES = []
PSEUDO = [(":method", "GET"), (":scheme", "https"), (":path", "/"), (":authority", "a.example")]


def speaks(name, act, *checks, origin=OK):
    CASES.append(Case(f"h2: {name}", act=act, checks=list(checks), origin=origin))


def gets(name, *checks, path="/", extra=(), origin=OK, **options):
    def act(h2):
        h2.open().get(1, path, extra, **options)
        h2.answered(1)

    speaks(name, act, h2_status(1, 200), arrived(1), *checks, origin=origin)


gets(
    "a request",
    line(b"GET / HTTP/1.1"),
    sent(b"host", b"a.example"),
    sent(b"x-forwarded-proto", b"https"),
    h2_body(1, b"ok"),
)
gets("the path is kept", line(b"GET //a%2Fb/../c?d HTTP/1.1"), path="//a%2Fb/../c?d")
gets(
    "cookie crumbs are joined",
    sent(b"cookie", b"a=1; b=2; c=3", verdict=DANGEROUS),
    extra=[("cookie", "a=1"), ("cookie", "b=2"), ("cookie", "c=3")],
)
gets("te: trailers is allowed", extra=[("te", "trailers")])
gets("a header in Latin-1", sent(b"x", b"caf\xe9"), extra=[("x", b"caf\xe9")])
gets("an underscore", not_sent(b"x_forwarded_for", verdict=DANGEROUS), extra=[("x_forwarded_for", "203.0.113.9")])
gets(
    "x-forwarded-for of a stranger",
    sent(b"x-forwarded-for", b"127.0.0.1", verdict=DANGEROUS),
    extra=[("x-forwarded-for", "203.0.113.9")],
)
gets("host instead of :authority", sent(b"host", b"a.example"), extra=[("host", "a.example")], authority="a.example")
gets(
    "Set-Cookie three times",
    h2_got(1, b"set-cookie", b"a=1", b"b=2", b"a=3"),
    origin=b"HTTP/1.1 200 OK\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\nSet-Cookie: a=3\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok",
)
gets(
    "hop-by-hop headers of the answer",
    h2_got(1, b"connection"),
    h2_got(1, b"keep-alive"),
    h2_got(1, b"transfer-encoding"),
    h2_got(1, b"x-hop"),
    origin=b"HTTP/1.1 200 OK\r\nConnection: close, X-Hop\r\nX-Hop: 1\r\nKeep-Alive: timeout=9\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
)
gets("an answer of HTTP/1.0", h2_body(1, b"ok"), origin=b"HTTP/1.0 200 OK\r\nConnection: close\r\n\r\nok")
gets(
    "an answer in chunks",
    h2_body(1, b"ok"),
    origin=b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n1\r\no\r\n1\r\nk\r\n0\r\n\r\n",
)
gets(
    "early hints",
    holds("no 103", lambda seen: dict(seen.h2.stream(1).heads[0])[b":status"] == b"103", DEGRADED),
    h2_body(1, b"ok"),
    origin=answers(b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n", 0.05, OK),
)
gets(
    "HEAD",
    h2_got(1, b"content-length", b"1234"),
    method="HEAD",
    origin=b"HTTP/1.1 200 OK\r\nContent-Length: 1234\r\nConnection: close\r\n\r\n",
)


def posts(name, pieces, expected, *checks, extra=()):
    def act(h2):
        h2.open().get(1, "/", extra, "POST", end=False)
        for number, piece in enumerate(pieces):
            h2.data(1, piece, end=number == len(pieces) - 1)
        h2.answered(1)

    speaks(name, act, h2_status(1, 200), arrived(1), sent_body(expected), *checks)


posts("a body without a length", [b"hello", b" world"], b"hello world")
posts(
    "a body with a length",
    [b"hello"],
    b"hello",
    sent(b"content-length", b"5", verdict=DEGRADED),
    extra=[("content-length", "5")],
)
posts("an empty body", [b""], b"")
posts("a body and an empty last frame", [b"hello", b""], b"hello")
posts(
    "a body that looks like HTTP/1",
    [b"GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n"],
    b"GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n",
)


def streams(h2):
    h2.open()
    for number in range(1, 20, 2):
        h2.get(number, f"/{number}")
    h2.answered(*range(1, 20, 2))


speaks(
    "ten streams at once",
    streams,
    arrived(10),
    holds(
        "answers are mixed up",
        lambda seen: all(seen.h2.stream(n).body == b"/%d" % n for n in range(1, 20, 2)),
        DANGEROUS,
    ),
    origin=names_the_path,
)


def sends(name, fields, *, normal=WRONG, end=True, body=None, tail=None):
    """A request that must be refused."""

    def act(h2):
        h2.open().headers(1, fields, end=end and body is None and tail is None)
        for number, piece in enumerate(body or []):
            h2.data(1, piece, end=number == len(body) - 1 and tail is None)
        if tail is not None:
            h2.headers(1, tail)
        h2.answered(1)

    speaks(f"refused: {name}", act, h2_refused(1, normal=normal))


def without(name):
    return [field for field in PSEUDO if field[0] != name]


def changed(name, value):
    return [(known, value if known == name else old) for known, old in PSEUDO]


sends("no :method", without(":method"))
sends("no :scheme", without(":scheme"), normal=DEGRADED)
sends("no :path", without(":path"))
sends("no authority and no host", without(":authority"), normal=DEGRADED)
sends("empty :path", changed(":path", ""))
sends("empty :authority", changed(":authority", ""), normal=DEGRADED)
sends(":path without a slash", changed(":path", "index.html"))
sends(":path with a space", changed(":path", "/a b"))
sends(":path with a second request", changed(":path", "/a HTTP/1.1\r\nX: y"), normal=DANGEROUS)
sends(":path with a NUL", changed(":path", "/a\0"))
sends(":path with a fragment", changed(":path", "/a#b"), normal=DEGRADED)
sends(":path is a URL", changed(":path", "http://b.example/"), normal=DEGRADED)
sends(":method with a space", changed(":method", "GET /x"), normal=DANGEROUS)
sends(":method with CR LF", changed(":method", "GET / HTTP/1.1\r\nX: y\r\n"), normal=DANGEROUS)
sends(":authority with a space", changed(":authority", "a b"))
sends(":authority with a path", changed(":authority", "a.example/x"))
sends(":authority with a user", changed(":authority", "u@a.example"))
sends(":authority with CR LF", changed(":authority", "a.example\r\nX: y"), normal=DANGEROUS)
sends("host is another than :authority", PSEUDO + [("host", "b.example")], normal=DEGRADED)
sends("two :path", PSEUDO + [(":path", "/b")])
sends("two :method", PSEUDO + [(":method", "POST")])
sends("two :authority", PSEUDO + [(":authority", "b.example")])
sends("an unknown pseudo-header", PSEUDO + [(":foo", "bar")])
sends(":status in a request", PSEUDO + [(":status", "200")])
sends("a pseudo-header behind a header", [("x", "y")] + PSEUDO)
sends("a name in capitals", PSEUDO + [("X-Upper", "y")])
sends("connection", PSEUDO + [("connection", "close")])
sends("keep-alive", PSEUDO + [("keep-alive", "timeout=5")])
sends("proxy-connection", PSEUDO + [("proxy-connection", "close")])
sends("upgrade", PSEUDO + [("upgrade", "websocket")])
sends("transfer-encoding", PSEUDO + [("transfer-encoding", "chunked")], normal=DANGEROUS)
sends("a value that begins with a blank", PSEUDO + [("x", " y")], normal=DEGRADED)
sends("a value that ends with a tab", PSEUDO + [("x", "y\t")], normal=DEGRADED)
sends("an asterisk for GET", changed(":path", "*"))
sends("the same content-length twice", PSEUDO + [("content-length", "0"), ("content-length", "0")])
sends("300 headers", PSEUDO + [(f"x-{n}", "y") for n in range(300)], normal=DEGRADED)
sends("te: gzip", PSEUDO + [("te", "gzip")], normal=DEGRADED)
sends("a name with a space", PSEUDO + [("x y", "z")])
sends("a name with a colon", PSEUDO + [("x:y", "z")])
sends("an empty name", PSEUDO + [("", "z")])
sends("a name with CR LF", PSEUDO + [("x\r\ny", "z")], normal=DANGEROUS)
sends("a value with CR LF", PSEUDO + [("x", "a\r\nEvil: 1")], normal=DANGEROUS)
sends("a value with LF", PSEUDO + [("x", "a\nEvil: 1")], normal=DANGEROUS)
sends("a value with a NUL", PSEUDO + [("x", "a\0b")])
sends(
    "content-length twice",
    changed(":method", "POST") + [("content-length", "5"), ("content-length", "6")],
    body=[b"hello"],
    normal=DANGEROUS,
)
sends(
    "content-length that is no number",
    changed(":method", "POST") + [("content-length", "5x")],
    body=[b"hello"],
    normal=DANGEROUS,
)
sends(
    "content-length too small",
    changed(":method", "POST") + [("content-length", "2")],
    body=[b"hello"],
    normal=DANGEROUS,
)
sends(
    "content-length too large",
    changed(":method", "POST") + [("content-length", "10")],
    body=[b"hello"],
    normal=DANGEROUS,
)
sends("content-length without a body", changed(":method", "POST") + [("content-length", "5")], normal=DANGEROUS)
sends(
    "content-length too small, in two frames",
    changed(":method", "POST") + [("content-length", "5")],
    body=[b"hello", b"GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n"],
    normal=DANGEROUS,
)
sends("a pseudo-header among the trailers", changed(":method", "POST"), body=[b"hello"], tail=[(":path", "/b")])
sends("CONNECT", [(":method", "CONNECT"), (":authority", "a.example:443")])
sends("a header list of 200,000 bytes", PSEUDO + [(f"x-{n}", "y" * 1000) for n in range(190)], normal=DEGRADED)


def frames(name, act, *checks, connection=True):
    def acts(h2):
        h2.open()
        act(h2)
        h2.answered(1, patience=1.0)

    speaks(f"refused: {name}", acts, *(checks or (h2_refused(1, connection=connection),)))


def raw(number, kind, flags, payload, length=None):
    length = len(payload) if length is None else length
    return length.to_bytes(3, "big") + bytes([kind, flags]) + number.to_bytes(4, "big") + payload


frames("DATA on stream 0", lambda h2: h2.client.send(raw(0, 0, 0, b"x")))
frames("HEADERS on stream 0", lambda h2: h2.client.send(raw(0, 1, 5, h2.encoder.encode(PSEUDO))))
frames("an even stream", lambda h2: h2.get(2))
frames("DATA on an idle stream", lambda h2: h2.data(1, b"x", end=True))
frames(
    "a stream number that goes down",
    lambda h2: (h2.get(5), h2.answered(5), h2.client.send(raw(1, 1, 5, h2.encoder.encode(PSEUDO)))),
    holds(
        "the connection goes on",
        lambda seen: seen.h2.goaway is not None or seen.h2.stream(1).reset is not None or seen.closed,
        WRONG,
    ),
)
frames("PING of seven bytes", lambda h2: h2.client.send(raw(0, 6, 0, b"1234567")))
frames("SETTINGS of five bytes", lambda h2: h2.client.send(raw(0, 4, 0, b"12345")))
frames("SETTINGS on a stream", lambda h2: h2.client.send(raw(1, 4, 0, b"")))
frames("a window update of 0", lambda h2: h2.client.send(raw(0, 8, 0, b"\0\0\0\0")))
frames("a window that overflows", lambda h2: h2.client.send(raw(0, 8, 0, b"\x7f\xff\xff\xff") * 2))
frames(
    "a frame larger than allowed",
    lambda h2: (h2.get(1, method="POST", end=False), h2.client.send(raw(1, 0, 1, b"x" * 20_000))),
)
frames("headers that no table has", lambda h2: h2.client.send(raw(1, 1, 5, b"\xff\xff\xff\x7f")))
frames(
    "HEADERS without end and then another frame",
    lambda h2: (h2.headers(1, PSEUDO, flags=()), h2.send(PingFrame(0, b"12345678"))),
)
frames("CONTINUATION out of nowhere", lambda h2: h2.client.send(raw(1, 9, 4, b"")))
frames(
    "CONTINUATION without end",
    lambda h2: (
        h2.headers(1, PSEUDO, flags=()),
        h2.client.send(raw(1, 9, 0, h2.encoder.encode([("x", "y" * 16_000)])) * 400),
    ),
    h2_refused(1, normal=DEGRADED, connection=False),
)
frames("a server's push", lambda h2: h2.client.send(raw(1, 5, 4, b"\0\0\0\x02" + h2.encoder.encode(PSEUDO))))
frames(
    "padding longer than the frame",
    lambda h2: (h2.get(1, method="POST", end=False), h2.client.send(raw(1, 0, 9, b"\xffx"))),
)
frames(
    "a stream that depends on itself",
    lambda h2: h2.client.send(raw(1, 1, 0x25, b"\0\0\0\x01\x10" + h2.encoder.encode(PSEUDO))),
    holds("nothing", lambda seen: True),
)


def closed_stream(h2):
    h2.open().get(1)
    h2.answered(1)
    h2.data(1, b"late", end=True)
    h2.get(3)
    h2.answered(3, patience=1.0)


speaks(
    "DATA on a stream that has ended does no harm",
    closed_stream,
    holds(
        "it reached the origin", lambda seen: all(b"late" not in request.body for request in seen.arrived), DANGEROUS
    ),
)


def rapid_reset(h2):
    h2.open()
    for number in range(1, 2001, 2):
        h2.get(number)
        h2.rst(number)
    h2.read(lambda: h2.goaway is not None, patience=1.0)


speaks(
    "a thousand streams opened and reset are bounded",
    rapid_reset,
    holds(
        "every one reached the origin",
        lambda seen: seen.h2.goaway is not None or seen.closed or len(seen.arrived) < 900,
        WRONG,
    ),
)


def many_streams(h2):
    h2.open()
    for number in range(1, 1201, 2):
        h2.get(number, method="POST", end=False)
    h2.read(lambda: False, patience=0.3)


speaks(
    "600 unfinished streams are bounded",
    many_streams,
    holds(
        "all are open",
        lambda seen: (
            seen.h2.goaway is not None
            or seen.closed
            or sum(s.reset is not None for s in seen.h2.streams.values()) >= 300
            or seen.h2.settings.get(3, 2**31) <= 256
        ),
        WRONG,
    ),
    origin=answers(then="hold"),
)


def ping_flood(h2):
    h2.open().get(1)
    h2.client.send(raw(0, 6, 0, b"12345678") * 5000)
    h2.answered(1)


speaks(
    "a flood of pings does not stop it for ever",
    ping_flood,
    holds("nothing came", lambda seen: seen.h2.stream(1).status == 200 or seen.h2.goaway is not None or seen.closed),
)
speaks(
    "broken: Content-Length, closed early",
    lambda h2: (h2.open().get(1), h2.answered(1)),
    not_whole(),
    origin=b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\nConnection: close\r\n\r\nhalf",
)
speaks(
    "broken: chunks, closed early",
    lambda h2: (h2.open().get(1), h2.answered(1)),
    not_whole(),
    origin=b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n4\r\nhalf\r\n",
)
speaks("ALPN chooses h2", lambda h2: h2.open(), holds("another", lambda seen: seen.h2.negotiated == "h2"))
speaks(
    "ALPN chooses HTTP/1.1",
    lambda h2: h2.client.secure(("http/1.1",)) or setattr(h2, "negotiated", h2.client.sock.selected_alpn_protocol()),
    holds("another", lambda seen: seen.h2.negotiated == "http/1.1"),
)
speaks(
    "ALPN prefers h2",
    lambda h2: h2.open(alpn=("http/1.1", "h2")),
    holds("another", lambda seen: seen.h2.negotiated == "h2", DEGRADED),
)


def trailers(h2):
    h2.open().get(1, method="POST", end=False)
    h2.data(1, b"hello")
    h2.headers(1, [("x-sum", "1")])
    h2.answered(1)


speaks("trailers of a request", trailers, h2_status(1, 200), sent_body(b"hello"))


def cancelled(h2):
    h2.open().get(1, method="POST", end=False)
    h2.data(1, b"hello")
    h2.rst(1)
    h2.get(3, "/next")
    h2.answered(3)


speaks(
    "a cancelled upload is not completed",
    cancelled,
    holds(
        "it looks whole",
        lambda seen: all(not request.complete for request in seen.arrived if request.line.startswith(b"POST")),
        DANGEROUS,
    ),
)
