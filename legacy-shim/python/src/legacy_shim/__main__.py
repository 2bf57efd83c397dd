"""`python -m legacy_shim routes --app module:app`: the commands without the `flask` command.

For applications whose `flask` finds no plugins (Flask 1.1 on Python 3.12 and later has no setuptools to look
with) and that have not added the extension.
"""

from typing import Optional

import click

from .cli import routes_options
from .cli import run_routes
from .loading import AppNotFound
from .loading import load_app


@click.group()
def main() -> None:
    """What Ficus needs to know about a Flask application."""


@main.command("routes")
@click.option(
    "--app",
    "-A",
    "target",
    envvar="FLASK_APP",
    required=True,
    metavar="MODULE[:NAME]",
    help="The application or factory.",
)
@routes_options
def routes_command(target: str, output: Optional[str], serve: str, force: bool) -> None:
    """Write routes.toml from the application's url_map."""
    try:
        app = load_app(target)
    except AppNotFound as error:
        raise click.ClickException(str(error)) from None
    with app.app_context():
        run_routes(app, (output, serve, force), f"python -m legacy_shim routes --app {target}")


if __name__ == "__main__":
    main(prog_name="python -m legacy_shim")
