"""One Ficus and its scripted origins on free ports."""

import http.client
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

from stack.process import Process, free_port, wait_until
from stack.stack import BINARIES, crm_python

ROUTES = """version = 1
[[route]]
name = "moved"
rule = "/moved/<int:id>"
serve = "rust"
timeout = "1s"
[[route]]
name = "moved.post"
rule = "/moved/<int:id>"
methods = ["POST"]
serve = "rust"
timeout = "1s"
[[route]]
name = "old"
rule = "/old/<int:id>"
methods = ["GET", "POST"]
serve = "legacy"
"""


class Origin:
    """A scripted origin, see origin.py."""

    def __init__(self, name: str, folder: Path, address: str):
        self.name, self.address = name, address
        self.url = address if address.startswith("unix:") else f"http://{address}"
        self._journal, self._mode = folder / f"{name}.journal", folder / f"{name}.mode"
        self._journal.touch()
        command = [sys.executable, Path(__file__).parent / "origin.py", name, address, self._journal, self._mode]
        self.process = Process(name, command, {}, folder, folder / f"{name}.log")

    def set(self, mode: str):
        """Answers like this from the next request on."""
        new = self._mode.with_suffix(".new")
        new.write_text(mode)
        new.rename(self._mode)

    def wait(self):
        """Until it listens."""
        wait_until(self._listens, f"{self.name} listens")

    def _listens(self) -> bool:
        self.process.require_alive()
        family = socket.AF_UNIX if self.address.startswith("unix:") else socket.AF_INET
        with socket.socket(family) as probe:
            try:
                if family == socket.AF_UNIX:
                    probe.connect(self.address.removeprefix("unix:"))
                else:
                    host, _, port = self.address.rpartition(":")
                    probe.connect((host, int(port)))
            except OSError:
                return False
        return True

    def executed(self) -> Counter:
        """How often each (id, method) arrived whole."""
        lines = self._journal.read_text().split("\n")[:-1]
        return Counter(tuple(line.split(" ")) for line in lines)


