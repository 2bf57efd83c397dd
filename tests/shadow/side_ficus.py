"""A ficus beside the one of a stack: its Flask serves, another candidate gets the copies."""

import json
import re
import subprocess

from stack.client import Client
from stack.process import Process, free_port, wait_until
from stack.stack import BINARIES, SECRETS

COUNTED = re.compile(r'^ficus_shadow_compared_total\{route="([^"]*)",result="([^"]*)"\} (\d+)', re.M)
# The one GET of the CRM that changes its own answer: the export of a person's data is an entry in that person's data.
RULES = {
    "gdpr.export": '{ path = "json $.processing[]", reason = "an export is an entry of it", author = "ana", expires = "2099-01-01" }'
}
JUDGED = ("match", "ignored", "empty", "mismatch")


class SideFicus:
    """Every route is shadowed; `env` says by whom."""

    def __init__(self, stack, folder, candidate: str, env: dict):
        folder.mkdir(parents=True, exist_ok=True)
        self.port, self.admin = free_port(), free_port()
        self._socket = stack.sockets / f"{folder.name}.sock"
        routes = folder / "routes.toml"
        text = stack.routes_file.read_text().replace('candidate = "rust"', f'candidate = "{candidate}"')
        text = re.sub(r"^\[\[route\]\]\n", "[[route]]\nshadow = { sample = 1.0 }\n", text, flags=re.M)
        for route, rule in RULES.items():
            told = f'shadow = {{ sample = 1.0 }}\nname = "{route}"'
            assert text.count(told) == 1, route
            text = text.replace(told, told.replace("1.0 }", f"1.0, ignore = [{rule}] }}"))
        routes.write_text(text)
        settings = {
            **SECRETS,
            "FICUS_LISTEN_HTTP": f"127.0.0.1:{self.port}",
            "FICUS_LISTEN_ADMIN": f"127.0.0.1:{self.admin}",
            "FICUS_LISTEN_ADMIN_SOCKET": self._socket,
            "FICUS_STORE_URL": f"sqlite:{folder / 'ficus.db'}",
            "FICUS_LOG_ACCESS": "off",
            **env,
        }
        command = [BINARIES / "ficus", "serve", "--config", stack.folder / "ficus.toml", "--routes", routes]
        self._process = Process(folder.name, command, settings, folder, folder / "ficus.log")
        wait_until(self._answers, "the side ficus answers")

    def _answers(self) -> bool:
        self._process.require_alive()
        return self._cli("status").returncode == 0

    def _cli(self, *arguments) -> subprocess.CompletedProcess:
        return subprocess.run(
            [BINARIES / "ficus", "--socket", self._socket, *arguments, "--json"],
            capture_output=True, text=True, timeout=60, check=False, stdin=subprocess.DEVNULL,
        )

    def diffs(self, *arguments) -> dict:
        done = self._cli("diffs", *arguments)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def groups(self) -> dict:
        """How often each difference was seen, by route and signature."""
        return {(group["route"], group["signature"]): group["count"] for group in self.diffs()["groups"]}

    def metrics(self) -> str:
        return Client(self.admin).get("/metrics").text

    def waiting(self) -> int:
        return int(re.search(r"^ficus_shadow_queue (\d+)", self.metrics(), re.M).group(1))

    def results(self) -> dict:
        """Comparisons by result."""
        sums = {}
        for _, result, count in COUNTED.findall(self.metrics()):
            sums[result] = sums.get(result, 0) + int(count)
        return sums

    def settle(self):
        wait_until(lambda: self.waiting() == 0, "all copies are compared", 120)

    def stop(self):
        self._process.stop()


def judged(results: dict) -> int:
    """How many comparisons came to a result."""
    return sum(results.get(word, 0) for word in JUDGED)
