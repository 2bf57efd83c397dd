"""The application's own files: every Python file below its directories, parsed, and where it is as a module."""

import ast
import os
from typing import Any
from typing import Dict
from typing import Iterator
from typing import List
from typing import NamedTuple
from typing import Optional
from typing import Tuple

from ..export.views import relative

_SKIPPED = ("__pycache__", "site-packages", "dist-packages", "node_modules")


class File(NamedTuple):
    """One Python file."""

    #: Relative to the working directory.
    path: str
    #: Its name as a module, as far as its path tells: `crm.views.customers`.
    module: str
    tree: ast.Module
    lines: List[str]
    #: Whether it belongs to the tests.
    test: bool

    def text(self, line: int) -> str:
        """A line, as people would quote it."""
        return self.lines[line - 1].strip()[:120] if 0 < line <= len(self.lines) else ""


class Source(NamedTuple):
    """All of them."""

    files: List[File]
    #: Files that could not be parsed, and why.
    unread: List[Dict[str, str]]

    def file(self, path: Optional[str]) -> Optional[File]:
        """The file at a path."""
        return next((file for file in self.files if file.path == path), None)


def read_source() -> Source:
    """Reads what lies below the working directory, without installed packages, environments and hidden folders."""
    files: List[File] = []
    unread: List[Dict[str, str]] = []
    for path in _python_files(os.getcwd()):
        name = relative(path)
        if name is None:
            continue
        try:
            with open(path, "rb") as handle:
                data = handle.read()
            tree = ast.parse(data, name)
        except (OSError, SyntaxError, ValueError) as error:
            unread.append({"file": name, "why": str(error).splitlines()[0]})
            continue
        lines = data.decode("utf-8", "replace").splitlines()
        files.append(File(name, _module(name), tree, lines, _is_test(name)))
    return Source(files, unread)


def _python_files(root: str) -> Iterator[str]:
    for folder, folders, names in os.walk(root):
        folders[:] = sorted(
            name
            for name in folders
            if not name.startswith(".")
            and name not in _SKIPPED
            and not os.path.exists(os.path.join(folder, name, "pyvenv.cfg"))
        )
        for name in sorted(names):
            if name.endswith(".py"):
                yield os.path.join(folder, name)


def _module(path: str) -> str:
    name = path[:-3].replace("/", ".")
    return name[: -len(".__init__")] if name.endswith(".__init__") else name


def _is_test(path: str) -> bool:
    parts = path.split("/")
    return any(part in ("test", "tests") for part in parts[:-1]) or (
        parts[-1].startswith("test_") or parts[-1].endswith("_test.py") or parts[-1] == "conftest.py"
    )


def lines_of(node: Any) -> Tuple[int, int]:
    """First and last line of a statement, decorators included."""
    first = min([node.lineno] + [decorator.lineno for decorator in getattr(node, "decorator_list", ())])
    last = getattr(node, "end_lineno", None)
    if last is None:  # Python 3.7 and older do not say
        last = max(getattr(inner, "lineno", node.lineno) for inner in ast.walk(node))
    return first, last


def last_name(node: Any) -> str:
    """`url_for` of `url_for` and of `flask.url_for`."""
    if isinstance(node, ast.Name):
        return node.id
    return node.attr if isinstance(node, ast.Attribute) else ""


def is_text(node: Any) -> Optional[str]:
    """The value of a constant text."""
    value = getattr(node, "value", None) if type(node).__name__ == "Constant" else getattr(node, "s", None)
    return value if isinstance(value, str) else None
