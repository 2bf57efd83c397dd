"""What `ficus check-templates` needs: templates rendered by the application's own Jinja2, and their context lent out.

`find` tells which templates a view renders, `sample` invents a context for them, `wire` writes values down and lends
objects, `serve` is the conversation: a JSON question a line in, an answer a line out. The other engine renders with
the very objects that Jinja2 had: it asks for attributes, items and calls.
"""

from .serve import serve

__all__ = ["serve"]
