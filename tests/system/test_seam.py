"""A user crosses between Flask and Rust on every click: logins, flashes, tokens and encrypted columns cross with them."""

import os
import subprocess
from urllib.parse import urlsplit

import pytest

from stack.client import Client
from stack.stack import BINARIES, ROOT, SECRETS


@pytest.fixture
def person(rust_stack):
    """Somebody who logged in on Flask, in front of a stack whose five endpoints are on Rust."""
    client = Client(rust_stack.port)
    answer = client.log_in("ana@example.com", remember=True)
    assert answer.header("x-ficus-backend") == "legacy"
    return client


def customer_fields(client: Client, page: str, **fields) -> dict:
    return {"csrf_token": client.csrf_token(page), "status": "lead", "owner_id": "1", **fields}


def test_who_logged_in_on_flask_is_logged_in_on_rust(person):
    answer = person.get("/customers/")
    assert (answer.status, answer.header("x-ficus-backend")) == (200, "rust")
    assert "Ana Lima" in answer.text


def test_a_flash_of_rust_shows_on_flask_once(person):
    created = person.post_form("/customers/new", customer_fields(person, "/customers/new", name="Seam GmbH"))
    assert (created.status, created.header("x-ficus-backend")) == (302, "rust")
    page = person.get("/auth/profile")
    assert page.header("x-ficus-backend") == "legacy"
    assert "Seam GmbH is saved." in page.text
    assert "Seam GmbH is saved." not in person.get("/auth/profile").text


def test_a_flash_of_flask_shows_on_rust_once(person):
    token = person.csrf_token("/customers/2")
    archived = person.post_form("/customers/2/archive", {"csrf_token": token})
    assert (archived.status, archived.header("x-ficus-backend")) == (302, "legacy")
    page = person.get("/customers/")
    assert page.header("x-ficus-backend") == "rust"
    assert "is archived." in page.text
    assert "is archived." not in person.get("/customers/").text


def test_a_token_of_rust_is_good_on_flask(person):
    token = person.csrf_token("/customers/3")
    edited = person.post_form("/customers/3/edit", customer_fields(person, "/customers/3", csrf_token=token, name="Edited"))
    assert (edited.status, edited.header("x-ficus-backend")) == (302, "legacy")


def test_a_token_of_flask_is_good_on_rust(person):
    fields = customer_fields(person, "/auth/profile", name="By a token of Flask")
    created = person.post_form("/customers/new", fields)
    assert (created.status, created.header("x-ficus-backend")) == (302, "rust")


def test_a_bad_token_is_answered_with_the_applications_page(person):
    fields = customer_fields(person, "/customers/new", csrf_token="bad", name="Never")
    refused = person.post_form("/customers/new", fields)
    assert (refused.status, refused.header("x-ficus-backend")) == (400, "rust")
    assert "Please send it again" in refused.text


def test_what_flask_encrypted_rust_reads(person):
    fields = {"csrf_token": person.csrf_token("/customers/5"), "name": "Secret Contact", "email": "secret@example.org"}
    saved = person.post_form("/customers/5/contacts/new", fields)
    assert (saved.status, saved.header("x-ficus-backend")) == (302, "legacy"), saved.text
    page = person.get("/customers/5")
    assert page.header("x-ficus-backend") == "rust"
    assert "secret@example.org" in page.text


def test_the_remember_cookie_logs_in_on_rust(person):
    del person.cookies["session"]
    assert "remember_token" in person.cookies
    page = person.get("/customers/")
    assert (page.status, page.header("x-ficus-backend")) == (200, "rust")
    assert person.get("/auth/profile").status == 200, "Flask knows the session that Rust wrote"


def test_who_logged_out_on_flask_is_out_on_rust(person):
    left = person.post_form("/auth/logout", {"csrf_token": person.csrf_token("/customers/")})
    assert left.header("x-ficus-backend") == "legacy"
    page = person.get("/customers/")
    assert (page.status, page.header("x-ficus-backend")) == (302, "rust")
    assert urlsplit(page.header("Location")).path == "/auth/login"


def test_handlers_refuse_a_schema_they_do_not_know(databases, template, tmp_path):
    name = databases.create(template)
    databases.query(name, "UPDATE alembic_version SET version_num = 'feedc0de0001'")
    done = subprocess.run(
        [BINARIES / "rust-handlers"], capture_output=True, text=True, timeout=60, check=False,
        env={
            **os.environ, **SECRETS, "DATABASE_URL": databases.url(name),
            "HANDLERS_SOCKET": str(tmp_path / "handlers.sock"), "ROUTES_FILE": str(ROOT / "routes.toml"),
            "CRM_TEMPLATES": str(ROOT / "legacy-crm" / "crm" / "templates"),
        },
    )
    assert done.returncode == 1
    assert "Alembic revision `feedc0de0001`" in done.stderr
    assert not (tmp_path / "handlers.sock").exists()


def test_handlers_name_every_missing_variable():
    done = subprocess.run(
        [BINARIES / "rust-handlers"], capture_output=True, text=True, timeout=60, check=False, env={},
    )
    assert done.returncode == 1
    assert done.stderr.count("is not set") == 6
