"""Step 4: the text of routes.toml.

The same application gives the same bytes: no dates, no absolute paths, no set order. Values are written by
`toml`; what the lines say comes from `collect`, `group` and `notes`.
"""

from typing import Any
from typing import List

from .. import _compat
from . import toml
from .collect import Collected
from .collect import Entry
from .collect import collect
from .group import Route
from .group import group
from .group import label
from .notes import notes
from .overlap import may_overlap

#: What these are answered by is decided by Flask's own map, never by a handler.
_PINNED = {
    "converter": "stays on legacy: its converter is Python; routes.toml holds only the regex, so that paths match",
    "redirect": "stays on legacy: Flask's map answers this by itself",
    "alias": "stays on legacy: an alias, which Flask's map redirects to the endpoint's other rule",
    "websocket": "stays on legacy: the rule takes WebSocket requests only",
}

_ORDER = """\
Order: the order in which {werkzeug} tries the rules. A reader that sorts as Werkzeug does, like Ficus, finds
this order again: weights decide (static before variables, numbers before text before paths, segment by segment),
and where they tie, the place in this file. A reader that takes the first fit instead needs just this order, rule
by rule: a route with several rules stands where the first of them is tried, the others may be tried later, and
`rules` lists them as url_for() prefers them. What no order can say: a rule without the request's method is passed
over; a missing last slash is redirected; a value that its converter refuses goes to the next rule up to Werkzeug
2.1 and is 404 from 2.2 on. Werkzeug 2.2 tries rules in another order: write this file anew after an upgrade."""


def write_routes(app: Any, serve: str, command: str, shim_version: str) -> str:
    """The whole file, for a Flask application."""
    collected = collect(app.url_map)
    routes = group(collected)
    left_out = [entry for entry in collected.entries if not entry.is_route]
    blocks = ["\n".join(_header(app, collected, len(routes), (command, shim_version)))]
    blocks.append('version = 1\n\n[defaults]\nserve = "legacy"\ncandidate = "rust"\nfallback = "legacy"')
    blocks += ["\n".join(block) for block in (_map(app), _converters(collected)) if block]
    blocks += ["\n".join(_route(app, route, collected.entries, serve)) for route in routes]
    if left_out:
        title = "Rules that are not routes. What only they fit goes to [defaults].serve."
        blocks.append("\n".join([toml.comment(title)] + [line for e in left_out for line in _left_out(e)]))
    return "\n\n".join(blocks) + "\n"


def _header(app: Any, collected: Collected, routes: int, made: Any) -> List[str]:
    command, shim_version = made
    versions = _compat.versions()
    werkzeug = "Werkzeug {}".format(versions["werkzeug"])
    lines = [
        "routes.toml: what runs where. Every route is one Flask endpoint; `serve` says which backend answers it.",
        "",
        f"Written by legacy-shim {shim_version} from the url_map of `{app.import_name}`, with: {command}",
        "Flask {}, {}. {} rules, {} routes.".format(versions["flask"], werkzeug, len(collected.entries), routes),
        "",
    ]
    if collected.ordered:
        lines += _ORDER.format(werkzeug=werkzeug).split("\n")
    else:
        lines.append(f"Order: UNKNOWN. {werkzeug} does not show its order; this is the order of definition.")
    lines += [
        "",
        "Comments say what the shim could see. `unknown` and `not seen` are no promise: read the view before you move",
        "it. HEAD follows GET, and OPTIONS is answered by Flask itself, unless the route says otherwise.",
    ]
    return [toml.comment(line) for line in lines]


def _map(app: Any) -> List[str]:
    """What this application says to Werkzeug's map, where it is not what Flask says by default."""
    url_map = app.url_map
    switches = [
        ("strict_slashes", url_map.strict_slashes, True),
        ("merge_slashes", url_map.merge_slashes, True),
        ("redirect_defaults", url_map.redirect_defaults, True),
        ("host_matching", url_map.host_matching, False),
        ("subdomain_matching", app.subdomain_matching, False),
        ("default_subdomain", url_map.default_subdomain or "", ""),
        ("server_name", app.config.get("SERVER_NAME") or "", ""),
    ]
    lines = [f"{name} = {toml.value(own)}" for name, own, usual in switches if own != usual]
    return ["[map]"] + lines if lines else []


