"""Runs every case of `*/*.http` against Flask and against Rust, each through ficus, on equal databases."""

import difflib
import hashlib
import re
import time
from pathlib import Path

import pytest
from itsdangerous import TimestampSigner, URLSafeTimedSerializer

from parity.case_file import Case, read_cases
from stack.client import Answer, Client
from stack.parity_text import mask_tokens
from stack.session import read_session
from stack.stack import SECRETS

FOLDER = Path(__file__).parent
CASES = [case for path in sorted(FOLDER.glob("*/*.http")) for case in read_cases(path)]

# Headers that may differ: who answered (reveal), when, and how the bytes were framed.
IGNORED = {"date", "server", "connection", "keep-alive", "transfer-encoding", "x-ficus-route", "x-ficus-backend",
           "x-ficus-revision", "x-request-id"}
CLOCK_COLUMNS = {"created_at", "updated_at", "archived_at", "last_login_at"}


@pytest.fixture(scope="session")
def sides(legacy_stack, rust_stack):
    """(Flask's stack, Rust's stack), and one login per user that both accept."""
    return legacy_stack, rust_stack, {}


def login(sides, email: str) -> dict:
    """The cookies of `email`, who logged in on Flask; both sides believe them."""
    legacy, rust, logins = sides
    if email not in logins:
        for stack in (rust, legacy):  # both, since a login leaves rows
            client = Client(stack.port)
            client.log_in(email)
            client.get("/customers/")  # takes the login's own flash away
            client.csrf_token("/customers/new")  # leaves a CSRF secret in the session
        logins[email] = dict(client.cookies)
    return dict(logins[email])


def csrf_tokens(cookies: dict) -> dict:
    """Tokens for the session in `cookies`: a good one and one that has expired."""
    secret = read_session(cookies.get("session", ""), SECRETS["FLASK_SECRET_KEY"]).get("csrf_token", "none")

    class Yesterday(TimestampSigner):
        def get_timestamp(self):
            return int(time.time()) - 86_400

    kinds = {"csrf": TimestampSigner, "expired": Yesterday}
    make = {
        name: URLSafeTimedSerializer(
            SECRETS["FLASK_SECRET_KEY"], salt="wtf-csrf-token", signer=signer,
            signer_kwargs={"key_derivation": "django-concat", "digest_method": hashlib.sha1},
        )
        for name, signer in kinds.items()
    }
    return {name: serializer.dumps(secret) for name, serializer in make.items()}


def fill(text: str, values: dict) -> str:
    text = re.sub(r"\{\{long:(\d+)\}\}", lambda found: "x" * int(found.group(1)), text)
    return re.sub(r"\{\{(\w+)\}\}", lambda found: values[found.group(1)], text)


def send(stack, case: Case, cookies: dict, values: dict):
    """The answer to the case's request, and to the GET after it."""
    client = Client(stack.port, cookies=dict(cookies))
    method, target = case.request_line.split(" ", 1)
    headers = [(name, fill(value, values)) for name, value in case.headers]
    answer = client.request(method, fill(target, values), fill(case.body, values).encode(), headers)
    return answer, client.get(case.then) if case.then else None


def comparable(answer: Answer) -> dict:
    """What must be equal: status, headers that matter, cookies by meaning, body with CSRF tokens masked."""
    headers = sorted((k.lower(), v) for k, v in answer.headers if k.lower() not in IGNORED | {"set-cookie", "vary"})
    headers = [(k, sorted(v.replace(" ", "").split(",")) if k == "allow" else v) for k, v in headers]
    vary = sorted(part.strip() for value in answer.headers_named("Vary") for part in value.split(","))
    body = mask_tokens(answer.body)
    if body != answer.body:
        headers = [(k, v) for k, v in headers if k != "content-length"]
    return {
        "status": (answer.status, answer.reason.upper()),
        "headers": headers,
        "vary": vary,
        "cookies": [cookie_meaning(line) for line in answer.headers_named("Set-Cookie")],
        "body": body.decode("utf-8", "replace").splitlines(),
    }


def difference(from_flask: Answer, from_rust: Answer) -> str:
    """What differs, as a person reads it; empty if nothing does."""
    flask, rust = comparable(from_flask), comparable(from_rust)
    lines = [f"{key}: Flask {flask[key]}, Rust {rust[key]}" for key in flask if key != "body" and flask[key] != rust[key]]
    lines += difflib.unified_diff(flask["body"], rust["body"], "Flask", "Rust", lineterm="", n=1)
    return "\n".join(lines)


def cookie_meaning(line: str):
    """(name, decoded session or value, attributes in order)."""
    value, *attributes = [part.strip() for part in line.split(";")]
    name, _, content = value.partition("=")
    if name == "session" and content:
        content = read_session(content, SECRETS["FLASK_SECRET_KEY"])
        content = {k: ("<secret>" if k == "csrf_token" else v) for k, v in content.items()}
    return name, content, attributes


def rows(stack, table: str) -> list:
    """The rows of a table without the columns that a clock fills."""
    columns = [
        name for (name,) in stack.query(
            "SELECT column_name FROM information_schema.columns WHERE table_name = %s ORDER BY ordinal_position",
            (table,),
        )
        if name not in CLOCK_COLUMNS
    ]
    assert columns, f"there is no table {table}"
    listed = ", ".join(f'"{name}"' for name in columns)
    return stack.query(f'SELECT {listed} FROM "{table}" ORDER BY 1')


@pytest.fixture(scope="session")
def api_tokens(databases, template, legacy_stack, rust_stack):
    """The same API token for a user, made known to both databases."""
    from stack.api_token import grant

    return {email: grant([legacy_stack, rust_stack], email) for email in ("ana@example.com", "rita@example.com")}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_parity(case: Case, sides, api_tokens):
    legacy, rust, _ = sides
    cookies = login(sides, case.user) if case.user and "{{api_token}}" not in str(case.headers) else {}
    values = {**csrf_tokens(cookies), "api_token": api_tokens.get(case.user, "")}
    from_flask, flask_after = send(legacy, case, cookies, values)
    from_rust, rust_after = send(rust, case, cookies, values)
    where = f"{case.file.relative_to(FOLDER)}:{case.line}"

    assert from_flask.header("x-ficus-backend") == "legacy", where
    assert from_rust.header("x-ficus-backend") == case.backend, where
    assert from_flask.status == case.expect, f"{where}: Flask answered {from_flask.status}"
    for text in case.contains:
        assert text in from_flask.text, f"{where}: Flask's answer lacks {text!r}"
    assert not difference(from_flask, from_rust), f"{where}\n{difference(from_flask, from_rust)}"
    if case.then:
        after = difference(flask_after, rust_after)
        assert not after, f"{where}: {case.then} afterwards\n{after}"
    for table in case.tables:
        assert rows(rust, table) == rows(legacy, table), f"{where}: table {table} afterwards"


def test_there_are_enough_cases():
    assert len(CASES) >= 60
    assert {case.file.stem.split("-")[0] for case in CASES} >= {"list", "detail", "create", "customers", "customer"}


def test_rust_answers_what_it_should():
    """A parity test in which Flask answers on both sides proves nothing: few requests may be handed back."""
    assert sum(case.backend == "rust" for case in CASES) >= 0.85 * len(CASES)
