"""The path of a request through the shim, outside of Flask: peer, health, channel, forwarded
headers, ids, application.

Wraps `app.wsgi_app`. Every step is a module of its own; this file only puts them in order. The response goes
through untouched, unless X-Request-Id shall be echoed.
"""

from typing import Any
from typing import Callable
from typing import Dict
from typing import Iterable
from typing import Optional

from werkzeug.wsgi import ClosingIterator

from . import capture
from . import forwarded
from . import health
from . import tracing
from .channel import Channel
from .peers import peer_of
from .settings import Settings


class ShimMiddleware:
    """The WSGI application that stands around Flask's."""

    def __init__(
        self,
        wsgi_app: Callable[..., Iterable[bytes]],
        settings: Settings,
        channel: Optional[Channel] = None,
        secret_key: Callable[[], Any] = lambda: None,
    ) -> None:
        self.wsgi_app = wsgi_app
        self.secret_key = secret_key
        self.settings = settings
        self.channel = channel

    def __call__(self, environ: Dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        if tracing.ENVIRON_KEY in environ:
            # A second application in the same process, mounted behind the first: all is done.
            return self.wsgi_app(environ, start_response)
        decided = forwarded.decided_by_proxy_fix(environ)
        trusted = not decided and self.settings.trusted.trusts(peer_of(environ))
        captured = capture.take(environ, self.secret_key(), trusted)
        if self.settings.health_path and environ.get("PATH_INFO") == self.settings.health_path:
            return health.answer(environ, start_response, trusted and not forwarded.is_forwarded(environ))
        if self.channel is not None and self.channel.takes(environ, trusted):
            end = tracing.begin(environ)
            try:
                return self.channel.answer(environ, start_response)
            finally:
                end()
        if trusted:
            forwarded.apply(environ, self.settings.trusted)
        elif self.settings.remove_untrusted and not decided:
            forwarded.remove(environ)
        return self._call(environ, start_response, captured)

    def _call(
        self, environ: Dict[str, Any], start_response: Callable[..., Any], captured: Optional[str]
    ) -> Iterable[bytes]:
        end = _both(tracing.begin(environ), capture.begin(captured))
        if captured is not None:
            start_response = capture.told(start_response)
        if self.settings.echo_request_id:
            start_response = _echoing(start_response, environ[tracing.ENVIRON_KEY].request_id)
        try:
            body = self.wsgi_app(environ, start_response)
        except BaseException:
            end()
            raise
        if _is_file(environ, body):
            # Servers send a file wrapper with sendfile(2), but only if they see it.
            end()
            return body
        return ClosingIterator(body, end)


def _both(first: Callable[[], None], second: Callable[[], None]) -> Callable[[], None]:
    def end() -> None:
        second()
        first()

    return end


def _is_file(environ: Dict[str, Any], body: Iterable[bytes]) -> bool:
    wrapper = environ.get("wsgi.file_wrapper")
    return isinstance(wrapper, type) and isinstance(body, wrapper)


def _echoing(start_response: Callable[..., Any], request_id: str) -> Callable[..., Any]:
    def start(status: str, headers: Any, *exc_info: Any) -> Any:
        if not any(name.lower() == "x-request-id" for name, _ in headers):
            headers = list(headers) + [("X-Request-Id", request_id)]
        return start_response(status, headers, *exc_info)

    return start
