"""The peers: servers that do less, or something like it, and are known to be fast.

Each listens on a free port of the loopback and keeps what it stores in a fresh directory.
"""
import os
import shutil
import socket

import ledger as protocol
import process
from servers import IDS, Speaker, values_of
from wire import Failure, Request


def free_port():
    """For servers that cannot be asked which port they got."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


class Ceiling:
    """Does nothing but answer; see ceiling.c."""

    root = None

    def __init__(self, binary, directory, mode, reply_bytes=100):
        self.name = {"plain": "evhttp alone", "own": "evhttp, our sockets"}[mode]
        self.process = process.Process([binary, mode, str(reply_bytes)],
                                       os.path.join(directory, "ceiling-%s.log" % mode))
        self.pid = self.process.pid
        match = self.process.wait_for_log(r"listening on 127\.0\.0\.1:(\d+)\n")
        self.address = "127.0.0.1", int(match.group(1))

    def stop(self):
        self.process.stop()

    def requests(self, kind, size):
        if kind == "get" and size == 100:
            return [protocol.get("id%d" % n, 116 * n) for n in range(IDS)]
        if kind == "append":
            return [protocol.append("id%d" % (n % IDS), value)
                    for n, value in enumerate(values_of(size))]
        return None

    reply_bytes = Speaker.reply_bytes

    def before(self, kind, size):
        return 0

    def after(self, kind, size, result, connections):
        pass


class Nginx:
    """One worker: a static file of the size for get, DAV PUT for append."""

    root, name = None, "nginx"
    CONFIGURATION = """
daemon off; pid %(directory)s/pid; error_log %(directory)s/error.log; worker_processes 1;
%(user)s
worker_rlimit_nofile %(files)d;
events { worker_connections %(connections)d; }
http {
    access_log off; sendfile on; tcp_nodelay on; keepalive_requests 1000000000;
    default_type application/octet-stream; client_max_body_size 0; client_body_buffer_size 128k;
    client_body_temp_path %(directory)s/body; proxy_temp_path %(directory)s/proxy;
    fastcgi_temp_path %(directory)s/fastcgi; uwsgi_temp_path %(directory)s/uwsgi;
    scgi_temp_path %(directory)s/scgi;
    server {
        listen 127.0.0.1:%(port)d; root %(directory)s/www; dav_methods PUT;
    }
}
"""

    def __init__(self, directory):
        self.www = os.path.join(directory, "www")
        os.makedirs(self.www)
        self.address = "127.0.0.1", free_port()
        path = os.path.join(directory, "nginx.conf")
        with open(path, "w") as file:
            file.write(self.CONFIGURATION % {
                "directory": directory, "port": self.address[1], "connections": 4096,
                "files": 16384,
                # the worker would become somebody who may not enter our directory
                "user": "user root;" if os.getuid() == 0 else ""})
        self.process = process.Process(["/usr/sbin/nginx", "-c", path, "-p", directory],
                                       os.path.join(directory, "log"))
        self.pid = self.process.pid
        process.wait_for(self.listening, "nginx to start")

    def listening(self):
        with socket.socket() as sock:
            return sock.connect_ex(self.address) == 0

    def stop(self):
        self.process.stop()

    def requests(self, kind, size):
        if kind == "get":
            with open(os.path.join(self.www, "%d.bin" % size), "wb") as file:
                file.write(values_of(size)[0])
            return [Request("GET", "/%d.bin" % size)]
        if kind == "append":
            return [Request("PUT", "/put%d" % (n % IDS), value)
                    for n, value in enumerate(values_of(size))]
        return None

    reply_bytes = Speaker.reply_bytes

    def before(self, kind, size):
        return 0

    def after(self, kind, size, result, connections):
        for name in os.listdir(self.www):
            if name.startswith("put"):
                os.unlink(os.path.join(self.www, name))


class Redis:
    """SET and GET, without a file or with the append-only file that is not synced."""

    root = None

    def __init__(self, directory, append_only):
        self.append_only = append_only
        self.name = "redis, appendonly" if append_only else "redis"
        self.directory, self.rates = directory, {}
        self.start()

    def start(self):
        os.makedirs(self.directory, exist_ok=True)
        self.address = "127.0.0.1", free_port()
        flags = {"port": self.address[1], "bind": "127.0.0.1", "dir": self.directory, "save": "",
                 "appendonly": "yes" if self.append_only else "no", "appendfsync": "no",
                 "auto-aof-rewrite-percentage": 0, "maxclients": 5000}
        command = ["redis-server"]
        for key, value in flags.items():
            command += ["--" + key, str(value)]
        self.process = process.Process(command, self.directory + ".log")
        self.pid = self.process.pid
        self.process.wait_for_log("Ready to accept connections")

    def stop(self):
        self.process.stop()
        shutil.rmtree(self.directory, ignore_errors=True)

    def requests(self, kind, size):
        """Not used but for saying yes; redis-benchmark makes its own."""
        if kind == "append" or (kind == "get" and not self.append_only):
            return []
        return None

    def before(self, kind, size):
        """A fresh one for each round of writes, so that none pays for the data of another."""
        if kind == "append":
            self.stop()
            self.start()
        return 0

    def after(self, kind, size, result, connections):
        pass

    def fill(self, size):
        """Stores the keys that redis-benchmark will ask for."""
        with socket.create_connection(self.address, 20) as sock, sock.makefile("rb") as replies:
            for n, value in enumerate(values_of(size)):
                key = b"key:%012d" % n
                sock.sendall(b"*3\r\n$3\r\nSET\r\n$%d\r\n%s\r\n$%d\r\n%s\r\n"
                             % (len(key), key, len(value), value))
                if replies.readline() != b"+OK\r\n":
                    raise Failure("redis did not take a SET of %d bytes" % size)
