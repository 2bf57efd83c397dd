"""With every route on legacy a client cannot tell ficus from Flask: same bytes, same header names in the same order."""

import re
import socket
import time
from email.utils import parsedate_to_datetime

import pytest

from stack.client import Client
from stack.parity_text import mask_tokens

LINK = re.compile(r'(?:href|action|src)="(/[^"#]*)"')
FRAMING = {"connection", "keep-alive", "transfer-encoding", "date", "x-ficus-route", "x-ficus-backend", "x-ficus-revision"}
STRANGE = [
    "/nothing/here", "/customers", "/customers//", "//customers/", "/customers/1/", "/customers/%31", "/customers/1%2F",
    "/customers/../customers/1", "/customers/./1", "/customers/?", "/customers/?&&", "/customers/?q=%zz", "/customers/;x",
    "/customers/1?a=1&a=2", "/%", "/customers/%C3%A9", "/static/crm.css", "/static/../wsgi.py",
    "/static/", "/api/v1/customers/abc", "/auth/login?next=http://evil.example/", "/" + "a" * 3000,
]


def raw(port: int, method: str, target: str, cookie: str, headers: str = "") -> tuple:
    """(status line, header lines, body) of one HTTP/1.0-framed exchange, with nothing interpreted."""
    with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
        head = (
            f"{method} {target} HTTP/1.1\r\nHost: crm.test\r\nX-Forwarded-For: 127.0.0.1\r\n"
            f"Cookie: {cookie}\r\nConnection: close\r\n{headers}\r\n"
        )
        connection.sendall(head.encode("latin-1"))
        received = b""
        while chunk := connection.recv(65536):
            received += chunk
    head, _, body = received.partition(b"\r\n\r\n")
    status, *lines = head.decode("latin-1").split("\r\n")
    if any(line.lower() == "transfer-encoding: chunked" for line in lines):
        body = unchunk(body)
    return status, lines, body


def unchunk(body: bytes) -> bytes:
    out = b""
    while body:
        size, _, rest = body.partition(b"\r\n")
        length = int(size.split(b";")[0], 16)
        if length == 0:
            assert rest == b"\r\n", "the body ends with its last chunk"
            return out
        out, body = out + rest[:length], rest[length + 2:]
    raise AssertionError("the last chunk is missing")


def comparable(answer: tuple) -> tuple:
    status, lines, body = answer
    kept = [line for line in lines if line.split(":")[0].lower() not in FRAMING]
    if mask_tokens(body) != body:
        kept = [line for line in kept if not line.lower().startswith(("content-length", "set-cookie"))]
    # The order of Allow is that of a Python set, and a session cookie carries the second it was signed in.
    kept = [re.sub(r"(?i)^(allow): .*", lambda f: f"{f[1]}: {sorted(line_values(f[0]))}", line) for line in kept]
    kept = [re.sub(r"(?i)^(set-cookie: session)=[^;]*", r"\1=<session>", line) for line in kept]
    return status, mask_expiry(kept), mask_tokens(body)


def mask_expiry(lines: list) -> list:
    """Without the second in which an `Expires` was made: it is now plus the `max-age` beside it, and only that is masked."""
    age = next((int(found[1]) for line in lines if (found := re.match(r"(?i)cache-control: .*max-age=(\d+)", line))), None)
    if age is None:
        return lines
    masked = []
    for line in lines:
        name, _, value = line.partition(": ")
        late = name.lower() == "expires" and parsedate_to_datetime(value).timestamp() - age - time.time()
        masked.append("Expires: <now + max-age>" if late is not False and abs(late) < 30 else line)
    return masked


def line_values(line: str) -> list:
    return [value.strip() for value in line.split(":", 1)[1].split(",")]


@pytest.fixture(scope="module")
def visitor(legacy_stack):
    client = Client(legacy_stack.port)
    client.log_in("ana@example.com")
    client.get("/customers/")
    return client


def pages(client: Client, limit: int = 120) -> list:
    """Every page that links lead to, breadth first."""
    found, waiting = [], ["/customers/", "/deals/", "/activities/", "/admin/users", "/gdpr/", "/auth/profile"]
    kinds = {}
    while waiting and len(found) < limit:
        page = waiting.pop(0)
        kind = re.sub(r"\d+", "1", page.split("?")[0])
        kinds[kind] = kinds.get(kind, 0) + 1
        if page in found or kinds[kind] > 3 or "fresh=1" in page:
            continue
        found.append(page)
        answer = client.get(page)
        if (answer.header("Content-Type") or "").startswith("text/html"):
            waiting += [link.replace("&amp;", "&") for link in LINK.findall(answer.text)]
    return found


def test_every_page_has_the_same_bytes(legacy_stack, visitor):
    cookie = "; ".join(f"{name}={value}" for name, value in visitor.cookies.items())
    targets = pages(visitor) + STRANGE
    assert len(targets) > 60, targets
    differing = []
    for target in targets:
        for method in ("GET", "HEAD"):
            # Twice if need be: a page may show the minute in which it was made, and two requests may straddle a tick.
            for _ in range(2):
                direct = comparable(raw(legacy_stack.legacy_port, method, target, cookie))
                proxied = comparable(raw(legacy_stack.port, method, target, cookie))
                if direct == proxied:
                    break
            if direct != proxied:
                differing.append((method, target, direct[:2], proxied[:2]))
    assert not differing, f"{len(differing)} of {2 * len(targets)} differ:\n" + "\n".join(map(str, differing[:10]))
    print(f"\n{2 * len(targets)} answers, all with Flask's bytes")


@pytest.mark.parametrize("headers", [
    "Range: bytes=0-99\r\n", "Range: bytes=-50\r\n", "Range: bytes=999999-\r\n", "Range: bytes=5-1,7\r\n",
    "If-None-Match: *\r\n", "If-Modified-Since: Wed, 01 Jan 2042 00:00:00 GMT\r\n", "Accept-Encoding: gzip, br\r\n",
])
def test_ranges_and_conditions_are_flasks_business(legacy_stack, visitor, headers):
    cookie = "; ".join(f"{name}={value}" for name, value in visitor.cookies.items())
    direct, proxied = (
        comparable(raw(port, "GET", "/static/crm.css", cookie, headers))
        for port in (legacy_stack.legacy_port, legacy_stack.port)
    )
    assert proxied == direct


def test_bytes_beyond_ascii_in_a_target_end_here(legacy_stack):
    """HTTP does not allow them, although gunicorn takes them; `limits.raw_targets` lets them through."""
    status = raw(legacy_stack.port, "GET", "/customers/é".encode().decode("latin-1"), "")[0]
    assert status.split(" ")[1] == "400"


def test_methods_that_nobody_knows(legacy_stack, visitor):
    for method in ("OPTIONS", "PUT", "DELETE", "PATCH", "TRACE", "PROPFIND", "FOO"):
        direct, proxied = (
            comparable(raw(port, method, "/customers/", "", "Content-Length: 0\r\n"))
            for port in (legacy_stack.legacy_port, legacy_stack.port)
        )
        assert proxied == direct, method
