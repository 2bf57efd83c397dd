"""routes.toml from an application's url_map.

The flow, one file a step: `collect` reads the rules in match order, `group` makes routes of them, `notes`
(with `views` and `streaming`) says what can be known about each view, `document` lays out the text, `toml`
writes single values. `overlap` tells whether two rules can fit the same path. Reading only: no view is called
and no request context is needed.
"""

from .document import write_routes

__all__ = ["write_routes"]
