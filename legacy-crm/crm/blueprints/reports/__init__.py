"""Reports: the dashboard and the monthly report. What they show is computed in dashboard.py and monthly.py."""
from flask import Blueprint

bp = Blueprint("reports", __name__, url_prefix="/reports")

from crm.blueprints.reports import views  # noqa: E402,F401
