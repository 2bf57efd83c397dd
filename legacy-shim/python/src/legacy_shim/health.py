"""The health endpoint: is this process alive and which versions does it run.

Answered in the middleware, before routing: a SERVER_NAME that does not fit the probe's Host, a login wall in
before_request or a broken url_map cannot hide it. It does not ask the database: a slow database is no reason
to restart the process.
"""

import json
from typing import Any
from typing import Callable
from typing import Dict
from typing import List

from . import _compat


def answer(environ: Dict[str, Any], start_response: Callable[..., Any], show_versions: bool) -> List[bytes]:
    """Answers GET and HEAD; the versions are for peers that are trusted and speak for themselves."""
    method = environ.get("REQUEST_METHOD", "GET")
    if method not in ("GET", "HEAD"):
        start_response("405 METHOD NOT ALLOWED", [("Allow", "GET, HEAD"), ("Content-Length", "0")])
        return []
    status = {"status": "ok"}
    if show_versions:
        status.update(_compat.versions())
    body = json.dumps(status).encode("ascii") + b"\n"
    headers = [
        ("Content-Type", "application/json"),
        ("Content-Length", str(len(body))),
        ("Cache-Control", "no-store"),
    ]
    start_response("200 OK", headers)
    return [] if method == "HEAD" else [body]
