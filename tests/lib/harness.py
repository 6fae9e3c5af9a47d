"""Starts the real server for a test, and speaks to it with raw sockets.

Every server listens on a free port of the loopback, keeps its data in a fresh
directory and is stopped by its own process id.
"""
import http.client
import json
import os
import re
import select
import shutil
import signal
import socket
import struct
import subprocess
import tempfile
import urllib.parse

import process
import protocol
from process import TIMEOUT_SECONDS, wait_for  # noqa: F401 -- for the tests

BINARY = os.environ["ROCHEFORT"]
HOLD_DISK = os.environ.get("HOLD_DISK", "")
SANITIZE = os.environ.get("ROCHEFORT_SANITIZE", "none")


class Server:
    """
    A running rochefort. Use as a context manager.

    `flags` follow those that every server gets; with a -bind of their own it listens there alone. `binary` is another build of it, `under` a command
    that runs it (strace, unshare...). `hold`: its disk can be made to wait. `preload`: libraries
    for it alone, not for what it runs under.
    """

    def __init__(self, *flags, root=None, hold=False, expect_exit=0, env=None, preload=(),
                 binary=BINARY, under=()):
        self.directory = tempfile.mkdtemp(prefix="rochefort-test-")
        self.root = root or os.path.join(self.directory, "root")
        self.log_path = os.path.join(self.directory, "log")
        self.hold_file = os.path.join(self.directory, "hold")
        self.flags = list(flags)
        self.hold = hold
        self.env = env or {}
        self.preload = list(preload)
        self.binary = binary
        self.under = list(under)
        self.expect_exit = expect_exit
        self.process = None
        self.start()

    def start(self):
        env = dict(os.environ, **self.env)
        bind = [] if "-bind" in self.flags else ["-bind", "127.0.0.1:0"]
        command = [self.binary, *bind, "-root", self.root] + self.flags
        preload = ([HOLD_DISK] if self.hold else []) + self.preload
        if preload:
            if SANITIZE in ("address", "thread"):  # its run-time must come first
                preload.insert(0, sanitizer_runtime())
            env["HOLD_FILE"] = self.hold_file
            command = ["env", "LD_PRELOAD=" + " ".join(p for p in preload if p)] + command
        started = process.Process(self.under + command, self.log_path, env)
        self.process = started.popen
        self.sockets = started.sockets  # how many it has open, listening ones included
        self.port = int(started.wait_for_log(process.START_LINE).group(1))

    def bucket(self, prefix="default", number=0):
        """The path of a bucket's file."""
        return os.path.join(self.root, prefix, "append.%d.raw" % number)

    def log(self, begin=0):
        return process.read_log(self.log_path, begin)

    def stop(self, signal_number=signal.SIGTERM):
        """Ends the process and returns its exit status."""
        if self.process.poll() is None:
            self.process.send_signal(signal_number)
        return self.process.wait(TIMEOUT_SECONDS)

    def kill(self):
        self.process.kill()
        self.process.wait(TIMEOUT_SECONDS)

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        try:
            self.release_disk()
            was_running = self.process.poll() is None
            status = self.stop()
            log = self.log()
            if kind is None:
                assert "Sanitizer" not in log, log
                if was_running:
                    assert status == self.expect_exit, "exit %d:\n%s" % (status, log)
            else:
                print(log)
        finally:
            if self.process.poll() is None:
                self.kill()
            shutil.rmtree(self.directory, ignore_errors=True)

    # The disk of a server started with hold=True

    def hold_disk(self):
        """From now on every read and write of a file waits."""
        open(self.hold_file, "w").close()

    def disk_is_waiting(self):
        return os.path.exists(self.hold_file + ".waiting")

    def release_disk(self):
        for path in (self.hold_file, self.hold_file + ".waiting"):
            if os.path.exists(path):
                os.unlink(path)
        self.release_sync()

    def hold_sync(self, path="", kind="sync"):
        """From now on every fdatasync waits, or, with kind "names", every fsync; only those of
        files whose path ends like this."""
        whole = self.hold_file + ".new"
        with open(whole, "w") as file:
            file.write(path)
        os.rename(whole, "%s.%s" % (self.hold_file, kind))

    def sync_is_waiting(self, kind="sync"):
        return os.path.exists("%s.%s.waiting" % (self.hold_file, kind))

    def release_sync(self):
        for kind in ("sync", "names"):
            for suffix in ("", ".waiting"):
                path = "%s.%s%s" % (self.hold_file, kind, suffix)
                if os.path.exists(path):
                    os.unlink(path)

    # /proc

    def memory_bytes(self, field="VmRSS"):
        with open("/proc/%d/status" % self.process.pid) as status:
            return int(re.search(field + r":\s+(\d+) kB", status.read()).group(1)) * 1024

    def open_files(self, prefix=""):
        """Paths of the open descriptors in a prefix's directory, or in all of them."""
        paths = []
        base = "/proc/%d/fd" % self.process.pid
        for fd in os.listdir(base):
            try:
                path = os.readlink(os.path.join(base, fd))
            except FileNotFoundError:
                continue
            directory = os.path.join(self.root, prefix)
            if (path + "/").startswith(os.path.join(directory, "")) and not (
                    path == self.root or path.endswith("/.rochefort.lock")):
                paths.append(path)
        return paths

    # Requests

    def connect(self, receive_buffer=None):
        """A raw connection."""
        sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        if receive_buffer:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        sock.settimeout(TIMEOUT_SECONDS)
        try:
            sock.connect(("127.0.0.1", self.port))
        except OSError:
            sock.close()
            raise
        return sock

    def send(self, method, target, body=None, headers=(), receive_buffer=None):
        """A connection that has sent one request."""
        sock = self.connect(receive_buffer)
        sock.sendall(request_bytes(method, target, body, headers))
        return sock

    def client(self):
        return Client(self.port)


