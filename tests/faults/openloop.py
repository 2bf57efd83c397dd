"""A constant open-loop load: requests leave at fixed times, whatever became of those before; every one is counted.

A user who clicks does not wait for other users' answers. A closed loop would send less the more a proxy suffers, and
so hide what it does.
"""

import asyncio
import collections
import threading
import time
from dataclasses import dataclass

from .origin import body_of

PATIENCE = 25.0


@dataclass
class Result:
    """What a client saw of one request."""

    id: str
    method: str
    path: str
    due: float
    ended: float = 0.0
    status: int = 0
    origin: str = ""
    # "ok", "status": complete answers; "truncated", "closed", "refused", "timeout": visibly none;
    # "wrong": a complete answer that no origin gave.
    outcome: str = ""
    detail: str = ""

    @property
    def safe(self) -> bool:
        return self.method == "GET"

    @property
    def good(self) -> bool:
        return self.outcome == "ok"


class Truncated(Exception):
    """The connection ended inside an answer."""


async def read_answer(reader):
    """Status, headers and body of one answer; interim answers are passed over."""
    while True:
        head = await reader.readuntil(b"\r\n\r\n")
        first, *lines = head[:-4].split(b"\r\n")
        version, code, *_ = first.split(b" ")
        if version not in (b"HTTP/1.1", b"HTTP/1.0"):
            raise ValueError(f"not HTTP: {first!r}")
        if code.startswith(b"1"):
            continue
        headers = {}
        for line in lines:
            name, _, value = line.partition(b":")
            headers[name.strip().lower().decode()] = value.strip().decode("latin-1")
        try:
            body, ended_by_close = await read_body(reader, headers)
        except (asyncio.IncompleteReadError, ConnectionError) as error:
            raise Truncated(f"{code.decode()}, {error!r}") from error
        keep = not ended_by_close and headers.get("connection", "").lower() != "close"
        return int(code), headers, body, keep


async def read_body(reader, headers):
    if headers.get("transfer-encoding", "").lower() == "chunked":
        body = bytearray()
        while True:
            line = await reader.readuntil(b"\r\n")
            size = int(line.split(b";")[0], 16)
            body += (await reader.readexactly(size + 2))[:-2] if size else b""
            if not size:
                while await reader.readuntil(b"\r\n") != b"\r\n":
                    pass
                return bytes(body), False
    if "content-length" in headers:
        return await reader.readexactly(int(headers["content-length"])), False
    return await reader.read(), True


class OpenLoop:
    """`rate` requests a second from `__enter__` to `__exit__`, which waits for the last answer."""

    def __init__(self, port: int, rate: float = 80.0, paths=("/moved", "/moved", "/old"), posts: int = 3):
        self.results = []
        self._port, self._rate, self._paths, self._posts = port, rate, paths, posts
        self._stop = threading.Event()
        self._idle = collections.deque()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()))

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._stop.set()
        self._thread.join()

    def pause(self, seconds: float):
        """Lets the load run; not a wait for anything."""
        time.sleep(seconds)

    def done(self) -> int:
        """How many requests have ended."""
        return len(self.results)

    async def _run(self):
        start, tasks, number = time.monotonic(), set(), 0
        while not self._stop.is_set():
            due = start + number / self._rate
            delay = due - time.monotonic()
            if delay > 0:
                await asyncio.sleep(delay)
            task = asyncio.create_task(self._one(number, due))
            tasks.add(task)
            task.add_done_callback(tasks.discard)
            number += 1
        if tasks:
            await asyncio.wait(tasks)
        for _, writer in self._idle:
            writer.close()

    async def _one(self, number: int, due: float):
        path = self._paths[number % len(self._paths)]
        method = "POST" if number % 10 < self._posts else "GET"
        result = Result(f"{number}", method, path, due)
        try:
            await asyncio.wait_for(self._exchange(result), PATIENCE)
        except asyncio.TimeoutError:
            result.outcome = "timeout"
        except Truncated as error:
            result.outcome, result.detail = "truncated", str(error)
        except ConnectionRefusedError:
            result.outcome = "refused"
        except (OSError, asyncio.IncompleteReadError) as error:
            result.outcome, result.detail = "closed", repr(error)
        except Exception as error:  # whatever it is, it is counted
            result.outcome, result.detail = "wrong", repr(error)
        result.ended = time.monotonic()
        self.results.append(result)

    async def _exchange(self, result: Result):
        if self._idle:
            reader, writer = self._idle.pop()
        else:
            reader, writer = await asyncio.open_connection("127.0.0.1", self._port, limit=1 << 20)
        keep = False
        try:
            writer.write(request(result))
            result.status, headers, body, keep = await read_answer(reader)
            result.origin = headers.get("x-origin", "")
            if result.origin:
                right = body == body_of(result.origin, result.id) and result.status == 200
                result.outcome = "ok" if right else "wrong"
            else:
                # A page of Ficus itself.
                result.outcome = "status" if result.status >= 500 else "wrong"
            result.detail = body[:200].decode("latin-1")
        finally:
            if keep:
                self._idle.append((reader, writer))
            else:
                writer.close()


def request(result: Result) -> bytes:
    head = f"{result.method} {result.path}/{result.id}?id={result.id} HTTP/1.1\r\nHost: crm.test\r\n"
    if result.safe:
        return f"{head}\r\n".encode()
    return f"{head}Content-Length: 2000\r\n\r\n".encode() + b"x" * 2_000
