"""`/_shim/about`: which code this process runs, on which Flask, over which database schema.

Ficus counts evidence for one state of the code only and asks now and then. The hash is over the Python files and
templates of the packages that the application is made of, as they were when it was first asked for; a process keeps
it, because it keeps the code. No name of a file, no setting and no value of a secret is told.
"""

import hashlib
import importlib
import os
import sys
import time
from typing import Any
from typing import Dict
from typing import Iterator
from typing import List
from typing import Optional
from typing import Set
from typing import Tuple

from .. import _compat
from . import tagged

_SKIPPED = {"__pycache__", "node_modules", "site-packages", "dist-packages", "test", "tests"}
#: Seconds for which the schema head is not asked for again.
_HEAD_AGE = 30.0


class About:
    """What one application says about itself."""

    def __init__(self, app: Any) -> None:
        self.app = app
        self._code: Optional[str] = None
        self._heads: Tuple[float, List[str]] = (0.0, [])

    def describe(self) -> bytes:
        """The document."""
        if self._code is None:
            self._code = code_hash(self.app)
        document: Dict[str, Any] = {"schema": 1, "code": self._code, "heads": self._current_heads()}
        document.update(_compat.versions())
        return tagged.dump(document)

    def _current_heads(self) -> List[str]:
        asked, heads = self._heads
        if not asked or time.monotonic() - asked > _HEAD_AGE:
            heads = schema_heads(self.app)
            self._heads = (time.monotonic(), heads)
        return heads


def schema_heads(app: Any) -> List[str]:
    """What Alembic's table says, if the application has Flask-Migrate and its database answers."""
    migrate = app.extensions.get("migrate")
    database = getattr(migrate, "db", None)
    if database is None:
        return []
    table = str((getattr(migrate, "configure_args", None) or {}).get("version_table") or "alembic_version")
    if not table.isidentifier():
        return []
    # Not a dependency of the shim: an application that has Flask-Migrate has it.
    text = importlib.import_module("sqlalchemy").text
    try:
        with app.app_context(), database.engine.connect() as connection:
            rows = connection.execute(text("SELECT version_num FROM " + table)).fetchall()
        return sorted(str(row[0]) for row in rows)
    except Exception:
        app.logger.warning("legacy_shim: the schema head cannot be read", exc_info=True)
        return []


def code_hash(app: Any) -> str:
    """One hash for all source files and templates, whatever folder the application is in."""
    digest = hashlib.sha256()
    for label, path in sorted(_files(app)):
        with open(path, "rb") as file:
            content = hashlib.sha256(file.read()).hexdigest()
        digest.update(f"{label}\0{content}\n".encode("utf-8", "surrogateescape"))
    return digest.hexdigest()[:32]


def _files(app: Any) -> Set[Tuple[str, str]]:
    found: Set[Tuple[str, str]] = set()
    for root in sorted(_source_roots(app)):
        found.update(_under(root, (".py",)))
    for holder in [app] + list(app.blueprints.values()):
        for folder in getattr(getattr(holder, "jinja_loader", None), "searchpath", ()):
            found.update(_under(str(folder), ()))
    return found


def _source_roots(app: Any) -> Set[str]:
    """The outermost packages of the application, its blueprints and its views; installed libraries are none of them."""
    modules = {app.import_name} | {blueprint.import_name for blueprint in app.blueprints.values()}
    modules |= {str(getattr(view, "__module__", "")) for view in app.view_functions.values()}
    roots = set()
    for name in modules:
        top = sys.modules.get(name.split(".")[0])
        path = getattr(sys.modules.get(name), "__file__", None) or getattr(top, "__file__", None)
        if top is None or not path or _is_installed(path):
            continue
        package = list(getattr(top, "__path__", ()))
        roots.add(os.path.abspath(package[0] if package else path))
    return roots


def _is_installed(path: str) -> bool:
    parts = os.path.abspath(path).split(os.sep)
    standard = os.path.dirname(os.path.abspath(os.__file__))
    return "site-packages" in parts or "dist-packages" in parts or os.path.abspath(path).startswith(standard + os.sep)


def _under(root: str, endings: Tuple[str, ...]) -> Iterator[Tuple[str, str]]:
    """Labels and paths of the files under a folder, or of the one file; a label does not say where the folder is."""
    base = os.path.dirname(os.path.abspath(root))
    if os.path.isfile(root):
        yield os.path.relpath(root, base), root
        return
    for folder, folders, names in os.walk(root):
        folders[:] = sorted(name for name in folders if name not in _SKIPPED and not name.startswith("."))
        for name in names:
            path = os.path.join(folder, name)
            if (not endings or name.endswith(endings)) and os.path.isfile(path):
                yield os.path.relpath(path, base), path
