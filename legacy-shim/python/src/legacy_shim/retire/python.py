"""Who names the endpoint in Python: `url_for`, and texts that are its name."""

import ast
from typing import Any
from typing import Dict
from typing import Iterator
from typing import List
from typing import Optional
from typing import Set
from typing import Tuple

from .naming import Wanted
from .naming import found
from .source import File
from .source import is_text
from .source import last_name

_BUILDERS = ("url_for", "url_for_security")
#: Calls that say what an endpoint is, and do not need it.
REGISTRATIONS = ("route", "add_url_rule", "add_resource", "as_view", "get", "post", "put", "patch", "delete")
#: Attributes and arguments that hold endpoints, also without a dot in them.
_HOLDERS = ("login_view", "refresh_view", "blueprint_login_views", "endpoint")


def names_in(file: File, wanted: Wanted) -> Iterator[Dict[str, Any]]:
    """Places that name the endpoint for sure (`url_for`, `name`), or perhaps (`unknown`)."""
    seen: Set[int] = set()
    for node in ast.walk(file.tree):
        if isinstance(node, ast.Call) and last_name(node.func) in _BUILDERS:
            argument = _first(node)
            if argument is not None:
                seen.update(id(inner) for inner in ast.walk(argument))
            kind = _kind(argument, wanted)
            if kind is not None:
                yield found(kind, file.path, node.lineno, file.text(node.lineno), file.test)
        elif isinstance(node, ast.Call) and last_name(node.func) in REGISTRATIONS:
            seen.update(id(keyword.value) for keyword in node.keywords if keyword.arg == "endpoint")
            seen.update(id(argument) for argument in node.args[:2])
    held = _held(file.tree)
    for node in ast.walk(file.tree):
        text = is_text(node)
        if text is None or id(node) in seen or text != wanted.endpoint:
            continue
        if not wanted.is_plain or id(node) in held:
            yield found("name", file.path, node.lineno, file.text(node.lineno), file.test)  # type: ignore[attr-defined]


def _first(call: ast.Call) -> Optional[ast.AST]:
    if call.args:
        return call.args[0]
    return next((keyword.value for keyword in call.keywords if keyword.arg == "endpoint"), None)


def _kind(node: Optional[ast.AST], wanted: Wanted) -> Optional[str]:
    """`url_for`, `unknown` or nothing, of the first argument of a url_for."""
    text = is_text(node)
    if text is not None:
        return "url_for" if wanted.is_named(text) else None
    if isinstance(node, ast.IfExp):
        kinds = [_kind(node.body, wanted), _kind(node.orelse, wanted)]
    elif isinstance(node, ast.BoolOp):
        kinds = [_kind(value, wanted) for value in node.values]
    elif isinstance(node, ast.Attribute) and node.attr == "endpoint" and last_name(node.value) == "request":
        # The page that Python is answering at that moment: never one that it does not answer.
        return None
    else:
        prefix, suffix = _ends(node)
        return "unknown" if wanted.may_be(prefix, suffix) else None
    return "url_for" if "url_for" in kinds else ("unknown" if "unknown" in kinds else None)


def _ends(node: Optional[ast.AST]) -> Tuple[str, str]:
    """How a text begins and ends of which the rest is only known when it runs."""
    if isinstance(node, ast.JoinedStr) and node.values:
        return is_text(node.values[0]) or "", is_text(node.values[-1]) or ""
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        return is_text(node.left) or _ends(node.left)[0], is_text(node.right) or _ends(node.right)[1]
    return "", ""


def _held(tree: ast.Module) -> Set[int]:
    """Texts that stand where an endpoint is expected."""
    held: Set[int] = set()
    for node in ast.walk(tree):
        values: List[ast.AST] = []
        if isinstance(node, ast.Assign) and any(_holder(target) for target in node.targets):
            values = [node.value]
        elif isinstance(node, ast.Call) and last_name(node.func) not in REGISTRATIONS:
            values = [keyword.value for keyword in node.keywords if keyword.arg in _HOLDERS]
        for value in values:
            held.update(id(inner) for inner in ast.walk(value))
    return held


def _holder(node: ast.AST) -> bool:
    if isinstance(node, ast.Subscript):
        return _holder(node.value)
    return last_name(node) in _HOLDERS
