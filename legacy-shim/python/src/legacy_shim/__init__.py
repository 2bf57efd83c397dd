"""legacy-shim: the Python half of the seam between a legacy Flask application and Ficus.

Two jobs. At run time (`LegacyShim(app)`) it makes the Flask process believe the proxy in front of it: client
address, scheme and host from forwarded headers, request and trace ids in the logs, a health endpoint. Before
the migration (`flask shim routes`) it writes routes.toml from the application's own url_map.

Where to look: `extension` puts everything together, `middleware` is the path of a request, `export` writes
routes.toml, `_compat` has every difference between Flask versions. Nothing here matches or serves a route.
"""

from .extension import LegacyShim

__all__ = ["LegacyShim", "__version__"]

__version__ = "0.1.0"
