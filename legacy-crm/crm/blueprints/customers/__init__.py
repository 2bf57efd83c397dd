"""Customers: list, detail, create, edit, archive, CSV import and export."""
from flask import Blueprint

bp = Blueprint("customers", __name__, url_prefix="/customers")

from crm.blueprints.customers import views  # noqa: E402,F401
