"""Who names the endpoint in templates, and which templates need which."""

from typing import Any
from typing import Dict
from typing import Iterator
from typing import List
from typing import NamedTuple
from typing import Optional
from typing import Set

from jinja2 import meta
from jinja2 import nodes

from ..export.views import relative
from .naming import Wanted
from .naming import found


class Template(NamedTuple):
    """One template."""

    name: str
    #: Relative to the working directory; `None` for one of an installed package.
    file: Optional[str]
    tree: nodes.Template
    lines: List[str]
    #: Templates that it extends, includes or imports.
    needs: Set[str]
    #: Whether it names one that only runs can tell.
    needs_unknown: bool

    def text(self, line: int) -> str:
        """A line, as people would quote it."""
        return self.lines[line - 1].strip()[:120] if 0 < line <= len(self.lines) else ""


def read_templates(app: Any, unread: List[Dict[str, str]]) -> List[Template]:
    """Every template that the application can load and that is its own."""
    env = app.jinja_env
    try:
        names = env.list_templates()
    except TypeError:  # a loader that cannot list
        unread.append({"file": "templates", "why": "the loader of the application cannot list its templates"})
        return []
    templates = []
    for name in names:
        try:
            text, file = env.loader.get_source(env, name)[:2]
        except Exception as error:  # a loader may raise anything
            unread.append({"file": name, "why": str(error).splitlines()[0]})
            continue
        path = relative(file) if file else None
        if path is None:
            continue
        try:
            tree = env.parse(text, name)
        except Exception as error:  # static text among the templates, or another syntax
            if "url_for" in text:
                unread.append({"file": path, "why": str(error).splitlines()[0]})
            continue
        references = list(meta.find_referenced_templates(tree))
        needs = {reference for reference in references if reference is not None}
        templates.append(Template(name, path, tree, text.splitlines(), needs, None in references))
    return templates


def names_in(template: Template, wanted: Wanted) -> Iterator[Dict[str, Any]]:
    """Places that name the endpoint for sure (`template`), or perhaps (`unknown`)."""
    seen: Set[int] = set()
    for call in template.tree.find_all(nodes.Call):
        name = getattr(call.node, "name", None) or getattr(call.node, "attr", None)
        if name != "url_for":
            continue
        argument = call.args[0] if call.args else next((k.value for k in call.kwargs if k.key == "endpoint"), None)
        kind = _kind(argument, wanted)
        if argument is not None:
            seen.add(id(argument))
        if kind is not None:
            yield found(kind, template.file or template.name, call.lineno, template.text(call.lineno))
    for constant in template.tree.find_all(nodes.Const):
        if constant.value == wanted.endpoint and not wanted.is_plain and id(constant) not in seen:
            yield found("name", template.file or template.name, constant.lineno, template.text(constant.lineno))


def _kind(node: Any, wanted: Wanted) -> Optional[str]:
    if isinstance(node, nodes.Const):
        return "template" if isinstance(node.value, str) and wanted.is_named(node.value) else None
    if isinstance(node, nodes.CondExpr):
        kinds = [_kind(node.expr1, wanted), _kind(node.expr2, wanted) if node.expr2 is not None else None]
        return "template" if "template" in kinds else ("unknown" if "unknown" in kinds else None)
    if isinstance(node, nodes.Getattr) and node.attr == "endpoint" and getattr(node.node, "name", "") == "request":
        return None
    prefix, suffix = _ends(node)
    return "unknown" if wanted.may_be(prefix, suffix) else None


def _ends(node: Any) -> Any:
    """How a text begins and ends of which the rest is only known when it runs."""
    text = node.value if isinstance(node, nodes.Const) and isinstance(node.value, str) else ""
    if isinstance(node, nodes.Concat) and node.nodes:
        return _ends(node.nodes[0])[0], _ends(node.nodes[-1])[1]
    if isinstance(node, nodes.Add):
        return _ends(node.left)[0], _ends(node.right)[1]
    return text, text
