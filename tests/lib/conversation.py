"""An HTTP client of many connections in one thread; every byte of a reply is checked or returned.

A user is a generator: it yields a Request and is sent the Reply. converse() gives each user a
connection of its own, and needs no locks because all run in one thread. A reply that is late, cut
short or malformed is a Failure that shows the request.
"""
import re
import selectors
import socket

from process import Failure

SECONDS_WITHOUT_REPLY = 30
RECEIVE_BYTES = 1 << 18
SHOWN_BYTES = 96


class Request:
    """One request."""

    def __init__(self, method, target, body=None):
        self.method, self.target, self.body = method, target, body

    def render(self, host):
        """With the headers that curl sends."""
        lines = ["%s %s HTTP/1.1" % (self.method, self.target), "Host: " + host,
                 "User-Agent: curl/7.88.1", "Accept: */*"]
        if self.body is not None:
            lines += ["Content-Length: %d" % len(self.body),
                      "Content-Type: application/x-www-form-urlencoded"]
        return ("\r\n".join(lines) + "\r\n\r\n").encode() + (self.body or b"")

    def render_bare(self, host):
        """With only the headers that HTTP needs, for a load generator."""
        length = "" if self.body is None else "Content-Length: %d\r\n" % len(self.body)
        head = "%s %s HTTP/1.1\r\nHost: %s\r\n%s\r\n" % (self.method, self.target, host, length)
        return head.encode() + (self.body or b"")

    def __str__(self):
        text = "%s %s" % (self.method, self.target)
        return text if self.body is None else "%s with the body %s" % (text, shown(self.body))


class Reply:
    def __init__(self, status, headers, body, head_bytes):
        self.status, self.headers, self.body, self.head_bytes = status, headers, body, head_bytes

    def __str__(self):
        return "%d, %s" % (self.status, shown(self.body))


def shown(data):
    """Bytes for a message, shortened."""
    if len(data) <= SHOWN_BYTES:
        return repr(data)
    return "%r... (%d bytes)" % (data[:SHOWN_BYTES], len(data))


def expect(condition, request, reply, what):
    """Raises a Failure that shows request and reply unless the condition holds."""
    if not condition:
        raise Failure("wrong reply: %s\n  request: %s\n  reply:   %s" % (what, request, reply))


class Parser:
    """Takes bytes as they arrive; feed() returns a Reply when it is complete, else None."""

    HEAD = re.compile(rb"HTTP/1\.1 (\d{3}) [^\r\n]*\r\n((?:[^\r\n:]+: ?[^\r\n]*\r\n)*)\r\n\Z")

    def __init__(self):
        self.data, self.head = bytearray(), None

    def feed(self, data):
        self.data += data
        if self.head is None and not self._take_head():
            return None
        status, headers, head_bytes = self.head
        body = self._chunked() if headers.get("transfer-encoding") == "chunked" else self._plain()
        if body is None:
            return None
        self.head = None
        return Reply(status, headers, body, head_bytes)

    def _take_head(self):
        end = self.data.find(b"\r\n\r\n") + 4
        if end < 4:
            return False
        match = self.HEAD.match(bytes(self.data[:end]))
        if not match:
            raise ValueError("not the head of a reply: " + shown(bytes(self.data[:end])))
        lines = match.group(2).decode("latin-1").split("\r\n")[:-1]
        pairs = (line.partition(":") for line in lines)
        headers = {key.lower(): value.strip() for key, _, value in pairs}
        self.head = int(match.group(1)), headers, end
        del self.data[:end]
        self.chunks, self.at = [], 0
        return True

    def _plain(self):
        headers, status = self.head[1], self.head[0]
        length = 0 if status == 204 else int(headers["content-length"])
        if len(self.data) < length:
            return None
        body = bytes(self.data[:length])
        del self.data[:length]
        return body

    def _chunked(self):
        while True:
            end = self.data.find(b"\r\n", self.at)
            if end < 0:
                return None
            length = int(bytes(self.data[self.at:end]), 16)
            if len(self.data) < end + 4 + length:
                return None
            if self.data[end + 2 + length:end + 4 + length] != b"\r\n":
                raise ValueError("a chunk does not end where its size says")
            self.chunks.append(bytes(self.data[end + 2:end + 2 + length]))
            self.at = end + 4 + length
            if length == 0:
                del self.data[:self.at]
                return b"".join(self.chunks)


class Conversation:
    """One connection and its user."""

    def __init__(self, address, user, selector):
        self.user, self.selector, self.parser = user, selector, Parser()
        self.host = "%s:%d" % address
        try:
            self.socket = socket.create_connection(address, SECONDS_WITHOUT_REPLY)
        except OSError as error:
            raise Failure("cannot connect to %s: %s" % (self.host, error)) from error
        self.socket.setblocking(False)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.request, self.out, self.replies = None, memoryview(b""), 0
        self.selector.register(self.socket, selectors.EVENT_READ, self)
        self._next(None)

    def _next(self, reply):
        try:
            self.request = self.user.send(reply)
        except StopIteration:
            self.request = None
            self.close()
            return
        self.out = memoryview(self.request.render(self.host))
        self._send()

    def _send(self):
        try:
            while self.out:
                self.out = self.out[self.socket.send(self.out):]
        except BlockingIOError:
            pass
        wanted = selectors.EVENT_READ | (selectors.EVENT_WRITE if self.out else 0)
        self.selector.modify(self.socket, wanted, self)

    def on_event(self, mask):
        try:
            if mask & selectors.EVENT_WRITE:
                self._send()
            if not mask & selectors.EVENT_READ:
                return
            data = self.socket.recv(RECEIVE_BYTES)
            reply = self.parser.feed(data) if data else None
        except BlockingIOError:
            return
        except (OSError, ValueError, KeyError) as error:
            raise Failure("no good reply: %s\n  request: %s" % (error, self.request)) from error
        if not data:
            raise Failure("a reply is lost, the connection was closed\n  request: %s"
                          % self.request)
        if reply is not None:
            expect(not self.parser.data, self.request, reply, "bytes follow the reply")
            self.replies += 1
            self._next(reply)

    def close(self):
        if self.socket.fileno() >= 0:
            self.selector.unregister(self.socket)
            self.socket.close()


def converse(address, users):
    """Runs all users until each has ended; returns the number of replies."""
    conversations = []
    with selectors.DefaultSelector() as selector:
        try:
            for user in users:
                conversations.append(Conversation(address, user, selector))
            while any(c.request for c in conversations):
                events = selector.select(SECONDS_WITHOUT_REPLY)
                if not events:
                    waiting = next(c for c in conversations if c.request)
                    raise Failure("a reply is lost, none came in %d s\n  request: %s"
                                  % (SECONDS_WITHOUT_REPLY, waiting.request))
                for key, mask in events:
                    key.data.on_event(mask)
        finally:
            for conversation in conversations:
                conversation.close()
    return sum(c.replies for c in conversations)


def ask(address, request):
    """One request on a connection of its own."""
    replies = []

    def user():
        replies.append((yield request))
    converse(address, [user()])
    return replies[0]
