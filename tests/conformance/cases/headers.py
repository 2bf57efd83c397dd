"""Headers of requests: grammar, hop-by-hop, what the proxy adds and what it does not believe."""

from ..case import Case, get, post
from ..client import End, Read
from ..judge import DANGEROUS, DEGRADED, OK, answered, arrived, holds, not_sent, refused, sent

CASES = []
OK_ONE = [answered(200), arrived()]


def passes(name, more, *checks, **options):
    CASES.append(Case(name, get(b"/", more), [*OK_ONE, *checks], **options))


passes("value with a tab", b"X: a\tb\r\n", sent(b"x", b"a\tb"))
passes("value in Latin-1", b"X: caf\xe9\r\n", sent(b"x", b"caf\xe9"))
passes("value in UTF-8", b"X: caf\xc3\xa9\r\n", sent(b"x", b"caf\xc3\xa9"))
passes("spaces around a value", b"X:   a b  \r\n", sent(b"x", b"a b"))
passes("empty value", b"X:\r\n", sent(b"x", b"", verdict=DEGRADED))
passes("a colon in the value", b"X: a:b\r\n", sent(b"x", b"a:b"))
passes("every token character in a name", b"!#$%&'*+-.^`|~9: y\r\n", sent(b"!#$%&'*+-.^`|~9", b"y", verdict=DEGRADED))
passes(
    "the same header twice, in order",
    b"X: a\r\nX: b\r\n",
    holds("values in another order", lambda seen: b",".join(seen.arrived[0].all(b"x")).replace(b" ", b"") == b"a,b"),
)
passes("100 headers", b"".join(b"X-%d: y\r\n" % n for n in range(90)), sent(b"x-89", b"y"))
passes("a header of 7,000 bytes", b"X: " + b"y" * 7000 + b"\r\n", sent(b"x", b"y" * 7000))
passes("a cookie of 4,000 bytes", b"Cookie: a=" + b"b" * 4000 + b"\r\n", sent(b"cookie", b"a=" + b"b" * 4000))
passes("Range goes on", b"Range: bytes=0-1\r\n", sent(b"range", b"bytes=0-1"))
passes(
    "conditions go on",
    b'If-None-Match: "a"\r\nIf-Modified-Since: Sun, 06 Nov 1994 08:49:37 GMT\r\n',
    sent(b"if-none-match", b'"a"'),
    sent(b"if-modified-since", b"Sun, 06 Nov 1994 08:49:37 GMT"),
)
passes("Accept-Encoding goes on", b"Accept-Encoding: br, gzip;q=0.5\r\n", sent(b"accept-encoding", b"br, gzip;q=0.5"))
passes("Authorization goes on", b"Authorization: Basic YTpi\r\n", sent(b"authorization", b"Basic YTpi"))

# Hop by hop (RFC 9110, 7.6.1).
passes(
    "Connection ends here",
    b"Connection: keep-alive, X-Hop\r\nX-Hop: 1\r\n",
    not_sent(b"x-hop"),
    holds(
        "Connection names X-Hop at the origin",
        lambda seen: b"x-hop" not in b",".join(seen.arrived[0].all(b"connection")).lower(),
    ),
)
passes(
    "several Connection headers",
    b"Connection: X-A\r\nConnection: X-B\r\nX-A: 1\r\nX-B: 2\r\n",
    not_sent(b"x-a", b"x-b"),
)
passes("Connection names a header in another case", b"Connection: x-HOP\r\nX-Hop: 1\r\n", not_sent(b"x-hop"))
for name in (b"Keep-Alive", b"Proxy-Connection", b"TE", b"Upgrade"):
    value = {b"TE": b"gzip", b"Upgrade": b"h2c"}.get(name, b"x")
    passes(
        f"{name.decode()} ends here",
        b"Connection: " + name + b"\r\n" + name + b": " + value + b"\r\n",
        not_sent(name.lower()),
    )
passes(
    "Proxy-Authorization ends here",
    b"Proxy-Authorization: Basic YTpi\r\n",
    not_sent(b"proxy-authorization", verdict=DEGRADED),
)
passes("TE without being named", b"TE: gzip\r\n", not_sent(b"te", verdict=DEGRADED))
passes(
    "Upgrade to HTTP/2 is not offered on",
    b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n",
    not_sent(b"upgrade", b"http2-settings", verdict=DANGEROUS),
)
CASES.append(
    Case(
        "Connection names Content-Length",
        post(b"Content-Length: 2\r\nConnection: Content-Length\r\n", b"hi"),
        # Refused, or framed in another way.
        [holds("the body is lost", lambda seen: not seen.arrived or seen.arrived[0].body == b"hi", DANGEROUS)],
    )
)
for name in (b"Host", b"X-Forwarded-For"):
    # Either refused, or the named header is there nevertheless.
    CASES.append(
        Case(
            f"Connection names {name.decode()}",
            post(b"Content-Length: 2\r\nConnection: " + name + b"\r\n", b"hi"),
            [
                holds(
                    "the origin lacks it",
                    lambda seen, name=name: not seen.arrived or bool(seen.arrived[0].all(name)),
                    DANGEROUS,
                )
            ],
        )
    )

