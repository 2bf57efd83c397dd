"""Backends that die, hang, break off and talk nonsense, one at a time: a healthy one is there, so users get answers."""

import pytest

from faults.node import verdict
from faults.openloop import OpenLoop
from stack.process import wait_until


def answered_by(load: OpenLoop, since: int) -> set:
    return {result.origin for result in load.results[since:] if result.good}


def test_an_upstream_that_is_killed(node):
    with OpenLoop(node.port) as load:
        for victim in (node.rust, node.legacy[0], node.legacy[1], node.rust):
            wait_until(lambda: victim.name in answered_by(load, max(0, load.done() - 40)), "it answers")
            victim.process.kill()
            count = load.done()
            wait_until(lambda: load.done() >= count + 40, "the load goes on")
            assert load.results[-1].good
            victim.process.start()
            victim.wait()
        wait_until(lambda: "rust" in answered_by(load, load.done() - 40), "Rust answers again")
    print("\n" + verdict(node, load.results))


def test_a_backend_that_hangs(node):
    with OpenLoop(node.port) as load:
        wait_until(lambda: "rust" in answered_by(load, 0), "Rust answers")
        node.rust.set("hang")
        load.pause(2.5)
        node.rust.set("ok")
        wait_until(lambda: "rust" in answered_by(load, load.done() - 20), "Rust answers again")
    print("\n" + verdict(node, load.results))
    # Flask's own routes never noticed.
    assert all(result.good for result in load.results if result.path == "/old")


BREAKS = ["reset-head", "reset-length", "fin-length", "reset-chunked", "fin-chunked", "fin-between-chunks", "reset-close"]


@pytest.mark.parametrize("mode", BREAKS)
def test_an_answer_that_breaks_off(start_node, mode):
    # Unix sockets know no reset: an answer that ends with the connection has no other end there.
    node = start_node(rust="tcp")
    with OpenLoop(node.port, rate=60) as load:
        wait_until(lambda: "rust" in answered_by(load, 0), "Rust answers")
        node.rust.set(mode)
        count = load.done()
        wait_until(lambda: load.done() >= count + 60, "the load goes on")
        node.rust.set("ok")
        wait_until(lambda: "rust" in answered_by(load, load.done() - 20), "Rust answers again")
    # Once a client has got the head, nobody can take it back; but it can see that the rest is missing.
    begun = lambda result: mode != "reset-head" and result.outcome == "truncated"
    print("\n" + verdict(node, load.results, may_fail=begun))
    if mode != "reset-head":
        assert any(result.outcome == "truncated" for result in load.results), "no answer was cut"
    assert all(result.good for result in load.results if result.path == "/old")


def test_a_backend_that_talks_nonsense(node):
    with OpenLoop(node.port) as load:
        wait_until(lambda: "rust" in answered_by(load, 0), "Rust answers")
        node.rust.set("garbage")
        count = load.done()
        wait_until(lambda: load.done() >= count + 120, "the load goes on")
        node.rust.set("ok")
        wait_until(lambda: "rust" in answered_by(load, load.done() - 20), "Rust answers again")
    print("\n" + verdict(node, load.results))


def test_handlers_that_crash_again_and_again(node):
    node.rust.set("die 9")
    deaths = 0
    with OpenLoop(node.port) as load:
        while deaths < 6:
            wait_until(lambda: not node.rust.process.alive(), "a request kills the handlers")
            deaths += 1
            node.rust.process.start()
            node.rust.wait()
        node.rust.set("ok")
        wait_until(lambda: "rust" in answered_by(load, load.done() - 20), "Rust answers again")
    print(f"\n{deaths} deaths; " + verdict(node, load.results))


def test_everything_is_down_and_comes_back(node):
    """No healthy backend: an error page, then answers again without anybody's help."""
    with OpenLoop(node.port) as load:
        wait_until(lambda: load.done() >= 20, "the load runs")
        for origin in node.origins:
            origin.process.kill()
        count = load.done()
        wait_until(lambda: any(not result.good for result in load.results[count:]), "requests fail")
        for origin in node.origins:
            origin.process.start()
            origin.wait()
        count = load.done()
        names = {origin.name for origin in node.origins}
        wait_until(lambda: answered_by(load, count) == names, "all of them answer again")
    nobody_there = lambda result: result.outcome == "status" and result.status in (502, 503, 504)
    print("\n" + verdict(node, load.results, may_fail=nobody_there))