class Node:
    """Ficus with a `legacy` of two upstreams and a `rust` on a Unix socket, or on TCP."""

    def __init__(self, folder: Path, routes: str = ROUTES, settings: str = "", shell: str = "", rust: str = "unix", **env):
        self.folder = folder
        # The path of a Unix socket may have 107 bytes; temporary folders of tests can be longer than that.
        self.sockets = Path(tempfile.mkdtemp(prefix="ficus-faults-"))
        self.port, self.admin_port = free_port(), free_port()
        self.state = folder / "state"
        self.state.mkdir()
        (folder / "routes.toml").write_text(routes)
        (folder / "ficus.toml").write_text("")
        self.legacy = [Origin(f"legacy-{n}", folder, f"127.0.0.1:{free_port()}") for n in "ab"]
        address = f"unix:{self.sockets / 'rust.sock'}" if rust == "unix" else f"127.0.0.1:{free_port()}"
        self.rust = Origin("rust", folder, address)
        self.origins = [*self.legacy, self.rust]
        try:
            for origin in self.origins:
                origin.wait()
            self._write_settings(settings)
            self.ficus = Process("ficus", self._command(shell), env, folder, folder / "ficus.log")
            wait_until(self._ready, "ficus is ready")
        except BaseException:
            self.stop()
            raise

    def _write_settings(self, settings: str):
        tables = {
            "listen": f'http = "127.0.0.1:{self.port}"\nadmin = "127.0.0.1:{self.admin_port}"\n'
            f'admin_socket = "{self.sockets / "admin.sock"}"\n',
            "backends": f"legacy = {{ upstreams = {json.dumps([one.url for one in self.legacy])} }}\n"
            f'rust = {{ upstreams = ["{self.rust.url}"] }}\n',
            "store": f'url = "sqlite:{self.state / "ficus.db"}"\n',
            "log": f'access = "{self.folder / "access.log"}"\n',
        }
        for table in settings.split("["):
            name, _, lines = table.partition("]\n")
            if name:
                # What a test says of a key counts, not what stands here.
                keys = {line.partition("=")[0].strip() for line in lines.splitlines()}
                kept = [one for one in tables.get(name, "").splitlines() if one.partition("=")[0].strip() not in keys]
                tables[name] = "\n".join([*kept, lines])
        text = "".join(f"[{name}]\n{lines}\n" for name, lines in tables.items())
        (self.folder / "ficus.toml").write_text(text)

    def _command(self, shell: str) -> list:
        files = ["--config", self.folder / "ficus.toml", "--routes", self.folder / "routes.toml"]
        command = [BINARIES / "ficus", "serve", *files]
        if not shell:
            return command
        # `exec "$@"` keeps the pid: limits set by the shell hold for Ficus itself.
        return ["/bin/sh", "-c", f'{shell}; exec "$@"', "sh", *command]

    def _ready(self) -> bool:
        self.ficus.require_alive()
        try:
            return self.admin("/readyz")[0] == 200
        except OSError:
            return False

    def admin(self, path: str) -> tuple:
        """Status and text of a page of the admin listener."""
        connection = http.client.HTTPConnection("127.0.0.1", self.admin_port, timeout=20)
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            return answer.status, answer.read().decode()
        finally:
            connection.close()

    def metric(self, name: str) -> float:
        """The sum of all samples of a metric."""
        lines = self.admin("/metrics")[1].splitlines()
        values = [line.rpartition(" ")[2] for line in lines if line.startswith((f"{name} ", f"{name}{{"))]
        return sum(float(value) for value in values)

    def cli(self, *arguments) -> dict:
        """What `ficus ARGUMENTS --json` prints; fails if the command does."""
        command = [BINARIES / "ficus", "--socket", self.sockets / "admin.sock", *arguments, "--json"]
        # Nobody is here to say yes to a flip.
        environment = os.environ | {"FICUS_YES": "1"}
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, f"ficus {arguments}: {done.returncode}\n{done.stdout}{done.stderr}"
        return json.loads(done.stdout)

    def rss_kib(self) -> int:
        """Memory of Ficus in RAM."""
        status = Path(f"/proc/{self.ficus.pid}/status").read_text()
        return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS:"))

    def descriptors(self) -> int:
        return len(os.listdir(f"/proc/{self.ficus.pid}/fd"))

    def executed(self) -> Counter:
        """How often each (id, method) arrived whole at any origin."""
        return sum((origin.executed() for origin in self.origins), Counter())

    def broke_off(self) -> set:
        """What Ficus had begun to send when the connection broke: it may have arrived, nobody can know."""
        lines = (self.folder / "access.log").read_text().split("\n")[:-1] if (self.folder / "access.log").exists() else []
        entries = [json.loads(line) for line in lines if '"broken"' in line]
        return {(entry["path"].rpartition("/")[2], entry["method"]) for entry in entries if entry["reason"] == "broken"}

    def replace_rust(self, command: list, **env):
        """Another program answers where `self.rust` did."""
        self.rust.process.kill()
        self.rust.process = Process("rust", command, env, self.folder, self.folder / "rust-2.log")
        self.rust.wait()

    def replace_rust_by_gunicorn(self, *options):
        """wsgi.py under gunicorn does."""
        here = Path(__file__).parent
        command = [crm_python("2.3"), "-m", "gunicorn", "--chdir", here, *options, "--bind", self.rust.address]
        env = {"ORIGIN_NAME": "rust", "ORIGIN_JOURNAL": self.rust._journal, "PYTHONDONTWRITEBYTECODE": "1"}
        self.replace_rust([*command, "wsgi:application"], **env)

    def stop(self):
        if hasattr(self, "ficus"):
            self.ficus.stop()
        for origin in self.origins:
            origin.process.kill()
        shutil.rmtree(self.sockets, ignore_errors=True)


def verdict(node: Node, results: list, may_fail=lambda result: False) -> str:
    """What must hold under every fault; a line for people.

    Nothing that looks complete is wrong, no POST is executed twice, and nothing failed but what `may_fail`, or a POST
    that an origin had, or may have had, when it failed.
    """
    count = Counter(result.outcome for result in results)
    wrong = [result for result in results if result.outcome == "wrong"]
    assert not wrong, f"{len(wrong)} of {len(results)} answers are wrong, the first: {wrong[0]}"
    executed = node.executed()
    twice = [key for key, times in executed.items() if key[1] == "POST" and times > 1]
    assert not twice, f"{len(twice)} POSTs were executed twice: {twice[:5]}"
    sent = executed.keys() | node.broke_off()
    excused = [r for r in results if not r.good and not r.safe and (r.id, "POST") in sent]
    failed = [r for r in results if not r.good and r not in excused and not may_fail(r)]
    assert not failed, f"{len(failed)} of {len(results)} failed without need ({dict(count)}), the first: {failed[0]}"
    assert count["ok"], "nothing was answered"
    posts = len([r for r in excused if not may_fail(r)])
    return f"{len(results)} requests: {dict(count)}; {posts} POSTs were not repeated; 0 executed twice"
