"""Flips under load: every response is counted, none fails, each side answers what its revision says."""

from stack.client import Client
from stack.load import Load
from stack.process import wait_until

FLIPS = 500


def test_500_flips_under_load(stack):
    client = Client(stack.port)
    client.log_in("ana@example.com")
    served_by = {stack.cli_json("status")["revision"]: "legacy"}

    with Load(stack.port, "/customers/1", client.cookies) as load:
        wait_until(lambda: len(load.seen) >= 20, "the load runs")
        for number in range(FLIPS):
            backend = "rust" if number % 2 == 0 else "legacy"
            served_by[stack.cli_json("flip", "customers.detail", backend)["revision"]] = backend
        count = len(load.seen)
        wait_until(lambda: len(load.seen) >= count + 20, "the load goes on")

    failed = [seen for seen in load.seen if seen.error or seen.status != 200]
    assert not failed, f"{len(failed)} of {len(load.seen)} failed, the first: {failed[0]}"
    wrong = [seen for seen in load.seen if seen.backend != served_by[seen.revision]]
    assert not wrong, f"{len(wrong)} of {len(load.seen)} came from the wrong side, the first: {wrong[0]}"
    assert {"rust", "legacy"} <= {seen.backend for seen in load.seen}
    assert len(served_by) == FLIPS + 1
    print(f"\n{FLIPS} flips, {len(load.seen)} responses, 0 failed, 0 from the wrong side")


def test_comments_in_routes_toml_survive_flips(stack):
    before = stack.routes_file.read_text()
    stack.cli("flip", "customers.list", "rust", "--reason", "test")
    stack.cli("rollback", "customers.list")
    after = stack.routes_file.read_text()
    comments = [line for line in before.splitlines() if line.lstrip().startswith("#")]
    assert comments
    assert [line for line in after.splitlines() if line.lstrip().startswith("#")] == comments


def test_history_names_every_change(stack):
    flipped = stack.cli_json("flip", "customers.list", "rust", "--reason", "CRM-812")
    rolled_back = stack.cli_json("rollback", "customers.list")
    changes = stack.cli_json("history", "customers.list")["changes"]
    revisions = {change["revision"]: change for change in changes}
    assert revisions[flipped["revision"]]["reason"] == "CRM-812"
    assert rolled_back["revision"] > flipped["revision"]
    assert rolled_back["revision"] in revisions
