"""As much of an HTTP/2 client as it takes to send frames that no library sends.

Header fields go out as literals, byte for byte, also where HTTP/2 forbids it. Of a response the
header fields are not decoded.
"""
import struct

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, RST_STREAM, SETTINGS, PING, GOAWAY = 0, 1, 3, 4, 6, 7
END_STREAM, ACK, END_HEADERS = 1, 1, 4
STATUS_200 = 0x88  # as RFC 7541 writes it
FRAME_BYTES_MAX = 16384


def frame(kind, flags, stream, payload=b""):
    return struct.pack(">I", len(payload))[1:] + struct.pack(">BBI", kind, flags, stream) + payload


def _string(text):
    """Not Huffman-coded; the length has a prefix of 7 bits."""
    length = len(text)
    if length < 127:
        return bytes([length]) + text
    length, encoded = length - 127, bytearray([127])
    while length >= 128:
        encoded.append(length % 128 + 128)
        length //= 128
    return bytes(encoded) + bytes([length]) + text


def fields(*pairs):
    return b"".join(b"\0" + _string(name) + _string(value) for name, value in pairs)


def head(method, path, *more, authority=b"test"):
    return ((b":method", method), (b":scheme", b"http"), (b":authority", authority),
            (b":path", path), *more)


class Connection:
    """One request at a time, on streams 1, 3, ..."""

    def __init__(self, sock):
        self.sock, self.stream, self.received = sock, -1, b""
        self.sock.sendall(PREFACE + frame(SETTINGS, 0, 0))

    def _receive_frame(self):
        """(kind, flags, stream, payload), or None at the end of the connection."""
        while len(self.received) < 9 or len(self.received) < 9 + self._payload_bytes():
            try:
                part = self.sock.recv(1 << 16)
            except ConnectionResetError:
                part = b""
            if not part:
                return None
            self.received += part
        end = 9 + self._payload_bytes()
        kind, flags, stream = struct.unpack(">BBI", self.received[3:9])
        payload, self.received = self.received[9:end], self.received[end:]
        return kind, flags, stream, payload

    def _payload_bytes(self):
        return int.from_bytes(self.received[:3], "big")

    def send(self, pairs, *data):
        """A request. Each of `data` is a frame, the last one ends it; without, the head does."""
        self.stream += 2
        block = fields(*pairs)
        assert len(block) <= FRAME_BYTES_MAX
        raw = frame(HEADERS, END_HEADERS | (0 if data else END_STREAM), self.stream, block)
        for number, payload in enumerate(data):
            last = number == len(data) - 1
            raw += frame(DATA, END_STREAM if last else 0, self.stream, payload)
        try:
            self.sock.sendall(raw)
        except (BrokenPipeError, ConnectionResetError):
            pass

    def receive(self):
        """The body, and whether the status is 200; None for both if there is no whole response."""
        body, good = b"", None
        while True:
            got = self._receive_frame()
            if got is None:
                return None, None
            kind, flags, stream, payload = got
            if kind == SETTINGS and not flags & ACK:
                self.sock.sendall(frame(SETTINGS, ACK, 0))
            elif kind == PING and not flags & ACK:
                self.sock.sendall(frame(PING, ACK, 0, payload))
            elif kind == GOAWAY or (kind == RST_STREAM and stream == self.stream):
                return None, None
            elif kind == HEADERS and stream == self.stream:
                good = STATUS_200 in payload[:3]  # behind a change of the table's size, if any
            elif kind == DATA and stream == self.stream:
                body += payload
            if kind in (DATA, HEADERS) and stream == self.stream and flags & END_STREAM:
                return body, good
