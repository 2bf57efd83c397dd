"""Run the cases of forms_cases.py through the installed WTForms and write down what it says.

    target/python/flask-1.1/bin/python legacy-shim/rust/tests/forms_vectors.py           # WTForms 2.3.3
    target/python/flask-2.3/bin/python legacy-shim/rust/tests/forms_vectors.py --check   # WTForms 3.3: compare only

The environments are those of legacy-crm/requirements. `forms.rs` compares the Rust forms with the files written here.
"""
import argparse
import datetime
import decimal
import json
import sys
import warnings
from pathlib import Path

HERE = Path(__file__).resolve().parent
CRM = HERE.parents[2] / "legacy-crm"
sys.path[:0] = [str(HERE), str(CRM)]
warnings.simplefilter("ignore")

import flask  # noqa: E402
import flask_wtf.csrf  # noqa: E402
import forms_cases  # noqa: E402
import jinja2  # noqa: E402
import wtforms  # noqa: E402
from flask_wtf import FlaskForm  # noqa: E402
from werkzeug.datastructures import MultiDict  # noqa: E402
from wtforms import fields, validators, widgets  # noqa: E402

from crm.blueprints.customers.forms import CustomerForm  # noqa: E402
from crm.fields import DateInput, optional_id  # noqa: E402
from crm.forms import AmountField, AmountRange, strip  # noqa: E402

VERSION = ".".join(wtforms.__version__.split(".")[:2])
if VERSION == "2.3":
    from wtforms.fields import html5
    from wtforms.widgets import html5 as inputs
else:
    html5, inputs = fields, widgets

TOKEN = "token.\"<&>'"
flask_wtf.form._FlaskFormCSRF.generate_csrf_token = lambda self, field: TOKEN

KINDS = {
    "string": fields.StringField, "text_area": fields.TextAreaField, "email_field": html5.EmailField, "tel": html5.TelField,
    "url_field": html5.URLField, "search": html5.SearchField, "password": fields.PasswordField, "hidden": fields.HiddenField,
    "integer": fields.IntegerField, "decimal": fields.DecimalField, "date": fields.DateField, "date_time": fields.DateTimeField,
    "date_time_local": html5.DateTimeLocalField, "select": fields.SelectField, "boolean": fields.BooleanField,
    "submit": fields.SubmitField, "amount": AmountField, "day": DateInput,
}
WIDGETS = {
    "text": widgets.TextInput, "number": inputs.NumberInput, "number_any": lambda: inputs.NumberInput(step="any"),
    "date": inputs.DateInput, "password": widgets.PasswordInput, "hidden": widgets.HiddenInput, "text_area": widgets.TextArea,
    "tel": inputs.TelInput,
}
COERCE = {"int": int, "optional_id": optional_id}


def refuse(value):
    if value == "bad":
        raise ValueError("refused")
    return value


FILTERS = {"strip": strip, "upper": lambda value: value and value.upper(), "refuse": refuse}


def decoded(value):
    """A Python value from its JSON form."""
    if not isinstance(value, dict):
        return value
    (kind, text), = value.items()
    if kind == "decimal":
        return decimal.Decimal(text)
    if kind == "date":
        return datetime.datetime.strptime(text, "%Y-%m-%d").date()
    return datetime.datetime.strptime(text, "%Y-%m-%d %H:%M:%S")


def encoded(value):
    """The JSON form of a Python value; integers as text, because JSON readers differ about large ones."""
    if value is None or isinstance(value, (bool, str)):
        return value
    if isinstance(value, int):
        try:
            return {"integer": str(value)}
        except ValueError:
            return {"integer": "too long"}
    if isinstance(value, decimal.Decimal):
        return {"decimal": str(value)}
    return {"datetime" if isinstance(value, datetime.datetime) else "date": str(value)}


def fail(message, exception):
    def validator(form, field):
        raise exception(message)

    return validator


def validator_of(kind, **options):
    if kind in ("fail", "stop"):
        return fail(options["message"], validators.ValidationError if kind == "fail" else validators.StopValidation)
    if kind == "amount_range":
        return AmountRange(999999999999)
    options = {name: decoded(value) for name, value in options.items()}
    renamed = {"strip": "strip_whitespace", "pattern": "regex", "other": "fieldname"}
    options = {renamed.get(name, name): value for name, value in options.items()}
    if options.pop("ignore_case", False):
        options["flags"] = 2
    names = {"url": "URL", "email": "Email", "number_range": "NumberRange"}
    return getattr(validators, names.get(kind, kind.title().replace("_", "")))(**options)


def field_of(kind, name, **options):
    if "default" in options:
        options["default"] = decoded(options["default"])
    if "choices" in options:
        options["choices"] = [tuple(choice) if isinstance(choice, list) else choice for choice in options["choices"]]
    if "coerce" in options:
        options["coerce"] = COERCE[options["coerce"]]
    if "widget" in options:
        options["widget"] = WIDGETS[options["widget"]]()
    if "formats" in options:
        options["format"] = options.pop("formats")[0]
    if "rounding" in options:
        options["rounding"] = decimal.ROUND_HALF_UP
    if options.pop("any_choice", False):
        options["validate_choice"] = False
    options["validators"] = [validator_of(**each) for each in options.get("validators", [])]
    options["filters"] = [FILTERS[each] for each in options.get("filters", [])]
    return KINDS[kind](**options)


