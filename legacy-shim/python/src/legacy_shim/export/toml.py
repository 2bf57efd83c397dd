"""Single TOML values: text, numbers, lists, inline tables and comments, escaped as TOML 1.0 wants it.

Only what routes.toml needs. Where the lines go is in `document`.
"""

import math
import re
from typing import Any
from typing import Iterable

_SHORT = {"\b": "\\b", "\t": "\\t", "\n": "\\n", "\f": "\\f", "\r": "\\r", '"': '\\"', "\\": "\\\\"}


class NoTomlValue(ValueError):
    """A Python value that TOML cannot say."""


def text(value: str) -> str:
    """A basic string."""
    return '"{}"'.format("".join(_escape(character) for character in value))


def value(item: Any) -> str:
    """A text, bool, integer or float; raises `NoTomlValue` for everything else."""
    if isinstance(item, bool):
        return str(item).lower()
    if isinstance(item, str):
        return text(item)
    if isinstance(item, int) and -(2**63) <= item < 2**63:
        return str(int(item))
    if isinstance(item, float) and math.isfinite(item):
        return repr(float(item))
    raise NoTomlValue(f"{type(item).__name__!r} has no form in TOML")


def array(items: Iterable[str]) -> str:
    """An array of texts, on one line if it is short."""
    parts = [text(item) for item in items]
    line = "[{}]".format(", ".join(parts))
    if len(line) <= 90:
        return line
    return "[\n{}]".format("".join(f"    {part},\n" for part in parts))


def key(name: str) -> str:
    """A bare key where TOML allows it, else a quoted one."""
    return name if re.match(r"[A-Za-z0-9_-]+\Z", name) else text(name)


def comment(line: str) -> str:
    """A comment line; control characters are shown escaped."""
    shown = "".join(_escape(c) if c not in '"\\' else c for c in line)
    return f"# {shown}".rstrip()


def _escape(character: str) -> str:
    if character in _SHORT:
        return _SHORT[character]
    code = ord(character)
    if code < 0x20 or 0x7F <= code <= 0x9F:
        return f"\\u{code:04X}"
    if 0xD800 <= code <= 0xDFFF:
        # Half a surrogate pair is no character: TOML has no way to write it.
        return "\\uFFFD"
    return character
