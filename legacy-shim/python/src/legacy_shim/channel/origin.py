"""The request that the handler got, as Flask would have got it from the proxy.

The handler sends the client's own headers (cookies, user agent, authorization) as they were, and in one header
what it may not send under its own name: method, target and the X-Forwarded-... of the proxy. The result goes
through the same steps as a request of the proxy, so Flask-Login sees the same address and browser.
"""

import io
import json
from typing import Any
from typing import Dict
from urllib.parse import unquote_to_bytes

from .. import forwarded
from ..peers import Peers
from .problem import Refusal

_PREFIX = "HTTP_X_LEGACY_SHIM_"
_ORIGIN = _PREFIX + "ORIGIN"
_KEYS = {"method", "target", "for", "proto", "host"}


def rebuild(environ: Dict[str, Any], trusted: Peers) -> Dict[str, Any]:
    """A new WSGI environment, without the channel's headers and without a body."""
    origin = _parse(str(environ.get(_ORIGIN) or "{}"))
    rebuilt = {key: value for key, value in environ.items() if not key.startswith(_PREFIX)}
    rebuilt.update({"wsgi.input": io.BytesIO(), "CONTENT_LENGTH": "0", "CONTENT_TYPE": "", "REQUEST_METHOD": "GET"})
    if "method" in origin:
        rebuilt["REQUEST_METHOD"] = origin["method"]
    if "target" in origin:
        _set_target(rebuilt, origin["target"])
    for name in ("for", "proto", "host"):
        if name in origin:
            rebuilt["HTTP_X_FORWARDED_" + name.upper()] = origin[name]
    forwarded.apply(rebuilt, trusted)
    return rebuilt


def _parse(header: str) -> Dict[str, str]:
    try:
        origin = json.loads(header)
    except ValueError:
        raise Refusal(400, "X-Legacy-Shim-Origin is not JSON") from None
    if not isinstance(origin, dict) or not all(
        key in _KEYS and isinstance(value, str) and _is_header(value) for key, value in origin.items()
    ):
        raise Refusal(400, "X-Legacy-Shim-Origin is not an object of texts")
    return origin


def _is_header(value: str) -> bool:
    """What WSGI can carry: latin-1 without control characters."""
    return all(" " <= character <= "\xff" and character != "\x7f" for character in value)


def _set_target(environ: Dict[str, Any], target: str) -> None:
    path, _, query = target.partition("?")
    if not path.startswith("/"):
        raise Refusal(400, "the target in X-Legacy-Shim-Origin is not a path")
    path = unquote_to_bytes(path.encode("latin-1")).decode("latin-1")
    root = str(environ.get("SCRIPT_NAME") or "")
    if root and (path == root or path.startswith(root + "/")):
        path = path[len(root) :]
    environ["PATH_INFO"] = path
    environ["QUERY_STRING"] = query
    for key in ("REQUEST_URI", "RAW_URI"):
        if key in environ:
            environ[key] = target
