"""How `census` and `match` talk with the program that started them: JSON on standard output, nothing else there.

What the application prints while it starts goes to standard error. If it cannot start, one document says why:
the last line of its traceback and the place in the application's own files.
"""

import json
import os
import sys
import traceback
from contextlib import contextmanager
from typing import IO
from typing import Any
from typing import Iterator

from .export.views import relative
from .loading import AppNotFound
from .loading import load_app


@contextmanager
def answers_only() -> Iterator[IO[str]]:
    """Keeps standard output for the answers: whatever else writes there writes to standard error."""
    sys.stdout.flush()
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    sys.stdout = sys.stderr
    with answers:
        yield answers


def load_or_report(target: str, answers: IO[str]) -> Any:
    """The application; without one, the document that says why, and the end of the process."""
    try:
        return load_app(target)
    except AppNotFound as error:
        report = {"problem": "not found", "message": str(error), "where": None}
    except (Exception, SystemExit) as error:
        message = "".join(traceback.format_exception_only(type(error), error)).strip()
        report = {"problem": "does not start", "message": message.splitlines()[-1], "where": _where(error)}
    answers.write(json.dumps({"schema": 1, "error": report}) + "\n")
    answers.flush()
    sys.exit(1)


def _where(error: BaseException) -> Any:
    """The last place of the traceback in the application's own files, else the very last."""
    if isinstance(error, SyntaxError) and error.filename:
        return f"{relative(error.filename) or error.filename}:{error.lineno}"
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if relative(frame.filename) and not _is_ours(frame.filename)]
    files = [frame for frame in frames if not frame.filename.startswith("<") and not _is_ours(frame.filename)]
    for frame in reversed(own or files):
        return f"{relative(frame.filename) or frame.filename}:{frame.lineno} in {frame.name}"
    return None


def _is_ours(filename: str) -> bool:
    return os.path.realpath(filename).startswith(os.path.dirname(os.path.realpath(__file__)) + os.sep)
