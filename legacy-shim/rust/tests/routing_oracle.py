"""The real Werkzeug's opinion on maps, requests and values: the oracle of tests/routing.

Reads one case per line (JSON: options, rules, requests, builds) on stdin and prints one answer per line. Requests are bound
as Flask binds them (Flask.create_url_adapter of the Flask that goes with this Werkzeug); paths are decoded as gunicorn does.
Runs in any virtual environment that has Werkzeug 1.0, 2.3, 3.0 or 3.1, and needs nothing else.
"""

import json
import sys
import uuid
import warnings
from importlib.metadata import version
from urllib.parse import unquote_to_bytes

from werkzeug.exceptions import BadHost, HTTPException, MethodNotAllowed, NotFound
from werkzeug.routing import (
    BaseConverter,
    BuildError,
    Map,
    RequestRedirect,
    Rule,
    WebsocketMismatch,
)

WERKZEUG = tuple(int(part) for part in version("werkzeug").split(".")[:2])


def decode(value):
    """From the wire: {"s": text}, {"i": digits}, {"f": repr}, {"u": uuid}, {"b": bool}, {"l": list}, null."""
    if value is None:
        return None
    ((kind, content),) = value.items()
    readers = {"s": str, "i": int, "f": float, "u": uuid.UUID, "b": bool, "l": lambda items: [decode(item) for item in items]}
    return readers[kind](content)


def encode(value):
    """The reverse of decode."""
    if value is None:
        return None
    if isinstance(value, bool):
        return {"b": value}
    if isinstance(value, int):
        return {"i": str(value)}
    if isinstance(value, float):
        return {"f": repr(value)}
    if isinstance(value, uuid.UUID):
        return {"u": str(value)}
    return {"s": str(value)}


def make_converter(name, spec):
    """A converter class as an application would write it."""
    attributes = {"regex": spec["regex"], "weight": spec["weight"]}
    if spec["part_isolating"] is not None:
        attributes["part_isolating"] = spec["part_isolating"]
    return type(name, (BaseConverter,), attributes)


def make_rule(index, spec):
    """One rule; it remembers its index."""
    rule = Rule(
        spec["rule"],
        endpoint=spec["endpoint"],
        methods=spec["methods"],
        defaults={name: decode(value) for name, value in spec["defaults"]} or None,
        host=spec["host"],
        subdomain=spec["subdomain"],
        strict_slashes=spec["strict_slashes"],
        merge_slashes=spec["merge_slashes"],
        build_only=spec["build_only"],
        redirect_to=spec["redirect_to"],
        alias=spec["alias"],
        websocket=spec["websocket"],
    )
    rule.spec_index = index
    return rule


def make_map(case):
    """The map, bound and sorted."""
    options = case["options"]
    url_map = Map(
        [make_rule(index, spec) for index, spec in enumerate(case["rules"])],
        default_subdomain=options["default_subdomain"],
        strict_slashes=options["strict_slashes"],
        merge_slashes=options["merge_slashes"],
        redirect_defaults=options["redirect_defaults"],
        host_matching=options["host_matching"],
        converters={name: make_converter(name, spec) for name, spec in options["converters"].items()},
    )
    url_map.update()
    return url_map


def bind(url_map, options, request):
    """Flask.create_url_adapter."""
    environ = {
        "HTTP_HOST": request["host"],
        "SERVER_NAME": "localhost",
        "SERVER_PORT": "80",
        "wsgi.url_scheme": request["scheme"],
        "REQUEST_METHOD": request["method"],
        "SCRIPT_NAME": request["script_name"],
        "PATH_INFO": unquote_to_bytes(request["path"]).decode("latin-1"),
        "QUERY_STRING": request["query"],
    }
    server_name, subdomain = options["server_name"], None
    if WERKZEUG >= (3, 1):
        if url_map.host_matching:
            server_name = None
        elif not options["subdomain_matching"]:
            subdomain = url_map.default_subdomain or ""
    elif not options["subdomain_matching"]:
        subdomain = url_map.default_subdomain or None
        if url_map.host_matching:
            subdomain = None
    return url_map.bind_to_environ(environ, server_name=server_name, subdomain=subdomain)


def match(url_map, options, request):
    """What becomes of a request."""
    try:
        adapter = bind(url_map, options, request)
        rule, values = adapter.match(return_rule=True)
    except RequestRedirect as redirect:
        return ["redirect", redirect.new_url]
    except MethodNotAllowed as error:
        return ["method_not_allowed", sorted(error.valid_methods)]
    except WebsocketMismatch:
        return ["websocket_mismatch"]
    except NotFound:
        return ["not_found"]
    except BadHost:
        return ["bad_host"]
    except HTTPException as error:
        return ["http", error.code]
    except Exception:
        return ["raises"]
    return ["rule", rule.spec_index, {name: encode(value) for name, value in values.items()}]


def build(url_map, options, request):
    """What url_for would return, without anchor."""
    values = {name: decode(value) for name, value in request["values"]}
    try:
        adapter = bind(url_map, options, dict(request, path="/", query="", method=request["request_method"]))
        return ["url", adapter.build(
            request["endpoint"],
            values,
            method=request["method"],
            force_external=request["external"],
            append_unknown=request["append_unknown"],
        )]
    except BuildError:
        return ["build_error"]
    except BadHost:
        return ["bad_host"]
    except Exception:
        return ["raises"]


def answer(case):
    """The answers for one case."""
    try:
        url_map = make_map(case)
    except Exception as error:
        return {"error": f"{type(error).__name__}: {error}", "requests": [], "builds": []}
    options = case["options"]
    return {
        "error": None,
        "requests": [match(url_map, options, request) for request in case["requests"]],
        "builds": [build(url_map, options, request) for request in case["builds"]],
    }


def main():
    """Answers line by line."""
    warnings.simplefilter("ignore")
    for line in sys.stdin:
        sys.stdout.write(json.dumps(answer(json.loads(line))) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
