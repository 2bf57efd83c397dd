"""Pages of the reports. `?fresh=1` computes the numbers again before the cache forgets them."""
from flask import render_template, request
from flask_login import current_user, login_required

from crm.blueprints.reports import bp
from crm.blueprints.reports.caching import cached_report
from crm.blueprints.reports.dashboard import dashboard as make_dashboard
from crm.blueprints.reports.monthly import monthly as make_monthly
from crm.clock import today
from crm.filters import format_money
from crm.models.activity import KINDS
from crm.months import Month


def _fresh():
    return request.args.get("fresh") == "1"


def _week(row):
    """A column of the chart."""
    return "%d.%d." % (row["monday"].day, row["monday"].month), row["count"], "%d activities" % row["count"]


def _month(row):
    return row["label"], row["amount"], "%s, %d deals" % (format_money(row["amount"]), row["count"])


@bp.route("/")
@login_required
def dashboard():
    report = cached_report("dashboard", current_user, lambda: make_dashboard(current_user), _fresh())
    return render_template(
        "reports/dashboard.html",
        report=report,
        weeks=[_week(row) for row in report["weeks"]],
        largest_stage=max([stage["amount"] for stage in report["stages"]] or [0]),
        largest_week=max(week["count"] for week in report["weeks"]),
    )


@bp.route("/monthly")
@login_required
def monthly():
    month = Month.parse(request.args.get("month")) or Month.of(today())
    report = cached_report(
        "monthly-%s" % month.key, current_user, lambda: make_monthly(current_user, month), _fresh()
    )
    return render_template(
        "reports/monthly.html",
        report=report,
        month=month,
        kinds=KINDS,
        trend=[_month(row) for row in report["trend"]],
        largest=max(row["amount"] for row in report["trend"]),
        most_reasons=max([count for _, count in report["reasons"]] or [0]),
    )
