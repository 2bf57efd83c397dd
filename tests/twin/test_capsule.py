"""A stored mismatch becomes a folder that runs: its Rust test fails with a wrong handler and passes with the right one, and its
pytest passes against Flask."""

import os
import re
import subprocess
from pathlib import Path

import pytest

from shadow.side_ficus import SideFicus
from shadow.wrong_side import WrongSide
from stack.client import Client
from stack.process import wait_until
from stack.stack import BINARIES, ROOT, SECRETS, crm_env, crm_python


TEMPLATES = ROOT / "legacy-crm" / "crm" / "templates"


def spoil(answer):
    """A handler that shows another headline on one page."""
    if answer.target.startswith("/customers/1") and answer.is_page and answer.status == 200:
        answer.text = answer.text.replace("<h1>", "<h1>Wrong ", 1)


@pytest.fixture(scope="module")
def wrong(stacks, tmp_path_factory):
    """Flask serves, a wrong handler gets copies; the capsule of the difference, and both sides."""
    stack = stacks(scope="capsule")
    folder = tmp_path_factory.mktemp("capsules")
    side = WrongSide(str(stack.sockets / "handlers.sock"), fault=spoil)
    ficus = SideFicus(stack, folder / "side", "rust", {"FICUS_BACKENDS_RUST": f"http://127.0.0.1:{side.port}"})
    try:
        client = Client(ficus.port)
        client.log_in("ana@example.com")
        # The greeting is gone with this page; a capsule is one request.
        client.get("/customers/")
        assert client.get("/customers/1").status == 200
        wait_until(lambda: any(route == "customers.detail" for route, _ in ficus.groups()), "the difference is stored")
        ficus.settle()
        group = next(group for group in ficus.diffs()["groups"] if group["route"] == "customers.detail")
        done = ficus._cli("capsule", str(group["id"]), "--output", str(folder / "capsule"))
        assert done.returncode == 0, done.stderr
        yield stack, side, folder / "capsule"
    finally:
        ficus.stop()
        side.stop()


def environment(stack, **more) -> dict:
    cargo = {"CARGO_TARGET_DIR": str(stack.folder / "capsule-target")}
    secret = {"FICUS_FLASK_SECRET_KEY": SECRETS["FLASK_SECRET_KEY"]}
    return {**os.environ, **cargo, **secret, "FICUS": str(BINARIES / "ficus"), **more}


def cargo_test(folder: Path, env: dict) -> subprocess.CompletedProcess:
    return subprocess.run(
        ["cargo", "test", "--offline", "--quiet"], cwd=folder, env=env, capture_output=True, text=True, timeout=300, check=False,
    )


def rust_test(stack, folder: Path, against: str) -> subprocess.CompletedProcess:
    return cargo_test(folder, environment(stack, CAPSULE_AGAINST=against))


def test_nobody_is_in_it(wrong):
    stack, _, folder = wrong
    text = "".join(path.read_text() for path in folder.rglob("*") if path.is_file())
    people = [part for row in stack.query("SELECT email, name FROM users") for part in row]
    names = [name for (name,) in stack.query("SELECT name FROM customers WHERE id = 1")]
    for secret in [*people, *names, *SECRETS.values(), "session=e", "session=."]:
        assert secret not in text, secret
    assert re.search(r"^# @as id:\d+$", (folder / "exchange.http").read_text(), re.M)
    assert "customers.detail" in (folder / "routes.toml").read_text()


def test_the_rust_test_fails_with_the_wrong_handler_and_passes_with_the_right_one(wrong):
    stack, side, folder = wrong
    failed = rust_test(stack, folder, f"http://127.0.0.1:{side.port}")
    assert failed.returncode != 0 and "h1" in failed.stdout, failed.stdout + failed.stderr
    passed = rust_test(stack, folder, f"unix:{stack.sockets / 'handlers.sock'}")
    assert passed.returncode == 0, passed.stdout + passed.stderr


def test_the_rust_test_starts_the_handlers_and_ends_them(wrong):
    stack, _, folder = wrong
    socket, noted = stack.sockets / "own.sock", stack.sockets / "own.pid"
    env = environment(
        stack, CAPSULE_AGAINST=f"unix:{socket}", DATABASE_URL=stack.databases.url(stack.database), HANDLERS_SOCKET=str(socket),
        ROUTES_FILE=str(stack.routes_file), CRM_TEMPLATES=str(TEMPLATES), FLASK_PROFILE="werkzeug-1.0",
        # The process that is started becomes the handlers, and says who it is.
        CAPSULE_COMMAND=f"sh -c 'echo $$ > {noted}; exec {BINARIES / 'rust-handlers'}'", **SECRETS,
    )
    passed = cargo_test(folder, env)
    assert passed.returncode == 0, passed.stdout + passed.stderr
    pid = int(noted.read_text())
    wait_until(lambda: not Path(f"/proc/{pid}").exists(), "the handlers are gone with the test")
    # One that ends at once is said to have ended, and nobody waits for it.
    failed = cargo_test(folder, {**env, "CAPSULE_COMMAND": "true", "CAPSULE_AGAINST": f"unix:{socket}.none"})
    assert failed.returncode != 0 and "the service ended at once" in failed.stdout, failed.stdout + failed.stderr


@pytest.mark.parametrize("version", ["1.1", "2.3"])
def test_the_pytest_passes_against_flask(wrong, version):
    stack, _, folder = wrong
    env = environment(stack, CAPSULE_APP="wsgi:app")
    env.update({key: str(value) for key, value in crm_env(stack.databases.url(stack.database), stack.folder).items()})
    env["PYTHONPATH"] = os.pathsep.join([env["PYTHONPATH"], str(ROOT / "legacy-crm")])
    if version == "2.3":
        env["CAPSULE_ANSWERS_AS"] = "werkzeug-2.3"
    command = [crm_python(version), "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_capsule.py"]
    done = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_another_key_is_refused(wrong):
    stack, _, folder = wrong
    env = environment(stack, FICUS_FLASK_SECRET_KEY="another")
    command = [BINARIES / "ficus", "capsule", "check", folder, "--against", "http://127.0.0.1:1"]
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1 and "another `flask.secret_key`" in done.stderr, done.stderr
