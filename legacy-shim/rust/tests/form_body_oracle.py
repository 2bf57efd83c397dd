"""The real Werkzeug's opinion on form bodies: the oracle of tests/form_bodies.

Reads one case per line (JSON: content_type, content_length, body, limits; bytes as latin-1 text) on stdin and prints what
`request.form` and `request.files` hold, one answer per line. Runs in any virtual environment that has Werkzeug, and needs
nothing else.
"""

import io
import json
import sys
import warnings
from importlib.metadata import version

from werkzeug.exceptions import RequestEntityTooLarge
from werkzeug.wrappers import Request

WERKZEUG = tuple(int(part) for part in version("werkzeug").split(".")[:2])


def request_class(limits):
    """A request with the limits of an application."""
    attributes = {
        "max_content_length": limits["content_length"],
        "max_form_memory_size": limits["memory"],
    }
    if WERKZEUG >= (2, 2):
        attributes["max_form_parts"] = limits["parts"]
    return type("LimitedRequest", (Request,), attributes)


def answer(case):
    """`form`, `files`, and for large bodies the answer 413."""
    body = case["body"].encode("latin-1")
    environ = {
        "REQUEST_METHOD": "POST",
        "SERVER_NAME": "localhost",
        "SERVER_PORT": "80",
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(body),
        "wsgi.input_terminated": True,
        "CONTENT_TYPE": case["content_type"],
    }
    if case["content_length"] is not None:
        environ["CONTENT_LENGTH"] = str(case["content_length"])
    request = request_class(case["limits"])(environ)
    try:
        form = [[name, value] for name, value in request.form.items(multi=True)]
        files = [
            [name, file.filename, file.content_type or "", file.read().decode("latin-1")]
            for name, file in request.files.items(multi=True)
        ]
    except RequestEntityTooLarge:
        return {"error": "too large"}
    except Exception:
        return {"error": "raises"}
    if any(part[0] is None for part in form + files):
        return {"error": "no name"}
    return {"form": form, "files": files}


def main():
    """Answers line by line."""
    warnings.simplefilter("ignore")
    for line in sys.stdin:
        sys.stdout.write(json.dumps(answer(json.loads(line))) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
