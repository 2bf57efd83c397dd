"""Request lines: methods, targets, versions, line ends."""

from ..case import HOST, Case, get
from ..judge import DEGRADED, OK, answered, arrived, line, refused, sent
from ..client import End

CASES = []


def passes(name, request, target, method=b"GET"):
    CASES.append(Case(name, request, [answered(200), arrived(), line(method + b" " + target + b" HTTP/1.1")]))


def names_a_host(seen):
    """HTTP/1.1 has a Host (RFC 9112, 3.2), also where HTTP/1.0 had none."""
    for request in seen.arrived:
        if request.line.endswith(b" HTTP/1.1") and len(request.all(b"host")) != 1:
            yield DEGRADED, "HTTP/1.1 without a Host at the origin"


for what, path in {
    "encoded slash": b"/a%2Fb",
    "encoded slash in lower case": b"/a%2fb",
    "double slash": b"/a//b",
    "leading double slash": b"//a/b",
    "dot segments": b"/a/../b/./c",
    "encoded dots": b"/a/%2e%2e/b",
    "encoded space": b"/a%20b",
    "encoded NUL": b"/a%00b",
    "encoded CR LF": b"/a%0d%0aX:%20y",
    "invalid UTF-8, encoded": b"/%ff%fe",
    "half an escape": b"/a%2",
    "no escape": b"/a%zz",
    "empty query": b"/a?",
    "query of question marks": b"/a??b?",
    "plus and ampersands": b"/a?b=1+2&&c",
    "semicolon parameters": b"/a;v=1/b;w",
    "tilde and colon": b"/~a/b:c",
    "sub-delimiters": b"/!$&'()*+,;=@",
    "trailing slash": b"/a/",
    "brackets in the query": b"/a?b[]=1",
    "braces and pipes, as browsers send them": b"/a?b={c}|d^e`",
    "backslash": b"/a\\b",
    "a URL in the query": b"/a?b=http://c.example/",
    "long, 4,000 bytes": b"/" + b"a" * 4000,
}.items():
    passes(f"path kept: {what}", get(path), path)

for method in (b"PUT", b"DELETE", b"PATCH", b"OPTIONS", b"PROPFIND", b"M-SEARCH", b"get"):
    passes(f"method kept: {method.decode()}", get(b"/", method=method), b"/", method)
CASES += [
    Case("OPTIONS *", get(b"*", method=b"OPTIONS"), [answered(200), arrived(), line(b"OPTIONS * HTTP/1.1")]),
    Case(
        "absolute target becomes a path",
        get(b"http://a.example/x?y=1"),
        [answered(200), arrived(), line(b"GET /x?y=1 HTTP/1.1"), sent(b"host", b"a.example")],
    ),
    Case(
        "absolute target without a path",
        get(b"http://a.example"),
        [answered(200), arrived(), line(b"GET / HTTP/1.1")],
    ),
    Case(
        "absolute target for another host",
        get(b"http://b.example/x"),
        # The target counts; whoever cannot tell the origin so has to refuse.
        [
            lambda seen: (
                ()
                if not seen.arrived or seen.arrived[0].all(b"host") == [b"b.example"]
                else [("dangerous", f"host {seen.arrived[0].all(b'host')}")]
            )
        ],
    ),
    Case("CONNECT", b"CONNECT a.example:443 HTTP/1.1\r\nHost: a.example:443\r\n\r\n", [refused(405)]),
    Case("empty line before the request", b"\r\n" + get(b"/a"), [answered(200), arrived(), line(b"GET /a HTTP/1.1")]),
    Case("HTTP/1.0 without Host", b"GET /a HTTP/1.0\r\n\r\n", [answered(200), arrived(), names_a_host]),
    Case(
        "HTTP/1.0 without Host, absolute target",
        b"GET http://a.example/x HTTP/1.0\r\n\r\n",
        [answered(200), arrived(), line(b"GET /x HTTP/1.1"), sent(b"host", b"a.example", verdict=DEGRADED)],
    ),
    Case(
        "HTTP/1.0 with Host", get(b"/a", version=b"HTTP/1.0"), [answered(200), arrived(), sent(b"host", b"a.example")]
    ),
]

