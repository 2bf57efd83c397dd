"""Template filters: date, datetime and money. The same text whatever the locale of the machine is."""
from decimal import Decimal

MONTHS = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split()
NOTHING = "–"


def format_date(value):
    """5 Mar 2024, from a date or a datetime."""
    if value is None:
        return NOTHING
    return "%d %s %d" % (value.day, MONTHS[value.month - 1], value.year)


def format_datetime(value):
    """5 Mar 2024, 09:07"""
    if value is None:
        return NOTHING
    return "%s, %02d:%02d" % (format_date(value), value.hour, value.minute)


def format_money(value):
    """€1,234.50; cents are always shown."""
    if value is None:
        return NOTHING
    amount = Decimal(value)
    sign = "-" if amount < 0 else ""
    return "%s€%s" % (sign, "{:,.2f}".format(abs(amount)))


def format_filesize(value):
    """12 bytes, 3.4 kB, 1.2 MB"""
    if value is None:
        return NOTHING
    if value < 1000:
        return "%d bytes" % value
    for unit in ("kB", "MB", "GB"):
        value = value / 1000.0
        if value < 1000 or unit == "GB":
            return "%.1f %s" % (value, unit)


def init_app(app):
    app.add_template_filter(format_date, "date")
    app.add_template_filter(format_datetime, "datetime")
    app.add_template_filter(format_money, "money")
    app.add_template_filter(format_filesize, "filesize")
