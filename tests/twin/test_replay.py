"""A journey is played against Flask and written down, without secrets; Rust gives the same answers to it."""

import json
import os
import subprocess
from pathlib import Path

import pytest

from stack.stack import BINARIES, MOVED, ROOT, SECRETS

HERE = Path(__file__).parent


def replay(stack, corpus: Path, *flags, against: str = "") -> tuple:
    command = [
        BINARIES / "ficus", "replay", corpus, "--against", against or stack.url, "--users", HERE / "users.toml",
        "--host", "crm.test", "--config", stack.folder / "ficus.toml", "--routes", stack.routes_file, "--json", *flags,
    ]
    done = subprocess.run(
        command, env={**os.environ, **SECRETS}, capture_output=True, text=True, timeout=200, check=False, cwd=stack.folder,
        stdin=subprocess.DEVNULL,
    )
    assert done.returncode in (0, 3), done.stderr + done.stdout
    return json.loads(done.stdout), done.returncode


@pytest.fixture(scope="module")
def legacy_stack(stacks, pytestconfig):
    """Flask on a database of its own: what other tests have written would be in the pages."""
    return stacks(scope="replay-legacy", flask=pytestconfig.getoption("--flask"))


@pytest.fixture(scope="module")
def rust_stack(stacks, pytestconfig):
    """The moved endpoints on Rust, on another one."""
    return stacks(moved=MOVED, scope="replay-rust", flask=pytestconfig.getoption("--flask"))


@pytest.fixture(scope="module")
def corpus(legacy_stack, tmp_path_factory) -> Path:
    """What Flask answered to the journey."""
    folder = tmp_path_factory.mktemp("corpus")
    templates = ROOT / "legacy-crm" / "crm" / "templates"
    found, code = replay(legacy_stack, HERE / "journey", "--write", folder, "--vocabulary", templates, against="legacy")
    assert code == 0, json.dumps(found, indent=1)
    return folder


def test_rust_answers_a_recorded_journey_as_flask_did(corpus, rust_stack):
    found, code = replay(rust_stack, corpus)
    assert code == 0, json.dumps([step for step in found["steps"] if step["differs"]], indent=1)
    assert len(found["steps"]) >= 18


def test_a_corpus_holds_no_secret_and_nobody_from_the_database(corpus, legacy_stack):
    written = "".join(path.read_text() for path in corpus.glob("*.http"))
    people = legacy_stack.query("SELECT email, name FROM users")
    customers = [name for (name,) in legacy_stack.query("SELECT name FROM customers") if "Twin" not in name and "Bakery" not in name]
    assert len(people) >= 3 and len(customers) >= 10
    for secret in ("demo", *SECRETS.values(), "session=e", "session=."):
        assert secret not in written, secret
    for email, name in people:
        assert email not in written and name not in written, (email, name)
    for name in customers:
        assert name not in written, name
    assert "{{csrf}}" in written and "{{cookie}}" in written and "<h1>Customers</h1>" in written


def test_another_answer_is_found(corpus, rust_stack, tmp_path):
    for path in corpus.iterdir():
        text = path.read_text()
        (tmp_path / path.name).write_text(text.replace("<h1>Customers</h1>", "<h1>Clients</h1>"))
    found, code = replay(rust_stack, tmp_path)
    assert code == 3
    # What was made by the test before is still there, so that other things may differ as well.
    paths = [path for step in found["steps"] if step["differs"] for path in step["differences"]]
    assert any("h1" in path for path in paths), paths
