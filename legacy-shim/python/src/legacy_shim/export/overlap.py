"""Whether two rules can fit the same path, judged by their text alone.

`group` asks before it moves a rule past another, `document` before it warns of a rule that is missing from
routes.toml. Says yes when in doubt. Not a matcher: nothing here looks at a request.
"""

import re
from typing import List
from typing import NamedTuple
from typing import Tuple

# Werkzeug's own grammar of a variable, the same in every version.
_VARIABLE = re.compile(
    r"<(?:(?P<converter>[a-zA-Z_][a-zA-Z0-9_]*)(?:\((?P<arguments>.*?)\))?:)?(?P<name>[a-zA-Z_][a-zA-Z0-9_]*)>"
)
#: Converters that never take a slash.
_ONE_SEGMENT = ("default", "string", "int", "float", "uuid", "any")
# Stands for a variable while a rule is split at its slashes; cannot occur in a URL rule's text.
_MARK = "\0"


class Segment(NamedTuple):
    """The part of a rule between two slashes."""

    #: Text before, between and after the variables; one piece: no variables.
    pieces: Tuple[str, ...]
    converters: Tuple[str, ...]

    @property
    def is_static(self) -> bool:
        """Whether the segment has no variable."""
        return not self.converters

    @property
    def is_open(self) -> bool:
        """Whether a variable may take slashes, so that everything may follow."""
        return any(name not in _ONE_SEGMENT for name in self.converters)


def variables(rule: str) -> List[Tuple[str, str]]:
    """Names of the variables of a rule with the names of their converters (`default` if none is written)."""
    return [(match.group("name"), match.group("converter") or "default") for match in _VARIABLE.finditer(rule)]


def may_overlap(one: str, other: str) -> bool:
    """Whether some path may fit both rules; slashes at the end do not count, because of slash redirects."""
    segments, others = _segments(one), _segments(other)
    for segment, another in zip(segments, others):
        if segment.is_open or another.is_open:
            return _may_start_alike(segment, another)
        if not _may_be_equal(segment, another):
            return False
    return len(segments) == len(others)


def _segments(rule: str) -> List[Segment]:
    converters = [_converter(match) for match in _VARIABLE.finditer(rule)]
    segments = []
    for text in re.sub("/+", "/", _VARIABLE.sub(_MARK, rule)).strip("/").split("/"):
        pieces = tuple(text.split(_MARK))
        count = len(pieces) - 1
        segments.append(Segment(pieces, tuple(converters[:count])))
        converters = converters[count:]
    return segments


def _converter(match: "re.Match[str]") -> str:
    """The converter's name; one that has slashes in its arguments, as `any(a/b)`, may take several segments."""
    if "/" in (match.group("arguments") or ""):
        return "several segments"
    return match.group("converter") or "default"


def _may_be_equal(one: Segment, other: Segment) -> bool:
    if one.is_static and other.is_static:
        return one.pieces == other.pieces
    if other.is_static:
        return _may_fit(one, other.pieces[0])
    if one.is_static:
        return _may_fit(other, one.pieces[0])
    return _may_start_alike(one, other) and _may_end_alike(one, other)


def _may_fit(segment: Segment, text: str) -> bool:
    """Whether a segment with variables may be this text."""
    first, last = segment.pieces[0], segment.pieces[-1]
    if not text.startswith(first) or not text[len(first) :].endswith(last):
        return False
    middle = text[len(first) : len(text) - len(last)]
    if segment.converters == ("int",) and not re.match(r"-?\d+\Z", middle):
        return False
    return bool(middle)


def _may_start_alike(one: Segment, other: Segment) -> bool:
    start, another = one.pieces[0], other.pieces[0]
    return start.startswith(another) or another.startswith(start)


def _may_end_alike(one: Segment, other: Segment) -> bool:
    end, another = one.pieces[-1], other.pieces[-1]
    return end.endswith(another) or another.endswith(end)
