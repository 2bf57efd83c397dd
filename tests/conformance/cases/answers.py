"""Answers on their way back: framing, headers, and what must not reach a client."""

from ..case import HOST, Case, get
from ..client import End, Pause, Read
from ..judge import (
    DANGEROUS,
    DEGRADED,
    WRONG,
    answered,
    bad_gateway,
    got,
    got_body,
    holds,
    not_got,
    not_whole,
    nothing_but_replies,
)
from ..origin import answers

CASES = []
HEAD = [get(method=b"HEAD"), Read(head=True), End()]
OLD = b"GET / HTTP/1.0\r\n" + HOST + b"\r\n"


def ok(more=b"Content-Length: 2\r\n", body=b"ok", status=b"200 OK", version=b"HTTP/1.1"):
    return version + b" " + status + b"\r\n" + more + b"Connection: close\r\n\r\n" + body


def passes(name, origin, *checks, steps=None, status=200):
    CASES.append(Case(name, steps or get(), [answered(status), *checks, nothing_but_replies()], origin=origin))


def fails(name, origin, *checks, steps=None):
    CASES.append(Case(name, steps or get(), list(checks), origin=origin))


CHUNKED = b"Transfer-Encoding: chunked\r\n"
passes("chunks reach the client", ok(CHUNKED, b"2\r\nok\r\n0\r\n\r\n"), got_body(b"ok"))
passes("chunks with extensions", ok(CHUNKED, b"2;a=b\r\nok\r\n0\r\n\r\n"), got_body(b"ok"))
passes("chunks whose sizes are filled up with blanks", ok(CHUNKED, b"2  \r\nok\r\n0  \r\n\r\n"), got_body(b"ok"))
passes("an answer that ends with the connection", ok(b"", b"ok"), got_body(b"ok"))
passes("an answer of HTTP/1.0", ok(b"", b"ok", version=b"HTTP/1.0"), got_body(b"ok"))
passes("an answer of HTTP/1.0 with Content-Length", ok(version=b"HTTP/1.0"), got_body(b"ok"))
passes("an empty answer", ok(b"Content-Length: 0\r\n", b""), got_body(b""), got(b"content-length", b"0"))
passes("HEAD keeps the length", ok(b"Content-Length: 1234\r\n", b""), got(b"content-length", b"1234"), steps=HEAD)
passes("HEAD without a length", ok(b"", b""), steps=HEAD)
passes("HEAD of chunks", ok(CHUNKED, b""), steps=HEAD)
passes("HEAD whose origin sends a body", ok(), steps=HEAD)
passes(
    "204",
    ok(b"", b"", b"204 No Content"),
    not_got(b"transfer-encoding", verdict=DANGEROUS),
    not_got(b"content-length", verdict=DEGRADED),
    status=204,
)
for what, field in {"a length": b"Content-Length: 44\r\n", "chunks": CHUNKED}.items():
    passes(
        f"204 that announces {what}",
        ok(field, b"", b"204 No Content"),
        not_got(b"transfer-encoding", verdict=DANGEROUS),
        not_got(b"content-length", verdict=WRONG),
        status=204,
    )
