"""What `ficus init` must know about an application: versions, extensions, session, special views, routes.

Facts only, as one document of plain values; what to do about them is Ficus' business. Reads, and never calls a
view. No value of a secret is in the document: of the secret key it says whether there is one, and which
environment variable has the same value.
"""

import os
from typing import Any
from typing import Dict
from typing import List
from typing import Mapping

from . import __version__
from . import _compat
from .export import write_routes
from .export.collect import collect
from .export.group import Route
from .export.group import group
from .export.group import label
from .export.notes import notes
from .export.views import view_class
from .session_kind import session_kind

#: What extensions call themselves in `app.extensions`, or the module they come from: their distribution.
_EXTENSIONS = {
    "babel": "Flask-Babel",
    "flask_babel": "Flask-Babel",
    "cache": "Flask-Caching",
    "csrf": "Flask-WTF",
    "flask_caching": "Flask-Caching",
    "flask_login": "Flask-Login",
    "flask_mail": "Flask-Mail",
    "flask_migrate": "Flask-Migrate",
    "flask_restful": "Flask-RESTful",
    "flask_restx": "flask-restx",
    "flask_session": "Flask-Session",
    "flask_sqlalchemy": "Flask-SQLAlchemy",
    "flask_wtf": "Flask-WTF",
    "limiter": "Flask-Limiter",
    "mail": "Flask-Mail",
    "migrate": "Flask-Migrate",
    "sqlalchemy": "Flask-SQLAlchemy",
}
_RESOURCES = ("flask_restful", "flask_restx")


def take_census(app: Any, target: str, environment: Mapping[str, str] = os.environ) -> Dict[str, Any]:
    """The document about an application."""
    collected = collect(app.url_map)
    routes = group(collected)
    facts = [_facts(app, route) for route in routes]
    text = write_routes(app, "legacy", f"python -m legacy_shim routes --app {target}", __version__)
    return {
        "schema": 1,
        "shim": __version__,
        "app": {"target": target, "name": app.import_name, "blueprints": sorted(app.blueprints)},
        "versions": _compat.versions(),
        "profile": _compat.profile(),
        "profile_is_exact": _compat.profile_is_exact(),
        "extensions": _extensions(app),
        "session": session_kind(app),
        "secret_key": _secret_key(app, environment),
        "routes": facts,
        "rules": rules_of(collected),
        "has_shim": "legacy_shim" in app.extensions,
        "warnings": _warnings(collected, facts, text),
        "routes_toml": text,
    }


def rules_of(collected: Any) -> List[Dict[str, Any]]:
    """Every rule of the url_map: what requests to try are made from."""
    return [
        {
            "rule": entry.rule,
            "endpoint": label(entry.endpoint),
            "methods": list(entry.methods),
            "host": entry.host,
            "subdomain": entry.subdomain,
            "kind": entry.kind,
        }
        for entry in collected.entries
    ]


def _facts(app: Any, route: Route) -> Dict[str, Any]:
    """A route with what its comments in routes.toml say, by their first words."""
    said: Dict[str, str] = {}
    for line in notes(app, route.first) if route.first.kind in ("view", "converter") else []:
        name, _, text = line.partition(": ")
        said.setdefault(name, text)
    return {
        "name": route.name,
        "rules": route.rules,
        "methods": list(route.first.methods),
        "kind": route.first.kind,
        "view": said.get("view"),
        "login": said.get("login"),
        "csrf": said.get("csrf"),
        "streaming": said.get("streaming"),
        "remarks": list(route.first.remarks),
    }


def _extensions(app: Any) -> List[Dict[str, str]]:
    """Extensions by the names of their distributions; those that cannot be named are left out."""
    found = {_EXTENSIONS[key] for key in app.extensions if key in _EXTENSIONS}
    for value in app.extensions.values():
        module = type(value).__module__.split(".")[0]
        if module in _EXTENSIONS or module.startswith("flask_"):
            found.add(_EXTENSIONS.get(module) or module.replace("_", "-"))
    if getattr(app, "login_manager", None) is not None:
        found.add("Flask-Login")
    for classes in (type(app.session_interface).__mro__, *_view_classes(app)):
        for cls in classes:
            module = cls.__module__.split(".")[0]
            if module in _RESOURCES or module == "flask_session":
                found.add(_EXTENSIONS[module])
    return [{"name": name, "version": _compat.distribution_version(name)} for name in sorted(found, key=str.lower)]


def _view_classes(app: Any) -> List[Any]:
    classes = (view_class(view) for view in app.view_functions.values())
    return [cls.__mro__ for cls in classes if cls is not None]


def _secret_key(app: Any, environment: Mapping[str, str]) -> Dict[str, Any]:
    """Whether there is one, and the name of the variable that has it; never the key."""
    key = app.secret_key
    if isinstance(key, bytes):
        key = key.decode("utf-8", "replace")
    names = sorted(name for name, value in environment.items() if key and value == key)
    return {
        "set": bool(key),
        "variables": names,
        "fallbacks": len(app.config.get("SECRET_KEY_FALLBACKS") or ()),
    }


def _warnings(collected: Any, facts: List[Dict[str, Any]], text: str) -> List[str]:
    """What somebody should read before anything moves, most surprising first."""
    warnings = []
    unknown = [entry.rule for entry in collected.entries if entry.kind == "unknown converter"]
    if unknown:
        warnings.append(
            "{} a converter that only Python can run; they are no routes and stay on legacy: {}".format(
                _count(len(unknown), "rule uses", "rules use"), _some(unknown)
            )
        )
    overtaken = text.count("# caution: Flask tries `")
    if overtaken:
        warnings.append(
            "{} such a rule first; leave what `caution` stands above in routes.toml on legacy".format(
                _count(overtaken, "time Flask may try", "times Flask may try")
            )
        )
    pinned = [fact["name"] for fact in facts if fact["kind"] != "view"]
    if pinned:
        warnings.append(
            "{} on legacy, as Flask's map or a converter of the application answers: {}".format(
                _count(len(pinned), "route stays", "routes stay"), _some(pinned)
            )
        )
    streams = [f["name"] for f in facts if (f["streaming"] or "").startswith("yes") and "files" not in f["streaming"]]
    if streams:
        warnings.append(
            "{}: their answers cannot be compared as a whole: {}".format(
                _count(len(streams), "view streams", "views stream"), _some(streams)
            )
        )
    twins = _slash_twins(collected)
    if twins:
        warnings.append(
            "{} only by the last slash: {}".format(_count(len(twins), "rule differs", "rules differ"), _some(twins))
        )
    return warnings


def _slash_twins(collected: Any) -> List[str]:
    texts: Dict[Any, List[str]] = {}
    for entry in collected.entries:
        if entry.is_route:
            key = (entry.rule.rstrip("/"), entry.host, entry.subdomain)
            if entry.rule not in texts.setdefault(key, []):
                texts[key].append(entry.rule)
    return [rules[0] for rules in texts.values() if len(rules) > 1]


def _count(number: int, one: str, many: str) -> str:
    return f"{number} {one if number == 1 else many}"


def _some(names: List[str]) -> str:
    """A few names, and how many more there are."""
    shown = ", ".join(f"`{name}`" for name in names[:5])
    return shown if len(names) <= 5 else f"{shown} and {len(names) - 5} more"
