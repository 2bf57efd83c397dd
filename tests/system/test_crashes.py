"""Processes that die: handlers cost the user nothing, Flask's death stays with Flask's routes."""

from stack.client import Client
from stack.load import Load
from stack.process import wait_until
from stack.stack import MOVED


def answered_by(seen) -> set:
    return {one.backend for one in seen}


def test_killing_the_handlers_fails_no_get(stacks):
    stack = stacks(moved=MOVED, scope="handlers-die")
    client = Client(stack.port)
    client.log_in("ana@example.com")
    with Load(stack.port, "/customers/1", client.cookies) as load:
        wait_until(lambda: "rust" in answered_by(load.seen), "Rust answers")
        for _ in range(3):
            stack.handlers.kill()
            count = len(load.seen)
            wait_until(lambda: "legacy" in answered_by(load.seen[count:]), "Flask answers instead")
            stack.handlers.start()
            count = len(load.seen)
            wait_until(lambda: "rust" in answered_by(load.seen[count:]), "Rust answers again")
    stack.stop()
    failed = [seen for seen in load.seen if seen.error or seen.status != 200]
    assert not failed, f"{len(failed)} of {len(load.seen)} failed, the first: {failed[0]}"
    print(f"\n3 kills of the handlers, {len(load.seen)} responses, 0 failed")


def test_killing_flask_leaves_rust_routes_and_recovers(stacks):
    stack = stacks(moved=MOVED, scope="flask-dies")
    client = Client(stack.port)
    client.log_in("ana@example.com")
    assert client.get("/customers/1").header("x-ficus-backend") == "rust"

    stack.legacy.kill()
    moved = client.get("/customers/1")
    assert (moved.status, moved.header("x-ficus-backend")) == (200, "rust")
    left = client.get("/deals/")
    assert left.status == 502
    assert left.header("Content-Type").startswith("text/html")
    assert "Traceback" not in left.text and "<h1>" in left.text

    stack.legacy.start()
    recovered = wait_until(lambda: client.get("/deals/").status == 200, "legacy routes recover by themselves")
    assert recovered
    stack.stop()


def test_ficus_drains_on_sigterm(stack):
    client = Client(stack.port)
    client.log_in("ana@example.com")
    with Load(stack.port, "/customers/", client.cookies, clients=2) as load:
        wait_until(lambda: len(load.seen) >= 10, "the load runs")
        assert stack.ficus.stop() == 0
        count = len(load.seen)
        wait_until(lambda: len(load.seen) > count, "clients notice")
    cut = [seen for seen in load.seen if seen.error and "refused" not in seen.error and "Remote" in seen.error]
    answered = [seen for seen in load.seen if seen.status]
    assert answered and all(seen.status == 200 for seen in answered)
    assert not cut, f"a request in progress was cut: {cut[0]}"
