"""The channel: Rust handlers ask Flask for what only Flask can read, its session and its user; Ficus asks what it runs.

For sessions that are no cookie (Flask-Session on Redis, files, SQL) and users that only Python can load. Off
unless LEGACY_SHIM_CHANNEL_SECRET is set. `gate` decides who may ask and answers over WSGI, `origin` makes the
request that the handler got appear here again, `session`, `user` and `about` are the answers, `tagged` is the
text they are written in. Nothing here runs a view or a hook of the application.
"""

from .gate import Channel
from .gate import Secret
from .gate import parse_secret

__all__ = ["Channel", "Secret", "parse_secret"]
