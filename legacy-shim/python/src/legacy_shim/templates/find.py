"""Which templates a view renders, as far as its source tells, and which those need.

Reads the view and the application's own functions that it calls by name, as `export.streaming` does; runs nothing.
"""

import ast
import inspect
import textwrap
from typing import Any
from typing import Dict
from typing import List
from typing import Optional
from typing import Set

from jinja2 import meta

from ..export.views import class_methods
from ..export.views import code_of
from ..export.views import is_local
from ..export.views import layers
from ..export.views import view_class

_CALLS = ("render_template", "stream_template", "render", "get_template")
_ATTRIBUTES = ("template_name", "template", "list_template", "edit_template", "create_template", "details_template")
#: How many calls deep functions are followed.
_DEPTH = 4


class Found:
    """The templates of one view."""

    def __init__(self) -> None:
        self.names: List[str] = []
        #: Whether a name could not be read.
        self.unknown = False
        self.seen: Set[int] = set()

    def add(self, name: str) -> None:
        if name not in self.names:
            self.names.append(name)


def templates_of(view: Any) -> Found:
    """What a view renders."""
    found = Found()
    cls = view_class(view)
    if cls is None:
        _read(layers(view)[-1], found, 0)
        return found
    for name in _ATTRIBUTES:
        value = getattr(cls, name, None)
        if isinstance(value, str):
            found.add(value)
    for method in class_methods(cls).values():
        _read(layers(method)[-1], found, 0)
    return found


def closure(env: Any, names: List[str]) -> Dict[str, Optional[Any]]:
    """The syntax trees of templates and of all that they name; `None` for one that is not there or broken."""
    trees: Dict[str, Optional[Any]] = {}
    waiting = list(names)
    while waiting:
        name = waiting.pop(0)
        if name in trees:
            continue
        try:
            source = env.loader.get_source(env, name)[0]
            tree = env.parse(source, name)
        except Exception:  # a loader may raise anything; rendering tells what is wrong
            trees[name] = None
            continue
        trees[name] = tree
        waiting += [other for other in meta.find_referenced_templates(tree) if other is not None]
    return trees


def _read(function: Any, found: Found, depth: int, handed: bool = False) -> None:
    if id(function) in found.seen:
        return
    found.seen.add(id(function))
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(code_of(function) or function)))
    except (OSError, TypeError, SyntaxError, ValueError):
        found.unknown = found.unknown or depth == 0
        return
    scope = getattr(inspect.unwrap(function), "__globals__", {})
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        if _last_name(node.func) in _CALLS:
            _names(node, scope, found, handed)
            continue
        called = _resolve(node.func, scope)
        if depth < _DEPTH and called is not None and is_local(called):
            # `page("customers/list.html")`: a name that is handed to a function of the application.
            names = [text for arg in node.args for text in _constants(arg, scope) if _is_name(text)]
            for text in names:
                found.add(text)
            _read(layers(called)[-1], found, depth + 1, bool(names))


def _names(call: ast.Call, scope: Any, found: Found, handed: bool) -> None:
    """The first argument: a text, several in a list, one of two, or a constant of the module."""
    first = call.args[0] if call.args else next((k.value for k in call.keywords if "template" in (k.arg or "")), None)
    texts = [value for value in _constants(first, scope) if _is_name(value)]
    for text in texts:
        found.add(text)
    if not texts and not handed and _last_name(call.func) in ("render_template", "stream_template"):
        found.unknown = True


def _is_name(text: str) -> bool:
    return text.endswith((".html", ".htm", ".xhtml", ".xml", ".txt", ".svg", ".j2", ".jinja", ".jinja2"))


def _constants(node: Any, scope: Any) -> List[str]:
    if node is None:
        return []
    if isinstance(node, (ast.List, ast.Tuple)):
        return [text for item in node.elts for text in _constants(item, scope)]
    if isinstance(node, ast.IfExp):
        return _constants(node.body, scope) + _constants(node.orelse, scope)
    if isinstance(node, ast.Name):
        value = scope.get(node.id)
    else:
        try:
            value = ast.literal_eval(node)
        except (ValueError, TypeError, SyntaxError):
            return []
    return [value] if isinstance(value, str) else []


def _resolve(node: ast.AST, scope: Any) -> Any:
    if isinstance(node, ast.Name):
        found = scope.get(node.id)
    elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
        owner = scope.get(node.value.id)
        found = vars(owner).get(node.attr) if inspect.ismodule(owner) else None
    else:
        found = None
    return found if inspect.isfunction(found) else None


def _last_name(node: ast.AST) -> str:
    if isinstance(node, ast.Name):
        return node.id
    return node.attr if isinstance(node, ast.Attribute) else ""
