"""The client before a proxy: sends exact bytes and reads answers as strictly as HTTP/1 is written."""

import re
import socket
import ssl
import time

TOKEN = rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
STATUS_LINE = re.compile(rb"HTTP/1\.[01] ([1-9]\d\d)(?: ([^\r\n\0]*))?\r\n")


class Reply:
    """One answer, as far as it came."""

    def __init__(self, status, raw_head):
        self.status = status
        self.raw_head = raw_head
        self.body = b""
        self.complete = False
        self.trailers = []
        #: Seconds from the first request byte to the head and to each piece of the body.
        self.at = 0.0
        self.pieces = []

    @property
    def reason(self):
        return STATUS_LINE.match(self.raw_head)[2] or b""

    @property
    def headers(self):
        lines = self.raw_head.split(b"\r\n")[1:]
        pairs = (line.partition(b":") for line in lines if line)
        return [(name.lower(), value.strip(b" \t")) for name, _, value in pairs]

    def all(self, name):
        return [value for known, value in self.headers if known == name.lower()]


class Seen:
    """What came of one case."""

    def __init__(self):
        self.replies = []
        self.interim = []
        self.raw = b""
        self.tunnel = b""
        self.closed = False
        self.reset = False
        self.timed_out = False
        self.garbage = b""
        self.arrived = []
        self.connections = 0
        self.prompt = None
        self.h2 = None

    @property
    def reply(self):
        return self.replies[0] if self.replies else None


class Read:
    """Step: read until there are so many answers in all, or the end."""

    def __init__(self, count=1, head=False):
        self.count, self.head = count, head


class Sees:
    """Step: read until these bytes are here, and let the origin go on."""

    def __init__(self, text):
        self.text = text


class Raw:
    """Step: read until the tunnel has brought these bytes."""

    def __init__(self, text):
        self.text = text


class Pause:
    def __init__(self, seconds):
        self.seconds = seconds


class NewConnection:
    """Step: go on with another connection."""


class HalfClose:
    """Step: say that nothing more will be sent."""


class End:
    """Step: wait for the proxy to close, or for silence."""

    def __init__(self, seconds=0.25):
        self.seconds = seconds


class Client:
    """One connection."""

    def __init__(self, address, tls, seen, patience):
        self.seen, self.patience = seen, patience
        self.sock = socket.create_connection(address, timeout=patience)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.tls = tls
        self.buffer = b""
        self.started = time.monotonic()
        self.eof = False

    def secure(self, alpn=("http/1.1",)):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        context.set_alpn_protocols(list(alpn))
        self.sock = context.wrap_socket(self.sock, server_hostname="conformance.example")

    def send(self, data):
        try:
            self.sock.sendall(data)
        except OSError:
            pass

    def fill(self, patience=None):
        """Reads once; whether anything came."""
        if self.eof:
            return False
        self.sock.settimeout(patience or self.patience)
        try:
            piece = self.sock.recv(65536)
        except (TimeoutError, ssl.SSLWantReadError):
            if patience is None:
                self.seen.timed_out = True
            return False
        except OSError:
            self.seen.reset = self.seen.closed = self.eof = True
            return False
        if not piece:
            self.seen.closed = self.eof = True
            return False
        self.buffer += piece
        self.seen.raw += piece
        return True

    def _until(self, end):
        while end not in self.buffer:
            if not self.fill():
                return None
        at = self.buffer.index(end) + len(end)
        found, self.buffer = self.buffer[:at], self.buffer[at:]
        return found

    def read(self, head_request=False):
        """Reads one final answer; whether there is one."""
        while True:
            while b"\r\n\r\n" not in self.buffer and self.fill():
                if not b"HTTP/1.".startswith(self.buffer[:7]):
                    break
            if not self.buffer:
                return False
            line = STATUS_LINE.match(self.buffer)
            raw = self._until(b"\r\n\r\n") if line else None
            if raw is None:
                self.seen.garbage += self.buffer
                self.buffer = b""
                return False
            reply = Reply(int(line[1]), raw)
            reply.at = time.monotonic() - self.started
            if reply.status == 101 or reply.status >= 200:
                self.seen.replies.append(reply)
                self._body(reply, head_request)
                return True
            self.seen.interim.append(reply)

    def _body(self, reply, head_request):
        codings, lengths = reply.all(b"transfer-encoding"), reply.all(b"content-length")
        if head_request or reply.status in (101, 204, 304):
            reply.complete = True
        elif codings:
            reply.complete = codings == [b"chunked"] and self._chunks(reply)
        elif lengths:
            good = len(set(lengths)) == 1 and lengths[0].isdigit()
            reply.complete = good and self._exactly(reply, int(lengths[0]))
        else:
            while self.fill():
                self._take(reply, len(self.buffer))
            self._take(reply, len(self.buffer))
            reply.complete = self.eof and not self.seen.reset

    def _take(self, reply, count):
        if count:
            reply.body += self.buffer[:count]
            reply.pieces.append((time.monotonic() - self.started, self.buffer[:count]))
            self.buffer = self.buffer[count:]

    def _exactly(self, reply, count):
        while len(reply.body) < count:
            if not self.buffer and not self.fill():
                return False
            self._take(reply, min(len(self.buffer), count - len(reply.body)))
        return True

    def _chunks(self, reply):
        while True:
            line = self._until(b"\r\n")
            size = line and re.fullmatch(rb"([0-9A-Fa-f]+)(;[^\r\n\0]*)?\r\n", line)
            if not size:
                return False
            count = int(size[1], 16)
            if count == 0:
                break
            if not self._exactly(reply, len(reply.body) + count) or self._until(b"\r\n") != b"\r\n":
                return False
        while True:
            line = self._until(b"\r\n")
            if line is None:
                return False
            if line == b"\r\n":
                return True
            name, _, value = line.partition(b":")
            reply.trailers.append((name.lower(), value.strip()))

    def close(self):
        try:
            self.sock.close()
        except OSError:
            pass


def play(steps, address, tls, patience, before=b"", saw=lambda: None):
    """Plays the steps of a case; what was seen. `before`: sent before TLS begins; `saw`: called by `Sees`."""
    seen = Seen()
    client = None

    def connect():
        made = Client(address, tls, seen, patience)
        if tls:
            made.send(before)
            made.secure()
        return made

    try:
        client = connect()
        for step in steps:
            match step:
                case bytes():
                    client.send(step)
                case Read():
                    while len(seen.replies) < step.count and client.read(step.head):
                        pass
                case Sees():
                    while step.text not in client.buffer and client.fill():
                        pass
                    saw()
                case Raw():
                    while step.text not in client.buffer and client.fill():
                        pass
                    seen.tunnel += client.buffer
                    client.buffer = b""
                case Pause():
                    time.sleep(step.seconds)
                case NewConnection():
                    client.close()
                    client, seen.closed, seen.reset = connect(), False, False
                case HalfClose():
                    client.sock.shutdown(socket.SHUT_WR)
                case End():
                    while client.fill(step.seconds):
                        pass
                    if client.buffer:
                        client.read()
                        seen.garbage += client.buffer
    except OSError:
        seen.closed = True
    finally:
        if client:
            client.close()
    return seen
