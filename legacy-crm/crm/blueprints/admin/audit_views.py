"""The audit log: filters and pages. It is only ever read here."""
import json
from datetime import datetime, timedelta

from flask import current_app, render_template, request
from sqlalchemy.orm import joinedload

from crm.blueprints.admin import bp
from crm.extensions import db
from crm.models import AuditLog, User
from crm.permissions import roles_required


def _day(text):
    try:
        return datetime.strptime(text or "", "%Y-%m-%d")
    except ValueError:
        return None


class LogFilter:
    """The filters of the query string; what makes no sense counts as not given."""

    def __init__(self, args):
        self.user_id = args.get("user", type=int)
        self.action = args.get("action", "")
        self.entity = args.get("entity", "")
        self.entity_id = args.get("id", type=int)
        self.since = args.get("since", "") if _day(args.get("since")) else ""
        self.until = args.get("until", "") if _day(args.get("until")) else ""

    def apply(self, query):
        if self.user_id is not None:
            query = query.filter(AuditLog.user_id == self.user_id)
        if self.action:
            query = query.filter(AuditLog.action == self.action)
        if self.entity:
            query = query.filter(AuditLog.entity == self.entity)
        if self.entity_id is not None:
            query = query.filter(AuditLog.entity_id == self.entity_id)
        if self.since:
            query = query.filter(AuditLog.created_at >= _day(self.since))
        if self.until:
            query = query.filter(AuditLog.created_at < _day(self.until) + timedelta(days=1))
        return query.order_by(AuditLog.id.desc())

    def args(self):
        values = (
            ("user", self.user_id), ("action", self.action), ("entity", self.entity), ("id", self.entity_id),
            ("since", self.since), ("until", self.until),
        )
        return {name: value for name, value in values if value not in ("", None)}


def detail_of(entry):
    """The detail as text such as `name: ACME, size: 3`."""
    detail = json.loads(entry.detail) if entry.detail else {}
    return ", ".join("%s: %s" % (name, value) for name, value in sorted(detail.items()))


def _values_of(column):
    return [value for value, in db.session.query(column).distinct().order_by(column)]


@bp.route("/audit")
@roles_required("admin")
def audit_log():
    shown = LogFilter(request.args)
    query = shown.apply(AuditLog.query.options(joinedload(AuditLog.user)))
    pagination = query.paginate(
        page=request.args.get("page", 1, type=int), per_page=2 * current_app.config["PER_PAGE"]
    )
    return render_template(
        "admin/audit_log.html",
        pagination=pagination,
        details={entry.id: detail_of(entry) for entry in pagination.items},
        shown=shown,
        args=shown.args(),
        people=User.query.order_by(User.name, User.id).all(),
        actions=_values_of(AuditLog.action),
        entities=_values_of(AuditLog.entity),
    )
