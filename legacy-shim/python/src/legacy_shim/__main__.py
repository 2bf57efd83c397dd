"""`python -m legacy_shim routes --app module:app`: the commands without the `flask` command.

For applications whose `flask` finds no plugins (Flask 1.1 on Python 3.12 and later has no setuptools to look
with) and that have not added the extension.
"""

import json
import sys
from typing import Optional

import click

from .cli import routes_options
from .cli import run_routes
from .conversation import answers_only
from .conversation import load_or_report
from .loading import AppNotFound
from .loading import load_app


@click.group()
def main() -> None:
    """What Ficus needs to know about a Flask application."""


app_option = click.option(
    "--app",
    "-A",
    "target",
    envvar="FLASK_APP",
    required=True,
    metavar="MODULE[:NAME]",
    help="The application or factory.",
)


@main.command("routes")
@app_option
@routes_options
def routes_command(target: str, output: Optional[str], serve: str, force: bool) -> None:
    """Write routes.toml from the application's url_map."""
    try:
        app = load_app(target)
    except AppNotFound as error:
        raise click.ClickException(str(error)) from None
    with app.app_context():
        run_routes(app, (output, serve, force), f"python -m legacy_shim routes --app {target}")


@main.command("census")
@app_option
@click.option("--json", "as_json", is_flag=True, help="One JSON document; it is the only form there is.")
def census_command(target: str, as_json: bool) -> None:
    """Say what Ficus must know about the application, as JSON."""
    with answers_only() as answers:
        app = load_or_report(target, answers)
        from .census import take_census

        with app.app_context():
            answers.write(json.dumps(take_census(app, target)) + "\n")


@main.command("match")
@app_option
def match_command(target: str) -> None:
    """Say what the application's url_map chooses: a JSON request a line in, an answer a line out."""
    with answers_only() as answers:
        app = load_or_report(target, answers)
        from .oracle import serve

        serve(app, sys.stdin, answers)


@main.command("templates")
@app_option
def templates_command(target: str) -> None:
    """Render templates for the other engine to render as well: a JSON question a line in, an answer a line out."""
    with answers_only() as answers:
        app = load_or_report(target, answers)
        from .templates import serve

        with app.app_context():
            serve(app, sys.stdin, answers)


@main.command("retire")
@app_option
@click.option("--endpoint", required=True, help="The endpoint, as routes.toml names it.")
def retire_command(target: str, endpoint: str) -> None:
    """Say what would go with a view, and who in the source needs it, as JSON."""
    with answers_only() as answers:
        app = load_or_report(target, answers)
        from .retire import report

        with app.app_context():
            answers.write(json.dumps(report(app, target, endpoint)) + "\n")


if __name__ == "__main__":
    main(prog_name="python -m legacy_shim")
