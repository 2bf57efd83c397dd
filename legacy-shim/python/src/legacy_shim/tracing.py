"""Request id and W3C trace context: read, checked, and kept for the time of one request.

Third step of a request in `middleware`. `logs` puts them into log records. Nothing is sent anywhere and no
span is made: `span_id` is the caller's span (the proxy's), so a log line can be found from the trace.
"""

import re
import uuid
from typing import Any
from typing import Callable
from typing import Dict
from typing import Mapping
from typing import NamedTuple
from typing import Optional
from typing import Tuple

from flask import g
from flask import has_request_context
from flask import request
from werkzeug.local import Local

#: Where the WSGI environment keeps them.
ENVIRON_KEY = "legacy_shim.ids"

# Short enough for any log store, and nothing that could forge a log line or need quoting in one.
_REQUEST_ID = re.compile(r"[A-Za-z0-9_.:+/=@-]{1,128}\Z")
_TRACEPARENT = re.compile(r"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}(-.*)?\Z")


class Ids(NamedTuple):
    """The ids of one request; trace and span are empty when the caller sent no valid `traceparent`."""

    request_id: str
    trace_id: str = ""
    span_id: str = ""


# Thread, greenlet or context local, whatever this Werkzeug knows: it outlives Flask's request context, so that
# lines logged while a response is streamed have the ids too.
_current = Local()


def read(environ: Mapping[str, Any], new_id: Callable[[], str] = lambda: uuid.uuid4().hex) -> Ids:
    """The ids a request came with; the request id is a new one if it has none or a bad one."""
    request_id = str(environ.get("HTTP_X_REQUEST_ID") or "").strip()
    if not _REQUEST_ID.match(request_id):
        request_id = new_id()
    return Ids(request_id, *_trace(str(environ.get("HTTP_TRACEPARENT") or "").strip()))


def begin(environ: Dict[str, Any]) -> Callable[[], None]:
    """Notes the ids of the request that starts; the answer ends it."""
    ids = environ[ENVIRON_KEY] = read(environ)
    _current.ids = ids

    def end() -> None:
        # Only its own: a response that a server never closes must not outlive the next request.
        if getattr(_current, "ids", None) is ids:
            _current.ids = None

    return end


def current() -> Optional[Ids]:
    """The ids of the request being handled here, if one is."""
    if has_request_context():
        return request.environ.get(ENVIRON_KEY)
    return getattr(_current, "ids", None)


def remember_in_g() -> None:
    """Puts the ids into `flask.g`, unless the application has its own there. Runs before each request."""
    ids = current()
    if ids is None:
        return
    for name, value in zip(ids._fields, ids):
        if name not in g:
            setattr(g, name, value)


def _trace(header: str) -> Tuple[str, str]:
    """Trace id and span id of a valid `traceparent`, else two empty texts (W3C Trace Context, level 1)."""
    match = _TRACEPARENT.match(header)
    if match is None:
        return "", ""
    version, trace_id, span_id, rest = match.groups()
    # Version 00 has exactly four fields; ff is forbidden; later versions may append fields.
    if version == "ff" or (version == "00" and rest):
        return "", ""
    if not trace_id.strip("0") or not span_id.strip("0"):
        return "", ""
    return trace_id, span_id
