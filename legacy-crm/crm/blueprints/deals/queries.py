"""What the board and the forecast show."""
from collections import OrderedDict
from datetime import timedelta
from decimal import Decimal

from sqlalchemy.orm import contains_eager, joinedload

from crm.clock import today, utcnow
from crm.extensions import db
from crm.models import Customer, Deal, DealStage
from crm.months import Month
from crm.search import contains

CARDS_PER_STAGE = 25
CLOSED_DAYS = 30
MONTHS_AHEAD = 12


class BoardFilter:
    """The board's filters, from the query string; what makes no sense counts as not given."""

    def __init__(self, args):
        self.q = args.get("q", "").strip()
        self.owner_id = args.get("owner", type=int)

    def apply(self, query):
        if self.q:
            query = query.filter(contains(self.q, Deal.title, Customer.name))
        if self.owner_id is not None:
            query = query.filter(Deal.owner_id == self.owner_id)
        return query

    def args(self):
        values = (("q", self.q), ("owner", self.owner_id))
        return {name: value for name, value in values if value not in ("", None)}


class Column:
    """One stage of the board: how much is in it, and the cards that are shown."""

    def __init__(self, stage, count, total, deals):
        self.stage = stage
        self.count = count
        self.total = total
        self.deals = deals

    @property
    def hidden(self):
        return self.count - len(self.deals)


def board(user, shown):
    """All columns in order. Won and lost ones hold what was closed in the last weeks."""
    since = utcnow() - timedelta(days=CLOSED_DAYS)
    columns = []
    for stage in DealStage.in_order():
        query = shown.apply(Deal.visible_to(user)).filter(Deal.stage_id == stage.id)
        if stage.status == "open":
            order = (Deal.expected_close.asc(), Deal.id)
        else:
            query = query.filter(Deal.closed_at >= since)
            order = (Deal.closed_at.desc(), Deal.id.desc())
        count, total = query.with_entities(db.func.count(Deal.id), db.func.sum(Deal.amount)).one()
        deals = query.options(contains_eager(Deal.customer), joinedload(Deal.owner)).order_by(*order)
        columns.append(Column(stage, count, total or Decimal(0), deals.limit(CARDS_PER_STAGE).all()))
    return columns


class Period:
    """A line of the forecast; `month` is None for the lines around the months."""

    def __init__(self, label, month=None):
        self.label = label
        self.month = month
        self.count = 0
        self.amount = Decimal(0)
        self.weighted = Decimal(0)

    def add(self, amount, probability):
        self.count += 1
        self.amount += amount
        self.weighted += amount * probability / 100


def _coming_months():
    periods = OrderedDict()
    month = Month.of(today())
    for _ in range(MONTHS_AHEAD):
        periods[month.key] = Period(month.label, month)
        month = month.next
    return periods


def forecast(user, owner_id=None):
    """(periods, sum of all): open deals by the month in which they should close, weighted by probability."""
    rows = Deal.visible_to(user).join(DealStage, Deal.stage_id == DealStage.id).filter(DealStage.status == "open")
    if owner_id is not None:
        rows = rows.filter(Deal.owner_id == owner_id)
    months = _coming_months()
    late, later, undated, everything = Period("Overdue"), Period("Later"), Period("No date"), Period("All open deals")
    for close, amount, probability in rows.with_entities(Deal.expected_close, Deal.amount, DealStage.probability):
        if close is None:
            period = undated
        else:
            period = months.get(Month.of(close).key, late if close < today() else later)
        period.add(amount, probability)
        everything.add(amount, probability)
    return [late] + list(months.values()) + [later, undated], everything
