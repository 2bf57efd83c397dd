"""A context for templates that nobody gave one: values invented from how the templates use their names.

A name whose items are looped over has two of them, one whose attributes are read has these, one that is called returns
something; what is calculated with is a number, what is asked for `strftime` is a date. Everything else is a text with
characters that must be escaped. The same templates give the same values.
"""

import datetime
from typing import Any
from typing import Dict
from typing import Iterable
from typing import List
from typing import Optional
from typing import Tuple

from jinja2 import meta
from jinja2 import nodes

_NUMBERS = ("round", "abs", "int", "float", "filesizeformat")
_SAME = ("list", "sort", "reverse", "unique", "selectattr", "rejectattr", "select", "reject", "default", "d", "safe")
_ITEMS = ("first", "last", "random", "min", "max")
_DATES = {"strftime", "isoformat", "date", "year", "month", "day", "hour", "minute", "timestamp"}
_TEXTS = set(dir(str))
_COUNTED = (
    "_id",
    "count",
    "total",
    "page",
    "pages",
    "number",
    "size",
    "amount",
    "price",
    "value",
    "sum",
    "cost",
    "rate",
    "percent",
    "days",
)
_MAPS = {"items", "keys", "values", "get"}
#: How deep values go.
_DEPTH = 6


class Shape:
    """How a value is used."""

    def __init__(self) -> None:
        self.attributes: Dict[str, Shape] = {}
        self.item: Optional[Shape] = None
        self.result: Optional[Shape] = None
        self.number = False
        self.date = False
        #: Whether it is handed over as `**value`.
        self.named = False

    def learn(self, other: "Shape", depth: int = 0) -> None:
        """What is known of another value is true of this one."""
        if other is self or depth > _DEPTH:
            return
        self.number = self.number or other.number
        self.date = self.date or other.date
        self.named = self.named or other.named
        for name, attribute in list(other.attributes.items()):
            self.attribute(name).learn(attribute, depth + 1)
        if other.item is not None:
            self.items().learn(other.item, depth + 1)
        if other.result is not None:
            self.called().learn(other.result, depth + 1)

    def attribute(self, name: str) -> "Shape":
        return self.attributes.setdefault(name, Shape())

    def items(self) -> "Shape":
        self.item = self.item or Shape()
        return self.item

    def called(self) -> "Shape":
        self.result = self.result or Shape()
        return self.result


class Thing:
    """An invented object."""

    def __init__(self, text: str, items: List[Any]) -> None:
        self._text = text
        self._items = items

    def __str__(self) -> str:
        return self._text

    def __iter__(self) -> Any:
        return iter(self._items)

    def __len__(self) -> int:
        return len(self._items)

    def __bool__(self) -> bool:
        return True

    def __getitem__(self, key: Any) -> Any:
        if isinstance(key, (int, slice)):
            return self._items[key]
        try:
            return self.__dict__[key]
        except (KeyError, TypeError):
            raise KeyError(key) from None


def invent(trees: Iterable[Any], known: Iterable[str], kinds: Dict[str, str]) -> Dict[str, Any]:
    """A context for these syntax trees; `known` are names that are there without it, `kinds` what filters want."""
    trees = list(trees)
    shapes: Dict[str, Shape] = {}
    given = set(known)
    reader = _Reader(kinds)
    for tree in trees:
        for macro in tree.find_all(nodes.Macro):
            reader.macros[macro.name] = [(arg.name, Shape()) for arg in macro.args]
    # Twice: what a macro does with its arguments may be read after its calls.
    for tree in trees * 2:
        free = meta.find_undeclared_variables(tree) - given
        scope = {name: shapes.setdefault(name, Shape()) for name in sorted(free)}
        reader.statements(tree.body, scope)
    return {name: _value(shape, name, 0) for name, shape in sorted(shapes.items())}


