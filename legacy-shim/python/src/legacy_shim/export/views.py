"""A view as its decorators left it: its layers, and where each is written down.

Used by `notes` and `streaming`. Follows `__wrapped__`, which functools.wraps sets; a decorator that does not
use it hides the view, and then the decorator is what is shown.
"""

import inspect
import os
import sys
from types import CodeType
from typing import Any
from typing import Dict
from typing import List
from typing import Optional

_INSTALLED = ("site-packages", "dist-packages")


def layers(view: Any) -> List[Any]:
    """The view's functions, outermost first; the last one is the view itself."""
    found: List[Any] = []
    while view is not None and not any(view is known for known in found):
        found.append(view)
        view = getattr(view, "__wrapped__", None) or getattr(view, "func", None)
    return found


def view_class(view: Any) -> Optional[type]:
    """The class behind `View.as_view()`, if there is one."""
    for layer in layers(view):
        cls = getattr(layer, "view_class", None)
        if isinstance(cls, type):
            return cls
    return None


def class_methods(cls: type) -> Dict[str, Any]:
    """The functions of a class-based view by method; all methods share `dispatch_request` if it has no others."""
    methods = {name.upper(): getattr(cls, name.lower(), None) for name in (getattr(cls, "methods", None) or ())}
    found = {name: methods[name] for name in sorted(methods) if callable(methods[name])}
    if not found and callable(getattr(cls, "dispatch_request", None)):
        found = {"": cls.dispatch_request}  # type: ignore[attr-defined]
    return found


def code_of(function: Any) -> Optional[CodeType]:
    """The code of a function, a bound method or a callable object."""
    call = vars(type(function)).get("__call__")
    for candidate in (function, getattr(function, "__func__", None), call):
        code = getattr(candidate, "__code__", None)
        if isinstance(code, CodeType):
            return code
    return None


def where(function: Any) -> str:
    """`crm/views.py:12` below the working directory, `flask.helpers line 12` elsewhere, else `unknown`."""
    code = code_of(function)
    if code is None:
        return "unknown"
    return _place(code.co_filename, _module(function), code.co_firstlineno)


def where_class(cls: type) -> str:
    """As `where`, for a class."""
    try:
        filename, line = inspect.getfile(cls), inspect.getsourcelines(cls)[1]
    except (OSError, TypeError):
        return "unknown"
    return _place(filename, cls.__module__, line)


def relative(path: str) -> Optional[str]:
    """A path below the working directory, with slashes; `None` for others and for installed packages."""
    full = os.path.realpath(path)
    here = os.path.realpath(os.getcwd())
    if not full.startswith(here.rstrip(os.sep) + os.sep) or _is_installed(full):
        return None
    return os.path.relpath(full, here).replace(os.sep, "/")


def is_local(function: Any) -> bool:
    """Whether a function is written below the working directory, in the application's own files."""
    code = code_of(function)
    return code is not None and relative(code.co_filename) is not None


def _place(filename: str, module: str, line: int) -> str:
    path = relative(filename)
    return f"{path}:{line}" if path else f"{module} line {line}"


def _module(function: Any) -> str:
    # Not __module__: functools.wraps copies that from the wrapped function.
    space = getattr(function, "__globals__", None) or getattr(getattr(function, "__func__", None), "__globals__", {})
    return str(space.get("__name__") or getattr(function, "__module__", None) or "unknown")


def _is_installed(path: str) -> bool:
    """Whether a file belongs to an installed package, even of a virtual environment in this directory."""
    return (
        any(part in _INSTALLED for part in path.split(os.sep))
        or path.startswith(os.path.realpath(os.path.dirname(os.__file__)) + os.sep)
        or (sys.prefix != sys.base_prefix and path.startswith(os.path.realpath(sys.prefix) + os.sep))
    )