def _converters(collected: Collected) -> List[str]:
    lines = []
    for name, converter in collected.converters.items():
        fields = [f"regex = {toml.text(converter.regex)}", f"weight = {converter.weight}"]
        if converter.part_isolating is not None:
            fields.append(f"part_isolating = {toml.value(converter.part_isolating)}")
        lines.append(toml.comment(f"{name} is {converter.cls}; a value that its Python refuses still matches here"))
        lines.append("{} = {{ {} }}".format(toml.key(name), ", ".join(fields)))
    return ["[converters]"] + lines if lines else []


def _route(app: Any, route: Route, entries: List[Entry], serve: str) -> List[str]:
    first = route.first
    remarks = [_PINNED[first.kind]] if first.kind in _PINNED else []
    if first.kind in ("view", "converter"):
        remarks += notes(app, first)
    if label(first.endpoint) != first.endpoint:
        remarks.append(f"endpoint: really `{first.endpoint}`; names here are written without white space")
    remarks += list(first.remarks) + _shadows(route, entries)
    lines = ["[[route]]", f"name = {toml.text(route.name)}"]
    if route.endpoint is not None:
        lines.append(f"endpoint = {toml.text(route.endpoint)}")
    if len(route.rules) == 1:
        lines.append(f"rule = {toml.text(first.rule)}")
    else:
        lines.append(f"rules = {toml.array(route.rules)}")
    for name in ("host", "subdomain"):
        if getattr(first, name) is not None:
            lines.append(f"{name} = {toml.text(getattr(first, name))}")
    lines.append(f"methods = {toml.array(first.methods)}")
    if not first.automatic_options:
        lines.append("provide_automatic_options = false")
    defaults, unsaid = _defaults(first)
    if defaults:
        lines.append("defaults = {{ {} }}".format(", ".join(defaults)))
    for name in ("strict_slashes", "merge_slashes"):
        if getattr(first, name) is not None:
            lines.append(f"{name} = {toml.value(getattr(first, name))}")
    lines.append("serve = {}".format(toml.text("legacy" if first.kind in _PINNED else serve)))
    return [toml.comment(remark) for remark in remarks + unsaid] + lines


def _defaults(entry: Entry) -> Any:
    said, unsaid = [], []
    for name, item in entry.defaults:
        try:
            # TOML has no null.
            said.append("{} = {}".format(toml.key(name), "{ none = true }" if item is None else toml.value(item)))
        except toml.NoTomlValue:
            unsaid.append(f"defaults: {name} is a {type(item).__name__} and has no form in TOML")
    return said, unsaid


def _shadows(route: Route, entries: List[Entry]) -> List[str]:
    """Warnings of rules that Flask tries before this route and that routes.toml cannot hold, or hides it with."""
    lines = []
    for own in route.entries:
        for other in entries[: _place(own, entries)]:
            if other.kind == "unknown converter" and may_overlap(other.rule, own.rule):
                lines.append(
                    f"caution: Flask tries `{other.rule}` (endpoint {other.endpoint}, not a route here, see the end of "
                    f"the file) before `{own.rule}`; paths that fit both belong to it"
                )
            elif other.kind == "websocket" and own.kind != "websocket" and may_overlap(other.rule, own.rule):
                lines.append(f"caution: the WebSocket rule `{other.rule}` may fit the same paths")
            elif _hides(other, own):
                lines.append(f"never reached: `{own.rule}` is also a rule of {other.endpoint}, which comes first")
    return lines


def _place(own: Entry, entries: List[Entry]) -> int:
    return next(place for place, entry in enumerate(entries) if entry.source is own.source)


def _hides(first: Entry, second: Entry) -> bool:
    return (
        first.kind == second.kind == "view"
        and first.rule == second.rule
        and (first.host, first.subdomain) == (second.host, second.subdomain)
        and (first.methods == ("*",) or set(second.methods) <= set(first.methods))
    )


def _left_out(entry: Entry) -> List[str]:
    methods = ", ".join(entry.methods)
    lines = ["", f"`{entry.rule}`, endpoint {entry.endpoint}, {methods}: {entry.kind}"]
    if entry.kind == "build only":
        lines.append("  only for url_for(); never matches a request")
    for converter in entry.converters:
        lines.append(
            f"  {converter.variable}: {converter.name}, which is {converter.cls}, weight {converter.weight}, "
            f"regex {converter.regex}"
        )
    return [toml.comment(line) for line in lines + ["  " + remark for remark in entry.remarks]]