# What only the proxy may say.
passes(
    "X-Forwarded-For of a stranger",
    b"X-Forwarded-For: 203.0.113.9\r\n",
    sent(b"x-forwarded-for", b"127.0.0.1", verdict=DANGEROUS),
)
passes(
    "X-Forwarded-For of a stranger, twice",
    b"X-Forwarded-For: 203.0.113.9\r\nX-Forwarded-For: 203.0.113.8\r\n",
    sent(b"x-forwarded-for", b"127.0.0.1", verdict=DANGEROUS),
)
passes(
    "X-Forwarded-Proto of a stranger",
    b"X-Forwarded-Proto: https\r\n",
    sent(b"x-forwarded-proto", b"http", verdict=DANGEROUS),
)
passes(
    "X-Forwarded-Host of a stranger",
    b"X-Forwarded-Host: evil.example\r\n",
    sent(b"x-forwarded-host", b"a.example", verdict=DANGEROUS),
)
passes(
    "Forwarded of a stranger",
    b"Forwarded: for=203.0.113.9\r\n",
    holds("a lie goes on", lambda seen: b"203.0.113.9" not in b"".join(seen.arrived[0].all(b"forwarded")), DANGEROUS),
)
for name in (
    b"X-Forwarded-Port",
    b"X-Forwarded-Prefix",
    b"X-Forwarded-Scheme",
    b"X-Forwarded-Ssl",
    b"X-Real-IP",
    b"Proxy",
):
    passes(f"{name.decode()} of a stranger", name + b": 1\r\n", not_sent(name.lower(), verdict=DEGRADED))
for name in (b"X_Forwarded_For", b"Remote_User", b"Content_Length", b"SCRIPT_NAME"):
    # WSGI cannot tell such a name from the one with dashes.
    passes(f"{name.decode()} with underscores", name + b": 1\r\n", not_sent(name.lower(), verdict=DANGEROUS))
passes("the client's address is sent", b"", sent(b"x-forwarded-for", b"127.0.0.1"))
passes("the scheme is sent", b"", sent(b"x-forwarded-proto", b"http"))
passes("the scheme is sent over TLS", b"", sent(b"x-forwarded-proto", b"https"), entrance="https")
passes(
    "Forwarded is sent",
    b"",
    holds(
        "no Forwarded",
        lambda seen: any(b"for=127.0.0.1" in value for value in seen.arrived[0].all(b"forwarded")),
        DEGRADED,
    ),
)
passes(
    "a request id is sent",
    b"",
    holds("no X-Request-Id", lambda seen: bool(seen.arrived[0].all(b"x-request-id")), DEGRADED),
)
passes(
    "a request id of a stranger",
    b"X-Request-Id: chosen\r\n",
    holds("the chosen id goes on", lambda seen: seen.arrived[0].all(b"x-request-id") != [b"chosen"], DEGRADED),
)
passes(
    "a trusted proxy is continued",
    b"X-Forwarded-For: 203.0.113.9\r\n",
    holds(
        "the user is not first",
        lambda seen: b",".join(seen.arrived[0].all(b"x-forwarded-for")).startswith(b"203.0.113.9"),
    ),
    holds(
        "the trusted proxy is not last",
        lambda seen: b",".join(seen.arrived[0].all(b"x-forwarded-for")).endswith(b"127.0.0.1"),
    ),
    entrance="trusted",
)
passes(
    "a trusted proxy's lines are joined in order",
    b"X-Forwarded-For: 203.0.113.9\r\nX-Forwarded-For: 10.0.0.2\r\n",
    holds(
        "another order",
        lambda seen: (
            b",".join(seen.arrived[0].all(b"x-forwarded-for")).replace(b" ", b"") == b"203.0.113.9,10.0.0.2,127.0.0.1"
        ),
    ),
    entrance="trusted",
)
passes(
    "cookies in two headers",
    b"Cookie: a=1\r\nCookie: b=2\r\n",
    holds("cookies lost", lambda seen: b"; ".join(seen.arrived[0].all(b"cookie")) == b"a=1; b=2", DEGRADED),
    holds(
        "cookies not joined, or with a comma",
        lambda seen: b"," not in b"".join(seen.arrived[0].all(b"cookie")),
        DANGEROUS,
    ),
)

# What is no header.
for what, more in {
    "space before the colon": b"X : y\r\n",
    "tab before the colon": b"X\t: y\r\n",
    "no colon": b"X y\r\n",
    "no name": b": y\r\n",
    "NUL in a value": b"X: a\0b\r\n",
    "NUL in a name": b"X\0: y\r\n",
    "control byte in a value": b"X: a\x01b\r\n",
    "DEL in a value": b"X: a\x7fb\r\n",
    "CR in a value": b"X: a\rb\r\n",
    "CR at the end of a value": b"X: a\r\r\n",
    "space in a name": b"X y: z\r\n",
    "brackets in a name": b"(X): y\r\n",
    "a name beyond ASCII": b"caf\xe9: y\r\n",
    "a vertical tab after the name": b"X\x0b: y\r\n",
}.items():
    CASES.append(Case(f"refused: {what}", get(b"/", more), [refused()]))
for what, more in {"a folded header": b"X: a\r\n b\r\n", "a folded header, with a tab": b"X: a\r\n\tb\r\n"}.items():
    # Refused, or replaced by spaces (RFC 9112, 5.2).
    CASES.append(Case(f"refused or repaired: {what}", get(b"/", more), [refused(normal=OK)]))
CASES += [
    Case(
        "refused: the first header begins with a space",
        b"GET / HTTP/1.1\r\n X: y\r\nHost: a.example\r\n\r\n",
        [refused(normal=DEGRADED)],
    ),
    Case("refused: a head of 100,000 bytes", get(b"/", b"X: " + b"y" * 100_000 + b"\r\n"), [refused(431, 400)]),
    Case("refused: 2,000 headers", get(b"/", b"X: y\r\n" * 2000), [refused(431, 400)]),
    Case("refused: a target of 70,000 bytes", get(b"/" + b"a" * 70_000), [refused(414, 431, 400)]),
    Case("refused: a head without end", [get()[:-2] + b"X: y\r\n" * 40_000, Read(), End()], [refused(431, 400)]),
]
