"""What a trusted peer says about the client: X-Forwarded-For, -Proto, -Host and -Port.

Second step of a request in `middleware`. The aim is a request that looks to the application as it did before
Ficus stood in front of it: Flask, Flask-Login and a ProxyFix further in see the same address, scheme and host.

Flask-Login binds a session to the *first* element of X-Forwarded-For, else REMOTE_ADDR, and trusts everybody.
So the first element is never changed or removed here; see README.md, "The client's address".
"""

import re
from typing import Any
from typing import Dict
from typing import List
from typing import Tuple

from .peers import Peers
from .peers import parse_address
from .peers import peer_of

#: Where the values that the server saw are kept.
ORIGINAL = "legacy_shim.original"

_HEADERS = (
    "HTTP_FORWARDED",
    "HTTP_X_FORWARDED_FOR",
    "HTTP_X_FORWARDED_HOST",
    "HTTP_X_FORWARDED_PORT",
    "HTTP_X_FORWARDED_PREFIX",
    "HTTP_X_FORWARDED_PROTO",
    "HTTP_X_REAL_IP",
)
_HOST = re.compile(r"(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?\Z")
_DEFAULT_PORTS = {"http": "80", "https": "443"}


def apply(environ: Dict[str, Any], peers: Peers) -> None:
    """Makes the request look as the trusted peer describes it."""
    environ[ORIGINAL] = {key: environ.get(key) for key in ("REMOTE_ADDR", "HTTP_HOST", "wsgi.url_scheme")}
    _apply_address(environ, peers)
    _apply_scheme(environ)
    _apply_host(environ)


def remove(environ: Dict[str, Any]) -> None:
    """Takes forwarded headers out of a request whose sender may not set them."""
    for key in _HEADERS:
        environ.pop(key, None)


def is_forwarded(environ: Dict[str, Any]) -> bool:
    """Whether the request claims to come from somebody else than the peer."""
    return any(key in environ for key in _HEADERS)


def decided_by_proxy_fix(environ: Dict[str, Any]) -> bool:
    """Whether a ProxyFix outside of the shim has already rewritten REMOTE_ADDR.

    Then the peer can no longer be seen, and the application's own configuration has decided whom to believe.
    """
    return "werkzeug.proxy_fix.orig" in environ


def _apply_address(environ: Dict[str, Any], peers: Peers) -> None:
    header = environ.get("HTTP_X_FORWARDED_FOR")
    if not header:
        return
    hops, address = _client(str(header).split(","), peers, peer_of(environ))
    environ["REMOTE_ADDR"] = address
    environ["HTTP_X_FORWARDED_FOR"] = ",".join(hops)


def _client(hops: List[str], peers: Peers, address: str) -> Tuple[List[str], str]:
    """Walks from the nearest hop outwards while the hop is trusted.

    A hop that became REMOTE_ADDR leaves the header, so that a ProxyFix(x_for=1) written for the balancer in
    front still counts right; the first element always stays.
    """
    while hops and (peers.trusts(address)):
        nearest = parse_address(hops[-1])
        if nearest is None:
            break
        address = str(nearest)
        if len(hops) == 1:
            break
        hops = hops[:-1]
    return hops, address


def _apply_scheme(environ: Dict[str, Any]) -> None:
    scheme = _last(environ, "HTTP_X_FORWARDED_PROTO").lower()
    if scheme in _DEFAULT_PORTS:
        environ["wsgi.url_scheme"] = scheme


def _apply_host(environ: Dict[str, Any]) -> None:
    host = _last(environ, "HTTP_X_FORWARDED_HOST")
    if _HOST.match(host):
        environ["HTTP_HOST"] = host
    port = _last(environ, "HTTP_X_FORWARDED_PORT")
    if not re.match(r"[0-9]{1,5}\Z", port):
        return
    environ["SERVER_PORT"] = port
    host = str(environ.get("HTTP_HOST") or "")
    has_port = bool(re.search(r":[0-9]+\Z", host)) and not host.endswith("]")
    if host and not has_port and port != _DEFAULT_PORTS.get(environ.get("wsgi.url_scheme", "")):
        environ["HTTP_HOST"] = f"{host}:{port}"


def _last(environ: Dict[str, Any], key: str) -> str:
    """The nearest proxy's value, where several have appended theirs."""
    return str(environ.get(key) or "").rpartition(",")[2].strip()
