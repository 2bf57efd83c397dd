"""Values on their way to the other engine and back.

Plain values are written down; everything else is lent under a number for as long as a rendering lasts. What can be
asked of it: `get` an attribute or item, `call` it, its `items`, its `text`.
"""

from typing import Any
from typing import Dict
from typing import List

from jinja2 import Undefined
from markupsafe import Markup

#: Longer lists are lent, not written down.
_INLINE = 1000


class Lent:
    """The objects that were lent."""

    def __init__(self, env: Any) -> None:
        self._env = env
        self._objects: List[Any] = []

    def write(self, value: Any, depth: int = 0) -> Any:
        """JSON for a value."""
        if value is None or isinstance(value, bool):
            return value
        if type(value) is int or type(value) is float:
            return {"number": repr(value)}
        if type(value) is str:
            return value
        if isinstance(value, Undefined):
            return {"undefined": True}
        if isinstance(value, Markup):
            return {"safe": str(value)}
        if depth < 4 and type(value) in (list, tuple) and len(value) <= _INLINE:
            kind = "list" if isinstance(value, list) else "tuple"
            return {kind: [self.write(item, depth + 1) for item in value]}
        if depth < 4 and type(value) is dict and len(value) <= _INLINE:
            return {"dict": [[self.write(key, 9), self.write(item, depth + 1)] for key, item in value.items()]}
        return self._lend(value)

    def _lend(self, value: Any) -> Any:
        self._objects.append(value)
        return {
            "object": len(self._objects) - 1,
            "callable": callable(value),
            "iterable": hasattr(value, "__iter__") and not isinstance(value, (str, bytes, type)),
            "mapping": hasattr(value, "keys") and hasattr(value, "__getitem__"),
            "true": _truth(value),
            "html": hasattr(value, "__html__"),
            "type": type(value).__name__,
        }

    def read(self, value: Any) -> Any:
        """A value from JSON."""
        if not isinstance(value, dict):
            return value
        (kind, inside), *_ = value.items()
        if kind == "object":
            return self._objects[inside]
        if kind == "number":
            return int(inside) if inside.lstrip("-").isdigit() else float(inside)
        if kind == "safe":
            return Markup(inside)
        if kind == "list":
            return [self.read(item) for item in inside]
        if kind == "tuple":
            return tuple(self.read(item) for item in inside)
        if kind == "dict":
            return {self.read(key): self.read(item) for key, item in inside}
        return self._env.undefined(name="argument")

    def get(self, number: int, key: Any) -> Any:
        """An attribute or an item, as Jinja2 finds it; `None` where there is none."""
        owner, key = self._objects[number], self.read(key)
        find = self._env.getattr if isinstance(key, str) and not hasattr(owner, "keys") else self._env.getitem
        return self.write(find(owner, key))

    def items(self, number: int) -> Any:
        """What iterating over it gives."""
        return [self.write(item) for item in self._objects[number]]

    def text(self, number: int) -> str:
        """Its text, which is HTML if it says so."""
        value = self._objects[number]
        return str(value.__html__()) if hasattr(value, "__html__") else str(value)

    def call(self, function: Any, args: List[Any], named: Dict[str, Any]) -> Any:
        """The result of a function, lent or not."""
        function = self._objects[function] if isinstance(function, int) else function
        result = function(*[self.read(arg) for arg in args], **{name: self.read(arg) for name, arg in named.items()})
        return self.write(result)


def _truth(value: Any) -> bool:
    try:
        return bool(value)
    except Exception:  # such an object has no truth; Jinja2 would fail as well
        return True
