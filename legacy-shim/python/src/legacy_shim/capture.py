"""Row changes of requests that the proxy marks, for write parity: each transaction of such a request names it.

Fourth step of a request in `middleware`. The triggers of `ficus capture install` look at the setting
`ficus.request` of their transaction and do nothing where it is not set. It is set here, for the transaction only
(`SET LOCAL`), when SQLAlchemy begins one; requests without a mark cost one comparison per transaction. A mark is
believed from a trusted peer only, and only if it is signed with the application's secret key.
"""

import hashlib
import hmac
import re
import sys
from typing import Any
from typing import Callable
from typing import Dict
from typing import Optional

from werkzeug.local import Local

_HEADER = "HTTP_X_FICUS_CAPTURE"
_MARK = re.compile(r"v1\.(([0-9a-f]{32})\.[0-9]{1,6}\.[A-Z-]{1,40})\.([0-9a-f]{32})\Z")
_SET = "SELECT set_config('ficus.request', '{}', true)"

# As in `tracing`: it outlives Flask's request context, for answers that are streamed.
_current = Local()
_hooked = False


def hook() -> None:
    """Listens to SQLAlchemy (1.3, 1.4 and 2.x), if the application has loaded it. A second call does nothing."""
    global _hooked
    if _hooked or "sqlalchemy" not in sys.modules:
        return
    from sqlalchemy import event
    from sqlalchemy.engine import Engine

    # Every engine there is and will be; sessions begin their transactions through engines too.
    event.listen(Engine, "begin", _began)
    _hooked = True


def take(environ: Dict[str, Any], secret_key: Any, trusted: bool) -> Optional[str]:
    """The id in a request's mark, if it is to be believed. The application does not see the mark."""
    header = environ.pop(_HEADER, None)
    if header is None or not trusted or not secret_key:
        return None
    return _verified(str(header), secret_key)


def begin(request_id: Optional[str]) -> Callable[[], None]:
    """Notes whether the request that starts is captured; the answer ends it."""
    if request_id is not None:
        hook()
    # Always: a response that a server never closes must not outlive the next request.
    _current.request_id = request_id

    def end() -> None:
        if getattr(_current, "request_id", None) is request_id:
            _current.request_id = None

    return end


def told(start_response: Callable[..., Any]) -> Callable[..., Any]:
    """Tells the proxy that this request was captured."""

    def start(status: str, headers: Any, *exc_info: Any) -> Any:
        return start_response(status, [*headers, ("X-Ficus-Captured", "1")], *exc_info)

    return start


def mark(cursor: Any) -> None:
    """For applications without SQLAlchemy: call it with a DBAPI cursor at the start of each transaction."""
    request_id = getattr(_current, "request_id", None)
    if request_id is not None:
        # Hexadecimal digits only: nothing needs quoting, whatever the driver's style of parameters.
        cursor.execute(_SET.format(request_id))


def _began(connection: Any) -> None:
    if getattr(_current, "request_id", None) is None or connection.dialect.name != "postgresql":
        return
    cursor = connection.connection.cursor()
    try:
        mark(cursor)
    finally:
        cursor.close()


def _verified(header: str, secret_key: Any) -> Optional[str]:
    match = _MARK.match(header)
    if match is None:
        return None
    content, request_id, given = match.groups()
    key = secret_key if isinstance(secret_key, bytes) else str(secret_key).encode("utf-8")
    digest = hmac.new(key, b"ficus capture " + content.encode("ascii"), hashlib.sha256).hexdigest()
    return request_id if hmac.compare_digest(digest[:32], given) else None
