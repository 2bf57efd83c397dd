"""An HTTP/2 client that may send any frame at all, one byte wrong or in the wrong order."""

import ssl
import time

from hpack import Decoder, Encoder
from hyperframe.frame import (
    DataFrame,
    Frame,
    GoAwayFrame,
    HeadersFrame,
    PingFrame,
    RstStreamFrame,
    SettingsFrame,
    WindowUpdateFrame,
)

from .client import Client, Seen

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"


class Stream:
    """What came back on a stream."""

    def __init__(self):
        self.heads = []
        self.body = b""
        self.ended = False
        self.reset = None

    @property
    def status(self):
        final = [dict(head).get(b":status") for head in self.heads]
        final = [int(status) for status in final if status and not status.startswith(b"1")]
        return final[0] if final else None

    def header(self, name):
        for head in self.heads:
            if not dict(head).get(b":status", b"").startswith(b"1"):
                return [value for known, value in head if known == name]
        return []


class Http2:
    """One connection; streams are numbered by the case."""

    def __init__(self, address, patience, tls=True):
        self.seen = Seen()
        self.seen.h2 = self
        self.client = Client(address, tls, self.seen, patience)
        self.negotiated = None
        self.encoder, self.decoder = Encoder(), Decoder()
        self.streams = {}
        self.goaway = None
        self.settings = {}
        self.decoder.max_allowed_table_size = 65536

    def open(self, settings=None, alpn=("h2",)):
        self.client.secure(alpn)
        self.negotiated = self.client.sock.selected_alpn_protocol()
        frame = SettingsFrame(0)
        frame.settings = settings or {}
        self.client.send(PREFACE + frame.serialize())
        return self

    def stream(self, number):
        return self.streams.setdefault(number, Stream())

    def send(self, frame):
        self.client.send(frame.serialize())

    def headers(self, number, fields, end=True, flags=("END_HEADERS",)):
        frame = HeadersFrame(number)
        frame.data = self.encoder.encode(fields, huffman=False)
        for flag in flags:
            frame.flags.add(flag)
        if end:
            frame.flags.add("END_STREAM")
        self.send(frame)

    def get(self, number, path="/", extra=(), method="GET", end=True, authority="a.example"):
        fields = [(":method", method), (":scheme", "https"), (":path", path), (":authority", authority)]
        self.headers(number, fields + list(extra), end)

    def data(self, number, data, end=False):
        frame = DataFrame(number, data)
        if end:
            frame.flags.add("END_STREAM")
        self.send(frame)

    def rst(self, number, code=8):
        self.send(RstStreamFrame(number, code))

    def read(self, until, patience=None):
        """Reads frames until the condition holds, or the end; whether it holds."""
        end = time.monotonic() + (patience or self.client.patience)
        while not until():
            if not self._frame(end - time.monotonic()):
                return until()
        return True

    def answered(self, *numbers, patience=None):
        over = lambda number: self.stream(number).ended or self.stream(number).reset is not None
        return self.read(lambda: self.goaway is not None or all(map(over, numbers)), patience)

    def _frame(self, patience):
        buffer = self.client.buffer
        while len(buffer) < 9 or len(buffer) < 9 + int.from_bytes(buffer[:3], "big"):
            if patience <= 0 or not self.client.fill(max(patience, 0.01)):
                self.seen.timed_out = not self.client.eof
                return False
            buffer = self.client.buffer
        length = int.from_bytes(buffer[:3], "big")
        frame, _ = Frame.parse_frame_header(memoryview(buffer[:9]))
        frame.parse_body(memoryview(buffer[9 : 9 + length]))
        self.client.buffer = buffer[9 + length :]
        self._take(frame)
        return True

    def _take(self, frame):
        stream = self.stream(frame.stream_id)
        match frame:
            case HeadersFrame():
                stream.heads.append(self.decoder.decode(bytes(frame.data), raw=True))
                stream.ended |= "END_STREAM" in frame.flags
            case DataFrame():
                stream.body += bytes(frame.data)
                stream.ended |= "END_STREAM" in frame.flags
                if frame.flow_controlled_length:
                    for number in (0, frame.stream_id):
                        update = WindowUpdateFrame(number)
                        update.window_increment = frame.flow_controlled_length
                        self.send(update)
            case RstStreamFrame():
                stream.reset = frame.error_code
            case GoAwayFrame():
                self.goaway = frame.error_code
            case SettingsFrame() if "ACK" not in frame.flags:
                self.settings.update(frame.settings)
                self.send(SettingsFrame(0, flags=("ACK",)))
            case PingFrame() if "ACK" not in frame.flags:
                self.send(PingFrame(0, bytes(frame.opaque_data), flags=("ACK",)))


def play(act, address, patience):
    """Lets a case act on a fresh connection; what was seen."""
    connection = Http2(address, patience)
    try:
        act(connection)
    except (OSError, ssl.SSLError):
        connection.seen.closed = True
    finally:
        connection.seen.closed = connection.seen.closed or connection.client.eof
        connection.client.close()
    return connection.seen