class _Reader:
    """Learns shapes from statements, in the order in which they run."""

    def __init__(self, kinds: Dict[str, str]) -> None:
        self.kinds = kinds
        #: The arguments of every macro, by its name; macros of one name are taken for one.
        self.macros: Dict[str, List[Tuple[str, Shape]]] = {}

    def statements(self, body: Iterable[Any], scope: Dict[str, Shape]) -> None:
        for node in body:
            if isinstance(node, nodes.For):
                self._loop(node, scope)
            elif isinstance(node, (nodes.Macro, nodes.CallBlock)):
                inner = dict(scope)
                known = self.macros.get(node.name) if isinstance(node, nodes.Macro) else None
                inner.update(known if known is not None else [(arg.name, Shape()) for arg in node.args])
                self._expressions([*node.defaults, *([node.call] if isinstance(node, nodes.CallBlock) else [])], scope)
                self.statements(node.body, inner)
            else:
                self._other(node, scope)

    def _other(self, node: Any, scope: Dict[str, Shape]) -> None:
        if isinstance(node, nodes.Assign):
            found = self.shape(node.node, scope)
            self._bind(node.target, found or Shape(), scope)
            return
        for field, value in node.iter_fields():
            values = value if isinstance(value, list) else [value]
            if field in ("body", "else_", "elif_"):
                self.statements([one for one in values if isinstance(one, nodes.Node)], scope)
            else:
                self._expressions([one for one in values if isinstance(one, nodes.Node)], scope)

    def _loop(self, node: Any, scope: Dict[str, Shape]) -> None:
        items = self._iterated(node.iter, scope)
        inner = dict(scope)
        inner["loop"] = Shape()
        self._bind(node.target, items, inner)
        if node.test is not None:
            self.shape(node.test, inner)
        self.statements(node.body, inner)
        self.statements(node.else_, scope)

    def _iterated(self, node: Any, scope: Dict[str, Shape]) -> Shape:
        found = self.shape(node, scope)
        if found is None:
            return Shape()
        return found.items()

    def _bind(self, target: Any, shape: Shape, scope: Dict[str, Shape]) -> None:
        if isinstance(target, nodes.Name):
            scope[target.name] = shape
        elif isinstance(target, (nodes.Tuple, nodes.List)):
            for place, part in enumerate(target.items):
                self._bind(part, shape.attribute(f"#{place}"), scope)

    def _expressions(self, found: Iterable[Any], scope: Dict[str, Shape]) -> None:
        for node in found:
            if isinstance(node, nodes.Expr):
                self.shape(node, scope)
            else:
                self._other(node, scope)

    def shape(self, node: Any, scope: Dict[str, Shape]) -> Optional[Shape]:
        """The shape behind an expression, if it has one; what is inside of it is learned on the way."""
        if isinstance(node, nodes.Name):
            return scope.get(node.name)
        if isinstance(node, nodes.Getattr):
            owner = self.shape(node.node, scope)
            return owner.attribute(node.attr) if owner is not None else None
        if isinstance(node, nodes.Getitem) and isinstance(node.arg, nodes.Const) and isinstance(node.arg.value, str):
            owner = self.shape(node.node, scope)
            return owner.attribute(node.arg.value) if owner is not None else None
        if isinstance(node, nodes.Getitem):
            owner = self.shape(node.node, scope)
            self._expressions([node.arg], scope)
            return owner.items() if owner is not None else None
        if isinstance(node, nodes.Call):
            return self._call(node, scope)
        if isinstance(node, nodes.Filter):
            return self._filter(node, scope)
        return self._operation(node, scope)

    def _call(self, node: Any, scope: Dict[str, Shape]) -> Optional[Shape]:
        owner = self.shape(node.node, scope)
        places = [self.shape(arg, scope) for arg in node.args]
        named = {keyword.key: self.shape(keyword.value, scope) for keyword in node.kwargs}
        more = self.shape(node.dyn_kwargs, scope) if node.dyn_kwargs is not None else None
        if more is not None:
            more.named = True
        name = str(getattr(node.node, "name" if isinstance(node.node, nodes.Name) else "attr", ""))
        for place, (argument, shape) in enumerate(self.macros.get(name, ())):
            given = places[place] if place < len(places) else named.get(argument)
            if given is not None:
                given.learn(shape)
        if owner is None or name in self.macros:
            return None
        return owner.called()

    def _filter(self, node: Any, scope: Dict[str, Shape]) -> Optional[Shape]:
        inner = self.shape(node.node, scope) if node.node is not None else None
        self._expressions([*node.args, *(keyword.value for keyword in node.kwargs)], scope)
        if inner is None:
            return None
        if node.name in _NUMBERS or self.kinds.get(node.name) == "number":
            inner.number = True
        if self.kinds.get(node.name) == "date":
            inner.date = True
        if node.name in ("join", "map", "sum", "batch", "slice", "groupby"):
            inner.items()
        if node.name in _ITEMS:
            return inner.items()
        if node.name == "dictsort":
            return inner.attribute("items").called()
        return inner if node.name in _SAME else None

    def _operation(self, node: Any, scope: Dict[str, Shape]) -> Optional[Shape]:
        children = list(node.iter_child_nodes())
        shapes = [self.shape(child, scope) for child in children if isinstance(child, nodes.Expr)]
        for child in children:
            if isinstance(child, nodes.Operand):
                shapes.append(self.shape(child.expr, scope))
        numbers = any(_is_number(child) for child in children)
        if isinstance(node, (nodes.Sub, nodes.Mul, nodes.Div, nodes.FloorDiv, nodes.Pow)) or (
            numbers and isinstance(node, (nodes.Add, nodes.Mod, nodes.Compare))
        ):
            for shape in shapes:
                if shape is not None:
                    shape.number = True
        if isinstance(node, (nodes.CondExpr, nodes.Or, nodes.And)):
            return next((shape for shape in shapes if shape is not None), None)
        return None


