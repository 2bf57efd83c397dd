"""Every difference between the supported Flask, Werkzeug and Flask-WTF versions, and no other code.

Used by `export` (match order, CSRF exemptions) and by whoever names versions. Anything that needs to know a
version number or a private attribute belongs here and nowhere else.
"""

import sys
from typing import Any
from typing import Dict
from typing import Iterator
from typing import List
from typing import Optional
from typing import Tuple

from werkzeug.routing import Map
from werkzeug.routing import Rule

if sys.version_info >= (3, 8):
    from importlib.metadata import PackageNotFoundError
    from importlib.metadata import version as _installed_version

    def distribution_version(name: str) -> str:
        """Version of an installed distribution, or `unknown`."""
        try:
            return _installed_version(name)
        except PackageNotFoundError:
            return "unknown"

else:

    def distribution_version(name: str) -> str:
        """Version of an installed distribution, or `unknown`.

        Python 3.6 and 3.7 run only Flask and Werkzeug versions that still have `__version__`.
        """
        module = sys.modules.get(name.lower())
        return str(getattr(module, "__version__", "unknown"))


def versions() -> Dict[str, str]:
    """Versions of Flask, Werkzeug and Python, in this order."""
    return {
        "flask": distribution_version("Flask"),
        "werkzeug": distribution_version("Werkzeug"),
        "python": "{}.{}.{}".format(*sys.version_info[:3]),
    }


def profile() -> str:
    """The name of the profile in ficus.toml whose matching, cookies and redirects are nearest to this Werkzeug."""
    number = _werkzeug()
    if number < (2, 2):
        return "werkzeug-1.0"
    if number < (3, 0):
        return "werkzeug-2.3"
    return "werkzeug-3.0" if number < (3, 1) else "werkzeug-3.1"


def profile_is_exact() -> bool:
    """Whether that profile was compared with this very series of Werkzeug."""
    return _werkzeug() in ((1, 0), (2, 3), (3, 0), (3, 1))


def _werkzeug() -> Tuple[int, ...]:
    parts = versions()["werkzeug"].split(".")[:2]
    return tuple(int(part) for part in parts if part.isdigit())


def match_order(url_map: Map) -> Optional[List[Rule]]:
    """The rules that can match, in the order in which Werkzeug tries them; `None` if this Werkzeug hides it.

    Up to 2.1 the map keeps a sorted list. From 2.2 on it walks a state machine depth first, static parts
    before dynamic ones and these by weight, and backtracks: the order in which that walk meets the rules is
    the order in which a reader that takes the first fit would have to try them.
    """
    url_map.update()
    if _has_state_machine(url_map):
        return list(_walk(url_map._matcher._root))
    if hasattr(Rule, "match_compare_key"):
        return [rule for rule in url_map._rules if not rule.build_only]
    return None


def order_is_by_definition(one: Rule, other: Rule) -> bool:
    """Whether only the order of definition decides which of two rules is tried first.

    If not, weights decide, and a reader that sorts as Werkzeug does finds the order by itself.
    """
    if hasattr(one, "match_compare_key"):
        return bool(one.match_compare_key() == other.match_compare_key())  # type: ignore[attr-defined]
    parts, others = getattr(one, "_parts", None), getattr(other, "_parts", None)
    if parts is None or others is None:
        return True
    for part, other_part in zip(parts, others):
        if part == other_part:
            continue
        return not part.static and not other_part.static and part.weight == other_part.weight
    return len(parts) == len(others)


def exempts_blueprint(csrf: Any, app: Any, name: Optional[str]) -> bool:
    """Whether Flask-WTF skips its check for a blueprint: known by name up to 0.14, by object later."""
    exempt = getattr(csrf, "_exempt_blueprints", ())
    return name is not None and (name in exempt or app.blueprints.get(name) in exempt)


def exempts_view(csrf: Any, view: Any) -> bool:
    """Whether Flask-WTF skips its check for a view: known by dotted name in every version."""
    location = "{}.{}".format(getattr(view, "__module__", ""), getattr(view, "__name__", ""))
    return location in getattr(csrf, "_exempt_views", ())


def _has_state_machine(url_map: Map) -> bool:
    root = getattr(getattr(url_map, "_matcher", None), "_root", None)
    return all(hasattr(root, name) for name in ("rules", "static", "dynamic"))


def _walk(state: Any) -> Iterator[Rule]:
    # An explicit stack: generated maps can be deeper than Python's recursion is comfortable with.
    waiting = [state]
    while waiting:
        state = waiting.pop()
        yield from state.rules
        following = list(state.static.values()) + [after for _, after in state.dynamic]
        waiting.extend(reversed(following))
