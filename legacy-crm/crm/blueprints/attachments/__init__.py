"""Files of customers and deals: upload, download, delete."""
from flask import Blueprint

bp = Blueprint("attachments", __name__)

from crm.blueprints.attachments import views  # noqa: E402,F401
