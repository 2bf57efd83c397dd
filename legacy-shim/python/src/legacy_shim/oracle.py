"""What the application's real url_map chooses: one request a line in, one answer a line out, both JSON.

A request is `{"method": .., "host": .., "path": .., "query": ..}`: the path as a client sends it, still
percent-encoded. Answers are held back until an empty line, or the end, completes a batch. A request is bound as
Flask binds it, with the application's own `create_url_adapter`. Converters run, views do not.
`ficus prove-routes` compares the answers with what Ficus would do.
"""

import io
import json
import uuid
from typing import IO
from typing import Any
from typing import Dict
from urllib.parse import unquote_to_bytes

from werkzeug.exceptions import HTTPException
from werkzeug.exceptions import MethodNotAllowed
from werkzeug.exceptions import NotFound
from werkzeug.routing import RequestRedirect

from . import _compat
from .census import rules_of
from .export.collect import collect
from .export.group import label


def serve(app: Any, questions: IO[str], answers: IO[str]) -> None:
    """First a line about the rules, then an answer for every question, in order."""
    collected = collect(app.url_map)
    kinds = {id(entry.source): entry.kind for entry in collected.entries}
    header = {
        "schema": 1,
        "versions": _compat.versions(),
        "profile": _compat.profile(),
        "server_name": app.config.get("SERVER_NAME"),
        "rules": rules_of(collected),
    }
    answers.write(json.dumps(header) + "\n")
    answers.flush()
    with app.app_context():
        for line in questions:
            if line.strip():
                answers.write(json.dumps(answer(app, json.loads(line), kinds)) + "\n")
            else:
                answers.flush()
    answers.flush()


def answer(app: Any, question: Dict[str, str], kinds: Dict[int, str]) -> Dict[str, Any]:
    """What becomes of one request."""
    try:
        adapter = app.create_url_adapter(app.request_class(_environ(question)))
        rule, arguments = adapter.match(return_rule=True)
    except RequestRedirect as redirect:
        return {"answer": "redirect", "location": redirect.new_url}
    except MethodNotAllowed as error:
        return {"answer": "method not allowed", "allow": sorted(error.valid_methods or ())}
    except NotFound:
        return {"answer": "not found"}
    except HTTPException as error:
        return {"answer": "refused", "status": error.code}
    except Exception as error:  # a converter may raise anything
        return {"answer": "error", "error": type(error).__name__}
    return {
        "answer": "rule",
        "rule": rule.rule,
        "endpoint": label(str(rule.endpoint)),
        "kind": kinds.get(id(rule), "view"),
        "arguments": {name: _encode(value) for name, value in arguments.items()},
    }


def _environ(question: Dict[str, str]) -> Dict[str, Any]:
    """The request as gunicorn hands it over."""
    return {
        "REQUEST_METHOD": question["method"],
        "SCRIPT_NAME": "",
        "PATH_INFO": unquote_to_bytes(question["path"]).decode("latin-1"),
        "QUERY_STRING": question.get("query", ""),
        "HTTP_HOST": question["host"],
        "SERVER_NAME": "127.0.0.1",
        "SERVER_PORT": "80",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": "127.0.0.1",
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(),
        "wsgi.errors": io.StringIO(),
        "wsgi.multithread": False,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
    }


def _encode(value: Any) -> Any:
    """A value with its type: `["int", "7"]`."""
    if value is None or isinstance(value, bool):
        return ["bool" if value is not None else "none", str(value)]
    if isinstance(value, int):
        return ["int", str(value)]
    if isinstance(value, float):
        return ["float", repr(value)]
    if isinstance(value, uuid.UUID):
        return ["uuid", str(value)]
    if isinstance(value, str):
        return ["str", value]
    return ["other", type(value).__name__]
