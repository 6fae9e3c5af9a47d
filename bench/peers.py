"""The peers: servers that do less, or something like it, and are known to be fast.

Each listens on a free port of the loopback and keeps what it stores in a fresh directory.
"""
import os
import shutil
import socket

import ledger as protocol
import programs
from plan import SMALL
from process import Failure, wait_for
from servers import IDS, Contestant, values_of
from wire import Request

SMALL_OFFSETS = 100  # of the getMulti that is held against nginx


def free_port():
    """For servers that cannot be asked which port they got."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


class Ceiling(Contestant):
    """Does nothing but answer SMALL bytes; see ceiling.c. Takes part for these sizes, or for
    all."""

    def __init__(self, binary, directory, mode, sizes=None):
        self.sizes = sizes
        self.name = {"plain": "evhttp alone", "own": "evhttp, our sockets"}[mode]
        self.program = programs.Program([binary, mode, str(SMALL)],
                                        os.path.join(directory, "ceiling-%s.log" % mode))
        self.pid = self.program.pid
        match = self.program.wait_for_log(r"listening on 127\.0\.0\.1:(\d+)\n")
        self.address = "127.0.0.1", int(match.group(1))

    def stop(self):
        self.program.stop()

    def requests(self, kind, size):
        if self.sizes is not None and size not in self.sizes:
            return None
        if kind == "get" and size == SMALL:
            return [protocol.get("id%d" % n, 116 * n) for n in range(IDS)]
        if kind == "append":
            return [protocol.append("id%d" % (n % IDS), value)
                    for n, value in enumerate(values_of(size))]
        return None


class Nginx:
    """One worker. What it does is measured as NginxFile and NginxPut."""

    CONFIGURATION = """
daemon off; pid %(directory)s/pid; error_log %(directory)s/error.log crit; worker_processes 1;
%(user)s
worker_rlimit_nofile %(files)d;
events { worker_connections %(connections)d; }
http {
    access_log off; sendfile on; tcp_nopush on; tcp_nodelay on;
    keepalive_requests 1000000000; keepalive_timeout 1h;
    open_file_cache max=10000 inactive=1h; open_file_cache_valid 1h; open_file_cache_min_uses 1;
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
        path, errors = (os.path.join(directory, name) for name in ("nginx.conf", "error.log"))
        with open(path, "w") as file:
            file.write(self.CONFIGURATION % {
                "directory": directory, "port": self.address[1], "connections": 4096,
                "files": 4096,
                # the worker would become somebody who may not enter our directory
                "user": "user root;" if os.getuid() == 0 else ""})
        self.program = programs.Program([programs.find("nginx"), "-c", path, "-p", directory,
                                         "-e", errors], os.path.join(directory, "log"))
        self.pid = self.program.pid
        wait_for(self.listening, "nginx to start")

    def listening(self):
        if self.program.popen.poll() is not None:
            raise Failure("nginx did not start:\n" + self.program.log())
        with socket.socket() as sock:
            return sock.connect_ex(self.address) == 0


class NginxFile(Contestant):
    """A static file of the size; also beside appends and getMulti of SMALL values, which it cannot
    do, as what people know. Stops the server."""

    name = "nginx, static file"

    def __init__(self, nginx):
        self.nginx, self.pid, self.address = nginx, nginx.pid, nginx.address

    def stop(self):
        self.nginx.program.stop()

    def requests(self, kind, size):
        if kind == "getMulti" and size == SMALL_OFFSETS:
            size = SMALL
        elif kind != "get" and (kind, size) != ("append", SMALL):
            return None
        with open(os.path.join(self.nginx.www, "%d.bin" % size), "wb") as file:
            file.write(values_of(size)[0])
        return [Request("GET", "/%d.bin" % size)]


class NginxPut(Contestant):
    """DAV PUT, for append: nginx writes a file and renames it."""

    name = "nginx, PUT"

    def __init__(self, nginx):
        self.www, self.pid, self.address = nginx.www, nginx.pid, nginx.address

    def requests(self, kind, size):
        if kind != "append":
            return None
        return [Request("PUT", "/put%d" % (n % IDS), value)
                for n, value in enumerate(values_of(size))]

    def after(self, kind, size, result, connections):
        for name in os.listdir(self.www):
            if name.startswith("put"):
                os.unlink(os.path.join(self.www, name))


class Redis(Contestant):
    """SET and GET, without a file or with the append-only file that is not synced."""

    def __init__(self, directory, append_only):
        self.append_only = append_only
        self.name = "redis, appendonly" if append_only else "redis"
        self.directory = directory
        self.start()

    def start(self):
        os.makedirs(self.directory, exist_ok=True)
        self.address = "127.0.0.1", free_port()
        flags = {"port": self.address[1], "bind": "127.0.0.1", "dir": self.directory, "save": "",
                 "appendonly": "yes" if self.append_only else "no", "appendfsync": "no",
                 "auto-aof-rewrite-percentage": 0, "maxclients": 3000}
        command = ["redis-server"]
        for key, value in flags.items():
            command += ["--" + key, str(value)]
        self.program = programs.Program(command, self.directory + ".log")
        self.pid = self.program.pid
        self.program.wait_for_log("Ready to accept connections")

    def stop(self):
        self.program.stop()
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

    def fill(self, size):
        """Stores the keys that redis-benchmark will ask for."""
        with socket.create_connection(self.address, 20) as sock, sock.makefile("rb") as replies:
            for n, value in enumerate(values_of(size)):
                key = b"key:%012d" % n
                sock.sendall(b"*3\r\n$3\r\nSET\r\n$%d\r\n%s\r\n$%d\r\n%s\r\n"
                             % (len(key), key, len(value), value))
                if replies.readline() != b"+OK\r\n":
                    raise Failure("redis did not take a SET of %d bytes" % size)
