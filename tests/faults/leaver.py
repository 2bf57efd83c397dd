"""A server on a Unix socket that leaves at a bad moment: `python leaver.py NAME unix:PATH JOURNAL MODE_FILE`.

The first request on a connection is always answered, and the connection kept. With the next one it does what the mode
says. What it answers and what it writes to the journal is as in origin.py; a connection that it leaves is a line too.
"""

import os
import select
import socket
import sys
import threading
import time

# Also started as a program, from anywhere.
sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

from faults.origin import body_of  # noqa: E402

#: Ways to leave. Only after the last of them has the request been read.
UNREAD = ["unread", "half-read", "goodbye"]
MODES = [*UNREAD, "read"]


class Leaver:
    def __init__(self, name: str, journal: str, mode_file: str):
        self.name, self.mode_file = name, mode_file
        self.journal = os.open(journal, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)

    def mode(self) -> str:
        try:
            with open(self.mode_file, encoding="ascii") as file:
                return file.read().strip()
        except FileNotFoundError:
            return "ok"

    def note(self, line: str):
        os.write(self.journal, f"{line}\n".encode())

    def serve(self, connection: socket.socket):
        with connection:
            served = 0
            while self.one(connection, served):
                served += 1

    def one(self, connection: socket.socket, served: int) -> bool:
        select.select([connection], [], [])
        mode = self.mode() if served else "ok"
        if mode in UNREAD and connection.recv(1, socket.MSG_PEEK):
            if mode == "half-read":
                connection.recv(20)
            if mode == "goodbye":
                connection.shutdown(socket.SHUT_WR)
                time.sleep(0.01)
            self.note(f"{mode} left")
            return False
        received = b""
        while b"\r\n\r\n" not in received or len(received) < length_of(received):
            piece = connection.recv(8_192)
            if not piece:
                return False
            received += piece
        method, target, _ = received.split(b"\r\n", 1)[0].decode().split(" ")
        request = target.rpartition("id=")[2]
        self.note(f"{request} {method}")
        if mode == "read":
            self.note(f"{mode} left")
            return False
        body = body_of(self.name, request)
        head = f"HTTP/1.1 200 OK\r\nX-Origin: {self.name}\r\nContent-Length: {len(body)}\r\n\r\n"
        connection.sendall(head.encode() + body)
        return b"\r\nconnection: close\r\n" not in received.lower()


def length_of(received: bytes) -> int:
    """Of head and body."""
    head = received.partition(b"\r\n\r\n")[0]
    values = [line.partition(b":")[2] for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")]
    return len(head) + 4 + (int(values[0]) if values else 0)


def main(name: str, address: str, journal: str, mode_file: str):
    leaver, path = Leaver(name, journal, mode_file), address.removeprefix("unix:")
    if os.path.exists(path):
        os.unlink(path)
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(path)
    listener.listen(1_024)
    while True:
        connection, _ = listener.accept()
        threading.Thread(target=leaver.serve, args=[connection], daemon=True).start()


if __name__ == "__main__":
    main(*sys.argv[1:])
