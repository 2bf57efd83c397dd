"""ACME's CRM: the application factory. Settings are in config.py, pages in blueprints/, tables in models/."""
from flask import Flask

from crm import commands, config, errors, extensions, filters
from crm.blueprints import register_blueprints

try:
    from legacy_shim import LegacyShim
except ImportError:  # the CRM also runs alone, without the proxy in front of it
    LegacyShim = None


def create_app(overrides=None):
    """Build the application; `overrides` win over the environment (tests use them)."""
    app = Flask(__name__)
    app.config.update(config.from_environment(overrides))
    if LegacyShim is not None:
        LegacyShim(app)
    extensions.init_app(app)
    filters.init_app(app)
    errors.init_app(app)
    commands.init_app(app)
    register_blueprints(app)
    return app
