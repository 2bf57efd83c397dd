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
DUE_LIMIT = 100
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
            query = query.filter(Activity.done_at.is_(None))
        if self.state == "overdue":
            query = query.filter(Activity.due_at < utcnow())
        if self.user_id is not None:
            query = query.filter(Activity.user_id == self.user_id)
        return query.order_by(Activity.created_at.desc(), Activity.id.desc())

    def args(self):
        values = (("q", self.q), ("kind", self.kind), ("state", self.state), ("user", self.user_id))
        return {name: value for name, value in values if value not in ("", None)}


def due_groups(user, mine):
    """[(title, activities)] of what is open and due: overdue, today, and the next two weeks."""
    now, start = utcnow(), today()
    query = Activity.visible_to(user).filter(
        Activity.done_at.is_(None), Activity.due_at < start + timedelta(days=DUE_DAYS)
    )
    if mine:
        query = query.filter(Activity.user_id == user.id)
    rows = with_names(query).order_by(Activity.due_at.desc(), Activity.id).limit(DUE_LIMIT).all()
    groups = (("Overdue", []), ("Today", []), ("Next two weeks", []))
    for row in reversed(rows):
        position = 0 if row.due_at < now else 1 if row.due_at.date() == start else 2
        groups[position][1].append(row)
    return groups


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
