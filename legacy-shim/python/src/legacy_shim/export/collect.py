"""Step 1: every rule of the url_map, in match order, as plain values.

Knows what a rule says; what its view does is in `notes`. Rules that Ficus cannot match are marked here:
build-only ones and those with a converter that `converters` finds no way to write down.
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
from .converters import Converter
from .converters import own_converters
from .converters import writable

#: The order in which methods are written; others follow by name.
_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
#: A rule for any method, as routes.toml says it.
_ANY = ("*",)


class Entry(NamedTuple):
    """One rule."""

    rule: str
    endpoint: str
    methods: Tuple[str, ...]
    defaults: Tuple[Tuple[str, Any], ...]
    subdomain: Optional[str]
    host: Optional[str]
    #: False: Flask does not answer OPTIONS by itself, and the rule does not take it either.
    automatic_options: bool
    strict_slashes: Optional[bool]
    merge_slashes: Optional[bool]
    #: `view`, `converter`, `redirect`, `alias`, `websocket`, `build only` or `unknown converter`.
    kind: str
    #: Facts about the rule itself that routes.toml has no key for.
    remarks: Tuple[str, ...]
    #: The converters of the application's own that the rule uses.
    converters: Tuple[Converter, ...]
    #: Werkzeug's own rule, for comparing orders.
    source: Rule
    #: Place among the rules of the endpoint when url_for() looks for one; the same in every Werkzeug.
    build_place: int

    @property
    def is_route(self) -> bool:
        """Whether Ficus can match the rule by itself."""
        return self.kind not in ("build only", "unknown converter")


class Collected(NamedTuple):
    """All rules of an application."""

    entries: List[Entry]
    #: The application's own converters that routes.toml can hold, by name.
    converters: Dict[str, Converter]
    #: False if this Werkzeug does not show its order: then the order is that of definition.
    ordered: bool


def collect(url_map: Map) -> Collected:
    """Reads the map: the rules that can match in match order, then the others as they come."""
    ordered = _compat.match_order(url_map)
    rules = list(url_map.iter_rules())
    if ordered is not None:
        placed = {id(rule) for rule in ordered}
        rules = ordered + [rule for rule in rules if id(rule) not in placed]
    places: Dict[int, int] = {}
    for endpoint in {rule.endpoint for rule in rules}:
        places.update((id(rule), place) for place, rule in enumerate(url_map.iter_rules(endpoint)))
    used = {id(rule): own_converters(rule) for rule in rules}
    known = writable(used.values())
    entries = [_entry(url_map, rule, places[id(rule)], (used[id(rule)], known)) for rule in rules]
    return Collected(entries, known, ordered is not None)


def sort_methods(methods: Any) -> Tuple[str, ...]:
    """Methods in the order in which people expect them."""
    return tuple(sorted(methods, key=lambda m: (_METHODS.index(m) if m in _METHODS else len(_METHODS), m)))


def _entry(url_map: Map, rule: Rule, build_place: int, converters: Any) -> Entry:
    own, known = converters
    methods, automatic_options = _methods(rule)
    remarks: List[str] = []
    host_matching = bool(url_map.host_matching)
    if rule.redirect_to is not None:
        remarks.append(_redirect_remark(rule.redirect_to))
    return Entry(
        rule=rule.rule,
        endpoint="redirect" if rule.endpoint is None else str(rule.endpoint),
        methods=methods,
        defaults=tuple(sorted((rule.defaults or {}).items())),
        subdomain=None if host_matching else (rule.subdomain or None),
        host=(rule.host or None) if host_matching else None,
        automatic_options=automatic_options,
        strict_slashes=_unless_same(rule.strict_slashes, url_map.strict_slashes),
        merge_slashes=_unless_same(rule.merge_slashes, url_map.merge_slashes),
        kind=_kind(rule, own, known),
        remarks=tuple(remarks),
        converters=own,
        source=rule,
        build_place=build_place,
    )


def _kind(rule: Rule, own: Tuple[Converter, ...], known: Dict[str, Converter]) -> str:
    if rule.build_only:
        return "build only"
    if any(converter.name not in known for converter in own):
        return "unknown converter"
    if rule.redirect_to is not None:
        return "redirect"
    if rule.alias:
        return "alias"
    if getattr(rule, "websocket", False):
        return "websocket"
    return "converter" if own else "view"


def _methods(rule: Rule) -> Tuple[Tuple[str, ...], bool]:
    """Methods without those that Flask adds; and whether OPTIONS is as in Flask when nobody says anything."""
    if rule.methods is None:
        return _ANY, True
    methods = set(rule.methods)
    if "GET" in methods:
        methods.discard("HEAD")
    if getattr(rule, "provide_automatic_options", False):
        methods.discard("OPTIONS")
        return sort_methods(methods), True
    return sort_methods(methods), "OPTIONS" in methods


def _unless_same(own: Optional[bool], of_map: bool) -> Optional[bool]:
    """A rule's own switch, where it differs from the map's."""
    return None if own is None or bool(own) == bool(of_map) else bool(own)


def _redirect_remark(target: Any) -> str:
    if callable(target):
        target = "what {} returns".format(getattr(target, "__qualname__", "a function"))
    return f"redirect_to: Flask answers 308 to {target}, without calling a view"
