"""Where a request ends: everything that two readers could take differently."""

from ..case import HOST, Case, chunked, get, post
from ..judge import OK, answered, arrived, refused, sent_body

CASES = []
HIDDEN = b"GET /smuggled HTTP/1.1\r\nHost: a.example\r\n\r\n"


def refuses(name, request, **options):
    CASES.append(Case(f"refused: {name}", request, [refused(400, 501, **options)]))


for what, more in {
    "Content-Length beside Transfer-Encoding": b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n",
    "Transfer-Encoding beside Content-Length": b"Transfer-Encoding: chunked\r\nContent-Length: 4\r\n",
    "Content-Length: 0 beside Transfer-Encoding": b"Content-Length: 0\r\nTransfer-Encoding: chunked\r\n",
    "chunked in capitals beside Content-Length": b"Content-Length: 4\r\nTransfer-Encoding: CHUNKED\r\n",
}.items():
    # Transfer-Encoding overrides, and an intermediary must remove Content-Length (RFC 9112, 6.3): allowed, not wise.
    refuses(what, post(more, b"0\r\n\r\n" + HIDDEN), normal="degraded")
for what, more in {
    "two different Content-Lengths": b"Content-Length: 0\r\nContent-Length: 44\r\n",
    "a list of different Content-Lengths": b"Content-Length: 0, 44\r\n",
    "Content-Length with a sign": b"Content-Length: +44\r\n",
    "negative Content-Length": b"Content-Length: -1\r\n",
    "hexadecimal Content-Length": b"Content-Length: 0x2c\r\n",
    "Content-Length with an underscore": b"Content-Length: 4_4\r\n",
    "Content-Length with a space": b"Content-Length: 4 4\r\n",
    "Content-Length with a fraction": b"Content-Length: 44.0\r\n",
    "empty Content-Length": b"Content-Length: \r\n",
    "Content-Length that is no number": b"Content-Length: abc\r\n",
    "Content-Length beyond 64 bits": b"Content-Length: 18446744073709551660\r\n",
    "Content-Length beyond 63 bits": b"Content-Length: 9223372036854775852\r\n",
    "Content-Length in other digits": b"Content-Length: \xd9\xa4\xd9\xa4\r\n",
    "Content-Length with a space before the colon": b"Content-Length : 44\r\n",
    "Content-Length folded": b"Content-Length:\r\n 44\r\n",
}.items():
    refuses(what, post(more, HIDDEN))
for what, more in {
    "the same Content-Length twice": b"Content-Length: 2\r\nContent-Length: 2\r\n",
    "a list of the same Content-Length": b"Content-Length: 2, 2\r\n",
}.items():
    # May be taken as one (RFC 9110, 8.6), if one goes on.
    refuses(what, post(more, b"hi"), normal=OK)
for what, more in {
    "chunked twice": b"Transfer-Encoding: chunked, chunked\r\n",
    "two Transfer-Encodings": b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
    "identity and then chunked in two lines": b"Transfer-Encoding: identity\r\nTransfer-Encoding: chunked\r\n",
    "chunked and then identity in two lines": b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n",
    "chunked is not last": b"Transfer-Encoding: chunked, gzip\r\n",
    "gzip and then chunked": b"Transfer-Encoding: gzip, chunked\r\n",
    "an unknown coding": b"Transfer-Encoding: xchunked\r\n",
    "identity": b"Transfer-Encoding: identity\r\n",
    "chunked in quotes": b'Transfer-Encoding: "chunked"\r\n',
    "chunked with a parameter": b"Transfer-Encoding: chunked;q=1\r\n",
    "chunked and a comma": b"Transfer-Encoding: chunked,\r\n",
    "a comma and chunked": b"Transfer-Encoding: ,chunked\r\n",
    "chunked with a vertical tab": b"Transfer-Encoding: \x0bchunked\r\n",
    "chunked with a NUL": b"Transfer-Encoding: chunked\0\r\n",
    "chunked in full width": b"Transfer-Encoding: \xef\xbd\x83hunked\r\n",
    "empty Transfer-Encoding": b"Transfer-Encoding:\r\n",
    "Transfer-Encoding with a space before the colon": b"Transfer-Encoding : chunked\r\n",
    "Transfer-Encoding folded": b"Transfer-Encoding:\r\n chunked\r\n",
    "Transfer-Encoding behind a bare LF": b"X: y\nTransfer-Encoding: chunked\r\n",
    "Transfer-Encoding behind a bare CR": b"X: y\rTransfer-Encoding: chunked\r\n",
    "Transfer-Encoding behind a NUL": b"X: y\0\r\nTransfer-Encoding: chunked\r\n",
}.items():
    soft = {
        "Transfer-Encoding behind a bare LF": OK,
        "a comma and chunked": OK,
        "Transfer-Encoding folded": OK,
        "two Transfer-Encodings": "degraded",
    }
    refuses(what, post(more, b"0\r\n\r\n" + HIDDEN), **({"normal": soft[what]} if what in soft else {}))
