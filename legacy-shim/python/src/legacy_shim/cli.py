"""The commands: `flask shim routes`, and the same for `python -m legacy_shim`.

Edges only: options, files and messages. The text of routes.toml comes from `export`.
"""

import os
import re
import tempfile
from typing import Any
from typing import Callable
from typing import Optional

import click
from flask import current_app
from flask.cli import AppGroup

_BACKEND = re.compile(r"[A-Za-z0-9_-]+\Z")


def _backend(_context: Any, _option: Any, value: str) -> str:
    if not _BACKEND.match(value):
        raise click.BadParameter(f"`{value}` is not the name of a backend")
    return value


def routes_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options that both commands share."""
    for option in (
        click.option("--force", is_flag=True, help="Replace the file even if it says something else."),
        click.option(
            "--serve", default="legacy", show_default=True, callback=_backend, help="Backend that answers every route."
        ),
        click.option(
            "--output", "-o", type=click.Path(dir_okay=False), help="File to write; default: standard output."
        ),
    ):
        command = option(command)
    return command


shim = AppGroup("shim", help="What Ficus needs to know about this application.")


@shim.command("routes")
@routes_options
def routes_command(output: Optional[str], serve: str, force: bool) -> None:
    """Write routes.toml from the application's url_map."""
    app = current_app._get_current_object()  # type: ignore[attr-defined]
    run_routes(app, (output, serve, force), "flask shim routes")


def run_routes(app: Any, options: Any, command: str) -> None:
    """Writes the routes of `app` where the options say."""
    # Here, as the package imports this module while it is itself being imported.
    from . import __version__
    from .export import write_routes

    output, serve, force = options
    if serve != "legacy":
        command += f" --serve {serve}"
    document = write_routes(app, serve, command, __version__)
    if output is None or output == "-":
        click.echo(document, nl=False)
    elif _write(output, document.encode("utf-8"), force):
        click.echo("wrote {}: {} routes".format(output, document.count("\n[[route]]\n")), err=True)
    else:
        click.echo(f"{output} is up to date", err=True)


def _write(path: str, content: bytes, force: bool) -> bool:
    """Replaces a file in one step; says whether it had to. A file that differs holds decisions: ask first."""
    if os.path.exists(path):
        with open(path, "rb") as present:
            if present.read() == content:
                return False
        if not force:
            raise click.ClickException(
                f"`{path}` is there and differs; flips in it would be lost. Write to another file and compare, "
                "or give --force"
            )
    handle, temporary = tempfile.mkstemp(dir=os.path.dirname(os.path.abspath(path)), prefix=".routes-")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise
    return True