passes(
    "204 whose origin sends a body",
    ok(b"", b"body", b"204 No Content"),
    not_got(b"transfer-encoding", verdict=DANGEROUS),
    status=204,
)
passes(
    "304 keeps the length",
    ok(b'Content-Length: 1234\r\nETag: "a"\r\n', b"", b"304 Not Modified"),
    got(b"etag", b'"a"'),
    got(b"content-length", b"1234", verdict=DEGRADED),
    status=304,
)
passes(
    "304 without a length",
    ok(b"", b"", b"304 Not Modified"),
    not_got(b"transfer-encoding", verdict=DANGEROUS),
    status=304,
)
passes(
    "206 and its range",
    ok(b"Content-Length: 2\r\nContent-Range: bytes 0-1/9\r\n", b"ok", b"206 Partial Content"),
    got(b"content-range", b"bytes 0-1/9"),
    got_body(b"ok"),
    status=206,
)
passes(
    "Set-Cookie three times, in order",
    ok(
        b"Set-Cookie: a=1\r\nContent-Length: 2\r\nSet-Cookie: b=2; Expires=Sun, 06 Nov 1994 08:49:37 GMT\r\nSet-Cookie: a=3\r\n"
    ),
    got(b"set-cookie", b"a=1", b"b=2; Expires=Sun, 06 Nov 1994 08:49:37 GMT", b"a=3"),
)
passes(
    "WWW-Authenticate twice",
    ok(b"Content-Length: 2\r\nWWW-Authenticate: Basic\r\nWWW-Authenticate: Bearer\r\n", status=b"401 Unauthorized"),
    got(b"www-authenticate", b"Basic", b"Bearer"),
    status=401,
)
passes(
    "Date is the origin's",
    ok(b"Content-Length: 2\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\n"),
    got(b"date", b"Sun, 06 Nov 1994 08:49:37 GMT"),
)
passes(
    "Server is the origin's",
    ok(b"Content-Length: 2\r\nServer: gunicorn\r\n"),
    got(b"server", b"gunicorn", verdict=DEGRADED),
)
passes(
    "Location is not touched",
    ok(b"Content-Length: 0\r\nLocation: //b.example/x?y=%2F#z\r\n", b"", b"302 Found"),
    got(b"location", b"//b.example/x?y=%2F#z"),
    status=302,
)
passes("values in Latin-1", ok(b"Content-Length: 2\r\nX: caf\xe9\r\n"), got(b"x", b"caf\xe9"))
passes("values in UTF-8", ok(b"Content-Length: 2\r\nX: caf\xc3\xa9\r\n"), got(b"x", b"caf\xc3\xa9"))
passes("an empty value", ok(b"Content-Length: 2\r\nX:\r\n"), got(b"x", b"", verdict=DEGRADED))
passes("a name with an underscore", ok(b"Content-Length: 2\r\nX_Y: z\r\n"), got(b"x_y", b"z", verdict=DEGRADED))
passes("an answer with a header of 7,000 bytes", ok(b"Content-Length: 2\r\nX: " + b"y" * 7000 + b"\r\n"), got(b"x", b"y" * 7000))
passes("90 headers", ok(b"Content-Length: 2\r\n" + b"".join(b"X-%d: y\r\n" % n for n in range(85))), got(b"x-84", b"y"))
passes(
    "a reason of its own",
    ok(status=b"200 All Right"),
    holds("another reason", lambda seen: seen.reply.reason == b"All Right", DEGRADED),
)
passes("no reason", ok(status=b"200 "), got_body(b"ok"))
passes("no reason and no space", ok(status=b"200"), got_body(b"ok"))
passes("an unknown status", ok(status=b"299 Odd"), status=299)
passes("a status above 599", ok(status=b"799 Odd"), status=799)
passes("404 keeps its body", ok(status=b"404 Not Found"), got_body(b"ok"), status=404)
passes("500 keeps its body", ok(status=b"500 Oops"), got_body(b"ok"), status=500)
passes(
    "503 keeps Retry-After",
    ok(b"Content-Length: 2\r\nRetry-After: 7\r\n", status=b"503 Busy"),
    got(b"retry-after", b"7"),
    got_body(b"ok"),
    status=503,
)
passes(
    "Content-Encoding is not touched",
    ok(b"Content-Length: 2\r\nContent-Encoding: br\r\n"),
    got(b"content-encoding", b"br"),
    got_body(b"ok"),
)
passes(
    "trailers",
    ok(b"Trailer: X-Sum\r\n" + CHUNKED, b"2\r\nok\r\n0\r\nX-Sum: 1\r\n\r\n"),
    got_body(b"ok"),
    holds("the trailer is lost", lambda seen: seen.reply.trailers == [(b"x-sum", b"1")], DEGRADED),
    steps=[get(more=b"TE: trailers\r\nConnection: TE\r\n"), Read(), End()],
)

# Hop by hop.
passes(
    "Connection names a header of the answer",
    b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close, X-Hop\r\nX-Hop: 1\r\n\r\nok",
    not_got(b"x-hop"),
)
passes(
    "Keep-Alive of an answer ends here",
    ok(b"Content-Length: 2\r\nKeep-Alive: timeout=99\r\n"),
    not_got(b"keep-alive", verdict=DEGRADED),
)
passes(
    "Proxy-Connection of an answer ends here",
    ok(b"Content-Length: 2\r\nProxy-Connection: keep-alive\r\n"),
    not_got(b"proxy-connection", verdict=DEGRADED),
)
passes(
    "Upgrade without being asked", ok(b"Content-Length: 2\r\nUpgrade: h2c\r\n"), not_got(b"upgrade", verdict=DEGRADED)
)

# HTTP/1.0 clients.
passes(
    "no chunks for HTTP/1.0",
    ok(CHUNKED, b"2\r\nok\r\n0\r\n\r\n"),
    not_got(b"transfer-encoding", verdict=WRONG),
    got_body(b"ok"),
    steps=OLD,
)
passes(
    "no end for HTTP/1.0 but the connection's",
    ok(b"", b"ok"),
    not_got(b"transfer-encoding"),
    got_body(b"ok"),
    steps=OLD,
)
passes(
    "no 1xx for HTTP/1.0",
    b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" + ok(),
    holds("an interim answer", lambda seen: not seen.interim),
    steps=OLD,
)

