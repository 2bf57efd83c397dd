"""What would go with a view: its lines, what only it uses, and who in the source still needs it.

For `ficus retire`. Everything is read, nothing is run but the application's own start-up, and nothing is ever
written. `source` reads the application's files, `place` finds the view in them, `python` and `jinja` who names its
endpoint, `uses` who uses its function or class. What cannot be told is said to be so.
"""

from .report import report

__all__ = ["report"]
