"""`/_shim/session`: the session that `app.session_interface` opens for these cookies, and changes to it.

Works inside of a request context, whose push has opened the session. Reading saves nothing: no cookie, no
refreshed lifetime, no new session. Writing goes through `save_session` of the same interface, so the cookies
are those that Flask itself would send.
"""

import hashlib
from typing import Any
from typing import Dict
from typing import List
from typing import Tuple
from typing import cast

from flask import session as session_proxy
from flask.json.tag import TaggedJSONSerializer
from flask.sessions import SecureCookieSessionInterface

from . import tagged
from .problem import Refusal


def describe(app: Any) -> bytes:
    """The session, its version, and whether Flask would save it after this request even if nobody changed it."""
    session, tagger = _opened(app), tagged.tagger_of(app)
    data = dict(session)
    document = {
        "session": data,
        "version": _version(data, tagger),
        "refresh": bool(data) and _saves_unchanged(app, session),
    }
    return tagged.dump(document, tagger)


def save(app: Any, body: bytes) -> List[Tuple[str, str]]:
    """Saves a session, changed or not, and gives the cookies that Flask would have sent."""
    session, tagger = _opened(app), tagged.tagger_of(app)
    document = tagged.load(body, tagger)
    modified = document.get("modified")
    if modified is True:
        new, base = document.get("session"), document.get("base")
        if not isinstance(new, dict) or not isinstance(base, str):
            raise Refusal(400, "the body of a change needs an object `session` and a text `base`")
        if _version(dict(session), tagger) != base:
            raise Refusal(409, "the session was changed by another request")
        _apply(session, new, tagger)
    elif modified is not False:
        raise Refusal(400, "`modified` must be true or false")
    response = app.response_class()
    app.session_interface.save_session(app, session, response)
    return [("Set-Cookie", value) for value in response.headers.getlist("Set-Cookie")]


def _opened(app: Any) -> Any:
    session: Any = cast(Any, session_proxy)._get_current_object()
    if app.session_interface.is_null_session(session):
        raise Refusal(500, "the application has no session; is its SECRET_KEY set?")
    return session


def _version(data: Dict[str, Any], tagger: TaggedJSONSerializer) -> str:
    return hashlib.sha256(tagged.canonical(data, tagger).encode("ascii")).hexdigest()


def _saves_unchanged(app: Any, session: Any) -> bool:
    interface = app.session_interface
    storage = getattr(interface, "should_set_storage", None)
    if storage is not None:
        # Flask-Session from 0.6 on.
        return bool(storage(app, session) or interface.should_set_cookie(app, session))
    if type(interface).save_session is SecureCookieSessionInterface.save_session:
        return bool(interface.should_set_cookie(app, session))
    # Flask-Session up to 0.5 saves always; of others nothing is known, and saving is what Flask would do.
    return True


def _apply(session: Any, new: Dict[str, Any], tagger: TaggedJSONSerializer) -> None:
    """Touches only what differs: what the handler left alone keeps its very object."""
    if not new:
        session.clear()
    for key in [key for key in session if key not in new]:
        session.pop(key, None)
    for key, value in new.items():
        if key not in session or tagged.canonical(session[key], tagger) != tagged.canonical(value, tagger):
            session[key] = value
    session.modified = True
