"""The origin of origin.py as a WSGI application, for gunicorn: always well, and a little slow."""

import os
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

from faults.origin import body_of  # noqa: E402

NAME, JOURNAL = os.environ["ORIGIN_NAME"], os.environ["ORIGIN_JOURNAL"]
journal = os.open(JOURNAL, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)


def application(environ, start_response):
    environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
    request = environ["QUERY_STRING"].rpartition("id=")[2]
    os.write(journal, f"{request} {environ['REQUEST_METHOD']}\n".encode())
    time.sleep(0.002)
    body = body_of(NAME, request)
    start_response("200 OK", [("X-Origin", NAME), ("Content-Length", str(len(body)))])
    return [body]
