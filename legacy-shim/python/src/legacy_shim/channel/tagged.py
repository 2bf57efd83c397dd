"""Flask's tagged JSON, strictly: what it cannot hold is refused, never turned into something similar.

A session on a server is pickled and may hold what a cookie could not: sets, decimals, numbers as keys. Flask's
own encoder would write some of them as text and read them back as text.
"""

import json
from typing import Any
from typing import Dict
from typing import Mapping

from flask.json.tag import TaggedJSONSerializer

from .problem import Refusal

PLAIN = TaggedJSONSerializer()


def tagger_of(app: Any) -> TaggedJSONSerializer:
    """The application's own tags, if its session knows tags at all."""
    own = getattr(app.session_interface, "serializer", None)
    return own if isinstance(own, TaggedJSONSerializer) else PLAIN


def dump(value: Mapping[str, Any], tagger: TaggedJSONSerializer = PLAIN) -> bytes:
    """Writes a dictionary in its own order."""
    return _text(value, tagger, sort_keys=False).encode("ascii")


def canonical(value: Any, tagger: TaggedJSONSerializer) -> str:
    """The same text for equal values: to compare and to hash."""
    return _text(value, tagger, sort_keys=True)


def load(body: bytes, tagger: TaggedJSONSerializer) -> Dict[str, Any]:
    """Reads a dictionary."""
    try:
        # The parser of json, not Flask's: that one goes by the settings of the application.
        value = _untag(json.loads(body.decode("utf-8")), tagger)
    except (ValueError, TypeError, AttributeError, KeyError, RecursionError):
        raise Refusal(400, "the body is not tagged JSON") from None
    if not isinstance(value, dict):
        raise Refusal(400, "the body is not a JSON object")
    return value


def _untag(value: Any, tagger: TaggedJSONSerializer) -> Any:
    if isinstance(value, dict):
        return tagger.untag({key: _untag(item, tagger) for key, item in value.items()})
    if isinstance(value, list):
        return [_untag(item, tagger) for item in value]
    return value


def _text(value: Any, tagger: TaggedJSONSerializer, sort_keys: bool) -> str:
    try:
        _check_keys(value)
        return json.dumps(
            tagger.tag(value), separators=(",", ":"), sort_keys=sort_keys, allow_nan=False, default=_refuse
        )
    except (ValueError, TypeError, RecursionError):
        raise Refusal(422, "a value has no tagged JSON form") from None


def _refuse(value: Any) -> Any:
    raise Refusal(422, f"a value of type `{type(value).__name__}` has no tagged JSON form")


def _check_keys(value: Any) -> None:
    """JSON would turn the key 1 into "1" without a word."""
    if isinstance(value, dict):
        for key, item in value.items():
            if not isinstance(key, str):
                raise Refusal(422, f"a key of type `{type(key).__name__}` has no tagged JSON form")
            _check_keys(item)
    elif isinstance(value, (list, tuple)):
        for item in value:
            _check_keys(item)
