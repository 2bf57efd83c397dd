"""Whether a view streams, as far as its source tells.

Reads the view and the application's own functions that it calls by name; runs nothing. What cannot be read is
`unknown`; what was read without a find is `not seen`, never `no`.
"""

import ast
import inspect
import textwrap
from typing import Any
from typing import Iterator
from typing import List
from typing import Optional
from typing import Set

from .views import code_of
from .views import is_local
from .views import layers
from .views import where

_CALLS = ("stream_with_context", "send_file", "send_from_directory", "send_static_file")
_RESPONSES = ("Response", "response_class", "StreamingResponse")
#: How many calls deep functions are followed.
_DEPTH = 3


class _Reading:
    """What has been read and found for one view."""

    def __init__(self) -> None:
        self.signs: List[str] = []
        self.seen: Set[int] = set()
        self.doubts: List[str] = []


def streaming_note(functions: List[Any]) -> str:
    """One sentence about the functions of a view."""
    reading = _Reading()
    for function in functions:
        _read(layers(function)[-1], reading, 0)
    if reading.signs:
        return "yes ({})".format(", ".join(sorted(set(reading.signs))))
    if reading.doubts:
        return "unknown ({})".format(", ".join(sorted(set(reading.doubts))))
    return "not seen in the source"


def _read(function: Any, reading: _Reading, depth: int) -> None:
    if id(function) in reading.seen:
        return
    reading.seen.add(id(function))
    tree = _tree(function)
    if tree is None:
        if depth == 0:
            reading.doubts.append("source not available")
        return
    suffix = f" in {where(function)}" if depth else ""
    scope = getattr(inspect.unwrap(function), "__globals__", {})
    generators = _nested_generators(tree)
    if depth == 0 and inspect.isgeneratorfunction(function):
        reading.signs.append("the view is a generator")
    for node in ast.walk(tree):
        if isinstance(node, ast.Return) and _makes_generator(node.value, scope, generators):
            reading.signs.append("a generator is returned" + suffix)
        if not isinstance(node, ast.Call):
            continue
        _judge(node, reading, (scope, generators, suffix))
        called = _resolve(node.func, scope)
        if depth < _DEPTH and inspect.isfunction(called) and is_local(called):
            _read(layers(called)[-1], reading, depth + 1)


def _judge(call: ast.Call, reading: _Reading, context: Any) -> None:
    scope, generators, suffix = context
    name = _last_name(call.func)
    if name in _CALLS:
        reading.signs.append(name + suffix)
    if name not in _RESPONSES:
        return
    body = call.args[0] if call.args else next((k.value for k in call.keywords if k.arg == "response"), None)
    if _makes_generator(body, scope, generators):
        reading.signs.append(f"{name} with a generator{suffix}")
    elif isinstance(body, ast.Name):
        reading.doubts.append(f"{name}({body.id}){suffix}")


def _makes_generator(node: Optional[ast.AST], scope: Any, generators: Set[str]) -> bool:
    if isinstance(node, ast.GeneratorExp):
        return True
    if not isinstance(node, ast.Call):
        return False
    if isinstance(node.func, ast.Name) and node.func.id in generators:
        return True
    called = _resolve(node.func, scope)
    return called is not None and inspect.isgeneratorfunction(inspect.unwrap(called))


def _resolve(node: ast.AST, scope: Any) -> Any:
    """The object behind `name` or `module.name`; never evaluates anything but a module's attribute."""
    if isinstance(node, ast.Name):
        found = scope.get(node.id)
    elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
        owner = scope.get(node.value.id)
        found = vars(owner).get(node.attr) if inspect.ismodule(owner) else None
    else:
        found = None
    return found if inspect.isfunction(found) else None


def _nested_generators(tree: ast.AST) -> Set[str]:
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef) and any(_own_yields(node))}


def _own_yields(function: ast.FunctionDef) -> Iterator[ast.AST]:
    """The yields of a function itself, not those of functions inside it."""
    waiting: List[ast.AST] = list(function.body)
    while waiting:
        node = waiting.pop()
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)):
            continue
        if isinstance(node, (ast.Yield, ast.YieldFrom)):
            yield node
        waiting.extend(ast.iter_child_nodes(node))


def _last_name(node: ast.AST) -> str:
    if isinstance(node, ast.Name):
        return node.id
    return node.attr if isinstance(node, ast.Attribute) else ""


def _tree(function: Any) -> Optional[ast.AST]:
    try:
        return ast.parse(textwrap.dedent(inspect.getsource(code_of(function) or function)))
    except (OSError, TypeError, SyntaxError, ValueError):
        return None
