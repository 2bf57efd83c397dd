"""What a candidate hands back or a restart interrupts: Flask gets it whole, users notice nothing."""

import socket
import threading

import pytest

from stack.client import Client
from stack.load import Load
from stack.process import wait_until
from stack.stack import MOVED

DEFER = b"HTTP/1.1 503 Service Unavailable\r\nX-Ficus-Defer: 1\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


class Deferring:
    """Handlers that read a request to its end and hand it back."""

    def __init__(self, path):
        self.bodies = []
        path.unlink(missing_ok=True)
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(path))
        self._listener.listen()
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection):
        with connection, connection.makefile("rb") as stream:
            length = 0
            while (line := stream.readline()) not in (b"\r\n", b""):
                name, _, value = line.partition(b":")
                if name.lower() == b"content-length":
                    length = int(value)
            self.bodies.append(stream.read(length))
            connection.sendall(DEFER)

    def stop(self):
        self._listener.close()


def test_a_deferred_form_of_200_kib_arrives_whole_at_flask(stacks):
    stack = stacks(moved=MOVED, scope="deferred")
    client = Client(stack.port)
    client.log_in("ana@example.com")
    token = client.csrf_token("/customers/new")
    stack.handlers.kill()
    handlers = Deferring(stack.sockets / "handlers.sock")
    # The name is too long, on purpose: the form comes back, and shows whether all of it arrived.
    name = "".join(f"{number:07d}," for number in range(200 * 1024 // 8))
    fields = {"csrf_token": token, "status": "lead", "owner_id": "1", "name": name}
    answer = wait_until(
        lambda: (answer := client.post_form("/customers/new", fields)) and handlers.bodies and answer,
        "the handlers are asked",
    )
    handlers.stop()
    assert (answer.status, answer.header("x-ficus-backend")) == (200, "legacy")
    assert name in answer.text, "a part of the form is missing"
    assert len(handlers.bodies[-1]) > 200 * 1024
    # The line is written behind the answer.
    deferred = wait_until(
        lambda: [entry for entry in stack.access_log() if entry["fallback"] == "deferred"], "the log has a line of it"
    )
    assert deferred[-1]["unkept"] is None
    stack.stop()


@pytest.mark.parametrize("way", ["stop", "kill"])
def test_a_restart_of_flask_fails_no_get(stacks, way):
    stack = stacks(scope=f"flask-restarts-{way}", settings={"FICUS_TIMEOUTS_CONNECT": "30s"})
    client = Client(stack.port)
    client.log_in("ana@example.com")
    with Load(stack.port, "/customers/1", client.cookies) as load:
        for _ in range(2):
            count = len(load.seen)
            wait_until(lambda: len(load.seen) > count + 10, "the load runs")
            getattr(stack.legacy, way)()
            stack.legacy.start()
        count = len(load.seen)
        wait_until(lambda: len(load.seen) > count + 10, "the load goes on")
    stack.stop()
    failed = [seen for seen in load.seen if seen.error or seen.status != 200]
    if way == "kill":
        # A crash between the head of an answer and its body: nothing can take back a head that has been sent, so all
        # that is asked is that the client can tell.
        failed = [seen for seen in failed if not seen.error.startswith("IncompleteRead")]
    assert not failed, f"{len(failed)} of {len(load.seen)} failed, the first: {failed[0]}"
    print(f"\n2 restarts of Flask, {len(load.seen)} responses, 0 failed")
