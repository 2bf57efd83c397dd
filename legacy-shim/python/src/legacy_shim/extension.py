"""The Flask extension: `LegacyShim(app)`, or `shim = LegacyShim()` and `shim.init_app(app)` later.

Start-up only: reads the settings and hooks the parts in. What happens to a request is in `middleware`.
"""

import os
from typing import Any
from typing import Optional

from . import capture
from . import logs
from . import settings
from . import tracing
from .channel import Channel
from .cli import shim as shim_commands
from .middleware import ShimMiddleware

_NAME = "legacy_shim"


class LegacyShim:
    """Makes a Flask application at home behind Ficus. Call it after the configuration is loaded."""

    def __init__(self, app: Optional[Any] = None) -> None:
        if app is not None:
            self.init_app(app)

    def init_app(self, app: Any) -> None:
        """Hooks the shim into an application; a second call for the same application does nothing.

        Raises `settings.SettingError` if a setting cannot be used.
        """
        if _NAME in app.extensions:
            return
        checked = settings.load(app.config, os.environ)
        app.extensions[_NAME] = checked
        channel = None
        if checked.channel_secret is not None:
            channel = Channel(app, checked.channel_secret, checked.user_attributes, checked.trusted)
        app.wsgi_app = ShimMiddleware(app.wsgi_app, checked, channel, lambda: app.secret_key)
        capture.hook()
        # First of all before_request functions, so that the application's own ones can use the ids.
        app.before_request_funcs.setdefault(None, []).insert(0, tracing.remember_in_g)
        logs.install(app, checked)
        if shim_commands.name not in app.cli.commands:
            app.cli.add_command(shim_commands)
