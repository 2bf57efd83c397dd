"""Where an application keeps its sessions: in the cookie, on the server, or in a way of its own.

Part of the census. Looks at the class of the session interface; opens no session.
"""

from typing import Any
from typing import Dict

from flask.sessions import SecureCookieSessionInterface


def session_kind(app: Any) -> Dict[str, Any]:
    """`cookie`, `server` or `unknown`, with the class and the cookie's name."""
    interface = type(app.session_interface)
    kind, store, warnings = "unknown", None, []
    if interface is SecureCookieSessionInterface:
        kind = "cookie"
    elif interface.__module__.split(".")[0] == "flask_session":
        kind, store = "server", str(app.config.get("SESSION_TYPE") or "unknown")
    elif issubclass(interface, SecureCookieSessionInterface):
        kind = "cookie"
        changed = [
            name for name in ("open_session", "save_session", "get_signing_serializer") if name in vars(interface)
        ]
        if changed:
            kind = "unknown"
            warnings.append("the session interface has its own {}".format(", ".join(changed)))
    if kind == "cookie":
        warnings += _signing(app.session_interface)
    return {
        "kind": kind,
        "store": store,
        "interface": f"{interface.__module__}.{interface.__qualname__}",
        "cookie": str(app.config.get("SESSION_COOKIE_NAME") or "session"),
        "warnings": warnings,
    }


def _signing(interface: Any) -> Any:
    """Where the signature differs from Flask's own."""
    usual = SecureCookieSessionInterface
    same = all(getattr(interface, name) == getattr(usual, name) for name in ("salt", "key_derivation"))
    # A static method up to Flask 2.2, a plain function later: the class gives the same object either way.
    if same and type(interface).digest_method is usual.digest_method and interface.serializer is usual.serializer:
        return []
    return ["session cookies are signed with a salt, key derivation, digest or serializer that is not Flask's"]