def _is_number(node: Any) -> bool:
    if isinstance(node, nodes.Operand):
        node = node.expr
    return isinstance(node, nodes.Const) and isinstance(node.value, (int, float)) and not isinstance(node.value, bool)


def _value(shape: Shape, path: str, depth: int) -> Any:
    names = set(shape.attributes)
    last = path.rsplit(".", 1)[-1].lower()
    text = f"{path} <b> & 'x'"
    if depth > _DEPTH:
        return text
    if shape.number and not names and shape.item is None and shape.result is None:
        return 3
    if shape.named:
        return {name: _value(shape.attributes[name], f"{path}.{name}", depth + 1) for name in sorted(names - _MAPS)}
    places = sorted(name for name in names if name.startswith("#"))
    if places:
        return tuple(_value(shape.attributes[name], f"{path}.{name[1:]}", depth + 1) for name in places)
    if names & _MAPS and not names - _MAPS and (shape.attributes.get("items") or Shape()).result is not None:
        return _map(shape, path, depth)
    if (names and names <= _DATES) or (shape.date and not names):
        return datetime.datetime(2024, 2, 3, 4, 5, 6)
    if names and names <= _TEXTS and all(shape.attributes[name].result is not None for name in names):
        return text
    if names or shape.item is not None:
        return _thing(shape, path, text, depth)
    if shape.result is not None:
        result = _value(shape.result, f"{path}()", depth + 1)
        return lambda *_args, **_kwargs: result
    return _leaf(last, text)


def _leaf(last: str, text: str) -> Any:
    if last.startswith(("is_", "has_", "can_", "show_")):
        return True
    if last == "id" or last.endswith(_COUNTED):
        return 3
    if last.endswith(("_at", "_on", "date", "time")):
        return datetime.datetime(2024, 2, 3, 4, 5, 6)
    return text


def _map(shape: Shape, path: str, depth: int) -> Any:
    pairs = shape.attributes["items"].called().items()
    value = pairs.attributes.get("#1") or Shape()
    return {f"key {place}": _value(value, f"{path}.{place}", depth + 1) for place in (1, 2)}


def _thing(shape: Shape, path: str, text: str, depth: int) -> Any:
    items = [] if shape.item is None else [_value(shape.item, f"{path}.{place}", depth + 1) for place in (1, 2)]
    base: Any = Thing
    if shape.result is not None:
        result = _value(shape.result, f"{path}()", depth + 1)
        base = type("Thing", (Thing,), {"__call__": lambda self, *_args, **_kwargs: result})
    thing = base(text, items)
    for name, attribute in sorted(shape.attributes.items()):
        thing.__dict__[name] = _value(attribute, f"{path}.{name}", depth + 1)
    return thing
