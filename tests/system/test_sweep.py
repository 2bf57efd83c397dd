"""What a person sends and is shown stays between them and the application: the handlers' log at its most talkative, ficus' logs
and its state are searched for it. Stores of a node and of a fleet are searched by the proxy's own tests."""

import pytest

from stack.client import Client
from stack.stack import MOVED, SECRETS

NAME, MAIL, NOTE = "Zimmermann-Zk3vQ9 GmbH", "zoe.zimmermann-zk3vq9@example.org", "note-Zk3vQ9"


@pytest.fixture
def talkative(stacks):
    """Everything moved, and every program says all it can."""
    stack = stacks(moved=MOVED, scope="sweep", env={"RUST_LOG": "trace", "FICUS_LOG_LEVEL": "trace"})
    yield stack
    stack.stop()


def test_nothing_of_a_person_is_in_the_handlers_log_or_in_what_ficus_writes(talkative):
    person = Client(talkative.port)
    person.log_in("ana@example.com", remember=True)
    token = person.csrf_token("/customers/new")
    fields = {"csrf_token": token, "status": "lead", "owner_id": "1", "name": NAME, "notes": NOTE}
    saved = person.post_form("/customers/new", fields)
    assert (saved.status, saved.header("x-ficus-backend")) == (302, "rust"), saved.text
    refused = person.post_form("/customers/new", {**fields, "csrf_token": "wrong-token-Zk3vQ9"})
    assert (refused.status, refused.header("x-ficus-backend")) == (400, "rust")
    contact = {"csrf_token": person.csrf_token("/customers/5"), "name": NAME, "email": MAIL}
    assert person.post_form("/customers/5/contacts/new", contact).status == 302
    page = person.get("/customers/5?q=query-Zk3vQ9")
    assert page.header("x-ficus-backend") == "rust" and MAIL in page.text
    assert person.get("/customers/?q=query-Zk3vQ9").header("x-ficus-backend") == "rust"
    planted = ["Zk3vQ9", MAIL, token, "wrong-token", person.cookies["session"], person.cookies["remember_token"]]
    planted += [value for value in SECRETS.values()]
    talkative.cli("support-bundle", "--output", str(talkative.folder / "bundle.tar.gz"), check=False)
    talkative.handlers.stop()
    talkative.ficus.stop()
    assert talkative.handlers.log.stat().st_size > 0, "there is a log to be searched"
    for path in sorted(talkative.folder.rglob("*")):
        if path.is_dir() or path.name == "legacy.log" or "uploads" in path.parts:
            continue
        text = path.read_bytes()
        for secret in planted:
            assert secret.encode() not in text, f"{secret[:12]}… is in {path.relative_to(talkative.folder)}"
