"""What the law gives to the people in the database: see, rectify and erase their data. For managers and admins."""
from flask import Blueprint

bp = Blueprint("gdpr", __name__, url_prefix="/gdpr")

from crm.blueprints.gdpr import views  # noqa: E402,F401
