"""A WSGI application that does everything that applications do and few proxies expect.

Served by gunicorn and by Werkzeug's development server; `test_transparent` compares what comes through Ficus with what
comes without it.
"""

import sys
import time

LONG = "v" * 6_000
DATE = "Sun, 06 Nov 1994 08:49:37 GMT"


def _plain(start, status="200 OK", headers=(), body=b"ok"):
    start(status, [("Content-Type", "text/plain"), ("Content-Length", str(len(body))), *headers])
    return [body]


def odd_names(environ, start):
    return _plain(
        start, headers=[("X-UPPER", "1"), ("x-lower", "2"), ("X_under", "3"), ("x.dot", "4"), ("X!$&'*+^`|~", "5")]
    )


def latin1(environ, start):
    return _plain(
        start, headers=[("X-Name", "caf\xe9 \xa7 \xff"), ("Content-Disposition", 'attachment; filename="\xfc.txt"')]
    )


def duplicates(environ, start):
    return _plain(
        start,
        headers=[
            ("X-Two", "a"),
            ("X-Other", "b"),
            ("X-Two", "c"),
            ("Vary", "Cookie"),
            ("Vary", "Accept"),
            ("x-two", "d"),
        ],
    )


def cookies(environ, start):
    many = [("Set-Cookie", f"c{n}={'x' * n}; Path=/; Expires={DATE}") for n in range(40)]
    return _plain(start, headers=many + [("Set-Cookie", 'q="a\\054b"; HttpOnly'), ("Set-Cookie", "c0=; Max-Age=0")])


def streamed(environ, start):
    start("200 OK", [("Content-Type", "text/plain")])
    return (b"%d\n" % n * 50 for n in range(200))


def empty_pieces(environ, start):
    start("200 OK", [("Content-Type", "text/plain")])
    return iter([b"", b"a", b"", b"b", b""])


def written(environ, start):
    write = start("200 OK", [("Content-Type", "text/plain")])
    write(b"first ")
    write(b"second ")
    return [b"third"]


def raises_half_way(environ, start):
    start("200 OK", [("Content-Type", "text/plain"), ("Content-Length", "1000")])
    yield b"x" * 500
    raise RuntimeError("half way")


def raises_at_once(environ, start):
    raise RuntimeError("at once")


def short(environ, start):
    """Less than was promised."""
    start("200 OK", [("Content-Type", "text/plain"), ("Content-Length", "10")])
    return [b"half"]


def head(environ, start):
    start("200 OK", [("Content-Type", "text/plain"), ("Content-Length", "12345")])
    return [] if environ["REQUEST_METHOD"] == "HEAD" else [b"y" * 12345]


def no_content(environ, start):
    start("204 No Content", [("X-Kept", "1")])
    return []


def no_content_with_body(environ, start):
    start("204 No Content", [("Content-Length", "4"), ("X-Kept", "1")])
    return [b"body"]


def not_modified(environ, start):
    start("304 Not Modified", [("ETag", '"a"'), ("Last-Modified", DATE)])
    return []


def long_headers(environ, start):
    return _plain(start, headers=[(f"X-Long-{n}", LONG) for n in range(5)])


def many_headers(environ, start):
    return _plain(start, headers=[(f"X-{n}", str(n)) for n in range(150)])


def redirect(environ, start):
    return _plain(start, "302 FOUND", [("Location", "http://other.example:81/x?y=%2F&z=caf%C3%A9#frag")], b"moved")


def odd_redirect(environ, start):
    return _plain(start, "303 See Other", [("Location", "../up/./and//down?q=a b{c}")], b"")


def empty_reason(environ, start):
    return _plain(start, "200 ")


def own_reason(environ, start):
    return _plain(start, "418 I'm a teapot, short and stout")


def odd_status(environ, start):
    return _plain(start, "299 Whatever")


def server_error(environ, start):
    return _plain(start, "500 INTERNAL SERVER ERROR", [("Retry-After", "7")], b"<h1>oops</h1>")


def unavailable(environ, start):
    return _plain(start, "503 Service Unavailable", [("Retry-After", "120")], b"later")


def own_date(environ, start):
    return _plain(start, headers=[("Date", DATE), ("Server", "Mine/1.0")])


def echo(environ, start):
    length = environ.get("CONTENT_LENGTH")
    body = environ["wsgi.input"].read(int(length)) if length else b"-"
    return _plain(start, body=body)


def seen(environ, start):
    """What the request looks like; not what Ficus adds to it."""
    added = ("HTTP_X_FORWARDED", "HTTP_FORWARDED", "HTTP_X_REQUEST_ID", "HTTP_TRACEPARENT", "HTTP_CONNECTION")
    names = ("REQUEST_METHOD", "PATH_INFO", "QUERY_STRING", "CONTENT_TYPE", "CONTENT_LENGTH", "RAW_URI", "REQUEST_URI")
    shown = {
        name: value
        for name, value in environ.items()
        if (name in names and value) or (name.startswith("HTTP_") and not name.startswith(added))
    }
    return _plain(start, body=repr(sorted(shown.items())).encode())


def slow(environ, start):
    start("200 OK", [("Content-Type", "text/event-stream")])
    for number in range(3):
        yield b"data: %d\n\n" % number
        time.sleep(0.2)


def binary(environ, start):
    return _plain(
        start,
        headers=[("Content-Encoding", "gzip"), ("ETag", 'W/"x"'), ("Accept-Ranges", "bytes")],
        body=bytes(range(256)) * 300,
    )


VIEWS = {name: view for name, view in list(globals().items()) if callable(view) and not name.startswith("_")}


def application(environ, start):
    name = environ["PATH_INFO"].split("/")[1]
    return VIEWS.get(name, seen)(environ, start)


if __name__ == "__main__":
    from werkzeug.serving import run_simple

    run_simple("127.0.0.1", int(sys.argv[1]), application, threaded=True)
