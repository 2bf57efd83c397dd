"""The Python side of `bench.py`: real Flask, Werkzeug, Flask-WTF and Jinja2, timed on the CRM's formats.

    PYTHON python_side.py inputs FILE    writes what both sides work on: cookie, token, rules, the list's data
    PYTHON python_side.py run FILE DIR   prints `name nanoseconds` lines, writes the rendered page to DIR/python.html

PYTHON is target/python/flask-1.1/bin/python. No database is needed: the customers are plain objects.
"""
import json
import os
import sys
import time
from datetime import datetime
from decimal import Decimal
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
SECRET = "benchmark secret"
SHAPES = [
    ("/{}/", ["GET"]), ("/{}/<int:id>", ["GET"]), ("/{}/new", ["GET", "POST"]), ("/{}/<int:id>/edit", ["POST"]),
    ("/{}/<slug>", ["GET"]), ("/{}/<int:id>/notes/<int:note>", ["GET", "DELETE"]),
    ("/{}/files/<path:name>", ["GET"]), ("/{}/report-<year>.<kind>", ["GET"]),
]
HITS = [
    ("GET", "/{}/"), ("GET", "/{}/4711"), ("POST", "/{}/new"), ("POST", "/{}/4711/edit"), ("GET", "/{}/some-slug"),
    ("DELETE", "/{}/4711/notes/12"), ("GET", "/{}/files/2024/05/invoice.pdf"), ("GET", "/{}/report-2024.csv"),
]
CRM_HITS = [
    ("GET", "/customers/"), ("GET", "/customers/4711"), ("POST", "/customers/new"), ("GET", "/customers/4711/edit"),
    ("GET", "/static/crm.css"), ("GET", "/api/v1/customers/12"), ("GET", "/"), ("POST", "/auth/login"),
]


class Record:
    """A row of the list, as the template sees a model."""

    def __init__(self, **fields):
        self.__dict__.update(fields)


def make_app():
    """The real CRM with its URL map, filters and templates."""
    os.environ.update(FLASK_SECRET_KEY=SECRET, DATABASE_URL="postgresql://nobody@127.0.0.1:1/none",
                      CRM_FERNET_KEYS="AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=")
    sys.path.insert(0, str(ROOT / "legacy-crm"))
    from crm import create_app

    return create_app()


def customers():
    """The 25 customers of a page, some with gaps."""
    for number in range(25):
        yield {
            "id": 100 + number, "name": f"Customer & Sons {number}", "status": ["lead", "active"][number % 2],
            "industry": None if number % 5 == 0 else "Food & Drink", "city": None if number % 7 == 0 else "Zürich",
            "country": "Switzerland", "owner": {"id": 3, "name": "Rita O'Hara"}, "contact_count": number % 4,
            "open_deal_total": f"{number * 1234}.50", "annual_revenue": None if number % 6 == 0 else "9876543.21",
            "created_at": f"2024-{number % 12 + 1:02}-05T09:07:00",
        }


def inputs(app):
    """What both sides work on, made by the real packages."""
    from flask import session
    from flask.sessions import SecureCookieSessionInterface
    from flask_wtf.csrf import generate_csrf

    with app.test_request_context("/customers/"):
        session.update({"_user_id": "7", "_fresh": True, "_id": "5f" * 64})
        session["_flashes"] = [("success", "Customer created.")]
        token = generate_csrf()
        raw = session["csrf_token"]
        serializer = SecureCookieSessionInterface().get_signing_serializer(app)
        cookie = serializer.dumps(dict(session))
    rules = [
        {"rule": rule.rule, "endpoint": rule.endpoint, "methods": sorted(rule.methods), "defaults": rule.defaults or {}}
        for rule in app.url_map.iter_rules()
    ]
    names = [f"resource{number}" for number in range(125)]
    many = [
        {"rule": rule.format(name), "endpoint": f"{name}.{at}", "methods": methods, "defaults": {}}
        for name in names for at, (rule, methods) in enumerate(SHAPES)
    ]
    return {
        "secret": SECRET, "cookie": cookie, "token": token, "csrf_raw": raw, "now": int(time.time()),
        "crm": {"rules": rules, "requests": CRM_HITS},
        "many": {"rules": many, "requests": [
            [HITS[n % 8][0], HITS[n % 8][1].format(names[n * 7919 % 125])] for n in range(1000)]},
        "page": {"customers": list(customers()), "page": 4, "per_page": 25, "total": 240,
                 "owners": [{"id": 1, "name": "Ana"}, {"id": 3, "name": "Rita O'Hara"}],
                 "statuses": ["lead", "active", "inactive", "archived"],
                 "industries": ["Energy", "Food & Drink", "Retail"],
                 "shown": {"q": "sons", "status": "active", "industry": "", "owner_id": 3, "sort": "name",
                           "direction": "asc"},
                 "filters": [["q", "sons"], ["status", "active"]],
                 "args": [["q", "sons"], ["status", "active"], ["sort", "name"]],
                 "user": {"id": 7, "name": "Ana <admin>", "sees_everything": True, "is_admin": True}},
    }


