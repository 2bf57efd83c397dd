"""Finds the application for `python -m legacy_shim --app`, where the `flask` command cannot.

Takes what people write elsewhere: `module`, `module:app`, `module:create_app`, `module:create_app("dev")`,
also as a path, `crm/wsgi.py:app`. Loading runs the application's own start-up code, nothing more.
"""

import ast
import importlib
import inspect
from typing import Any
from typing import Dict
from typing import List
from typing import Tuple

from flask import Flask
from flask.cli import prepare_import

_NAMES = ("app", "application")
_FACTORIES = ("create_app", "make_app")


class AppNotFound(Exception):
    """No application where it was said to be; the message says what to write instead."""


def load_app(target: str) -> Any:
    """The Flask application that `module[:name]` stands for."""
    path, _, name = target.partition(":")
    if not path:
        raise AppNotFound(f"`{target}` names no module; write `module:app` or `module:create_app`")
    module_name = prepare_import(path)
    try:
        module = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        if error.name is None or not (module_name + ".").startswith(error.name + "."):
            raise
        raise AppNotFound(f"module `{module_name}` was not found from this directory") from None
    return _named(module, name.strip()) if name.strip() else _searched(module)


def _named(module: Any, name: str) -> Any:
    attribute, arguments, named = _call(name)
    found = getattr(module, attribute, None)
    if found is None:
        raise AppNotFound(f"module `{module.__name__}` has no `{attribute}`")
    if isinstance(found, Flask):
        return found
    if not callable(found):
        raise AppNotFound(f"`{module.__name__}:{attribute}` is neither an application nor a factory")
    return _made(found, f"{module.__name__}:{attribute}", (arguments, named))


def _made(factory: Any, origin: str, given: Tuple[List[Any], Dict[str, Any]]) -> Any:
    """What a factory makes; one that wants other arguments is told apart from one that fails."""
    arguments, named = given
    try:
        signature = inspect.signature(factory)
    except (TypeError, ValueError):
        signature = None
    try:
        if signature is not None:
            signature.bind(*arguments, **named)
    except TypeError as error:
        name = origin.rpartition(":")[2]
        raise AppNotFound(
            f"`{origin}` takes {signature}: {error}; write the call, with literals: `{origin}(...)`"
            if not (arguments or named)
            else f"`{name}` takes {signature}: {error}"
        ) from None
    return _checked(factory(*arguments, **named), origin)


def _call(name: str) -> Tuple[str, List[Any], Dict[str, Any]]:
    """Splits `create_app("dev", debug=True)` into the name and its arguments, which must be literals."""
    try:
        expression = ast.parse(name, mode="eval").body
        if isinstance(expression, ast.Name):
            return expression.id, [], {}
        if isinstance(expression, ast.Call) and isinstance(expression.func, ast.Name):
            named = {keyword.arg or "**": ast.literal_eval(keyword.value) for keyword in expression.keywords}
            if "**" not in named:
                return expression.func.id, [ast.literal_eval(argument) for argument in expression.args], named
    except (SyntaxError, ValueError):
        pass
    raise AppNotFound(f"`{name}` is not a name, nor a call with literal arguments")


def _searched(module: Any) -> Any:
    for name in _NAMES:
        if isinstance(getattr(module, name, None), Flask):
            return getattr(module, name)
    found = [value for value in vars(module).values() if isinstance(value, Flask)]
    if len(found) == 1:
        return found[0]
    if len(found) > 1:
        raise AppNotFound(f"module `{module.__name__}` has several applications; write `{module.__name__}:name`")
    for name in _FACTORIES:
        if callable(getattr(module, name, None)):
            return _made(getattr(module, name), f"{module.__name__}:{name}", ([], {}))
    raise AppNotFound(
        f"module `{module.__name__}` has no application and no `create_app`; write `{module.__name__}:name`"
    )


def _checked(app: Any, origin: str) -> Any:
    if isinstance(app, Flask):
        return app
    raise AppNotFound(f"`{origin}` returned a {type(app).__name__}, not a Flask application")
