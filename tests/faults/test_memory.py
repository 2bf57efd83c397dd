"""Memory: large bodies pass through, idle connections are cheap, nothing grows with time."""

import contextlib
import os
import resource
import socket
import threading
import time

from faults.node import Node, verdict
from faults.openloop import OpenLoop
from stack.process import wait_until

MIB = 1_024
SOAK_SECONDS = float(os.environ.get("FICUS_SOAK_SECONDS", "24"))
IDLE = 10_000
SLOW = 2_000


class Watch:
    """Samples the memory of a node until the end of the block."""

    def __init__(self, node: Node):
        self._node, self._stop = node, threading.Event()
        self.samples = [node.rss_kib()]
        self._thread = threading.Thread(target=self._run)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._stop.set()
        self._thread.join()

    def _run(self):
        while not self._stop.wait(0.02):
            self.samples.append(self._node.rss_kib())

    @property
    def growth_kib(self) -> int:
        return max(self.samples) - self.samples[0]


def connect(node: Node) -> socket.socket:
    connection = socket.create_connection(("127.0.0.1", node.port), timeout=60)
    return connection


def test_200_mb_up(node):
    size = 200_000_000
    piece = bytes(1 << 18)
    with connect(node) as client, Watch(node) as watch:
        client.sendall(f"POST /old/upload HTTP/1.1\r\nHost: a\r\nContent-Length: {size}\r\n\r\n".encode())
        left = size
        while left:
            client.sendall(piece[:left])
            left -= min(left, len(piece))
        answer = client.makefile("rb")
        assert b" 200 " in answer.readline()
        while answer.readline() != b"\r\n":
            pass
        assert answer.read(len(str(size))) == str(size).encode()
    print(f"\n200 MB up: {watch.growth_kib} KiB more at most, of {watch.samples[0]}")
    assert watch.growth_kib < 16 * MIB


def test_1_gb_down(node):
    size = 1_000_000_000
    with connect(node) as client, Watch(node) as watch:
        client.sendall(f"GET /old/1?bytes={size} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n".encode())
        buffer = bytearray(1 << 20)
        start = bytearray()
        while b"\r\n\r\n" not in start:
            start += client.recv(4_096)
        head, _, body = bytes(start).partition(b"\r\n\r\n")
        assert f"content-length: {size}".encode() in head.lower()
        received = len(body)
        while count := client.recv_into(buffer):
            received += count
    assert received == size
    print(f"\n1 GB down: {watch.growth_kib} KiB more at most, of {watch.samples[0]}")
    assert watch.growth_kib < 16 * MIB


def test_a_slow_reader_does_not_fill_the_memory(node):
    """The origin could send a gigabyte; the client reads nothing."""
    with connect(node) as client, Watch(node) as watch:
        client.sendall(b"GET /old/1?bytes=1000000000 HTTP/1.1\r\nHost: a\r\n\r\n")
        assert client.recv(1)
        time.sleep(1.5)
    assert watch.growth_kib < 16 * MIB


def test_10000_idle_connections_and_2000_slow_senders(node):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    # The limit of this process is also that of Ficus, which needs some for itself.
    count = min(IDLE, hard - 1_000)
    base = node.rss_kib()
    with contextlib.ExitStack() as crowd:
        idle = []
        while len(idle) < count:
            batch = [crowd.enter_context(connect(node)) for _ in range(min(200, count - len(idle)))]
            for connection in batch:
                connection.sendall(b"GET /old/1?id=1 HTTP/1.1\r\nHost: a\r\n\r\n")
            for connection in batch:
                read_one(connection)
            idle += batch
        assert node.metric("ficus_connections") >= count
        wait_until(lambda: node.metric("ficus_requests_in_progress") == 0, "everything is answered")
        each = (node.rss_kib() - base) / count
        with OpenLoop(node.port) as load:
            wait_until(lambda: load.done() >= 100, "others are served")
        assert all(result.good for result in load.results), "idle connections disturb others"
        for connection in idle[:SLOW]:
            connection.sendall(b"GET /old/1 HT")
        with OpenLoop(node.port) as load:
            for byte in b"TP/1":
                wait_until(lambda: load.done() >= 20, "others are served")
                for connection in idle[:SLOW]:
                    connection.sendall(bytes([byte]))
        assert all(result.good for result in load.results), "slow senders disturb others"
        # One half each, and of these the first in chunks, which nobody can await.
        for number, connection in enumerate(idle[SLOW : 2 * SLOW]):
            body = b"Transfer-Encoding: chunked\r\n\r\n1\r\nx\r\n" if number < 200 else b"Content-Length: 2\r\n\r\nx"
            connection.sendall(b"POST /old/1 HTTP/1.1\r\nHost: a\r\n" + body)
        with OpenLoop(node.port) as load:
            wait_until(lambda: load.done() >= 100, "others are served")
        assert all(result.good for result in load.results), "slow bodies disturb others"
        for connection in idle[2 * SLOW :: 97]:
            connection.sendall(b"GET /old/1?id=1 HTTP/1.1\r\nHost: a\r\n\r\n")
            read_one(connection)
    wait_until(lambda: node.metric("ficus_connections") < 100, "all have left")
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    print(f"\n{count} idle connections, {each:.1f} KiB each")
    assert each < 30


def read_one(connection: socket.socket):
    """One answer of `/old/1?id=1`, all of it."""
    received = b""
    while not received.endswith(b"end"):
        piece = connection.recv(65_536)
        assert piece, f"the connection ended after {received[:200]!r}"
        received += piece


def test_nothing_grows(node):
    """A soak: everything that happens every day, again and again. `cargo xtask soak --minutes 60` is the long one."""
    warm_up = SOAK_SECONDS / 3
    start = time.monotonic()
    samples, descriptors = [], []
    with OpenLoop(node.port, rate=60) as load:
        turn = 0
        while (at := time.monotonic() - start) < SOAK_SECONDS:
            turn += 1
            leave_in_the_middle(node)
            node.rust.set(("ok", "ok", "reset-head", "garbage", "ok")[turn % 5])
            node.cli("flip", "moved", ("legacy", "rust")[turn % 2])
            node.admin("/metrics")
            if at > warm_up:
                samples.append(node.rss_kib())
                descriptors.append(node.descriptors())
            load.results[:] = [result for result in load.results if not result.good] if turn % 50 == 0 else load.results
    third = max(1, len(samples) // 3)
    early, late = max(samples[:third]), max(samples[-third:])
    step = max(1, len(samples) // 12)
    print(f"\n{SOAK_SECONDS:.0f} s, {turn} turns: {early} KiB early, {late} KiB late, {max(descriptors)} descriptors at most")
    print("KiB, the largest of each twelfth:", *(max(samples[at : at + step]) for at in range(0, len(samples), step)))
    assert late - early < 4 * MIB, samples
    assert max(descriptors[-third:]) <= max(descriptors[:third]) + 30, descriptors
    node.rust.set("ok")
    verdict(node, load.results)


def leave_in_the_middle(node: Node):
    """Clients that are gone before their answer: at once, in a head, in a body, in an answer."""
    for text in (b"", b"GET /old/1", b"POST /old/1?id=l HTTP/1.1\r\nHost: a\r\nContent-Length: 99\r\n\r\nx"):
        with connect(node) as client:
            client.sendall(text)
    with connect(node) as client:
        client.sendall(b"GET /old/1?bytes=3000000 HTTP/1.1\r\nHost: a\r\n\r\n")
        client.recv(100)
