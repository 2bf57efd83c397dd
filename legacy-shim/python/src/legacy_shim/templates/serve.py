"""The conversation: JSON questions, a line each, answered in order.

First a line about the routes and their templates. Then `{"do": "render", ...}` renders a template within a request of
its own and answers with the text and the context, which is lent until the next rendering; `request` lets a view run and
does the same for every template that it renders. In between `get`, `items`, `text`, `call`, `filter`, `test` and
`source` ask for what the other engine needs.
"""

import datetime
import json
from contextlib import contextmanager
from typing import IO
from typing import Any
from typing import Callable
from typing import Dict
from typing import Iterator
from typing import List
from typing import Optional

import jinja2
import jinja2.defaults
from flask import current_app
from flask import templating

from .. import _compat
from ..export.collect import collect
from ..export.group import label
from .find import closure
from .find import templates_of
from .sample import invent
from .wire import Lent

#: Options of an environment, and what Flask says.
_USUAL = {
    "block_start_string": "{%",
    "block_end_string": "%}",
    "variable_start_string": "{{",
    "variable_end_string": "}}",
    "comment_start_string": "{#",
    "comment_end_string": "#}",
    "line_statement_prefix": None,
    "line_comment_prefix": None,
    "trim_blocks": False,
    "lstrip_blocks": False,
    "newline_sequence": "\n",
    "keep_trailing_newline": False,
    "undefined": jinja2.Undefined,
}
defaults: Any = jinja2.defaults
_I18N = {"gettext", "ngettext", "_", "pgettext", "npgettext"}


def serve(app: Any, questions: IO[str], answers: IO[str]) -> None:
    """Answers until there are no more questions."""
    Conversation(app, questions, answers).run()


class Conversation:
    """Who asks, who answers, and what is lent meanwhile."""

    def __init__(self, app: Any, questions: IO[str], answers: IO[str]) -> None:
        self.app = app
        self.env = app.jinja_env
        self.lent = Lent(self.env)
        self.questions = questions
        self.answers = answers

    def run(self) -> None:
        self._say(self._header())
        self._listen()

    def _say(self, answer: Dict[str, Any]) -> None:
        self.answers.write(json.dumps(answer) + "\n")
        self.answers.flush()

    def _listen(self) -> None:
        """Until `done` or the end."""
        for line in iter(self.questions.readline, ""):
            question = json.loads(line)
            if question["do"] == "done":
                return
            try:
                getattr(self, "_do_" + question["do"])(question)
            except Exception as error:  # whatever the application raises is an answer
                self._say({"error": f"{type(error).__name__}: {error}"})

    def _header(self) -> Dict[str, Any]:
        rules: Dict[str, List[Any]] = {}
        for entry in collect(self.app.url_map).entries:
            if entry.kind in ("view", "converter"):
                rules.setdefault(entry.endpoint, []).append(entry.rule)
        routes = []
        for endpoint in rules:
            view = self.app.view_functions.get(endpoint)
            found = templates_of(view) if view is not None else None
            if found is not None:
                routes.append({"endpoint": label(endpoint), "templates": found.names, "unknown": found.unknown})
        options = [name for name, usual in _USUAL.items() if getattr(self.env, name, usual) != usual]
        return {
            "schema": 1,
            "versions": dict(_compat.versions(), jinja=_compat.distribution_version("Jinja2")),
            "profile": _compat.profile(),
            "routes": routes,
            "options": sorted(options),
            "filters": self._own(self.env.filters, defaults.DEFAULT_FILTERS),
            "tests": self._own(self.env.tests, defaults.DEFAULT_TESTS),
        }

    @staticmethod
    def _own(there: Any, usual: Any) -> List[str]:
        """What the application added or replaced. Flask's own `tojson` is not meant."""
        return sorted(n for n, f in there.items() if usual.get(n) is not f and not f.__module__.startswith("flask."))

    def _do_source(self, question: Dict[str, Any]) -> None:
        try:
            source, filename, _ = self.env.loader.get_source(self.env, question["name"])
        except jinja2.TemplateNotFound:
            self._say({"source": None})
        else:
            self._say({"source": source, "file": filename})

    def _do_render(self, question: Dict[str, Any]) -> None:
        """Renders a template with the context of the question, else an invented one."""
        name = question["name"]
        with self.app.test_request_context(question.get("path") or "/"):
            template = self.env.get_or_select_template(name)
            context = question.get("context")
            if context is None:
                known: Dict[str, Any] = {}
                self.app.update_template_context(known)
                trees = [tree for tree in closure(self.env, [name]).values() if tree is not None]
                given = {key for key, value in known.items() if value is not None}
                context = invent(trees, given | set(self.env.globals), self._kinds())
            self.app.update_template_context(context)
            self._lend(template, context)

    def _kinds(self) -> Dict[str, str]:
        """What the application's own filters take, of a text, a number and a date: they are tried."""
        kinds = {}
        for name in self._own(self.env.filters, defaults.DEFAULT_FILTERS):
            function = _bound(self.env.filters[name], self.env)
            for kind, value in (("text", "a <b>"), ("number", 3), ("date", datetime.datetime(2024, 2, 3, 4, 5, 6))):
                try:
                    function(value)
                except Exception:  # not this one
                    continue
                kinds[name] = kind
                break
        return kinds

    def _do_request(self, question: Dict[str, Any]) -> None:
        """Lets a view answer a GET; every template that it renders is rendered again, with the same context."""
        seen: List[str] = []

        def rendered(template: Any, context: Dict[str, Any]) -> None:
            if template.name is not None and template.name not in seen:
                seen.append(template.name)
                self._lend(template, dict(context))

        client = self.app.test_client(use_cookies=False)
        headers = {"Cookie": question["cookie"]} if question.get("cookie") else {}
        with _watched(rendered):
            response = client.get(question["path"], headers=headers)
        self._say({"status": response.status_code, "templates": seen, "location": response.headers.get("Location")})

    def _lend(self, template: Any, context: Dict[str, Any]) -> None:
        """Renders, says what came out, and answers questions about the context until the other engine is done."""
        self.lent = Lent(self.env)
        try:
            text = template.render(context)
            again: Optional[str] = template.render(context)
        except Exception as error:
            answer = {"template": template.name, "error": f"{type(error).__name__}: {error}", "line": _line(error)}
            self._say(dict(answer, closure=sorted(closure(self.env, [template.name]))))
            self._listen()
            return
        names = {name for name in self.env.globals if name not in defaults.DEFAULT_NAMESPACE}
        values = {name: self.env.globals[name] for name in names}
        # A macro's `gettext` wants Jinja2's own context: what is behind it is asked for instead.
        for name in _I18N & names:
            values[name] = _without_context(values[name], template, context)
        self._say(
            {
                "template": template.name,
                "text": text,
                "stable": text == again,
                "context": {name: self.lent.write(value) for name, value in context.items()},
                "globals": {name: self.lent.write(value) for name, value in values.items()},
            }
        )
        self._listen()

    def _do_get(self, question: Dict[str, Any]) -> None:
        self._say({"value": self.lent.get(question["object"], question["key"])})

    def _do_items(self, question: Dict[str, Any]) -> None:
        self._say({"value": self.lent.items(question["object"])})

    def _do_text(self, question: Dict[str, Any]) -> None:
        self._say({"value": self.lent.text(question["object"])})

    def _do_call(self, question: Dict[str, Any]) -> None:
        self._say({"value": self.lent.call(question["object"], question["args"], question["named"])})

    def _do_filter(self, question: Dict[str, Any]) -> None:
        function = _bound(self.env.filters[question["name"]], self.env)
        self._say({"value": self.lent.call(function, question["args"], question["named"])})

    def _do_test(self, question: Dict[str, Any]) -> None:
        function = _bound(self.env.tests[question["name"]], self.env)
        self._say({"value": bool(self.lent.read(self.lent.call(function, question["args"], question["named"])))})


