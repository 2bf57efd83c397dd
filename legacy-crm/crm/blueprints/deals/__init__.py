"""Deals: the pipeline board, one deal, its way through the stages, the forecast."""
from flask import Blueprint

bp = Blueprint("deals", __name__, url_prefix="/deals")

from crm.blueprints.deals import views  # noqa: E402,F401
