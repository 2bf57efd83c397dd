"""Accounts: register, log in and out, change the password, profile."""
from flask import Blueprint

bp = Blueprint("auth", __name__, url_prefix="/auth")

from crm.blueprints.auth import views  # noqa: E402,F401
