"""An origin that misbehaves as it is told: `python origin.py NAME ADDRESS JOURNAL MODE_FILE`.

Every request that arrived whole is written to the journal, one line `ID METHOD`, before anything else happens; that is
what "executed" means. How it is answered is read from the mode file for each request. Plain asyncio, so that it can be
killed like any other process.
"""

import asyncio
import os
import socket
import struct
import sys
from urllib.parse import parse_qs, urlsplit

GARBAGE = [
    b"\x00\x01\x02\x03\xff\xfe\r\n\r\n",
    b"HTTP/1.1 abc\r\n\r\n",
    b"<html><body>it works</body></html>",
    b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 7\r\n\r\nhello",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\nhello",
    b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\nhello",
    b"HTTP/1.1 200 OK\r\nno colon in this line\r\nContent-Length: 5\r\n\r\nhello",
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: nothing\r\nConnection: upgrade\r\n\r\n",
    b"\r\n\r\n\r\n\r\n",
]


def body_of(origin: str, request: str) -> bytes:
    """The one right answer of an origin to a request: 2 to 9 KiB that end with a mark."""
    line = f"{origin} answers {request}\n".encode()
    return line * (2_048 * (1 + hash_of(request) % 4) // len(line) + 1) + b"end"


def hash_of(text: str) -> int:
    return sum(text.encode()) % 997


class Origin:
    def __init__(self, name: str, journal: str, mode_file: str):
        self.name = name
        self.mode_file = mode_file
        self.journal = os.open(journal, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        self.served = 0

    def mode(self) -> str:
        try:
            with open(self.mode_file, encoding="ascii") as file:
                return file.read().strip() or "ok"
        except FileNotFoundError:
            return "ok"

    async def serve(self, reader, writer):
        try:
            while await self.one(reader, writer):
                pass
        except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            pass
        finally:
            writer.close()

    async def one(self, reader, writer) -> bool:
        head = await reader.readuntil(b"\r\n\r\n")
        method, target, _ = head.split(b"\r\n", 1)[0].decode("latin-1").split(" ")
        fields = [line.split(b":", 1) for line in head.split(b"\r\n")[1:] if b":" in line]
        headers = {name.strip().lower(): value.strip() for name, value in fields}
        received = await self.read_body(reader, headers)
        query = parse_qs(urlsplit(target).query)
        request = query.get("id", ["-"])[0]
        os.write(self.journal, f"{request} {method}\n".encode())
        self.served += 1
        if "bytes" in query:
            return await self.stream(writer, int(query["bytes"][0]))
        if target.startswith("/old/upload"):
            return await self.send(writer, str(received).encode(), headers)
        return await self.answer(writer, request, headers)

    async def read_body(self, reader, headers) -> int:
        if headers.get(b"transfer-encoding", b"").lower() == b"chunked":
            received = 0
            while size := int((await reader.readuntil(b"\r\n")).split(b";")[0], 16):
                await reader.readexactly(size + 2)
                received += size
            await reader.readuntil(b"\r\n")
            return received
        left = length = int(headers.get(b"content-length", b"0"))
        while left:
            piece = await reader.read(min(left, 1 << 18))
            if not piece:
                raise asyncio.IncompleteReadError(b"", left)
            left -= len(piece)
        return length

    async def answer(self, writer, request: str, headers) -> bool:
        mode, _, number = self.mode().partition(" ")
        body = body_of(self.name, request)
        half = len(body) // 2
        chunked = f"HTTP/1.1 200 OK\r\nX-Origin: {self.name}\r\nTransfer-Encoding: chunked\r\n\r\n".encode()
        if mode == "hang":
            await asyncio.sleep(3_600)
        elif mode == "slow":
            await asyncio.sleep(0.5)
        elif mode == "die" and self.served % int(number) == 0:
            os._exit(3)
        elif mode == "garbage":
            writer.write(GARBAGE[self.served % len(GARBAGE)])
            await writer.drain()
            return False
        elif mode == "reset-head":
            return self.reset(writer)
        elif mode in ("reset-length", "fin-length"):
            await self.part(writer, self.head(len(body)), body[:half])
            return self.reset(writer) if mode.startswith("reset") else False
        elif mode in ("reset-chunked", "fin-chunked"):
            await self.part(writer, chunked, b"%x\r\n" % len(body) + body[:half])
            return self.reset(writer) if mode.startswith("reset") else False
        elif mode == "fin-between-chunks":
            await self.part(writer, chunked, b"%x\r\n%s\r\n" % (half, body[:half]))
            return False
        elif mode == "reset-close":
            head = f"HTTP/1.1 200 OK\r\nX-Origin: {self.name}\r\nConnection: close\r\n\r\n".encode()
            await self.part(writer, head, body[:half])
            return self.reset(writer)
        return await self.send(writer, body, headers)

    def head(self, length: int) -> bytes:
        return f"HTTP/1.1 200 OK\r\nX-Origin: {self.name}\r\nContent-Length: {length}\r\n\r\n".encode()

    async def send(self, writer, body: bytes, headers) -> bool:
        writer.write(self.head(len(body)) + body)
        await writer.drain()
        return headers.get(b"connection", b"").lower() != b"close"

    async def stream(self, writer, length: int) -> bool:
        writer.write(self.head(length))
        piece = bytes(1 << 18)
        while length:
            writer.write(piece[:length])
            await writer.drain()
            length -= min(length, len(piece))
        return True

    async def part(self, writer, head: bytes, body: bytes):
        """Sends the first part of an answer, and gives it time to be on its way: a reset would overtake it."""
        writer.write(head + body)
        await writer.drain()
        await asyncio.sleep(0.02)

    @staticmethod
    def reset(writer) -> bool:
        """Closes with RST instead of FIN."""
        found = writer.get_extra_info("socket")
        found.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        writer.transport.abort()
        return False


async def main(name: str, address: str, journal: str, mode_file: str):
    origin = Origin(name, journal, mode_file)
    if address.startswith("unix:"):
        path = address.removeprefix("unix:")
        if os.path.exists(path):
            os.unlink(path)
        server = await asyncio.start_unix_server(origin.serve, path, limit=1 << 20, backlog=4_096)
    else:
        host, _, port = address.rpartition(":")
        server = await asyncio.start_server(origin.serve, host, int(port), limit=1 << 20, backlog=4_096)
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