for what, request in {
    "no Host": b"GET / HTTP/1.1\r\n\r\n",
    "two Hosts": b"GET / HTTP/1.1\r\nHost: a.example\r\nHost: b.example\r\n\r\n",
    "the same Host twice": b"GET / HTTP/1.1\r\nHost: a.example\r\nHost: a.example\r\n\r\n",
    "Host with a space": b"GET / HTTP/1.1\r\nHost: a b\r\n\r\n",
    "Host with a path": b"GET / HTTP/1.1\r\nHost: a.example/x\r\n\r\n",
    "Host with a user": b"GET / HTTP/1.1\r\nHost: u@a.example\r\n\r\n",
    "an absolute target with a user": b"GET http://u@a.example/ HTTP/1.0\r\n\r\n",
    "Host is a list": b"GET / HTTP/1.1\r\nHost: a.example, b.example\r\n\r\n",
    "target without a slash": get(b"index.html"),
    "target is a fragment": get(b"/a#b"),
    "NUL in the target": get(b"/a\0b"),
    "control byte in the target": get(b"/a\x01b"),
    "UTF-8 in the target": get("/caf\u00e9".encode()),
    "Latin-1 in the target": get(b"/caf\xe9"),
    "DEL in the target": get(b"/a\x7fb"),
    "tab in the target": get(b"/a\tb"),
    "space in the target": get(b"/a b"),
    "CR in the target": get(b"/a\rb"),
    "two spaces": b"GET  / HTTP/1.1\r\n" + HOST + b"\r\n",
    "space before the method": b" GET / HTTP/1.1\r\n" + HOST + b"\r\n",
    "space after the version": b"GET / HTTP/1.1 \r\n" + HOST + b"\r\n",
    "tab between the words": b"GET\t/\tHTTP/1.1\r\n" + HOST + b"\r\n",
    "brackets in the method": get(method=b"G(T"),
    "colon in the method": get(method=b"GET:"),
    "no version (HTTP/0.9)": b"GET /\r\n\r\n",
    "version in lower case": get(version=b"http/1.1"),
    "version 1.10": get(version=b"HTTP/1.10"),
    "version with a sign": get(version=b"HTTP/+1.1"),
    "version with spaces": get(version=b"HTTP/ 1.1"),
    "an asterisk for GET": get(b"*"),
    "target in quotes": get(b'"/a"'),
    "angle brackets in the target": get(b"/<a>"),
    "another scheme": get(b"ftp://a.example/x"),
    "binary": b"\x16\x03\x01\x02\0\x01\0\r\n\r\n",
}.items():
    soft = {
        "UTF-8 in the target",
        "Latin-1 in the target",
        "two spaces",
        "tab between the words",
        "space after the version",
        "target in quotes",
        "angle brackets in the target",
        "brackets in the method",
        "colon in the method",
    }
    CASES.append(
        Case(f"refused: {what}", request, [refused(400, 405, 501, normal=DEGRADED if what in soft else "wrong")])
    )
for host in ("a:b", "a:80:80", "a:-1", ":80", "[::1", "[::1]a", "[::1]:x", "[zz]", "a]b", "a%zz"):
    CASES.append(Case(f"refused: Host {host}", f"GET / HTTP/1.1\r\nHost: {host}\r\n\r\n".encode(), [refused()]))
for host in ("a.example:", "a.example:8080", "[::1]", "[2001:db8::1]:80"):
    passes(f"Host {host}", f"GET / HTTP/1.1\r\nHost: {host}\r\n\r\n".encode(), b"/")
for version in (b"HTTP/2.0", b"HTTP/0.9", b"HTTP/3.1"):
    CASES.append(Case(f"refused: version {version.decode()}", get(version=version), [refused(505, 400, 426)]))

for what, request in {
    "lines end with LF alone": b"GET / HTTP/1.1\nHost: a.example\n\n",
    "one header ends with LF alone": get(more=b"X: y\n"),
    "the request line ends with LF alone": b"GET / HTTP/1.1\n" + HOST + b"\r\n",
    "the empty line is LF alone": b"GET / HTTP/1.1\r\n" + HOST + b"\n",
}.items():
    # A recipient may take LF for a line end (RFC 9112, 2.2), as long as it does not hand it on.
    CASES.append(Case(f"refused or repaired: {what}", request, [refused(normal=OK)]))
CASES.append(Case("refused: lines end with CR alone", b"GET / HTTP/1.1\rHost: a.example\r\r", [refused()]))
CASES.append(
    Case(
        "an unfinished head and then the end",
        [b"GET / HTTP/1.1\r\nHost: a", End()],
        [lambda seen: [("dangerous", "passed on")] if seen.arrived else []],
    )
)
CASES.append(Case("the empty connection", [End(0.1)], [lambda seen: [("wrong", "answered")] if seen.replies else []]))
