"""Time as the database keeps it: naive, in UTC."""
from datetime import datetime, timezone


def utcnow():
    return datetime.now(timezone.utc).replace(tzinfo=None)


def today():
    return utcnow().date()