@contextmanager
def _watched(rendered: Callable[[Any, Dict[str, Any]], None]) -> Iterator[None]:
    """Tells of every template that Flask renders, with its whole context; signals need blinker in older Flasks."""
    names = [name for name in ("_render", "_stream") if hasattr(templating, name)]
    originals = {name: getattr(templating, name) for name in names}

    def watching(original: Any) -> Any:
        def render(*args: Any) -> Any:
            template = next((arg for arg in args if isinstance(arg, jinja2.Template)), None)
            context = next((arg for arg in args if isinstance(arg, dict)), None)
            if template is not None and context is not None:
                complete = dict(context)
                current_app.update_template_context(complete)
                rendered(template, complete)
            return original(*args)

        return render

    for name in names:
        setattr(templating, name, watching(originals[name]))
    try:
        yield
    finally:
        for name in names:
            setattr(templating, name, originals[name])


def _pass_kind(function: Any) -> Optional[str]:
    """What Jinja2 hands over first: `context`, `eval_context`, `environment` or nothing."""
    kind = getattr(function, "jinja_pass_arg", None)
    if kind is not None:
        return str(kind.name)
    for name in ("context", "evalcontext", "environment"):
        if getattr(function, name + "function", False) is True or getattr(function, name + "filter", False) is True:
            return {"evalcontext": "eval_context"}.get(name, name)
    return None


def _bound(function: Any, env: Any) -> Any:
    """A filter or test without what Jinja2 hands over first."""
    kind = _pass_kind(function)
    if kind is None:
        return function
    if kind == "environment":
        return lambda *args, **named: function(env, *args, **named)
    if kind == "eval_context":
        evaluation = jinja2.nodes.EvalContext(env, "template.html")
        return lambda *args, **named: function(evaluation, *args, **named)
    context = env.from_string("").new_context({})
    return lambda *args, **named: function(context, *args, **named)


def _without_context(function: Any, template: Any, context: Dict[str, Any]) -> Any:
    if _pass_kind(function) != "context":
        return function
    inside = template.new_context(context)
    return lambda *args, **named: function(inside, *args, **named)


def _line(error: BaseException) -> Optional[int]:
    """The line of a template in which an exception was raised."""
    line = getattr(error, "lineno", None)
    trace = error.__traceback__
    while trace is not None:
        if "__jinja_template__" in trace.tb_frame.f_globals or trace.tb_frame.f_code.co_filename.endswith(".html"):
            line = trace.tb_lineno
        trace = trace.tb_next
    return line if isinstance(line, int) else None