def measure(name, work, per_call=1):
    """Best of five runs of at least 0.2 seconds: nanoseconds per operation."""
    count = 1
    while True:
        start = time.perf_counter()
        for _ in range(count):
            work()
        if time.perf_counter() - start > 0.05:
            break
        count *= 2
    best = float("inf")
    for _ in range(5):
        start = time.perf_counter()
        for _ in range(count * 4):
            work()
        best = min(best, (time.perf_counter() - start) / (count * 4))
    print(f"{name} {best * 1e9 / per_call:.0f}", flush=True)


def sessions_and_tokens(app, given):
    """As Flask does it for each request, serializer included; and the serializer's part alone."""
    from flask import session
    from flask_wtf.csrf import validate_csrf

    interface = app.session_interface
    with app.test_request_context("/", headers={"Cookie": "session=" + given["cookie"]}) as context:
        request = context.request
        assert dict(interface.open_session(app, request))["_user_id"] == "7"
        measure("session_decode", lambda: interface.open_session(app, request))
        serializer = interface.get_signing_serializer(app)
        measure("session_decode_serializer_kept", lambda: serializer.loads(given["cookie"], max_age=2678400))
        assert session["csrf_token"] == given["csrf_raw"]
        measure("csrf_check", lambda: validate_csrf(given["token"]))


def lookups(name, given, url_map):
    """`match` of an adapter that is there already."""
    adapter = url_map.bind("crm.example.com")
    requests = [(path, method) for method, path in given["requests"]]

    def work():
        for path, method in requests:
            adapter.match(path, method)

    work()
    measure(name, work, len(requests))


def many_rules(given):
    """A Werkzeug map of the 1,000 rules."""
    from werkzeug.routing import Map
    from werkzeug.routing import Rule

    return Map([Rule(one["rule"], endpoint=one["endpoint"], methods=one["methods"]) for one in given["rules"]])


def page(app, given, out):
    """`render_template` within one request: the CSRF token is signed once, as in a real one."""
    from flask import render_template
    from flask_login import UserMixin
    from flask_login import login_user
    from flask_sqlalchemy import Pagination

    class User(UserMixin, Record):
        pass

    def row(fields):
        fields = dict(fields, owner=Record(**fields["owner"]), created_at=datetime.fromisoformat(fields["created_at"]))
        for column in ("open_deal_total", "annual_revenue"):
            fields[column] = None if fields[column] is None else Decimal(fields[column])
        return Record(**fields)

    items = [row(fields) for fields in given["customers"]]
    context = {
        "pagination": Pagination(None, given["page"], given["per_page"], given["total"], items),
        "shown": Record(**given["shown"]), "owners": [Record(**owner) for owner in given["owners"]],
        "filters": dict(given["filters"]), "args": dict(given["args"]),
        "statuses": given["statuses"], "industries": given["industries"],
    }
    with app.test_request_context("/customers/?q=sons&status=active&sort=name&page=4"):
        login_user(User(**given["user"]))
        from flask import g

        g.csrf_token = "the token of this request"
        (out / "python.html").write_text(render_template("customers/list.html", **context))
        measure("template_customers_list", lambda: render_template("customers/list.html", **context))


def main(command, file, out=None):
    """`inputs` or `run`."""
    app = make_app()
    if command == "inputs":
        Path(file).write_text(json.dumps(inputs(app), indent=1))
        return
    given = json.loads(Path(file).read_text())
    sessions_and_tokens(app, given)
    lookups("route_lookup_crm", given["crm"], app.url_map)
    lookups("route_lookup_1000", given["many"], many_rules(given["many"]))
    page(app, given["page"], Path(out))


if __name__ == "__main__":
    main(*sys.argv[1:])
