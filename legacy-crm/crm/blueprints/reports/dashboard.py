"""The numbers of the dashboard, for everything that a user may see."""
from collections import defaultdict
from datetime import timedelta
from decimal import Decimal

from crm.clock import today, utcnow
from crm.models import Activity, Customer, Deal, DealStage, User
from crm.months import Month

TOP_CUSTOMERS = 8
RECENT_ACTIVITIES = 8
WEEKS = 8
TEAM_DAYS = 30


def dashboard(user):
    deals = Deal.visible_to(user).all()
    return {
        "made_at": utcnow(),
        "tiles": _tiles(user, deals),
        "stages": _stages(deals),
        "customers": _top_customers(deals),
        "team": _team(user),
        "weeks": _weeks(user),
        "recent": _recent(user),
    }


def _open(deals):
    return [deal for deal in deals if deal.status == "open"]


def _tiles(user, deals):
    start = Month.of(today()).start
    won = [deal for deal in deals if deal.status == "won" and deal.closed_at and deal.closed_at >= start]
    overdue = Activity.visible_to(user).filter(Activity.done_at.is_(None), Activity.due_at < utcnow())
    return {
        "open_count": len(_open(deals)),
        "open_amount": sum((deal.amount for deal in _open(deals)), Decimal(0)),
        "weighted": sum((deal.weighted_amount for deal in _open(deals)), Decimal(0)),
        "won_count": len(won),
        "won_amount": sum((deal.amount for deal in won), Decimal(0)),
        "customers": Customer.visible_to(user).filter(Customer.status == "active").count(),
        "overdue": overdue.count(),
    }


def _stages(deals):
    stages = []
    for stage in DealStage.in_order().filter_by(status="open"):
        amounts = [deal.amount for deal in deals if deal.stage_id == stage.id]
        stages.append({"name": stage.name, "count": len(amounts), "amount": sum(amounts, Decimal(0))})
    return stages


def _top_customers(deals):
    """Who has the most in the pipeline, and when somebody last spoke with them."""
    totals = defaultdict(Decimal)
    for deal in _open(deals):
        totals[deal.customer] += deal.amount
    ranking = sorted(totals.items(), key=lambda item: (-item[1], item[0].name))
    rows = []
    for customer, amount in ranking[:TOP_CUSTOMERS]:
        last = customer.activities.order_by(Activity.created_at.desc()).first()
        rows.append({
            "id": customer.id,
            "name": customer.name,
            "owner": customer.owner.name,
            "amount": amount,
            "last": last.created_at if last else None,
        })
    return rows


def _team(user):
    """One line per rep: what they have open, what they won and did in the last weeks. Reps see their own line."""
    since = utcnow() - timedelta(days=TEAM_DAYS)
    people = User.query.filter_by(active=True, role="rep").order_by(User.name).all() if user.sees_everything else [user]
    rows = []
    for person in people:
        deals = Deal.query.filter_by(owner_id=person.id).all()
        won = [deal for deal in deals if deal.status == "won" and deal.closed_at and deal.closed_at >= since]
        rows.append({
            "name": person.name,
            "customers": Customer.query.filter_by(owner_id=person.id).count(),
            "open_amount": sum((deal.amount for deal in _open(deals)), Decimal(0)),
            "won_count": len(won),
            "won_amount": sum((deal.amount for deal in won), Decimal(0)),
            "activities": Activity.query.filter(Activity.user_id == person.id, Activity.created_at >= since).count(),
        })
    return sorted(rows, key=lambda row: -row["won_amount"])


def _weeks(user):
    """How many activities were made in each of the last weeks, by their Mondays."""
    monday = today() - timedelta(days=today().weekday())
    counts = {monday - timedelta(weeks=number): 0 for number in range(WEEKS)}
    for activity in Activity.visible_to(user).filter(Activity.created_at >= min(counts)):
        day = activity.created_at.date()
        week = day - timedelta(days=day.weekday())
        if week in counts:
            counts[week] += 1
    return [{"monday": week, "count": counts[week]} for week in sorted(counts)]


def _recent(user):
    rows = Activity.visible_to(user).order_by(Activity.created_at.desc(), Activity.id.desc()).limit(RECENT_ACTIVITIES)
    return [
        {
            "id": row.id,
            "kind": row.kind,
            "subject": row.subject,
            "customer_id": row.customer_id,
            "customer": row.customer.name,
            "user": row.user.name,
            "at": row.created_at,
        }
        for row in rows
    ]
