"""Clients that send slowly, in front of a server whose only worker waits for whoever it serves, as gunicorn does by itself."""

import contextlib
import socket

from faults.node import verdict
from faults.openloop import OpenLoop
from stack.process import wait_until


def test_one_worker_of_gunicorn_is_enough_for_those_who_do_not_dawdle(node):
    node.replace_rust_by_gunicorn("--workers", "1", "--worker-class", "sync")
    with contextlib.ExitStack() as crowd:
        for _ in range(40):
            slow = crowd.enter_context(socket.create_connection(("127.0.0.1", node.port)))
            slow.sendall(b"POST /moved/1 HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\nx")
        wait_until(lambda: node.metric("ficus_requests_in_progress") == 40, "all of them are there")
        with OpenLoop(node.port, rate=50, paths=("/moved",), posts=5) as load:
            wait_until(lambda: load.done() >= 100, "others are served")
        assert node.metric("ficus_requests_in_progress") >= 40, "nobody was sent away"
        origins = {result.origin for result in load.results}
        assert origins == {"rust"}, "and by nobody else"
    print("\n" + verdict(node, load.results))
