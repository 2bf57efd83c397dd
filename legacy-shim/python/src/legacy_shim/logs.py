"""Log records that know their request: a filter for any formatter, and an opt-in JSON formatter.

`install` is called once by `LegacyShim.init_app`. An application with its own logging configuration names
`RequestContextFilter` and `JsonFormatter` there instead. Nothing of a request but its ids is ever logged here.
"""

import datetime
import json
import logging
from typing import Any
from typing import Iterator

from flask.logging import default_handler

from . import tracing
from .settings import Settings

_FIELDS = ("request_id", "trace_id", "span_id")


class RequestContextFilter(logging.Filter):
    """Adds `request_id`, `trace_id` and `span_id` to every record, `-` where there is none.

    A filter, not a record factory: a factory would make `extra={"request_id": ...}`, which applications of
    this age often have, a KeyError. What a record already carries stays.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        """Always lets the record pass."""
        ids = tracing.current()
        for name in _FIELDS:
            if not hasattr(record, name):
                setattr(record, name, (getattr(ids, name) if ids else "") or "-")
        return True


class JsonFormatter(logging.Formatter):
    """One JSON object per line: time (UTC), level, logger, message, the ids that are known, exception.

    Fields given as `extra` are left out on purpose: what they hold cannot be known here.
    """

    def format(self, record: logging.LogRecord) -> str:
        """The record as one line."""
        when = datetime.datetime.fromtimestamp(record.created, datetime.timezone.utc)
        line = {
            "time": when.strftime("%Y-%m-%dT%H:%M:%S.") + f"{when.microsecond // 1000:03d}Z",
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        ids = tracing.current()
        for name in _FIELDS:
            value = getattr(record, name, "") or (getattr(ids, name) if ids else "")
            if value and value != "-":
                line[name] = str(value)
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line)


def install(app: Any, settings: Settings) -> None:
    """Gives the application's logger and the handlers that exist by now the filter, and JSON if asked for.

    `app.logger` itself is not touched: reading it would create Flask's default handler before the
    application has configured its logging, and every line would come twice.
    """
    if settings.log_filter:
        for target in [logging.getLogger(app.name)] + list(_handlers()):
            if not any(isinstance(known, RequestContextFilter) for known in target.filters):
                target.addFilter(RequestContextFilter())
    if settings.log_json:
        for handler in _handlers():
            handler.setFormatter(JsonFormatter())


def _handlers() -> Iterator[logging.Handler]:
    yield default_handler
    yield from logging.getLogger().handlers
