"""Who may use the channel, and its addresses: `/_shim/session`, `/_shim/user` and `/_shim/about`.

Called by `middleware` before routing and before every hook. Whoever is not a trusted peer, or speaks for
somebody else (a proxy does), is not answered here: the application answers, with its ordinary 404.
"""

import hmac
import sys
from typing import Any
from typing import Callable
from typing import Dict
from typing import List
from typing import NamedTuple
from typing import Optional
from typing import Tuple

from .. import forwarded
from ..peers import Peers
from . import origin
from . import session
from . import tagged
from . import user
from .about import About
from .problem import Refusal

#: Carries the secret: a header of its own, because `Authorization` is the client's.
_AUTHORIZATION = "HTTP_X_LEGACY_SHIM_AUTHORIZATION"
_SCHEME = "Bearer "
_SHORTEST_SECRET = 16
#: More than any session should be; a handler that sends more is refused.
_LONGEST_BODY = 1024 * 1024

_METHODS = {"/_shim/session": ("GET", "PUT", "POST"), "/_shim/user": ("GET",), "/_shim/about": ("GET",)}
_PHRASES = {
    200: "OK",
    400: "BAD REQUEST",
    403: "FORBIDDEN",
    404: "NOT FOUND",
    405: "METHOD NOT ALLOWED",
    409: "CONFLICT",
    411: "LENGTH REQUIRED",
    413: "REQUEST ENTITY TOO LARGE",
    422: "UNPROCESSABLE ENTITY",
    500: "INTERNAL SERVER ERROR",
}

Headers = List[Tuple[str, str]]


class Secret:
    """The channel's secret; shows itself nowhere."""

    def __init__(self, text: str) -> None:
        self._bytes = text.encode("ascii")

    def opens(self, header: str) -> bool:
        """Whether a header value is `Bearer` and this secret, compared in constant time."""
        given = header.encode("latin-1", "replace")
        return hmac.compare_digest(given, _SCHEME.encode("ascii") + self._bytes)

    def __repr__(self) -> str:
        return "Secret(...)"


def parse_secret(value: Any) -> Optional[Secret]:
    """Reads the setting; `None` if there is none. The error does not show the value."""
    text = str(value or "").strip()
    if not text:
        return None
    if len(text) < _SHORTEST_SECRET or not all("!" <= character <= "~" for character in text):
        raise ValueError(
            f"the secret must have at least {_SHORTEST_SECRET} characters, all of them ASCII without blanks"
        )
    return Secret(text)


class Answer(NamedTuple):
    """What goes back."""

    status: int
    headers: Headers
    body: bytes


class Channel:
    """The endpoints of one application."""

    def __init__(self, app: Any, secret: Secret, attributes: Tuple[str, ...], trusted: Peers) -> None:
        self.app = app
        self.secret = secret
        self.attributes = attributes
        self.trusted = trusted
        self.about = About(app)

    @staticmethod
    def takes(environ: Dict[str, Any], trusted: bool) -> bool:
        """Whether the channel answers this request at all."""
        forwards = forwarded.is_forwarded(environ) or "HTTP_VIA" in environ
        return trusted and not forwards and environ.get("PATH_INFO") in _METHODS

    def answer(self, environ: Dict[str, Any], start_response: Callable[..., Any]) -> List[bytes]:
        """Answers over WSGI. Never cached, never with a word about the secret."""
        try:
            status, headers, body = self._checked(environ)
        except Refusal as refusal:
            headers = [("Allow", ", ".join(refusal.allow))] if refusal.allow else []
            status, body = refusal.status, tagged.dump({"error": refusal.reason})
        headers = headers + [
            ("Content-Type", "application/json"),
            ("Content-Length", str(len(body))),
            ("Cache-Control", "no-store"),
        ]
        start_response(f"{status} {_PHRASES[status]}", headers)
        return [body]

    def _checked(self, environ: Dict[str, Any]) -> Answer:
        if not self.secret.opens(str(environ.get(_AUTHORIZATION) or "")):
            raise Refusal(403, "the secret of the channel is wrong or missing")
        path, method = environ["PATH_INFO"], environ.get("REQUEST_METHOD", "GET")
        if method not in _METHODS[path]:
            raise Refusal(405, f"`{method}` is not answered here", allow=_METHODS[path])
        if path == "/_shim/about":
            return Answer(200, [], self.about.describe())
        change = None if method == "GET" else _body(environ)
        return self._inside(origin.rebuild(environ, self.trusted), path, change)

    def _inside(self, environ: Dict[str, Any], path: str, change: Optional[bytes]) -> Answer:
        """Opens the session as Flask does, by pushing a request context, and runs the teardown functions."""
        context = self.app.request_context(environ)
        try:
            try:
                context.push()
                return self._answer(path, change)
            except Refusal:
                raise
            except Exception:
                self.app.log_exception(sys.exc_info())
                raise Refusal(500, "the application raised an exception; its log has it") from None
            finally:
                context.pop(None)
        except Refusal:
            raise
        except Exception:
            self.app.logger.exception("legacy_shim: a teardown function failed")
            raise Refusal(500, "a teardown function raised an exception; the log has it") from None

    def _answer(self, path: str, change: Optional[bytes]) -> Answer:
        if path == "/_shim/user":
            return Answer(200, [], user.describe(self.app, self.attributes))
        if change is None:
            return Answer(200, [], session.describe(self.app))
        return Answer(200, session.save(self.app, change), tagged.dump({"saved": True}))


def _body(environ: Dict[str, Any]) -> bytes:
    length = str(environ.get("CONTENT_LENGTH") or "")
    if not length.isdigit():
        raise Refusal(411, "the body needs a Content-Length")
    if int(length) > _LONGEST_BODY:
        raise Refusal(413, f"the body is longer than {_LONGEST_BODY} bytes")
    body = environ["wsgi.input"].read(int(length))
    if len(body) != int(length):
        raise Refusal(400, "the body ended early")
    return bytes(body)
