"""The machine under Ficus fails: no descriptors left, a full disk, a clock that jumps."""

import contextlib
import socket
import struct
import subprocess
import time
from pathlib import Path

from faults.node import ROUTES, verdict
from faults.openloop import OpenLoop
from stack.process import wait_until

DESCRIPTORS = 160


def test_all_descriptors_are_taken(start_node):
    """A crowd takes every descriptor there is; when it leaves, everything is as before."""
    node = start_node(shell=f"ulimit -n {DESCRIPTORS}", settings='[timeouts]\nclient_header = "60s"\n')
    with OpenLoop(node.port, rate=40) as load, contextlib.ExitStack() as crowd:
        wait_until(lambda: load.done() >= 20, "the load runs")
        for _ in range(2 * DESCRIPTORS):
            connection = crowd.enter_context(socket.socket())
            connection.settimeout(20)
            connection.connect(("127.0.0.1", node.port))
        load.pause(2)
        node.ficus.require_alive()
        crowd.close()
        count = load.done()
        wait_until(lambda: load.done() >= count + 40, "the load goes on")
        healed = time.monotonic()
        load.pause(2)
    before = lambda result: result.due < healed
    print("\n" + verdict(node, load.results, may_fail=before))
    assert any(not before(result) for result in load.results)


def test_the_disk_of_the_access_log_is_full(start_node):
    node = start_node(settings='[log]\naccess = "/dev/full"\n')
    with OpenLoop(node.port) as load:
        wait_until(lambda: node.metric("ficus_access_log_dropped_total") > 20, "lost lines are counted")
        count = load.done()
        wait_until(lambda: load.done() >= count + 40, "the load goes on")
    assert all(result.good for result in load.results)
    print(f"\n{node.metric('ficus_access_log_dropped_total'):.0f} lines were lost; " + verdict(node, load.results))


def test_the_disk_of_the_state_is_full(start_node):
    """No file may grow beyond 256 KiB, and routes.toml is larger: it cannot be written, the store not for long.

    The limit of a process stands in for a full disk: no right to mount anything is needed, and the errors come at the
    same calls.
    """
    ballast = "".join(f"# {'x' * 118}\n" for _ in range(3_000))
    node = start_node(routes=ROUTES + ballast, shell="trap '' XFSZ; ulimit -f 512")
    with OpenLoop(node.port, rate=160) as load:
        wait_until(lambda: load.done() >= 40, "the load runs")
        flipped = node.cli("rollback", "moved")
        # The table changed although nothing could be written down; what could not is shown.
        assert flipped["revision"] > 1
        count = load.done()
        wait_until(lambda: load.done() >= count + 60, "the load goes on")
        status = node.cli("status")
        wait_until(lambda: node.metric("ficus_access_log_dropped_total") > 0, "the access log is full")
    print("\n" + verdict(node, load.results))
    assert all(result.good for result in load.results)
    late = [r for r in load.results[count + 30 :] if r.path == "/moved" and r.safe]
    assert late and all(result.origin.startswith("legacy") for result in late), "the rollback did not count"
    assert status["drift"], "nobody is told that routes.toml says something else"


def test_the_clock_jumps(start_node, tmp_path):
    """The time of day jumps a day ahead, and two back: nothing that runs is measured by it."""
    library, clock = tmp_path / "clock.so", tmp_path / "clock"
    source = Path(__file__).with_name("clock.c")
    subprocess.run(["cc", "-shared", "-fPIC", "-O1", "-Wall", "-Werror", "-o", library, source], check=True)

    def step(days: int):
        with open(clock, "r+b" if clock.exists() else "wb") as file:
            file.write(struct.pack("=q", days * 86_400))

    step(0)
    node = start_node(LD_PRELOAD=library, SHIFTED_CLOCK=clock)
    with OpenLoop(node.port) as load:
        for days in (1, -1, 0):
            step(days)
            count = load.done()
            wait_until(lambda: load.done() >= count + 60, "the load goes on")
            node.cli("flip", "moved", "legacy", f"--reason=clock {days}")
            node.cli("flip", "moved", "rust", f"--reason=clock {days}")
    print("\n" + verdict(node, load.results))
    assert all(result.good for result in load.results)
    days = {line.split('"ts":"')[1][:10] for line in (node.folder / "access.log").read_text().splitlines()}
    assert len(days) >= 3, f"the clock did not jump: {days}"
