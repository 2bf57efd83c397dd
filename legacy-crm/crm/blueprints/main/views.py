"""`/` sends people to where their work is."""
from flask import current_app, redirect, url_for
from flask_login import login_required

from crm.blueprints.main import bp


@bp.route("/")
@login_required
def index():
    if "reports.dashboard" in current_app.view_functions:
        return redirect(url_for("reports.dashboard"))
    return redirect(url_for("customers.list"))
