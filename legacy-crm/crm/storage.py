"""Files of the attachments: under UPLOAD_DIR, with random names that say nothing about what is inside."""
import os
import re
import secrets

from flask import current_app

STORED_NAME = re.compile(r"^[0-9a-zA-Z_-]{1,64}$")
FILENAME_LENGTH = 200


def path_of(stored_name):
    """Where the file is. Names that we did not make are refused, whatever the database says."""
    if not STORED_NAME.match(stored_name):
        raise ValueError("not a stored name: %r" % stored_name)
    return os.path.join(os.path.abspath(current_app.config["UPLOAD_DIR"]), stored_name)


def save(upload):
    """Store an uploaded file (Werkzeug's FileStorage); return (stored_name, size)."""
    os.makedirs(current_app.config["UPLOAD_DIR"], mode=0o750, exist_ok=True)
    stored_name = secrets.token_hex(16)
    path = path_of(stored_name)
    upload.save(path)
    return stored_name, os.path.getsize(path)


def remove(stored_name):
    """Delete a file; that it is gone already is fine."""
    try:
        os.remove(path_of(stored_name))
    except FileNotFoundError:
        pass


def clean_filename(name):
    """The name to show and to offer for download: without directories and control characters, not too long.

    Letters of all scripts stay. A long name loses its middle, not its ending.
    """
    name = re.split(r"[/\\]", name or "")[-1]
    name = "".join(character for character in name if character.isprintable()).strip()
    if name in ("", ".", ".."):
        return "file"
    if len(name) > FILENAME_LENGTH:
        stem, ending = os.path.splitext(name)
        ending = ending[:20]
        name = stem[:FILENAME_LENGTH - len(ending)] + ending
    return name
