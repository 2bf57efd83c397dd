"""Where to go after login: `next`, if it stays on this site."""
from urllib.parse import urlsplit

from flask import request, url_for


def is_local(target):
    """Only a path of this site: no scheme, no host, nothing that a browser would read as one."""
    if not target or not target.startswith("/") or target[1:2] in ("/", "\\"):
        return False
    if any(ord(character) < 32 for character in target):
        return False
    parts = urlsplit(target)
    return not parts.scheme and not parts.netloc


def after_login():
    target = request.args.get("next", "")
    return target if is_local(target) else url_for("main.index")