CASES += [
    Case(
        "refused: chunked in HTTP/1.0",
        b"POST / HTTP/1.0\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + HIDDEN,
        [refused(400, 411, 501)],
    ),
    Case(
        "Transfer_Encoding is another header",
        post(b"Content-Length: 5\r\nTransfer_Encoding: chunked\r\n", b"0\r\n\r\n"),
        [answered(200), arrived(), sent_body(b"0\r\n\r\n")],
    ),
    Case(
        "GET with a body",
        get(b"/", b"Content-Length: 5\r\n") + b"hello",
        [answered(200), arrived(), sent_body(b"hello")],
    ),
    Case(
        "a body that looks like a request",
        post(b"Content-Length: %d\r\n" % len(HIDDEN), HIDDEN),
        [answered(200), arrived(), sent_body(HIDDEN)],
    ),
    Case(
        "DELETE with chunks",
        get(b"/", b"Transfer-Encoding: chunked\r\n", b"DELETE") + b"2\r\nhi\r\n0\r\n\r\n",
        [answered(200), arrived(), sent_body(b"hi")],
    ),
    Case(
        "chunks that look like a request",
        chunked(b"%x\r\n" % len(HIDDEN) + HIDDEN + b"\r\n0\r\n\r\n"),
        [answered(200), arrived(), sent_body(HIDDEN)],
    ),
]

# Chunks.
for what, body in {
    "no chunk size": b"\r\n" + HIDDEN,
    "a chunk size with a sign": b"+2\r\nhi\r\n0\r\n\r\n",
    "a negative chunk size": b"-1\r\nhi\r\n0\r\n\r\n",
    "a chunk size with 0x": b"0x2\r\nhi\r\n0\r\n\r\n",
    "a chunk size with an underscore": b"0_2\r\nhi\r\n0\r\n\r\n",
    "a chunk size that is none": b"zz\r\nhi\r\n0\r\n\r\n",
    "a chunk size beyond 64 bits": b"10000000000000002\r\nhi\r\n0\r\n\r\n",
    "a chunk size beyond 32 bits that is cut": b"100000002\r\nhi\r\n0\r\n\r\n" + HIDDEN,
    "a space before a chunk size": b" 2\r\nhi\r\n0\r\n\r\n",
    "a NUL after a chunk size": b"2\0\r\nhi\r\n0\r\n\r\n",
    "a CR inside an extension": b"2;a\rb\r\nhi\r\n0\r\n\r\n",
    "a LF inside an extension": b"2;a\nb\r\nhi\r\n0\r\n\r\n",
    "a NUL inside an extension": b"2;a\0b\r\nhi\r\n0\r\n\r\n",
    "an extension whose name is none": b"2;a[=x\r\nhi\r\n0\r\n\r\n",
    "an extension beyond ASCII": b"2;a=\xb5\r\nhi\r\n0\r\n\r\n",
    "an extension whose quotes do not end": b'2;a="x\r\nhi\r\n0\r\n\r\n',
    "an extension without end": b"2;" + b"a" * 100_000,
    "a chunk longer than it says": b"2\r\nhiho\r\n0\r\n\r\n",
    "a chunk shorter than it says": b"4\r\nhi\r\n0\r\n\r\n" + HIDDEN,
    "a chunk that ends with LF alone": b"2\r\nhi\n0\r\n\r\n",
    "a chunk that ends with CR alone": b"2\r\nhi\r0\r\n\r\n",
    "a chunk without an end": b"2\r\nhi0\r\n\r\n",
    "a chunk size that ends with LF alone": b"2\nhi\r\n0\r\n\r\n",
    "a last chunk that ends with LF alone": b"2\r\nhi\r\n0\n\n",
    "a trailer that is none": b"2\r\nhi\r\n0\r\nX y\r\n\r\n",
    "a trailer with a NUL": b"2\r\nhi\r\n0\r\nX: \0\r\n\r\n",
    "a trailer that ends with LF alone": b"2\r\nhi\r\n0\r\nX: y\n\r\n",
    "a trailer with a space before the colon": b"2\r\nhi\r\n0\r\nX : y\r\n\r\n",
    "trailers without end": b"2\r\nhi\r\n0\r\n" + b"X: y\r\n" * 40_000,
}.items():
    soft = {
        "a chunk size that ends with LF alone",
        "a LF inside an extension",
        "a last chunk that ends with LF alone",
        "a space before a chunk size",
        "a chunk that ends with LF alone",
        "a trailer that ends with LF alone",
        "a trailer with a space before the colon",
        "a trailer that is none",
        "a trailer with a NUL",
        "trailers without end",
        "a NUL inside an extension",
        "a CR inside an extension",
        "an extension whose name is none",
        "an extension beyond ASCII",
        "an extension whose quotes do not end",
    }
    refuses(what, chunked(body), normal="degraded" if what in soft else "wrong")
for what, body in {
    "capitals": b"A\r\n0123456789\r\n0\r\n\r\n",
    "leading zeros": b"0000a\r\n0123456789\r\n000\r\n\r\n",
    "an extension": b"a;b=c\r\n0123456789\r\n0;d\r\n\r\n",
    "an extension in quotes": b'a;b="c d;e"\r\n0123456789\r\n0\r\n\r\n',
    "one byte each": b"".join(b"1\r\n%d\r\n" % n for n in range(10)) + b"0\r\n\r\n",
    "trailers": b"a\r\n0123456789\r\n0\r\nX-Sum: 1\r\n\r\n",
}.items():
    CASES.append(Case(f"chunks: {what}", chunked(body), [answered(200), arrived(), sent_body(b"0123456789")]))
