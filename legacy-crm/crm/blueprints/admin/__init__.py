"""Administration, for admins only: people and roles, the audit log, API tokens."""
from flask import Blueprint

bp = Blueprint("admin", __name__, url_prefix="/admin")

from crm.blueprints.admin import audit_views, token_views, user_views  # noqa: E402,F401
