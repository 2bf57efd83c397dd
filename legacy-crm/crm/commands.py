"""Commands of `flask`: seed the database with demo data, make an API token."""
from datetime import date, datetime

import click
from flask.cli import with_appcontext

from crm.audit import audit
from crm.extensions import cache, db
from crm.models import ApiToken, User
from crm.seed import load
from crm.seed.generate import SIZES

# Demo data ends on this day unless --today says otherwise.
REFERENCE_DAY = date(2026, 6, 30)


def _day(context, parameter, value):
    if value is None:
        return REFERENCE_DAY
    try:
        return datetime.strptime(value, "%Y-%m-%d").date()
    except ValueError:
        raise click.BadParameter("`%s` is not a day such as 2026-06-30" % value)


@click.command("seed")
@click.option("--size", type=click.Choice(sorted(SIZES)), default="small", show_default=True)
@click.option("--reset", is_flag=True, help="Delete what is in the database first.")
@click.option("--today", callback=_day, metavar="YYYY-MM-DD", help="The day on which the data ends; default 2026-06-30.")
@with_appcontext
def seed(size, reset, today):
    """Fill the database with demo data; the same every time."""
    if reset:
        load.empty()
    elif not load.is_empty():
        raise click.ClickException("the database is not empty; --reset deletes what is in it")
    counts = load.load(size, today)
    db.session.commit()
    cache.clear()
    click.echo(", ".join("%d %s" % (count, table) for table, count in counts))


@click.command("api-token")
@click.argument("email")
@click.option("--name", default="command line", show_default=True, help="What the token is for.")
@with_appcontext
def api_token(email, name):
    """Make an API token for a person and print it; it cannot be shown again."""
    user = User.by_email(email)
    if user is None or not user.active:
        raise click.ClickException("no active user has the address `%s`" % email)
    row, token = ApiToken.issue(user, name)
    db.session.add(row)
    db.session.flush()
    audit("token.create", "api_token", row.id, user_id=user.id)
    db.session.commit()
    click.echo(token)


def init_app(app):
    app.cli.add_command(seed)
    app.cli.add_command(api_token)
