"""`/_shim/user`: whom Flask-Login finds for this request, by the application's own loaders.

Works inside of a request context. What Flask-Login changes in the session on the way (a remembered login, a
login that came from elsewhere) is dropped: the handler does the same to the session it holds, and saves that.
"""

import importlib
from typing import Any
from typing import Tuple

from . import tagged
from .problem import Refusal


def describe(app: Any, attributes: Tuple[str, ...]) -> bytes:
    """Id, flags and the attributes that the application allows."""
    if getattr(app, "login_manager", None) is None:
        raise Refusal(404, "the application has no Flask-Login")
    # Not a dependency of the shim: an application that has a login_manager has it.
    flask_login = importlib.import_module("flask_login")
    user = flask_login.current_user._get_current_object()
    user_id = user.get_id()
    document = {
        "id": None if user_id is None else str(user_id),
        "is_authenticated": bool(user.is_authenticated),
        "is_active": bool(user.is_active),
        "is_fresh": bool(flask_login.login_fresh()),
        "attributes": {name: _attribute(user, name) for name in attributes if hasattr(user, name)},
    }
    return tagged.dump(document)


def _attribute(user: Any, name: str) -> Any:
    value = getattr(user, name)
    try:
        tagged.canonical(value, tagged.PLAIN)
    except Refusal:
        raise Refusal(422, f"the attribute `{name}` of the user has no tagged JSON form") from None
    return value
