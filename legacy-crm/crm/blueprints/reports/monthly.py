"""The numbers of the monthly report, for everything that a user may see."""
from collections import Counter
from decimal import Decimal

from crm.clock import utcnow
from crm.models import Activity, Customer, Deal, DealStage
from crm.models.activity import KINDS

MONTHS_BACK = 12
BEST_DEALS = 10


def monthly(user, month):
    won = _closed(user, month, "won")
    lost = _closed(user, month, "lost")
    return {
        "made_at": utcnow(),
        "won_count": len(won),
        "won_amount": _sum(won),
        "lost_count": len(lost),
        "lost_amount": _sum(lost),
        "new_customers": _within(Customer.visible_to(user), Customer.created_at, month).count(),
        "new_deals": _within(Deal.visible_to(user), Deal.created_at, month).count(),
        "best": _best(won),
        "reasons": Counter(deal.lost_reason or "No reason given" for deal in lost).most_common(),
        "people": _people(user, month, won, lost),
        "trend": _trend(user, month),
    }


def _within(query, column, month):
    return query.filter(column >= month.start, column < month.next.start)


def _closed(user, month, status):
    query = Deal.visible_to(user).join(DealStage, Deal.stage_id == DealStage.id).filter(DealStage.status == status)
    return _within(query, Deal.closed_at, month).all()


def _sum(deals):
    return sum((deal.amount for deal in deals), Decimal(0))


def _best(won):
    best = sorted(won, key=lambda deal: (-deal.amount, deal.id))[:BEST_DEALS]
    return [
        {
            "id": deal.id,
            "title": deal.title,
            "amount": deal.amount,
            "customer_id": deal.customer_id,
            "customer": deal.customer.name,
            "owner": deal.owner.name,
            "days": (deal.closed_at - deal.created_at).days,
        }
        for deal in best
    ]


def _people(user, month, won, lost):
    """One line per person who did something in the month: activities by kind, deals won and lost."""
    lines = {}

    def line_of(person):
        if person.id not in lines:
            lines[person.id] = {
                "name": person.name, "kinds": {kind: 0 for kind in KINDS}, "won": 0, "lost": 0, "amount": Decimal(0)
            }
        return lines[person.id]

    for activity in _within(Activity.visible_to(user), Activity.created_at, month):
        line_of(activity.user)["kinds"][activity.kind] += 1
    for deal in won:
        line_of(deal.owner)["won"] += 1
        line_of(deal.owner)["amount"] += deal.amount
    for deal in lost:
        line_of(deal.owner)["lost"] += 1
    return sorted(lines.values(), key=lambda line: (-line["amount"], line["name"]))


def _trend(user, month):
    """What was won in this month and the ones before it, oldest first."""
    rows = []
    for _ in range(MONTHS_BACK):
        won = _closed(user, month, "won")
        rows.append({"label": month.short_label, "count": len(won), "amount": _sum(won)})
        month = month.previous
    return rows[::-1]
