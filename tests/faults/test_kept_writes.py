"""Requests that must not be executed twice go over kept connections to Unix sockets: what if the other end leaves?

It may leave at the moment when one is sent. Whether it has read it, the kernel says; only then is it sent again.
"""

import http.client
import os
import signal
import sys
from pathlib import Path

import pytest

from faults.leaver import MODES, UNREAD
from faults.node import verdict
from faults.openloop import OpenLoop
from faults.origin import body_of
from stack.process import wait_until

HERE = Path(__file__).parent
REQUESTS = 60


def one(connection: http.client.HTTPConnection, number: int, method: str, body: bytes) -> int:
    """The status of one request; an answer of the origin is what it should be."""
    connection.request(method, f"/moved/{number}?id={number}", body=body or None)
    answer = connection.getresponse()
    text = answer.read()
    if answer.status == 200:
        assert answer.getheader("x-origin") == "rust" and text == body_of("rust", str(number)), text[:100]
    return answer.status


@pytest.mark.parametrize("size", [0, 3, 2_000])
@pytest.mark.parametrize("mode", MODES)
def test_a_server_that_leaves(node, mode, size):
    rust = node.rust
    node.replace_rust([sys.executable, HERE / "leaver.py", "rust", rust.address, rust._journal, rust._mode])
    rust.set(mode)
    connection = http.client.HTTPConnection("127.0.0.1", node.port, timeout=30)
    statuses = [one(connection, number, "POST", b"x" * size) for number in range(REQUESTS)]
    connection.close()
    executed = node.executed()
    left = executed.pop((mode, "left"), 0)
    assert left >= REQUESTS // 4, f"only {left} requests met a server that left"
    assert executed == {(str(number), "POST"): 1 for number in range(REQUESTS)}, "each of them once"
    if mode in UNREAD:
        assert statuses == [200] * REQUESTS
    else:
        # What was read may have been executed: it was.
        assert statuses.count(502) == left and statuses.count(200) == REQUESTS - left


def test_large_writes_have_connections_of_their_own(node):
    rust = node.rust
    node.replace_rust([sys.executable, HERE / "leaver.py", "rust", rust.address, rust._journal, rust._mode])
    rust.set("unread")
    connection = http.client.HTTPConnection("127.0.0.1", node.port, timeout=30)
    assert [one(connection, number, "POST", b"x" * 4_000) for number in range(20)] == [200] * 20
    connection.close()
    executed = node.executed()
    assert executed == {(str(number), "POST"): 1 for number in range(20)}, "and no server left"


def test_workers_of_gunicorn_that_are_replaced(node):
    node.replace_rust_by_gunicorn(
        "--workers", "2", "--worker-class", "gthread", "--threads", "8", "--keep-alive", "1",
        "--max-requests", "60", "--max-requests-jitter", "20",
    )
    with OpenLoop(node.port, rate=100, paths=("/moved",), posts=7) as load:
        wait_until(lambda: load.done() >= 50, "the load runs")
        for _ in range(3):
            os.kill(node.rust.process.pid, signal.SIGHUP)
            count = load.done()
            wait_until(lambda: load.done() >= count + 150, "the load goes on")
    print("\n" + verdict(node, load.results))
