"""What `app.config` and the environment say about the shim, checked.

Read once, by `LegacyShim.init_app`. Every key is `LEGACY_SHIM_...` in both places; `app.config` wins. A wrong
value is an error here, at start-up, and never a surprise during a request.
"""

import re
from typing import Any
from typing import Mapping
from typing import NamedTuple
from typing import Optional
from typing import Tuple

from .channel import Secret
from .channel import parse_secret
from .peers import Peers
from .peers import parse_peers

PREFIX = "LEGACY_SHIM_"

_WORDS = {"1": True, "true": True, "yes": True, "on": True, "0": False, "false": False, "no": False, "off": False}


class SettingError(ValueError):
    """A setting that cannot be used; the message names key and value."""


class Settings(NamedTuple):
    """The checked settings."""

    #: Who may say who the client is.
    trusted: Peers
    #: Whether forwarded headers from anybody else are taken out of the request.
    remove_untrusted: bool
    #: Path of the health endpoint; empty: none.
    health_path: str
    #: Whether responses carry X-Request-Id.
    echo_request_id: bool
    #: Whether log records get request_id, trace_id and span_id without further ado.
    log_filter: bool
    #: Whether root and Flask handlers write JSON lines.
    log_json: bool
    #: The secret of the channel; without one there is no channel.
    channel_secret: Optional[Secret]
    #: What the channel tells of a user besides the id and the flags.
    user_attributes: Tuple[str, ...]


def load(config: Mapping[str, Any], environment: Mapping[str, str]) -> Settings:
    """Reads and checks every setting; raises `SettingError` for the first wrong one."""

    def value(key: str, default: Any) -> Any:
        name = PREFIX + key
        return config[name] if name in config else environment.get(name, default)

    try:
        trusted = parse_peers(value("TRUSTED_PROXIES", "loopback, unix"))
    except ValueError as error:
        raise SettingError(f"{PREFIX}TRUSTED_PROXIES: {error}") from None
    try:
        channel_secret = parse_secret(value("CHANNEL_SECRET", ""))
    except ValueError as error:
        raise SettingError(f"{PREFIX}CHANNEL_SECRET: {error}") from None
    return Settings(
        trusted=trusted,
        remove_untrusted=_choice("UNTRUSTED_FORWARDED", value("UNTRUSTED_FORWARDED", "keep"), "keep", "remove"),
        health_path=_path("HEALTH_PATH", value("HEALTH_PATH", "/_shim/health")),
        echo_request_id=_flag("ECHO_REQUEST_ID", value("ECHO_REQUEST_ID", False)),
        log_filter=_flag("LOG_FILTER", value("LOG_FILTER", True)),
        log_json=_choice("LOG_FORMAT", value("LOG_FORMAT", "") or "plain", "plain", "json"),
        channel_secret=channel_secret,
        user_attributes=_names("USER_ATTRIBUTES", value("USER_ATTRIBUTES", "")),
    )


def _flag(key: str, value: Any) -> bool:
    if isinstance(value, bool):
        return value
    flag = _WORDS.get(str(value).strip().lower())
    if flag is None:
        raise SettingError(f"{PREFIX}{key}: `{value}` is neither true nor false")
    return flag


def _choice(key: str, value: Any, no: str, yes: str) -> bool:
    if value not in (no, yes):
        raise SettingError(f"{PREFIX}{key}: `{value}` is neither `{no}` nor `{yes}`")
    return bool(value == yes)


def _path(key: str, value: Any) -> str:
    path = str(value or "")
    if path and not re.match(r"/[!-~]*\Z", path):
        raise SettingError(f"{PREFIX}{key}: `{path}` is not a path that starts with `/`")
    return path


def _names(key: str, value: Any) -> Tuple[str, ...]:
    parts = value.split(",") if isinstance(value, str) else (value or ())
    names = tuple(str(part).strip() for part in parts if str(part).strip())
    for name in names:
        if not name.isidentifier():
            raise SettingError(f"{PREFIX}{key}: `{name}` is not the name of an attribute")
    return names
