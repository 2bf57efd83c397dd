"""Where a view is written: the function or class behind an endpoint, with its decorators."""

import ast
import inspect
from types import FunctionType
from typing import Any
from typing import Dict
from typing import List
from typing import NamedTuple
from typing import Optional

from ..export.views import code_of
from ..export.views import is_local
from ..export.views import layers
from ..export.views import relative
from ..export.views import view_class
from .source import File
from .source import Source
from .source import lines_of


class Place(NamedTuple):
    """A definition."""

    file: File
    node: Any
    name: str
    #: `function` or `class`.
    kind: str

    @property
    def first(self) -> int:
        """Its first line, or that of its first decorator."""
        return lines_of(self.node)[0]

    @property
    def last(self) -> int:
        """Its last line."""
        return lines_of(self.node)[1]

    def has(self, path: str, line: int) -> bool:
        """Whether a line belongs to it."""
        return path == self.file.path and self.first <= line <= self.last

    def document(self) -> Dict[str, Any]:
        """For the report."""
        return {"file": self.file.path, "from": self.first, "to": self.last, "name": self.name, "kind": self.kind}


def place_of(view: Any, source: Source) -> Optional[Place]:
    """Where a view is defined; `None` if that is not in the application's own files, or cannot be told."""
    cls = view_class(view)
    if cls is not None:
        return _class(cls, source)
    function = _innermost(view)
    code = code_of(function)
    if code is None or not is_local(function):
        return None
    file = source.file(relative(code.co_filename))
    if file is None:
        return None
    for node in ast.walk(file.tree):
        if (
            isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
            and node.name == code.co_name
            and lines_of(node)[0] <= code.co_firstlineno <= node.lineno
        ):
            return Place(file, node, node.name, "function")
    return None


def _class(cls: type, source: Source) -> Optional[Place]:
    try:
        file = source.file(relative(inspect.getfile(cls)))
    except TypeError:
        return None
    if file is None:
        return None
    found = [n for n in ast.walk(file.tree) if isinstance(n, ast.ClassDef) and n.name == cls.__name__]
    return Place(file, found[0], cls.__name__, "class") if len(found) == 1 else None


def _innermost(view: Any) -> Any:
    """The view below its decorators, also below those that do not use functools.wraps."""
    function = layers(view)[-1]
    for _ in range(20):
        cells = getattr(function, "__closure__", None) or ()
        inner = []
        for cell in cells:
            try:
                value = cell.cell_contents
            except ValueError:
                continue
            if isinstance(value, FunctionType) and is_local(value):
                inner.append(value)
        # A wrapper calls the one function that it holds; with several, nobody can tell which is the view.
        if len(inner) != 1 or "<locals>" not in getattr(function, "__qualname__", ""):
            return function
        function = layers(inner[0])[-1]
    return function


def decorators_of(place: Place) -> List[str]:
    """The decorators, as they are written."""
    return [
        place.file.text(decorator.lineno).lstrip("@") for decorator in getattr(place.node, "decorator_list", ())
    ]