class Client:
    """A keep-alive client that speaks the protocol. Returns (status, headers, body)."""

    def __init__(self, port):
        self.http = http.client.HTTPConnection("127.0.0.1", port, timeout=TIMEOUT_SECONDS)

    def request(self, method, path, body=None, **parameters):
        query = urllib.parse.urlencode({k: v for k, v in parameters.items() if v is not None})
        self.http.request(method, path + ("?" + query if query else ""), body)
        reply = self.http.getresponse()
        return reply.status, reply.headers, reply.read()

    def append(self, id, value, prefix=None):
        """The offset."""
        status, _, body = self.request("POST", "/append", value, id=id, storagePrefix=prefix)
        assert status == 200, (status, body)
        return json.loads(body)["offset"]

    def append_multi(self, id, values, prefix=None):
        """The offsets."""
        status, _, body = self.request("POST", "/appendMulti", protocol.join_multi(values), id=id,
                                       storagePrefix=prefix)
        assert status == 200, (status, body)
        return list(struct.unpack("<%dQ" % len(values), body))

    def get(self, id, offset, prefix=None):
        """The value."""
        status, _, body = self.request("GET", "/get", id=id, offset=offset, storagePrefix=prefix)
        assert status == 200, (status, body)
        return body

    def get_multi(self, id, offsets, prefix=None):
        """The reply's bytes; see split_multi."""
        packed = struct.pack("<%dQ" % len(offsets), *offsets)
        status, _, body = self.request("POST", "/getMulti", packed, id=id, storagePrefix=prefix)
        assert status == 200, (status, body)
        return body

    def close(self, prefix=None):
        status, _, body = self.request("POST", "/close", storagePrefix=prefix)
        assert (status, body) == (200, b'{"success":true}'), (status, body)

    def hang_up(self):
        self.http.close()

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        self.hang_up()


def split_multi(body):
    """The values of a getMulti reply, and its error text or None."""
    values = []
    while body:
        (length,) = struct.unpack_from("<I", body)
        if length == 0:
            return values, body[4:].decode()
        assert len(body) >= 4 + length, "the reply is cut short"
        values.append(body[4:4 + length])
        body = body[4 + length:]
    return values, None


def receive_all(sock):
    """Everything until the server closes."""
    parts = []
    while True:
        part = sock.recv(1 << 16)
        if not part:
            return b"".join(parts)
        parts.append(part)


def request_bytes(method, target, body=None, headers=(), version="HTTP/1.1"):
    """A request as it goes over the wire, well-formed unless the arguments are not."""
    lines = ["%s %s %s" % (method, target, version), "Host: test"] + list(headers)
    if body is not None:
        lines.append("Content-Length: %d" % len(body))
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1") + (body or b"")


def receive_head(sock):
    """Status line and headers of one reply: (status, headers)."""
    data = b""
    while b"\r\n\r\n" not in data:
        part = sock.recv(1)
        if not part:
            raise AssertionError("closed after %r" % data)
        data += part
    head = data.decode("latin-1").split("\r\n")
    headers = {k.lower(): v for k, v in (line.split(": ", 1) for line in head[1:] if line)}
    return int(head[0].split()[1]), headers


def receive_reply(sock):
    """One reply with Content-Length: (status, headers, body)."""
    status, headers = receive_head(sock)
    return status, headers, receive_body(sock, int(headers.get("content-length", 0)))


def receive_body(sock, length):
    """So many bytes."""
    left, parts = length, []
    while left > 0:
        part = sock.recv(min(left, 1 << 16))
        if not part:
            raise AssertionError("closed %d bytes before the end of %d" % (left, length))
        parts.append(part)
        left -= len(part)
    return b"".join(parts)


def is_readable(sock, seconds=0.2):
    """Whether something arrives within a short time; to see that nothing does."""
    return bool(select.select([sock], [], [], seconds)[0])


def reset(sock):
    """Closes with an RST, as a client does that has crashed."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


def sanitizer_runtime():
    """The shared run-time library that the server is linked with, or ""."""
    out = subprocess.run(["ldd", BINARY], capture_output=True, text=True, check=True).stdout
    match = re.search(r"=> (\S*lib(?:clang_rt\.)?[at]san\S*)", out)
    return match.group(1) if match else ""
