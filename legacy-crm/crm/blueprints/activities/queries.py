"""What the list, the due list and the calendar show."""
from calendar import Calendar
from datetime import timedelta

from sqlalchemy.orm import contains_eager, joinedload

from crm.clock import today, utcnow
from crm.models import Activity, Customer
from crm.models.activity import KINDS
from crm.search import contains

STATES = ("open", "overdue", "done")
DUE_DAYS = 14
DUE_LIMIT = 30
PER_DAY = 4


def with_names(query):
    """Load what every row of a list shows; the query joins customers already."""
    return query.options(contains_eager(Activity.customer), joinedload(Activity.user), joinedload(Activity.deal))


class ListFilter:
    """What the list shows. Values that make no sense count as not given."""

    def __init__(self, args):
        self.q = args.get("q", "").strip()
        self.kind = args.get("kind", "") if args.get("kind") in KINDS else ""
        self.state = args.get("state", "") if args.get("state") in STATES else ""
        self.user_id = args.get("user", type=int)

    def apply(self, query):
        if self.q:
            query = query.filter(contains(self.q, Activity.subject, Customer.name))
        if self.kind:
            query = query.filter(Activity.kind == self.kind)
        if self.state == "done":
            query = query.filter(Activity.done_at.isnot(None))
        elif self.state:
            query = query.filter(Activity.done_at.is_(None), Activity.kind != "note")
        if self.state == "overdue":
            query = query.filter(Activity.due_at < utcnow())
        if self.user_id is not None:
            query = query.filter(Activity.user_id == self.user_id)
        return query.order_by(Activity.created_at.desc(), Activity.id.desc())

    def args(self):
        values = (("q", self.q), ("kind", self.kind), ("state", self.state), ("user", self.user_id))
        return {name: value for name, value in values if value not in ("", None)}


class Group:
    """A part of the due list: how much is in it, and the rows that are shown."""

    def __init__(self, title, query, order):
        self.title = title
        self.count = query.count()
        self.activities = with_names(query).order_by(order, Activity.id).limit(DUE_LIMIT).all()

    @property
    def hidden(self):
        return self.count - len(self.activities)


def due_groups(user, mine):
    """What is open and due: overdue (the latest first), the rest of today, and the next two weeks."""
    now, tomorrow = utcnow(), today() + timedelta(days=1)
    query = Activity.visible_to(user).filter(Activity.done_at.is_(None))
    if mine:
        query = query.filter(Activity.user_id == user.id)
    soon = query.filter(Activity.due_at >= tomorrow, Activity.due_at < tomorrow + timedelta(days=DUE_DAYS))
    return [
        Group("Overdue", query.filter(Activity.due_at < now), Activity.due_at.desc()),
        Group("Today", query.filter(Activity.due_at >= now, Activity.due_at < tomorrow), Activity.due_at),
        Group("Next two weeks", soon, Activity.due_at),
    ]


class Day:
    """One cell of the calendar."""

    def __init__(self, day, month):
        self.day = day
        self.inside = (day.year, day.month) == (month.year, month.month)
        self.is_today = day == today()
        self.activities = []

    @property
    def shown(self):
        return self.activities[:PER_DAY]

    @property
    def hidden(self):
        return len(self.activities) - len(self.shown)


def weeks(user, month, mine):
    """The month as rows of seven days, Monday first, with what is due on each."""
    rows = [
        [Day(day, month) for day in week]
        for week in Calendar(firstweekday=0).monthdatescalendar(month.year, month.month)
    ]
    days = {cell.day: cell for week in rows for cell in week}
    query = Activity.visible_to(user).filter(
        Activity.due_at >= min(days), Activity.due_at < max(days) + timedelta(days=1)
    )
    if mine:
        query = query.filter(Activity.user_id == user.id)
    for activity in query.options(contains_eager(Activity.customer)).order_by(Activity.due_at, Activity.id):
        days[activity.due_at.date()].activities.append(activity)
    return rows
