"""Puts the document about one endpoint together."""

import ast
from typing import Any
from typing import Dict
from typing import List
from typing import Optional
from typing import Set

from ..export.collect import collect
from ..export.group import label
from ..templates.find import templates_of
from . import jinja
from . import python
from .naming import Wanted
from .place import Place
from .place import decorators_of
from .place import place_of
from .source import Source
from .source import is_text
from .source import read_source
from .uses import documents
from .uses import needed
from .uses import uses_of


def report(app: Any, target: str, name: str) -> Dict[str, Any]:
    """What there is to know about an endpoint; its name is as in routes.toml."""
    endpoint = next((known for known in app.view_functions if label(known) == name), None)
    document: Dict[str, Any] = {"schema": 1, "app": target, "endpoint": name, "known": endpoint is not None}
    if endpoint is None:
        return document
    source = read_source()
    unread = list(source.unread)
    templates = jinja.read_templates(app, unread)
    view = app.view_functions[endpoint]
    place = place_of(view, source)
    document.update(_lines(app, endpoint, place, source))
    document.update(_templates(app, endpoint, templates, source))
    own = {template["name"] for template in document["templates"] if template["only"]}
    document["references"] = _references(Wanted(endpoint), place, source, [t for t in templates if t.name not in own])
    document["unread"] = unread
    document["rules"] = [
        {"rule": entry.rule, "methods": list(entry.methods)}
        for entry in collect(app.url_map).entries
        if label(entry.endpoint) == name and entry.is_route
    ]
    return document


def _lines(app: Any, endpoint: str, place: Optional[Place], source: Source) -> Dict[str, Any]:
    """The view itself, where it is registered, who uses it, and what only it uses."""
    if place is None:
        return {"view": None, "decorators": [], "registered": [], "uses": [], "shared_with": [], "only": []}
    views = {name: place_of(view, source) for name, view in app.view_functions.items() if name != endpoint}
    shared = [
        label(name)
        for name, other in views.items()
        if other is not None and (other.file.path, other.first) == (place.file.path, place.first)
    ]
    uses = uses_of(place, source)
    registered = [use for use in uses if use.kind in ("registration", "import")]
    return {
        "view": place.document(),
        "decorators": decorators_of(place),
        "registered": documents(registered),
        "uses": [dict(found, test=use.file.test) for use in needed(uses) for found in documents([use])],
        "shared_with": sorted(shared),
        "only": [] if shared else _only(place, source, views),
    }


def _only(place: Place, source: Source, views: Dict[str, Optional[Place]]) -> List[Dict[str, Any]]:
    """Functions and classes of the same file that nothing but the view uses."""
    used = {node.id for node in ast.walk(place.node) if isinstance(node, ast.Name)}
    views_of_file = {view.first for view in views.values() if view is not None and view.file.path == place.file.path}
    exported = _exported(place.file.tree)
    found = []
    for node in place.file.tree.body:
        if not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)) or node is place.node:
            continue
        # A decorator may have handed it to somebody.
        if node.name not in used or node.decorator_list or node.name in exported:
            continue
        kind = "class" if isinstance(node, ast.ClassDef) else "function"
        helper = Place(place.file, node, node.name, kind)
        if helper.first in views_of_file:
            continue
        elsewhere = [use for use in uses_of(helper, source) if not place.has(use.file.path, use.line)]
        if not elsewhere and not _named(node.name, source):
            found.append(helper.document())
    return found


def _exported(tree: ast.Module) -> Set[str]:
    names: Set[str] = set()
    for node in tree.body:
        if isinstance(node, ast.Assign) and any(getattr(target, "id", "") == "__all__" for target in node.targets):
            names.update(text for text in map(is_text, ast.walk(node.value)) if text is not None)
    return names


def _named(name: str, source: Source) -> bool:
    """Whether a text somewhere is the name: it may be looked up by it."""
    return any(is_text(node) == name for file in source.files for node in ast.walk(file.tree))


def _templates(app: Any, endpoint: str, templates: List[jinja.Template], source: Source) -> Dict[str, Any]:
    """What the view renders, and whether nothing else does."""
    own = templates_of(app.view_functions[endpoint])
    rendered: Set[str] = set()
    unknown = []
    for name, view in app.view_functions.items():
        if name == endpoint or name.rpartition(".")[2] == "static":
            continue
        other = templates_of(view)
        rendered.update(other.names)
        if other.unknown:
            unknown.append(label(name))
    needed_by_others: Set[str] = set()
    for template in templates:
        needed_by_others.update(template.needs - {template.name})
    files = {template.name: template.file for template in templates}
    certain = not unknown and not any(template.needs_unknown for template in templates)
    texts = _mentions(source, set(own.names), own_place=place_of(app.view_functions[endpoint], source))
    listed = []
    for name in own.names:
        only = certain and name in files and name not in rendered | needed_by_others | texts
        listed.append({"name": name, "file": files.get(name), "only": only})
    return {"templates": listed, "templates_unknown": own.unknown, "templates_unknown_of": sorted(unknown)}


def _mentions(source: Source, names: Set[str], own_place: Optional[Place]) -> Set[str]:
    """Which of these texts stand anywhere outside of the view."""
    found: Set[str] = set()
    for file in source.files:
        for node in ast.walk(file.tree):
            text = is_text(node)
            if text in names and not file.test:
                line = getattr(node, "lineno", 0)
                if own_place is None or not own_place.has(file.path, line):
                    found.add(str(text))
    return found


def _references(
    wanted: Wanted, place: Optional[Place], source: Source, templates: List[jinja.Template]
) -> List[Dict[str, Any]]:
    """Who names the endpoint, outside of the view and of what goes with it."""
    found = [one for file in source.files for one in python.names_in(file, wanted)]
    found += [one for template in templates for one in jinja.names_in(template, wanted)]
    return [one for one in found if place is None or not place.has(one["file"], one["line"])]
