"""What people do to a running Ficus: flips, a stop."""

import http.client
import json
import os
import signal
import socket

from faults.node import verdict
from faults.openloop import OpenLoop
from stack.process import wait_until

FLIPS = 1_000


class Admin(http.client.HTTPConnection):
    """The admin API over its socket, on one kept connection: a thousand commands would mostly measure their start."""

    def __init__(self, path):
        super().__init__("ficus", timeout=30)
        self._path = str(path)

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)

    def flip(self, route: str, backend: str) -> int:
        """Flips and returns the new revision."""
        body = json.dumps({"route": route, "to": backend, "reason": "faults"})
        self.request("POST", "/v1/flip", body, {"Content-Type": "application/json"})
        answer = self.getresponse()
        document = json.loads(answer.read())
        assert answer.status == 200, document
        return document["revision"]


def test_1000_flips(start_node):
    node = start_node(settings="[listen]\nreveal = true\n")
    admin = Admin(node.sockets / "admin.sock")
    with OpenLoop(node.port) as load:
        wait_until(lambda: load.done() >= 20, "the load runs")
        for number in range(FLIPS):
            admin.flip(("moved", "moved.post")[number // 2 % 2], ("legacy", "rust")[number % 2])
        count = load.done()
        wait_until(lambda: load.done() >= count + 20, "the load goes on")
    admin.close()
    print(f"\n{FLIPS} flips; " + verdict(node, load.results))
    assert all(result.good for result in load.results)
    assert {"rust", "legacy-a", "legacy-b"} <= {result.origin for result in load.results}


def test_a_stop_under_load(node):
    """Who was connected, and who is in the middle of a slow answer, gets it; who comes later finds nobody."""
    for origin in node.origins:
        origin.set("slow")
    with OpenLoop(node.port) as load:
        wait_until(lambda: load.done() >= 60, "the load runs")
        os.kill(node.ficus.pid, signal.SIGTERM)
        wait_until(lambda: not node.ficus.alive(), "ficus stops")
        count = load.done()
        wait_until(lambda: load.done() >= count + 10, "clients notice")
    assert node.ficus.stop() == 0
    # A refusal says for sure that nothing happened.
    print("\n" + verdict(node, load.results, may_fail=lambda result: result.outcome == "refused"))
    assert all(result.good or result.outcome == "refused" for result in load.results)
    refused = [result.due for result in load.results if result.outcome == "refused"]
    assert refused, "nobody was refused"