# Interim answers.
passes(
    "early hints",
    answers(b"HTTP/1.1 103 Early Hints\r\nLink: </a>; rel=preload\r\n\r\n", 0.05, ok()),
    holds("no 103", lambda seen: [reply.status for reply in seen.interim] == [103], DEGRADED),
    got_body(b"ok"),
)
for what, field in {"a length": b"Content-Length: 40\r\n", "chunks": CHUNKED, "a close": b"Connection: close\r\n"}.items():
    passes(
        f"early hints that announce {what}",
        answers(b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n" + field + b"\r\n", 0.05, ok()),
        holds("it is handed on", lambda seen, name=field.split(b":")[0].lower(): not any(one.all(name) for one in seen.interim)),
        got_body(b"ok"),
    )
passes(
    "early hints of HTTP/1.0",
    answers(b"HTTP/1.0 103 Early Hints\r\nLink: </a>\r\n\r\n", 0.05, ok()),
    holds("they are handed on as such", lambda seen: all(one.raw_head.startswith(b"HTTP/1.1 ") for one in seen.interim)),
    got_body(b"ok"),
)
fails("hints without end", answers(b"HTTP/1.1 103 A\r\n\r\n" * 2_000, 0.05, ok()), bad_gateway(normal=DEGRADED))
passes("102 and then the answer", b"HTTP/1.1 102 Processing\r\n\r\n" + ok(), got_body(b"ok"))
passes(
    "two interim answers",
    b"HTTP/1.1 103 A\r\nLink: </a>\r\n\r\nHTTP/1.1 103 B\r\nLink: </b>\r\n\r\n" + ok(),
    got_body(b"ok"),
)
passes("a 100 that nobody waits for", b"HTTP/1.1 100 Continue\r\n\r\n" + ok(), got_body(b"ok"))
fails(
    "101 that nobody asked for",
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil",
    bad_gateway(),
    holds("a tunnel opened", lambda seen: seen.reply is None or seen.reply.status != 101, DANGEROUS),
)

# Broken answers must not look whole.
for what, origin in {
    "Content-Length, closed early": ok(b"Content-Length: 10\r\n", b"half"),
    "chunks, closed early": ok(CHUNKED, b"4\r\nhalf\r\n"),
    "chunks, closed inside one": ok(CHUNKED, b"a\r\nhalf"),
    "chunks, closed inside a size": ok(CHUNKED, b"4\r\nhalf\r\n1"),
    "chunks, closed before the last line end": ok(CHUNKED, b"4\r\nhalf\r\n0\r\n"),
    "an empty chunk size in the middle": ok(CHUNKED, b"4\r\nhalf\r\n\r\n\r\n4\r\nhalf\r\n0\r\n\r\n"),
    "an empty chunk size behind hints": b"HTTP/1.1 103 A\r\n\r\n" + ok(CHUNKED, b"4\r\nhalf\r\n\r\n\r\n"),
    "a chunk size of nothing but an extension": ok(CHUNKED, b"4\r\nhalf\r\n;a\r\n\r\n"),
    "a chunk size that is none": ok(CHUNKED, b"4\r\nhalf\r\nzz\r\n0\r\n\r\n"),
    "a chunk longer than it says": ok(CHUNKED, b"4\r\nhalfhalf\r\n0\r\n\r\n"),
    "a chunk size beyond 64 bits": ok(CHUNKED, b"4\r\nhalf\r\n10000000000000004\r\nhalf\r\n0\r\n\r\n"),
    "Content-Length, reset": answers(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf", 0.1, then="reset"),
    "until the end, reset": answers(b"HTTP/1.1 200 OK\r\n\r\nhalf", 0.1, then="reset"),
    "silence in the middle": answers(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf", then="hold"),
}.items():
    fails(f"broken: {what}", origin, not_whole())
for what, origin in {
    "Content-Length": ok(b"Content-Length: 10\r\n", b"half"),
    "chunks": ok(CHUNKED, b"4\r\nhalf\r\n"),
}.items():
    fails(
        f"broken for HTTP/1.0: {what}",
        origin,
        not_whole()
        if what == "Content-Length"
        else holds(
            "a whole answer with a length",
            lambda seen: seen.reply is None or not seen.reply.all(b"content-length") or not seen.reply.complete,
            DANGEROUS,
        ),
        steps=OLD,
    )

# What is no answer.
for what, origin in {
    "nothing": answers(),
    "half a head": answers(b"HTTP/1.1 200 OK\r\nContent-Le"),
    "garbage": answers(b"hello\r\n\r\n"),
    "a status that is no number": ok(status=b"2x0 OK"),
    "a status of two digits": ok(status=b"20 OK"),
    "a status of four digits": ok(status=b"2000 OK"),
    "another protocol": ok(version=b"HTTQ/1.1"),
    "HTTP/2.0 in text": ok(version=b"HTTP/2.0"),
    "Content-Length that is no number": ok(b"Content-Length: two\r\n"),
    "Content-Length beyond 63 bits": ok(b"Content-Length: 9223372036854775808\r\n"),
    "negative Content-Length": ok(b"Content-Length: -1\r\n"),
    "Content-Length with a sign": ok(b"Content-Length: +2\r\n"),
    "two different Content-Lengths": ok(b"Content-Length: 2\r\nContent-Length: 3\r\n", b"oko"),
    "a list of different Content-Lengths": ok(b"Content-Length: 2, 3\r\n", b"oko"),
    "an unknown Transfer-Encoding": ok(b"Transfer-Encoding: xchunked\r\n", b"ok"),
    "gzip and chunked": ok(b"Transfer-Encoding: gzip, chunked\r\n", b"2\r\nok\r\n0\r\n\r\n"),
    "chunked twice": ok(b"Transfer-Encoding: chunked, chunked\r\n", b"2\r\nok\r\n0\r\n\r\n"),
    "two Transfer-Encodings": ok(CHUNKED + CHUNKED, b"2\r\nok\r\n0\r\n\r\n"),
    "NUL in a value": ok(b"Content-Length: 2\r\nX: a\0b\r\n"),
    "NUL in a name": ok(b"Content-Length: 2\r\nX\0: a\r\n"),
    "CR in a value": ok(b"Content-Length: 2\r\nX: a\rb\r\n"),
    "control byte in a value": ok(b"Content-Length: 2\r\nX: a\x01b\r\n"),
    "a space in a name": ok(b"Content-Length: 2\r\nX y: z\r\n"),
    "brackets in a name": ok(b"Content-Length: 2\r\n(X): z\r\n"),
    "a line without a colon": ok(b"Content-Length: 2\r\nhello\r\n"),
    "no name": ok(b"Content-Length: 2\r\n: y\r\n"),
    "a head of 2 MB": ok(b"Content-Length: 2\r\nX: " + b"y" * 2_000_000 + b"\r\n"),
    "3,000 headers": ok(b"Content-Length: 2\r\n" + b"X: y\r\n" * 3000),
}.items():
    fails(f"not handed on: {what}", origin, bad_gateway(502, 503, normal=DEGRADED))
for what, origin in {
    "Content-Length beside Transfer-Encoding": ok(b"Content-Length: 3\r\n" + CHUNKED, b"2\r\nok\r\n0\r\n\r\n"),
    "the same Content-Length twice": ok(b"Content-Length: 2\r\nContent-Length: 2\r\n"),
    "a space before the colon": ok(b"Content-Length: 2\r\nX : y\r\n"),
    "a folded header": ok(b"Content-Length: 2\r\nX: a\r\n b\r\n"),
    "lines end with LF alone": b"HTTP/1.1 200 OK\nContent-Length: 2\nConnection: close\n\nok",
}.items():
    # May be repaired (RFC 9112: 2.2, 5.1, 5.2, 6.3), if it is repaired.
    fails(f"repaired or not handed on: {what}", origin, bad_gateway(502, 503, 200, normal=WRONG))
CASES += [
    Case(
        "bytes behind an answer stay out of the next",
        [get(b"/1"), Read(1), get(b"/2"), Read(2), End()],
        [
            holds(
                "the bytes became an answer", lambda seen: all(reply.body == b"ok" for reply in seen.replies), DANGEROUS
            ),
            nothing_but_replies(),
        ],
        origin=answers(
            b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil",
            then="keep",
        ),
    ),
    Case(
        "two answers to one request",
        [get(b"/1"), Read(1), Pause(0.3), get(b"/2"), Read(2), End()],
        [
            holds(
                "one is taken for the next", lambda seen: all(reply.body == b"ok" for reply in seen.replies), DANGEROUS
            )
        ],
        origin=answers(
            b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
            0.05,
            b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil",
            then="keep",
        ),
    ),
    Case(
        "a body behind 304 stays out of the next",
        [get(b"/1"), Read(1), get(b"/2"), Read(2), End()],
        [holds("it became an answer", lambda seen: all(reply.body != b"evil" for reply in seen.replies), DANGEROUS)],
        origin=[
            answers(
                b"HTTP/1.1 304 Not Modified\r\nContent-Length: 40\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil",
                then="keep",
            ),
            answers(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", then="keep"),
        ],
    ),
]