def templates_of(case):
    own = case.get("templates")
    return own or ["{{ form.%s }}|{{ form.%s.label }}" % (field["name"], field["name"]) for field in case["fields"]]


def rendered(environment, template, **context):
    try:
        return environment.from_string(template).render(**context)
    except Exception as error:  # what a page would answer with 500; Rust need not imitate it
        return {"raises": type(error).__name__}


def outcome(form, result):
    try:
        result["valid"] = form.validate() if result["validates"] else None
    except Exception as error:
        result["raises"] = type(error).__name__
    result["errors"] = {f.name: list(f.errors) for f in form if f.errors}
    result["data"] = {f.name: encoded(f.data) for f in form}


def run(case, environment):
    declared = {each["name"]: field_of(**each) for each in case["fields"]}
    form_class = type("CaseForm", (FlaskForm if case.get("flask") else wtforms.Form,), declared)
    values = {name: decoded(value) for name, value in case.get("values", {}).items()}
    sent = MultiDict([tuple(pair) for pair in case["form"]]) if case["form"] is not None else None
    result = {"validates": case["form"] is not None}
    if case.get("flask"):
        flask.g.csrf_valid = "csrf_error" not in case
        form = form_class(formdata=sent or None, **values)
    else:
        form = form_class(formdata=sent, **values)
    outcome(form, result)
    result["html"] = [rendered(environment, template, form=form) for template in templates_of(case)]
    return dict(case, expected=result)


def run_crm(case, environment):
    class User:
        sees_everything = case["sees_everything"]

    values = {name: decoded(value) for name, value in case.get("values", {}).items()}
    sent = MultiDict([tuple(pair) for pair in case["form"]]) if case["form"] is not None else None
    flask.g.csrf_valid = True
    form = CustomerForm(formdata=sent, **values)
    form.owner_id.choices = [tuple(person) for person in forms_cases.PEOPLE]
    if form.owner_id.data is None:
        form.owner_id.data = 1
    result = {"validates": sent is not None}
    outcome(form, result)
    template = environment.get_template("customers/_form.html")
    result["html"] = [template.render(form=form, current_user=User(), cancel="/customers/?a=1&b=2")]
    return dict(case, expected=result)


def bodies():
    """Form bodies as request.form of the installed Werkzeug decodes them."""
    from werkzeug.test import EnvironBuilder
    from werkzeug.wrappers import Request

    for body in ["a=1&b=2;c=3&a=4", "a=%FF", "a=%zz&%=1&&=x&c", "a+b=c+d%2B", "é=ü", "a=%C3%A9%C3", "a=1&=&b", "a=%00", "", "&&", "a",
                 "a=b=c", "%61=%20+", "a=%F0%9F%98%80&a=%ED%A0%80", "a=1%26b=2"]:
        environ = EnvironBuilder(method="POST", data=body.encode(), content_type="application/x-www-form-urlencoded").get_environ()
        form = Request(environ).form
        yield {"body": body, "lists": [[name, form.getlist(name)] for name in form]}


def vectors():
    app = flask.Flask("vectors")
    app.config["SECRET_KEY"] = "vectors"
    loader = jinja2.FileSystemLoader(str(CRM / "crm" / "templates"))
    environment = jinja2.Environment(autoescape=True, loader=loader)
    with app.test_request_context(method="POST"):
        cases = [run(case, environment) for part in (forms_cases.reading, forms_cases.showing, forms_cases.validating) for case in part()]
        crm = [run_crm(case, environment) for case in forms_cases.crm()]
    return {"wtforms": VERSION, "token": TOKEN, "bodies": list(bodies()), "cases": cases, "crm": crm}


def as_text(found):
    """One case a line, so that a change shows which."""
    lines = ["{"]
    for key, value in found.items():
        last = "" if key == "crm" else ","
        if isinstance(value, list):
            items = ",\n".join(json.dumps(item, sort_keys=True) for item in value)
            lines.append("%s: [\n%s\n]%s" % (json.dumps(key), items, last))
        else:
            lines.append("%s: %s%s" % (json.dumps(key), json.dumps(value), last))
    return "\n".join(lines + ["}"]) + "\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="compare with the file instead of writing it; 1 if they differ")
    asked = parser.parse_args()
    if VERSION not in ("2.3", "3.3"):
        sys.exit("WTForms %s is installed; the vectors are for 2.3 and 3.3" % wtforms.__version__)
    path = HERE / "vectors" / ("forms-wtforms-%s.json" % VERSION)
    text = as_text(vectors())
    if not asked.check:
        path.write_text(text)
        print("%s: %d cases" % (path.name, text.count('"expected"')))
        return
    before = path.read_text() if path.exists() else ""
    if before != text:
        changed = sum(a != b for a, b in zip(before.splitlines(), text.splitlines())) + abs(before.count("\n") - text.count("\n"))
        sys.exit("%s no longer says what WTForms %s does: %d lines differ; run without --check" % (path.name, wtforms.__version__, changed))
    print("%s agrees with WTForms %s" % (path.name, wtforms.__version__))


if __name__ == "__main__":
    main()
