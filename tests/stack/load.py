"""A constant, bounded load on one page; every answer is kept."""

import http.client
import threading
import time
from dataclasses import dataclass


@dataclass
class Seen:
    """One answer as its client saw it; `error` stands for one that did not come."""

    started: float
    ended: float
    status: int = 0
    backend: str = ""
    revision: int = 0
    body: bytes = b""
    error: str = ""


class Load:
    """`clients` threads that ask for `target` again and again over keep-alive connections.

    Use as a context manager; at the end `seen` holds every answer. It stops by itself after `seconds`.
    """

    def __init__(self, port: int, target: str, cookies: dict, clients: int = 4, seconds: float = 120.0):
        self.seen = []
        self._port, self._target = port, target
        self._cookie = "; ".join(f"{name}={value}" for name, value in cookies.items())
        self._stop = threading.Event()
        self._deadline = time.monotonic() + seconds
        self._threads = [threading.Thread(target=self._run) for _ in range(clients)]

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _run(self):
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=30)
        while not self._stop.is_set() and time.monotonic() < self._deadline:
            self.seen.append(self._ask(connection))
        connection.close()

    def _ask(self, connection) -> Seen:
        started = time.monotonic()
        try:
            connection.request("GET", self._target, headers={"Cookie": self._cookie, "Host": "crm.test"})
            answer = connection.getresponse()
            body = answer.read()
        except (OSError, http.client.HTTPException) as error:
            connection.close()
            return Seen(started, time.monotonic(), error=repr(error))
        return Seen(
            started, time.monotonic(), answer.status, answer.getheader("x-ficus-backend", ""),
            int(answer.getheader("x-ficus-revision", "0")), body,
        )
