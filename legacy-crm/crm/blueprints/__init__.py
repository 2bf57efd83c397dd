"""The pages, one package each: views.py, forms.py and, where queries grow, queries.py. Each package has a `bp`."""
from importlib import import_module

BLUEPRINTS = (
    "main",
    "auth",
    "customers",
    "contacts",
    "deals",
    "activities",
    "attachments",
    "reports",
    "gdpr",
    "admin",
    "api",
)


def register_blueprints(app):
    for name in BLUEPRINTS:
        app.register_blueprint(import_module("crm.blueprints." + name).bp)
