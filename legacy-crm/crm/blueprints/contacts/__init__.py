"""Contacts of a customer: create, edit, delete."""
from flask import Blueprint

bp = Blueprint("contacts", __name__)

from crm.blueprints.contacts import views  # noqa: E402,F401
