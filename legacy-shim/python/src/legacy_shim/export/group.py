"""Step 2: rules become routes.

One route per endpoint wherever that says the same as the rules do. An endpoint is split when its rules differ
in methods, defaults, host or slashes, or when putting two of its rules together would change which rule is
tried first. Names are decided here too.
"""

import re
from typing import Any
from typing import Dict
from typing import List
from typing import Optional
from typing import Set
from typing import Tuple

from .. import _compat
from .collect import Collected
from .collect import Entry
from .overlap import may_overlap

#: Rules that are beside the rules of their endpoint, and get a name of their own.
_NO_URL = ("alias", "websocket")


class Route:
    """One `[[route]]`: rules that differ in nothing but their text."""

    def __init__(self, first: Entry) -> None:
        self.entries = [first]
        self.name = label(first.endpoint)

    @property
    def first(self) -> Entry:
        """The rule that is tried first; its other values are those of all rules."""
        return self.entries[0]

    @property
    def rules(self) -> List[str]:
        """The rules, in the order in which url_for() prefers them, unless that would change the match order."""
        ordered = sorted(self.entries, key=lambda entry: entry.build_place)
        for place, entry in enumerate(self.entries):
            overtaken = [other for other in self.entries[:place] if other.build_place > entry.build_place]
            if any(_tie(entry, other) for other in overtaken):
                ordered = self.entries
        return [entry.rule for entry in ordered]

    @property
    def endpoint(self) -> Optional[str]:
        """The endpoint for url_for(), where the name does not say it; none for rules that are no URL of it."""
        endpoint = label(self.first.endpoint)
        return None if endpoint == self.name or self.first.kind in _NO_URL else endpoint


def group(collected: Collected) -> List[Route]:
    """Makes routes of rules in match order; each stands where its first rule stands."""
    entries = _without_repeats(collected.entries)
    routes: List[Route] = []
    latest: Dict[Tuple[Any, ...], Tuple[Route, int]] = {}
    for position, entry in enumerate(entries):
        if not entry.is_route:
            continue
        key = _signature(entry)
        if key in latest:
            route, start = latest[key]
            if not _jumps(entry, entries[start + 1 : position]):
                route.entries.append(entry)
                continue
        route = Route(entry)
        routes.append(route)
        latest[key] = (route, position)
    _name(routes)
    return routes


def label(endpoint: str) -> str:
    """An endpoint as a name in routes.toml, which has no white space and no `-` in front."""
    return re.sub(r"[\s\x00-\x1f\x7f]", "-", endpoint).lstrip("-") or "unnamed"


def _without_repeats(entries: List[Entry]) -> List[Entry]:
    """Rules without the methods that the same rule of the same endpoint has answered before."""
    claimed: Dict[Tuple[Any, ...], Set[str]] = {}
    kept = []
    for entry in entries:
        same = (entry.endpoint, entry.kind, entry.rule, entry.host, entry.subdomain, repr(entry.defaults))
        before = claimed.setdefault(same, set())
        methods = tuple(method for method in entry.methods if method not in before)
        before.update(methods)
        if methods or not entry.methods:
            kept.append(entry._replace(methods=methods))
    return kept


def _signature(entry: Entry) -> Tuple[Any, ...]:
    """What all rules of one route have in common. `repr`, as defaults may be values without a hash."""
    return (
        entry.endpoint,
        entry.methods,
        entry.automatic_options,
        repr(entry.defaults),
        entry.subdomain,
        entry.host,
        entry.strict_slashes,
        entry.merge_slashes,
        entry.kind,
        entry.remarks,
    )


def _jumps(entry: Entry, passed: List[Entry]) -> bool:
    """Whether moving a rule before others changes what a reader that sorts by weight would try first."""
    key = _signature(entry)
    return any(other.is_route and _signature(other) != key and _tie(entry, other) for other in passed)


def _tie(one: Entry, other: Entry) -> bool:
    """Whether nothing but their places decides which of two rules a path belongs to."""
    return _compat.order_is_by_definition(one.source, other.source) and may_overlap(one.rule, other.rule)


def _name(routes: List[Route]) -> None:
    """The endpoint where it is one route; `endpoint.get` and so on where methods part it; else numbered."""
    by_endpoint: Dict[str, List[Route]] = {}
    for route in routes:
        by_endpoint.setdefault(label(route.first.endpoint), []).append(route)
    taken = set(by_endpoint)
    for endpoint, parts in by_endpoint.items():
        plain = [route for route in parts if route.first.kind not in _NO_URL]
        for route in parts:
            if route not in plain and (plain or route.first.kind == "alias"):
                route.name = _free(f"{endpoint}.{route.first.kind}", taken)
        if len(plain) > 1:
            _name_parts(endpoint, plain, taken)


def _name_parts(endpoint: str, parts: List[Route], taken: Set[str]) -> None:
    # By text, not by place: names must not change when Werkzeug's order does.
    parts = sorted(parts, key=lambda route: (sorted(route.rules), route.first.methods))
    methods = [set(route.first.methods) for route in parts]
    disjoint = sum(len(some) for some in methods) == len(set().union(*methods))
    for number, route in enumerate(parts, 1):
        if disjoint:
            names = ["any" if method == "*" else method.lower() for method in route.first.methods]
            route.name = _free("{}.{}".format(endpoint, "-".join(names)), taken)
        elif number > 1:
            route.name = _free(f"{endpoint}.{number}", taken)


def _free(name: str, taken: Set[str]) -> str:
    candidate, number = name, 1
    while candidate in taken:
        number += 1
        candidate = f"{name}-{number}"
    taken.add(candidate)
    return candidate
