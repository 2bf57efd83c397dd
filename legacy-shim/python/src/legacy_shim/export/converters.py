"""The application's own converters: which rules use them, and which of them routes.toml can hold.

Part of step 1. A router outside of Python can follow a converter's regular expression, not its code; so a rule
with such a converter is matched where Flask would match it, and stays on legacy. A converter that takes
arguments, or whose expression other regex engines read differently, cannot be written down at all.
"""

import re
from typing import Any
from typing import Dict
from typing import Iterable
from typing import NamedTuple
from typing import Optional
from typing import Set
from typing import Tuple

from werkzeug.routing import Map
from werkzeug.routing import Rule

from .overlap import variables

# What Python's `re` and Rust's `regex` read alike: no look-around, back references, anchors, flags, nested sets.
_PLAIN = re.compile(
    r"""(?:
        [A-Za-z0-9_ ,.:;=@%!'"/<>\#~-] | \\[dwsDWS.+*?()\[\]{}|^$\\/-]
      | \[\^?(?:[A-Za-z0-9_ ,.:;=@%!'"/<>+*?()$|] | (?<!-)-(?!-) | \\[dwsDWS.+*?()\[\]{}|^$\\/-])+\]
      | \((?:\?:|(?!\?)) | \) | \| | (?:[*+?] | \{\d+(?:,\d*)?\})\??(?![*+?])
    )+\Z""",
    re.VERBOSE,
)


class Converter(NamedTuple):
    """A converter that is not Werkzeug's own, as one variable of a rule uses it."""

    variable: str
    name: str
    cls: str
    regex: str
    weight: int
    #: Werkzeug 2.2 and later: whether it keeps to one segment; `None` if that follows from the regex.
    part_isolating: Optional[bool]
    #: Whether the class alone says all this, and not arguments in the rule.
    fixed: bool


def own_converters(rule: Rule) -> Tuple[Converter, ...]:
    """The converters of a rule that are not Werkzeug's own."""
    names = dict(variables("{}/{}".format(rule.host or rule.subdomain or "", rule.rule)))
    own = []
    for variable, instance in rule._converters.items():
        name = names.get(variable, "default")
        if type(instance) is not Map.default_converters.get(name):
            own.append(_describe(variable, name, instance))
    return tuple(own)


def writable(used: Iterable[Tuple[Converter, ...]]) -> Dict[str, Converter]:
    """The converters that routes.toml can hold: one meaning per name, in an expression that both sides read alike."""
    found: Dict[str, Converter] = {}
    refused: Set[str] = set()
    for converter in (converter for converters in used for converter in converters):
        first = found.setdefault(converter.name, converter)
        same = first._replace(variable="") == converter._replace(variable="")
        if not (same and converter.fixed and _PLAIN.match(converter.regex)):
            refused.add(converter.name)
    return {name: found[name] for name in sorted(found) if name not in refused}


def _describe(variable: str, name: str, instance: Any) -> Converter:
    cls = type(instance)
    regex = str(instance.regex)
    isolating = getattr(instance, "part_isolating", None)
    return Converter(
        variable=variable,
        name=name,
        cls=f"{cls.__module__}.{cls.__qualname__}",
        regex=regex,
        weight=int(instance.weight),
        part_isolating=None if isolating is None or isolating == ("/" not in regex) else bool(isolating),
        fixed=regex == getattr(cls, "regex", None) and instance.weight == getattr(cls, "weight", None),
    )
