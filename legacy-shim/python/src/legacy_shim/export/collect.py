"""Step 1: every rule of the url_map, in match order, as plain values.

Knows what a rule says; what its view does is in `notes`. Rules that Ficus must not match by itself are marked
here: build-only ones and those with a converter of the application's own.
"""

from typing import Any
from typing import Dict
from typing import List
from typing import NamedTuple
from typing import Optional
from typing import Tuple

from werkzeug.routing import Map
from werkzeug.routing import Rule

from .. import _compat
from .overlap import variables

#: The order in which methods are written; others follow by name.
_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
_ANY = ("GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")


class Converter(NamedTuple):
    """A converter that is not Werkzeug's own."""

    variable: str
    name: str
    cls: str
    regex: str
    weight: int


class Entry(NamedTuple):
    """One rule."""

    rule: str
    endpoint: str
    methods: Tuple[str, ...]
    defaults: Tuple[Tuple[str, Any], ...]
    subdomain: Optional[str]
    host: Optional[str]
    strict_slashes: Optional[bool]
    #: `view`, `redirect`, `alias`, `websocket`, `build only` or `custom converter`.
    kind: str
    #: Facts about the rule itself that routes.toml has no key for.
    remarks: Tuple[str, ...]
    converters: Tuple[Converter, ...]
    #: Werkzeug's own rule, for comparing orders.
    source: Rule
    #: Place among the rules of the endpoint when url_for() looks for one; the same in every Werkzeug.
    build_place: int

    @property
    def is_route(self) -> bool:
        """Whether Ficus can match the rule by itself."""
        return self.kind not in ("build only", "custom converter")


class Collected(NamedTuple):
    """All rules of an application."""

    entries: List[Entry]
    #: False if this Werkzeug does not show its order: then the order is that of definition.
    ordered: bool


def collect(url_map: Map) -> Collected:
    """Reads the map: the rules that can match in match order, then the others as they come."""
    ordered = _compat.match_order(url_map)
    rules = list(url_map.iter_rules())
    if ordered is not None:
        known = {id(rule) for rule in ordered}
        rules = ordered + [rule for rule in rules if id(rule) not in known]
    places: Dict[int, int] = {}
    for endpoint in {rule.endpoint for rule in rules}:
        places.update((id(rule), place) for place, rule in enumerate(url_map.iter_rules(endpoint)))
    return Collected([_entry(url_map, rule, places[id(rule)]) for rule in rules], ordered is not None)


def sort_methods(methods: Any) -> Tuple[str, ...]:
    """Methods in the order in which people expect them."""
    return tuple(sorted(methods, key=lambda m: (_METHODS.index(m) if m in _METHODS else len(_METHODS), m)))


def _entry(url_map: Map, rule: Rule, build_place: int) -> Entry:
    converters = tuple(_custom_converters(url_map, rule))
    methods, remarks = _methods(rule)
    host_matching = bool(url_map.host_matching)
    if rule.merge_slashes is not None and rule.merge_slashes != url_map.merge_slashes:
        remarks.append(f"merge_slashes is {str(rule.merge_slashes).lower()} for this rule only")
    if rule.redirect_to is not None:
        remarks.append(_redirect_remark(rule.redirect_to))
    return Entry(
        rule=rule.rule,
        endpoint="redirect" if rule.endpoint is None else str(rule.endpoint),
        methods=methods,
        defaults=tuple(sorted((rule.defaults or {}).items())),
        subdomain=None if host_matching else (rule.subdomain or None),
        host=(rule.host or None) if host_matching else None,
        strict_slashes=_strict_slashes(url_map, rule),
        kind=_kind(rule, converters),
        remarks=tuple(remarks),
        converters=converters,
        source=rule,
        build_place=build_place,
    )


def _kind(rule: Rule, converters: Tuple[Converter, ...]) -> str:
    if rule.build_only:
        return "build only"
    if converters:
        return "custom converter"
    if rule.redirect_to is not None:
        return "redirect"
    if rule.alias:
        return "alias"
    if getattr(rule, "websocket", False):
        return "websocket"
    return "view"


def _methods(rule: Rule) -> Tuple[Tuple[str, ...], List[str]]:
    """Methods without those that Flask adds, and what has to be said about them."""
    if rule.methods is None:
        return _ANY, ["methods: the rule takes any method; the usual ones are listed"]
    methods = set(rule.methods)
    remarks = []
    if "GET" in methods:
        methods.discard("HEAD")
    if "OPTIONS" not in methods:
        remarks.append("OPTIONS: 405, provide_automatic_options is off")
    elif getattr(rule, "provide_automatic_options", False):
        methods.discard("OPTIONS")
    else:
        remarks.append("OPTIONS: answered by the view, provide_automatic_options is off")
    return sort_methods(methods), remarks


def _strict_slashes(url_map: Map, rule: Rule) -> Optional[bool]:
    """The rule's own setting; a map that is not strict is written out too, as Flask's default is strict."""
    strict = bool(rule.strict_slashes)
    return strict if strict != url_map.strict_slashes or not strict else None


def _redirect_remark(target: Any) -> str:
    if callable(target):
        target = "what {} returns".format(getattr(target, "__qualname__", "a function"))
    return f"redirect_to: Flask answers 308 to {target}, without calling a view"


def _custom_converters(url_map: Map, rule: Rule) -> List[Converter]:
    used = dict(variables("{}/{}".format(rule.host or rule.subdomain or "", rule.rule)))
    own = []
    for variable, instance in rule._converters.items():
        name = used.get(variable, "default")
        cls = type(instance)
        if cls is not Map.default_converters.get(name):
            qualified = f"{cls.__module__}.{cls.__qualname__}"
            own.append(Converter(variable, name, qualified, str(instance.regex), int(instance.weight)))
    return own
