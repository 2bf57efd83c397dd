"""A whole stack on free ports: one database, Flask, handlers and ficus in front."""

import http.client
import json
import os
import re
import shutil
import subprocess
from pathlib import Path

from .database import Databases
from .process import Process, free_port, wait_until

ROOT = Path(__file__).resolve().parents[2]
BINARIES = Path(os.environ.get("FICUS_BINARIES", ROOT / "target" / "debug"))
SECRETS = {
    "FLASK_SECRET_KEY": "system-tests-only",
    "CRM_FERNET_KEYS": "3q2-7wAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
    "CRM_WEBHOOK_SECRET": "system-tests-only-too",
}
MOVED = ["customers.list", "customers.detail", "customers.create", "api.customers", "api.customer"]


def crm_python(flask: str) -> Path:
    """The interpreter of the environment for Flask `flask` ("1.1" or "2.3")."""
    return ROOT / "target" / "python" / f"flask-{flask}" / "bin" / "python"


def crm_env(database_url: str, folder: Path) -> dict:
    """The environment of the CRM and of its commands."""
    return {
        **SECRETS,
        "DATABASE_URL": database_url,
        "CRM_UPLOAD_DIR": folder / "uploads",
        "FLASK_APP": "wsgi:app",
        "PYTHONPATH": ROOT / "legacy-shim" / "python" / "src",
        "PYTHONDONTWRITEBYTECODE": "1",
    }


def seed(database_url: str, folder: Path, flask: str = "1.1"):
    """Migrates and seeds the database."""
    env = {**os.environ, **{key: str(value) for key, value in crm_env(database_url, folder).items()}}
    for command in (["db", "upgrade"], ["seed", "--size", "small"]):
        done = subprocess.run(
            [crm_python(flask), "-m", "flask", *command],
            cwd=ROOT / "legacy-crm", env=env, capture_output=True, text=True, check=False,
        )
        assert done.returncode == 0, f"flask {' '.join(command)} failed:\n{done.stdout}\n{done.stderr}"


