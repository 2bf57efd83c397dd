"""A new ficus takes the place of the old one in front of real Flask and real handlers, under load."""

import os
import signal

from stack.client import Client
from stack.load import Load
from stack.process import wait_until
from stack.stack import MOVED


def test_upgrades_under_load_fail_no_request(stacks):
    stack = stacks(moved=MOVED, scope="upgrade")
    client = Client(stack.port)
    client.log_in("ana@example.com")
    processes = []
    try:
        with Load(stack.port, "/customers/1", client.cookies) as rust, Load(stack.port, "/deals/", client.cookies, 2) as flask:
            for _ in range(2):
                before = len(rust.seen), len(flask.seen)
                wait_until(lambda: len(rust.seen) > before[0] + 20 and len(flask.seen) > before[1] + 5, "the load runs")
                processes.append(stack.cli_json("upgrade")["process"])
                assert client.get("/customers/").status == 200
            before = len(rust.seen), len(flask.seen)
            wait_until(lambda: len(rust.seen) > before[0] + 20 and len(flask.seen) > before[1] + 5, "the load goes on")
            # The login, the token and the flash of one process are those of the other: the state is shared, not copied.
            stack.cli("flip", "customers.detail", "legacy", "--reason", "after the upgrade")
            count = len(rust.seen)
            wait_until(lambda: "legacy" in {one.backend for one in rust.seen[count:]}, "the flip holds")
        seen = rust.seen + flask.seen
        failed = [one for one in seen if one.error or one.status != 200]
        assert not failed, f"{len(failed)} of {len(seen)} failed, the first: {failed[0]}"
        wait_until(lambda: not stack.ficus.alive(), "the first process ends")
        history = stack.cli_json("history")["changes"]
        assert history[0]["reason"] == "after the upgrade"
        print(f"\n2 upgrades, {len(seen)} responses, 0 failed")
    finally:
        for process in processes:
            try:
                os.kill(process, signal.SIGTERM)
            except ProcessLookupError:
                pass
        stack.stop()
