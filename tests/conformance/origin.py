"""The origin behind a proxy: a raw socket that records exactly what arrives and answers what the case says."""

import re
import socket
import threading
import time

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok"
KEEP = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


class Arrived:
    """A request as the origin sees it."""

    def __init__(self, raw_head):
        self.raw_head = raw_head
        self.raw_body = b""
        self.body = b""
        self.complete = False
        self.trailers = b""

    @property
    def line(self):
        return self.raw_head.split(b"\r\n", 1)[0]

    @property
    def headers(self):
        """Names in lower case, values as they are."""
        lines = self.raw_head.split(b"\r\n")[1:]
        pairs = (line.partition(b":") for line in lines if line)
        return [(name.lower(), value.strip(b" \t")) for name, _, value in pairs]

    def all(self, name):
        return [value for known, value in self.headers if known == name.lower()]


class Conn:
    """One connection from the proxy."""

    def __init__(self, sock, origin):
        self.sock = sock
        self.origin = origin
        self.buffer = b""
        self.eof = False

    def fill(self):
        try:
            piece = self.sock.recv(65536)
        except OSError:
            piece = b""
        self.buffer += piece
        self.eof = self.eof or not piece
        self.origin.touched()
        return bool(piece)

    def until(self, end, limit=4_000_000):
        while end not in self.buffer and len(self.buffer) < limit:
            if not self.fill():
                return None
        at = self.buffer.find(end)
        if at < 0:
            return None
        found, self.buffer = self.buffer[: at + len(end)], self.buffer[at + len(end) :]
        return found

    def exactly(self, count):
        while len(self.buffer) < count:
            if not self.fill():
                break
        found, self.buffer = self.buffer[:count], self.buffer[count:]
        return found

    def send(self, data):
        try:
            self.sock.sendall(data)
        except OSError:
            self.eof = True

    def close(self):
        try:
            self.sock.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.sock.close()

    def reset(self):
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
        self.sock.close()

    def wait_for_end(self, seconds=9.0):
        """Waits until the proxy closes; whether it did."""
        self.sock.settimeout(seconds)
        while self.fill():
            pass
        return self.eof


def read_body(conn, request):
    """Reads the body as a strict server would."""
    codings, lengths = request.all(b"transfer-encoding"), request.all(b"content-length")
    if codings:
        while True:
            line = conn.until(b"\r\n")
            size = line and re.fullmatch(rb"([0-9A-Fa-f]+)(;[^\r\n]*)?\r\n", line)
            if not size:
                request.raw_body += line or conn.buffer
                return False
            request.raw_body += line
            count = int(size[1], 16)
            if count == 0:
                break
            piece = conn.exactly(count + 2)
            request.raw_body += piece
            request.body += piece[:count]
            if len(piece) < count + 2 or not piece.endswith(b"\r\n"):
                return False
        while True:
            line = conn.until(b"\r\n")
            if line is None:
                return False
            request.raw_body += line
            if line == b"\r\n":
                return True
            request.trailers += line
    if lengths and lengths[0].isdigit():
        request.body = request.raw_body = conn.exactly(int(lengths[0]))
        return len(request.body) == int(lengths[0])
    return True


class Origin:
    """Listens on a port of its own; one case at a time says what it answers."""

    def __init__(self):
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port = self.listener.getsockname()[1]
        self.lock = threading.Lock()
        self.script = OK
        self.arrived = []
        self.connections = 0
        self.open = set()
        self.client_saw = threading.Event()
        self.prompt = None
        self.last = time.monotonic()
        threading.Thread(target=self._accept, daemon=True).start()

    def begin(self, script):
        """Forgets the case before."""
        with self.lock:
            stale = list(self.open)
        for conn in stale:
            conn.close()
        with self.lock:
            self.script, self.arrived, self.connections = script, [], 0
            self.prompt = None
            self.client_saw.clear()

    def touched(self):
        self.last = time.monotonic()

    def settle(self, quiet=0.03, limit=1.0):
        """Waits until nothing has arrived for a moment."""
        end = time.monotonic() + limit
        while time.monotonic() < end and time.monotonic() - self.last < quiet:
            time.sleep(0.005)

    def stop(self):
        self.listener.close()

    def _accept(self):
        while True:
            try:
                sock, _ = self.listener.accept()
            except OSError:
                return
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            sock.settimeout(10)
            conn = Conn(sock, self)
            with self.lock:
                self.connections += 1
                self.open.add(conn)
            self.touched()
            threading.Thread(target=self._serve, args=(conn,), daemon=True).start()

    def _serve(self, conn):
        try:
            while self._exchange(conn):
                pass
        except (OSError, ValueError):
            pass
        finally:
            with self.lock:
                self.open.discard(conn)
            try:
                conn.close()
            except OSError:
                pass

    def _exchange(self, conn):
        head = conn.until(b"\r\n\r\n")
        if head is None:
            if conn.buffer:
                self._record(Arrived(conn.buffer))
            return False
        request = Arrived(head)
        index = self._record(request)
        script = self.script
        if isinstance(script, list):
            script = script[min(index, len(script) - 1)]
        if callable(script):
            return script(conn, request) is True
        request.complete = read_body(conn, request)
        self.touched()
        if not request.complete:
            return False
        conn.send(script)
        return b"connection: close" not in script.lower() and not conn.eof

    def _record(self, request):
        with self.lock:
            self.arrived.append(request)
            return len(self.arrived) - 1


#: A piece of an answer: waits until the client has seen what was sent so far.
SEEN = object()
#: How long; a proxy that holds it back shows it only then.
HELD_BACK = 2.0


def answers(*pieces, read=True, then="close"):
    """A script: reads the body, sends the pieces (numbers are pauses), then closes, resets, keeps or holds."""

    def script(conn, request):
        if read:
            request.complete = read_body(conn, request)
        for piece in pieces:
            if piece is SEEN:
                conn.origin.prompt = conn.origin.client_saw.wait(HELD_BACK)
            elif isinstance(piece, (int, float)):
                time.sleep(piece)
            else:
                conn.send(piece)
        if then == "reset":
            conn.reset()
        elif then == "hold":
            conn.wait_for_end()
        return then == "keep"

    return script
