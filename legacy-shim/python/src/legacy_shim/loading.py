"""Finds the application for `python -m legacy_shim --app`, where the `flask` command cannot.

Takes what people write elsewhere: `module`, `module:app`, `module:create_app`, `module:create_app("dev")`,
also as a path, `crm/wsgi.py:app`. Loading runs the application's own start-up code, nothing more.
"""

import ast
import importlib
from typing import Any
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
        raise AppNotFound("`{}` names no module; write `module:app` or `module:create_app`".format(target))
    module_name = prepare_import(path)
    try:
        module = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        if error.name is None or not (module_name + ".").startswith(error.name + "."):
            raise
        raise AppNotFound("module `{}` was not found from this directory".format(module_name)) from None
    return _named(module, name.strip()) if name.strip() else _searched(module)


def _named(module: Any, name: str) -> Any:
    attribute, arguments = _call(name)
    found = getattr(module, attribute, None)
    if found is None:
        raise AppNotFound("module `{}` has no `{}`".format(module.__name__, attribute))
    if isinstance(found, Flask):
        return found
    if not callable(found):
        raise AppNotFound("`{}:{}` is neither an application nor a factory".format(module.__name__, attribute))
    return _checked(found(*arguments), "{}:{}".format(module.__name__, attribute))


def _call(name: str) -> Tuple[str, List[Any]]:
    """Splits `create_app("dev", 1)` into the name and its arguments, which must be literals."""
    try:
        expression = ast.parse(name, mode="eval").body
        if isinstance(expression, ast.Name):
            return expression.id, []
        if isinstance(expression, ast.Call) and isinstance(expression.func, ast.Name) and not expression.keywords:
            return expression.func.id, [ast.literal_eval(argument) for argument in expression.args]
    except (SyntaxError, ValueError):
        pass
    raise AppNotFound("`{}` is not a name, nor a call with literal arguments".format(name))


def _searched(module: Any) -> Any:
    for name in _NAMES:
        if isinstance(getattr(module, name, None), Flask):
            return getattr(module, name)
    found = [value for value in vars(module).values() if isinstance(value, Flask)]
    if len(found) == 1:
        return found[0]
    if len(found) > 1:
        raise AppNotFound("module `{0}` has several applications; write `{0}:name`".format(module.__name__))
    for name in _FACTORIES:
        if callable(getattr(module, name, None)):
            return _checked(getattr(module, name)(), "{}:{}".format(module.__name__, name))
    raise AppNotFound("module `{0}` has no application and no `create_app`; write `{0}:name`".format(module.__name__))


def _checked(app: Any, origin: str) -> Any:
    if isinstance(app, Flask):
        return app
    raise AppNotFound("`{}` returned a {}, not a Flask application".format(origin, type(app).__name__))
