"""Who uses a function or class of the application: imports, calls, registrations.

By name and module: a name that a file imports from the definition's module (or from a package around it that passes
it on), and in the definition's own file every use outside of it that no local variable hides.
"""

import ast
from typing import Any
from typing import Dict
from typing import List
from typing import NamedTuple
from typing import Optional
from typing import Set

from .place import Place
from .python import REGISTRATIONS
from .source import File
from .source import Source
from .source import last_name
from .source import lines_of


class Use(NamedTuple):
    """A place that uses it."""

    file: File
    line: int
    last: int
    #: `import`, `registration` or `use`.
    kind: str


def uses_of(place: Place, source: Source) -> List[Use]:
    """Every use outside of the definition itself."""
    uses: List[Use] = []
    for file in source.files:
        names, modules, imports = _bound(file, place)
        if file.path == place.file.path:
            names.add(place.name)
        uses += [Use(file, first, last, "import") for first, last in imports]
        if names or modules:
            finder = _Finder(file, place, names, modules, uses)
            finder.visit(file.tree)
            # `view = Edit.as_view("edit")`, and then `add_url_rule(…, view_func=view)`.
            if finder.views:
                _Finder(file, place, finder.views, set(), uses).visit(file.tree)
    return uses


def needed(uses: List[Use]) -> List[Use]:
    """Uses that need it: not registrations, nor imports where it is only registered, or passed on unused."""
    return [use for use in uses if use.kind == "use"]


def _bound(file: File, place: Place) -> Any:
    """Names in a file that are the definition, names that are its module, and the imports that make them so."""
    names: Set[str] = set()
    modules: Set[str] = set()
    imports = []
    for node in ast.walk(file.tree):
        if isinstance(node, ast.ImportFrom):
            origin = _absolute(file, node)
            for alias in node.names:
                if alias.name == place.name and _passes_on(origin, place.file.module):
                    names.add(alias.asname or alias.name)
                    imports.append(lines_of(node))
                elif f"{origin}.{alias.name}".strip(".") == place.file.module:
                    modules.add(alias.asname or alias.name)
        elif isinstance(node, ast.Import):
            for alias in node.names:
                if alias.name == place.file.module:
                    modules.add(alias.asname or alias.name)
    return names, modules, imports


def _passes_on(origin: str, module: str) -> bool:
    """Whether a name from `origin` may be the one of `module`: the same, or a package around it."""
    return origin == module or module.startswith(origin + ".") or module.endswith("." + origin)


def _absolute(file: File, node: ast.ImportFrom) -> str:
    if not node.level:
        return node.module or ""
    parts = file.module.split(".")
    package = parts if file.path.endswith("__init__.py") else parts[:-1]
    package = package[: len(package) - (node.level - 1)]
    return ".".join(package + ([node.module] if node.module else []))


class _Finder(ast.NodeVisitor):
    """Walks a file, with the names that functions on the way hide."""

    def __init__(self, file: File, place: Place, names: Set[str], modules: Set[str], uses: List[Use]) -> None:
        self.file = file
        self.place = place
        self.names = names
        self.modules = modules
        self.uses = uses
        self.hidden: List[Set[str]] = []
        self.registering: Optional[ast.AST] = None
        #: Variables that hold what `as_view` made of it.
        self.views: Set[str] = set()

    def visit(self, node: ast.AST) -> Any:
        if node is self.place.node:
            return None
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)):
            for decorator in getattr(node, "decorator_list", ()):
                self.visit(decorator)
            self.hidden.append(_locals(node))
            body = node.body if isinstance(node.body, list) else [node.body]
            for inner in body + list(node.args.defaults) + [d for d in node.args.kw_defaults if d is not None]:
                self.visit(inner)
            self.hidden.pop()
            return None
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Call):
            made = node.value.func
            if isinstance(made, ast.Attribute) and made.attr == "as_view" and self._is_it(made.value):
                self.views.update(target.id for target in node.targets if isinstance(target, ast.Name))
        if isinstance(node, ast.Call) and last_name(node.func) in REGISTRATIONS and self.registering is None:
            self.registering = node
            self.generic_visit(node)
            self.registering = None
            return None
        if self._is_it(node):
            outer = self.registering or node
            first, last = lines_of(outer)
            kind = "registration" if self.registering is not None else "use"
            self.uses.append(Use(self.file, first, last, kind))
            return None
        return self.generic_visit(node)

    def _is_it(self, node: ast.AST) -> bool:
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load) and node.id in self.names:
            return not any(node.id in hidden for hidden in self.hidden)
        if isinstance(node, ast.Attribute) and node.attr == self.place.name:
            return _dotted(node.value) in self.modules
        return False


def _dotted(node: ast.AST) -> Optional[str]:
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        owner = _dotted(node.value)
        return None if owner is None else f"{owner}.{node.attr}"
    return None


def _locals(function: Any) -> Set[str]:
    """Names that a function binds itself."""
    arguments = function.args
    names = {a.arg for a in list(arguments.args) + list(arguments.kwonlyargs) + getattr(arguments, "posonlyargs", [])}
    names |= {a.arg for a in (arguments.vararg, arguments.kwarg) if a is not None}
    body = function.body if isinstance(function.body, list) else [function.body]
    passed_on: Set[str] = set()
    for statement in body:
        for node in ast.walk(statement):
            if isinstance(node, ast.Name) and isinstance(node.ctx, (ast.Store, ast.Del)):
                names.add(node.id)
            elif isinstance(node, (ast.Global, ast.Nonlocal)):
                passed_on.update(node.names)
    return names - passed_on


def documents(uses: List[Use]) -> List[Dict[str, Any]]:
    """For the report, without repeats."""
    found = []
    for use in uses:
        document = {"file": use.file.path, "from": use.line, "to": use.last, "text": use.file.text(use.line)}
        if document not in found:
            found.append(document)
    return found