class Stack:
    """Flask, handlers and ficus over one database of their own."""

    def __init__(
        self, folder: Path, databases: Databases, template: str, moved=(), flask: str = "1.1", env=None, settings=None,
        writes=(), handlers=None, application="wsgi:app",
    ):
        """`writes`: routes whose writes are tried out by the handlers first. `handlers`: another program than the CRM's.
        `application`: another one than the CRM itself, such as one that counts what it is asked."""
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self.databases = databases
        self.database = databases.create(template)
        self.port, self.admin_port, self.legacy_port = free_port(), free_port(), free_port()
        # The path of a Unix socket may have 107 bytes; temporary folders of tests can be longer than that.
        self.sockets = Path(os.environ.get("TMPDIR", "/tmp")) / f"ficus-{os.getpid()}-{self.port}"
        self.sockets.mkdir(mode=0o700)
        self.routes_file = folder / "routes.toml"
        shutil.copy(ROOT / "routes.toml", self.routes_file)
        self._serve_rust(moved)
        for name in writes:
            self._add_to_route(name, "shadow = { writes = true }")
        self.flask, self._application = flask, application
        self._more_env = dict(env or {})
        self._settings = settings or {}
        self._handlers = handlers or BINARIES / "rust-handlers"
        if writes:
            self.capture("install")
            self._settings = {
                "FICUS_SHADOW_DATABASE": self.databases.url(self.database),
                "FICUS_SHADOW_FERNET_KEYS": SECRETS["CRM_FERNET_KEYS"],
                **self._settings,
            }
        self.processes = []
        try:
            self.legacy = self._start_legacy()
            self.handlers = self._start_handlers()
            self.ficus = self._start_ficus()
            self._wait_ready()
        except BaseException:
            self.stop()
            raise

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def connect(self, timeout: float = 30.0) -> http.client.HTTPConnection:
        """A connection to ficus."""
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)

    def cli(self, *arguments, check: bool = True) -> subprocess.CompletedProcess:
        """Runs `ficus ARGUMENTS` against this stack."""
        done = subprocess.run(
            [BINARIES / "ficus", "--socket", self.sockets / "admin.sock", *arguments],
            capture_output=True, text=True, timeout=60, check=False, stdin=subprocess.DEVNULL,
            env={**os.environ, "FICUS_YES": "1"},
        )
        if check:
            assert done.returncode == 0, f"ficus {arguments}: {done.returncode}\n{done.stdout}{done.stderr}"
        return done

    def cli_json(self, *arguments) -> dict:
        """The document that `ficus ARGUMENTS --json` prints."""
        return json.loads(self.cli(*arguments, "--json").stdout)

    def capture(self, action: str, *flags, check: bool = True) -> subprocess.CompletedProcess:
        """Runs `ficus capture ACTION` on this stack's database."""
        done = subprocess.run(
            [BINARIES / "ficus", "capture", action, *flags], capture_output=True, text=True, timeout=120, check=False,
            env={**os.environ, "DATABASE_URL": self.databases.url(self.database)}, stdin=subprocess.DEVNULL,
        )
        if check:
            assert done.returncode == 0, done.stdout + done.stderr
        return done

    def query(self, sql: str, parameters=()) -> list:
        return self.databases.query(self.database, sql, parameters)

    def access_log(self) -> list:
        """The access log's entries so far."""
        path = self.folder / "access.log"
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []

    def stop(self):
        for process in reversed(self.processes):
            process.stop()
        shutil.rmtree(self.sockets, ignore_errors=True)

    def _serve_rust(self, moved):
        for name in moved:
            self._add_to_route(name, 'serve = "rust"')

    def _add_to_route(self, name: str, line: str):
        # A route's table ends where the next one begins.
        entry = re.compile(rf'(\[\[route\]\]\s*(?:#[^\n]*\n\s*)*name = "{re.escape(name)}"[^\n]*\n)', re.M)
        text, found = entry.subn(rf"\1{line}\n", self.routes_file.read_text())
        assert found == 1, f"routes.toml has {found} entries named {name}"
        self.routes_file.write_text(text)

    def _start(self, name, command, env, cwd) -> Process:
        process = Process(name, command, {**env, **self._more_env}, cwd, self.folder / f"{name}.log")
        self.processes.append(process)
        return process

    def _start_legacy(self) -> Process:
        command = [
            crm_python(self.flask), "-m", "gunicorn", "--config", "gunicorn.conf.py",
            "--bind", f"127.0.0.1:{self.legacy_port}", self._application,
        ]
        env = crm_env(self.databases.url(self.database), self.folder)
        return self._start("legacy", command, env, ROOT / "legacy-crm")

    def _start_handlers(self) -> Process:
        env = {
            **SECRETS,
            "DATABASE_URL": self.databases.url(self.database),
            "HANDLERS_SOCKET": self.sockets / "handlers.sock",
            "ROUTES_FILE": self.routes_file,
            "CRM_TEMPLATES": ROOT / "legacy-crm" / "crm" / "templates",
            "FLASK_PROFILE": "werkzeug-1.0" if self.flask == "1.1" else "werkzeug-2.3",
        }
        return self._start("handlers", [self._handlers], env, self.folder)

    def _start_ficus(self) -> Process:
        profile = "werkzeug-1.0" if self.flask == "1.1" else "werkzeug-2.3"
        config = self.folder / "ficus.toml"
        config.write_text(
            f"""[listen]
http = "127.0.0.1:{self.port}"
admin = "127.0.0.1:{self.admin_port}"
admin_socket = "{self.sockets / 'admin.sock'}"
reveal = true
[backends]
legacy = {{ upstreams = ["http://127.0.0.1:{self.legacy_port}"] }}
rust = {{ upstreams = ["unix:{self.sockets / 'handlers.sock'}"] }}
[flask]
secret_key = {{ env = "FLASK_SECRET_KEY" }}
profile = "{profile}"
[store]
url = "sqlite:{self.folder / 'ficus.db'}"
[log]
access = "{self.folder / 'access.log'}"
"""
        )
        command = [BINARIES / "ficus", "serve", "--config", config, "--routes", self.routes_file]
        return self._start("ficus", command, {**SECRETS, **self._settings}, self.folder)

    def _wait_ready(self):
        wait_until(lambda: self._answers(self.legacy, self.legacy_port, "/auth/login"), "Flask answers")
        wait_until(lambda: self._answers(self.ficus, self.port, "/auth/login"), "ficus answers")
        wait_until(self._handlers_listen, "the handlers listen")

    def _handlers_listen(self) -> bool:
        self.handlers.require_alive()
        return (self.sockets / "handlers.sock").exists()

    @staticmethod
    def _answers(process: Process, port: int, path: str) -> bool:
        process.require_alive()
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
        try:
            connection.request("GET", path)
            return connection.getresponse().status < 500
        except OSError:
            return False
        finally:
            connection.close()
