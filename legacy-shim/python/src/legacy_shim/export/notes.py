"""Step 3: what can be known about a route's view without running it.

Where it lives, who decorates it, whether a login and a CSRF token are asked for, whether it streams. What
cannot be known is said to be unknown; nothing is guessed from names or paths.
"""

import sys
from types import CodeType
from typing import Any
from typing import Dict
from typing import List
from typing import Optional

from .. import _compat
from .collect import Entry
from .collect import sort_methods
from .streaming import streaming_note
from .views import class_methods
from .views import code_of
from .views import layers
from .views import relative
from .views import view_class
from .views import where
from .views import where_class


def notes(app: Any, entry: Entry) -> List[str]:
    """The comment lines of a route, without `#`."""
    view = app.view_functions.get(entry.endpoint)
    if view is None:
        return ["view: none is registered for this endpoint"]
    static = _static_folder(app, entry)
    lines = [f"view: Flask's static files, from {static}"] if static is not None else [f"view: {_where(view)}"]
    functions = _functions(view, entry)
    lines += _decorators(app, view, functions)
    lines += _before_request(app, entry.endpoint)
    lines.append(f"login: {_login(app, view, functions)}")
    lines.append(f"csrf: {_csrf(app, view, entry)}")
    streaming = "yes (files)" if static is not None else streaming_note(list(functions.values()))
    lines.append(f"streaming: {streaming}")
    return lines


def _where(view: Any) -> str:
    cls = view_class(view)
    if cls is not None:
        return f"{where_class(cls)} (class {cls.__name__})"
    inner = layers(view)[-1]
    return "{} ({})".format(where(inner), getattr(inner, "__name__", type(inner).__name__))


def _static_folder(app: Any, entry: Entry) -> Optional[str]:
    """The folder behind a static endpoint of Flask or of a blueprint; `None` for every other view."""
    owner, _, last = entry.endpoint.rpartition(".")
    holder = app.blueprints.get(owner) if owner else app
    if last != "static" or holder is None or not getattr(holder, "has_static_folder", False):
        return None
    return relative(str(holder.static_folder)) or "a folder outside of this directory"


def _functions(view: Any, entry: Entry) -> Dict[str, Any]:
    """The functions that answer, by method; one for all methods has the method ``."""
    cls = view_class(view)
    if cls is None:
        return {"": view}
    return {m: f for m, f in class_methods(cls).items() if not m or m in entry.methods or m == "HEAD"} or {"": view}


def _login_codes() -> Dict[CodeType, str]:
    """The code of the functions that Flask-Login's decorators put around a view."""
    module = sys.modules.get("flask_login")
    codes = {}
    for name in ("login_required", "fresh_login_required"):
        code = code_of(getattr(module, name, None))
        for constant in code.co_consts if code else ():
            if isinstance(constant, CodeType):
                codes[constant] = name
    return codes


def _login(app: Any, view: Any, functions: Dict[str, Any]) -> str:
    if getattr(app, "login_manager", None) is None:
        return "unknown (Flask-Login is not in use)"
    off = ", switched off by LOGIN_DISABLED" if app.config.get("LOGIN_DISABLED") else ""
    whole = _login_decorator(layers(view))
    if whole:
        return f"required ({whole}){off}"
    found: Dict[str, List[str]] = {}
    for method, function in functions.items():
        name = _login_decorator(layers(function)) or _resource_decorator(view, method)
        found.setdefault(name or "", []).append(method)
    if set(found) == {""}:
        return "unknown (no Flask-Login decorator on the view)"
    if "" not in found and len(found) == 1:
        return f"required ({next(iter(found))}){off}"
    parts = [
        "{} on {}".format(f"required ({name})" if name else "unknown", ", ".join(sort_methods(methods)))
        for name, methods in sorted(found.items(), reverse=True)
    ]
    return "{}{}".format("; ".join(parts), off)


def _login_decorator(functions: List[Any]) -> Optional[str]:
    codes = _login_codes()
    names = [codes[code] for code in map(code_of, functions) if code in codes]
    return "fresh_login_required" if "fresh_login_required" in names else (names[0] if names else None)


def _resource_decorator(view: Any, method: str) -> Optional[str]:
    """Flask-RESTful applies `method_decorators` at call time: a list, or lists by method."""
    decorators = getattr(view_class(view), "method_decorators", None) or ()
    if isinstance(decorators, dict):
        decorators = decorators.get(method.lower(), ())
    module = sys.modules.get("flask_login")
    for name in ("fresh_login_required", "login_required"):
        if any(decorator is getattr(module, name, decorators) for decorator in decorators):
            return name
    return None


def _csrf(app: Any, view: Any, entry: Entry) -> str:
    csrf = app.extensions.get("csrf")
    if csrf is None or not type(csrf).__module__.startswith("flask_wtf"):
        return "unknown (Flask-WTF's CSRFProtect is not in use)"
    if not app.config.get("WTF_CSRF_ENABLED", True):
        return "switched off by WTF_CSRF_ENABLED"
    checked = [method for method in entry.methods if method in app.config.get("WTF_CSRF_METHODS", ())]
    if not checked:
        return "not checked for {}".format(", ".join(entry.methods))
    blueprint = entry.endpoint.rpartition(".")[0] or None
    if _compat.exempts_blueprint(csrf, app, blueprint):
        return f"exempt (blueprint {blueprint}); a FlaskForm still checks its own token"
    if _compat.exempts_view(csrf, view):
        return "exempt (view); a FlaskForm still checks its own token"
    if not app.config.get("WTF_CSRF_CHECK_DEFAULT", True):
        return "unknown (WTF_CSRF_CHECK_DEFAULT is off: only where the application calls protect())"
    return "checked on {}".format(", ".join(checked))


def _decorators(app: Any, view: Any, functions: Dict[str, Any]) -> List[str]:
    """Wrappers other than Flask-Login's and the plumbing of class-based views."""
    found: List[str] = []
    login = _login_codes()
    cls = view_class(view)
    # Of a class-based view the last layer is as_view()'s own function; of its methods and others, the view.
    wrappers = layers(view)[:-1] + [
        layer for function in functions.values() if cls is not None for layer in layers(function)[:-1]
    ]
    for layer in wrappers:
        code = code_of(layer)
        place = where(layer)
        if code is None or code in login or place.startswith("flask_restful line "):
            continue
        text = f"{code.co_name} at {place}"
        if text not in found:
            found.append(text)
    return ["decorators: {}".format(", ".join(found))] if found else []


def _before_request(app: Any, endpoint: str) -> List[str]:
    """Functions that run before the view and may refuse the request; Flask-WTF's and the shim's are known."""
    names: List[Optional[str]] = [None]
    blueprint = endpoint.rpartition(".")[0]
    while blueprint:
        names.insert(1, blueprint)
        blueprint = blueprint.rpartition(".")[0]
    found = []
    for name in names:
        for function in app.before_request_funcs.get(name, ()):
            module = str(getattr(function, "__module__", ""))
            if module.split(".")[0] not in ("flask_wtf", "legacy_shim"):
                found.append("{} at {}".format(getattr(function, "__name__", "a function"), where(function)))
    return ["before_request: {}".format(", ".join(found))] if found else []
