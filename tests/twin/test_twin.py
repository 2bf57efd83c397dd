"""`ficus twin` over the CRM: two stacks on clones of one database, answers and final tables compared."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from stack.process import wait_until
from stack.stack import BINARIES, MOVED, ROOT, SECRETS, crm_python

HERE = Path(__file__).parent


def flask(version: str, folder: Path, port: str = "{port}") -> dict:
    return {
        "command": [crm_python(version), "-m", "gunicorn", "--config", "gunicorn.conf.py", "--bind", f"127.0.0.1:{port}", "wsgi:app"],
        "directory": ROOT / "legacy-crm",
        "env": {
            "DATABASE_URL": "{database}", "CRM_UPLOAD_DIR": folder / "uploads", "FLASK_APP": "wsgi:app",
            "PYTHONPATH": ROOT / "legacy-shim" / "python" / "src", "PYTHONDONTWRITEBYTECODE": "1",
        },
        "ready": f"http://127.0.0.1:{port}/auth/login",
    }


def moved_routes(folder: Path) -> Path:
    """routes.toml with the moved endpoints on Rust."""
    text = (ROOT / "routes.toml").read_text()
    for name in MOVED:
        entry = re.compile(rf'(\[\[route\]\]\s*(?:#[^\n]*\n\s*)*name = "{re.escape(name)}"[^\n]*\n)', re.M)
        text, found = entry.subn(r'\1serve = "rust"\n', text)
        assert found == 1, name
    path = folder / "routes.toml"
    path.write_text(text)
    return path


def rust(folder: Path, wrong: bool = False) -> list:
    """Flask, handlers and ficus in front; with handlers that write wrong if asked for."""
    routes = moved_routes(folder)
    (folder / "ficus.toml").write_text(
        '[flask]\nsecret_key = { env = "FLASK_SECRET_KEY" }\nprofile = "werkzeug-1.0"\n[log]\naccess = "off"\n'
    )
    handlers = {
        "command": [BINARIES / "rust-handlers"],
        "env": {
            "DATABASE_URL": "{database}", "HANDLERS_SOCKET": "{folder}/handlers.sock", "ROUTES_FILE": routes,
            "CRM_TEMPLATES": ROOT / "legacy-crm" / "crm" / "templates", "FLASK_PROFILE": "werkzeug-1.0",
        },
        "ready": "unix:{folder}/handlers.sock",
    }
    spoiler = {
        "command": [sys.executable, HERE / "wrong_writes.py", "{port3}", "{folder}/handlers.sock"],
        "ready": "http://127.0.0.1:{port3}/customers/",
    }
    ficus = {
        "command": [BINARIES / "ficus", "serve", "--config", folder / "ficus.toml", "--routes", routes],
        "env": {
            "FICUS_LISTEN_HTTP": "127.0.0.1:{port}", "FICUS_LISTEN_ADMIN": "127.0.0.1:{port4}",
            "FICUS_LISTEN_ADMIN_SOCKET": "{folder}/admin.sock", "FICUS_STORE_URL": "sqlite:{folder}/ficus.db",
            "FICUS_BACKENDS_LEGACY": "http://127.0.0.1:{port2}",
            "FICUS_BACKENDS_RUST": "http://127.0.0.1:{port3}" if wrong else "unix:{folder}/handlers.sock",
        },
        "ready": "http://127.0.0.1:{port}/auth/login",
    }
    return [flask("1.1", folder, "{port2}"), handlers, *([spoiler] if wrong else []), ficus]


def toml(value) -> str:
    """A value as TOML; JSON is close enough for texts and lists of them."""
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{key} = {toml(part)}" for key, part in value.items()) + " }"
    if isinstance(value, list):
        return "[" + ", ".join(toml(part) for part in value) + "]"
    return json.dumps(str(value))


@pytest.fixture
def twin(databases, template, tmp_path):
    """Writes twin.toml for two stacks and gives the command that runs it, its environment and the database."""
    database = databases.create(template)
    logs = Path(os.environ.get("TMPDIR", "/tmp")) / f"twin-{os.getpid()}-{database[-3:]}"

    def prepare(journey: str, left: list, right: list, names=("werkzeug-1.0", "rust")) -> tuple:
        lines = [
            f"journey = {toml(HERE / journey)}", f"users = {toml(HERE / 'users.toml')}",
            'database_env = "TWIN_DATABASE_URL"', 'fernet_keys_env = "CRM_FERNET_KEYS"', 'host = "crm.test"',
        ]
        for side, processes, name in (("left", left, names[0]), ("right", right, names[1])):
            lines += [f"[{side}]", f"answers_as = {toml(name)}", 'url = "http://127.0.0.1:{port}"']
            for process in processes:
                lines.append(f"[[{side}.process]]")
                lines += [f"{key} = {toml(value)}" for key, value in process.items()]
        file = tmp_path / "twin.toml"
        file.write_text("\n".join(lines) + "\n")
        env = {**os.environ, **SECRETS, "TWIN_DATABASE_URL": databases.url(database)}
        return [BINARIES / "ficus", "twin", file, "--json", "--logs", logs], env, database

    yield prepare
    shutil.rmtree(logs, ignore_errors=True)


def run(prepared, databases) -> dict:
    command, env, database = prepared
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=300, check=False, stdin=subprocess.DEVNULL)
    assert done.returncode in (0, 3), done.stderr + done.stdout
    assert not clones(databases, database), "the clones are dropped"
    found = json.loads(done.stdout)
    differs = bool(found["rows"]) or any(step["differs"] for step in found["steps"])
    assert differs == (done.returncode == 3)
    return found


def clones(databases, database: str) -> list:
    return databases.query(database, "SELECT datname FROM pg_database WHERE datname LIKE %s", (f"{database}_twin_%",))


def test_rust_does_what_flask_does(twin, databases, tmp_path):
    found = run(twin("journey", [flask("1.1", tmp_path)], rust(tmp_path)), databases)
    assert [step for step in found["steps"] if step["differs"]] == [], json.dumps(found, indent=1)
    assert found["rows"] == [], json.dumps(found["rows"], indent=1)
    assert len(found["steps"]) >= 18 and found["tables"] >= 10
    # Two customers, a contact, logins and what the audit says about them.
    assert found["changes"] >= 7, found
    assert "built-in encrypted text" in found["allowed"], "the contact's address was compared by its text"
    print(f"\n{len(found['steps'])} steps, {found['changes']} changes: {found['allowed']}")


def test_a_newer_flask_does_what_the_old_one_does(twin, databases, tmp_path):
    prepared = twin("journey", [flask("1.1", tmp_path)], [flask("2.3", tmp_path)], ("werkzeug-1.0", "werkzeug-2.3"))
    found = run(prepared, databases)
    assert [step for step in found["steps"] if step["differs"]] == [], json.dumps(found, indent=1)
    assert found["rows"] == [], json.dumps(found["rows"], indent=1)


def test_a_handler_that_writes_wrong_is_found_in_the_tables(twin, databases, tmp_path):
    found = run(twin("quiet", [flask("1.1", tmp_path)], rust(tmp_path, wrong=True)), databases)
    assert not any(step["differs"] for step in found["steps"]), "the answers agree"
    assert [row["path"] for row in found["rows"]] == ["rows.customers[insert 1].city"], found["rows"]
    assert (found["rows"][0]["left"], found["rows"][0]["right"]) == ("Bern", "Bonn")


def test_clones_and_processes_are_gone_after_an_interruption(twin, databases, tmp_path):
    command, env, database = twin("journey", [flask("1.1", tmp_path)], [flask("1.1", tmp_path)])
    with subprocess.Popen(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as child:
        wait_until(lambda: len(clones(databases, database)) == 2, "both clones are made", 60)
        child.send_signal(signal.SIGINT)
        assert child.wait(timeout=60) == 130, child.stderr.read()
    assert not clones(databases, database)


def test_what_cannot_be_tried_is_said(twin, databases, tmp_path):
    command, env, database = twin("journey", [flask("1.1", tmp_path)], [{**flask("1.1", tmp_path), "command": ["false"]}])
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 1 and "a process ended at once" in done.stderr, done.stderr
    assert not clones(databases, database)
