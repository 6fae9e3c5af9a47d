"""The servers that rochefort is compared with: they do less, or something like it, and are fast.

nginx and the ceilings are sent the requests that rochefort is sent, byte for byte except for the
port in Host.
"""
import os
import shutil
import socket

import load
import programs
from conversation import Request
from plan import SMALL, SMALL_OFFSETS
from process import Failure, wait_for
from servers import IDS, Server, Workload, values_of

NGINX_CONFIGURATION = """
daemon off; pid %(directory)s/pid; error_log %(directory)s/error.log crit; worker_processes %(workers)d;
%(user)s
worker_rlimit_nofile 8192;
events { worker_connections 4096; }
http {
    access_log off; sendfile on; tcp_nopush on; tcp_nodelay on;
    keepalive_requests 1000000000; keepalive_timeout 1h;
    open_file_cache max=10000 inactive=1h; open_file_cache_valid 1h; open_file_cache_min_uses 1;
    default_type application/octet-stream; client_max_body_size 0; client_body_buffer_size 128k;
    client_body_temp_path %(directory)s/body; proxy_temp_path %(directory)s/proxy;
    fastcgi_temp_path %(directory)s/fastcgi; uwsgi_temp_path %(directory)s/uwsgi;
    scgi_temp_path %(directory)s/scgi;
    server { listen 127.0.0.1:%(port)d; root %(directory)s/www; dav_methods PUT; }
}
"""


def free_port():
    """For servers that cannot report which port they got."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


class Ceiling(Server):
    """Answers SMALL bytes to everything; see ceiling.c."""

    NAMES = {"own": "evhttp, our sockets", "plain": "evhttp alone"}

    def __init__(self, binary, directory, mode):
        self.name = self.NAMES[mode]
        self.program = programs.Program([binary, mode, str(SMALL)],
                                        os.path.join(directory, "ceiling-%s.log" % mode))
        self.pid = self.program.pid
        match = self.program.wait_for_log(r"listening on 127\.0\.0\.1:(\d+)\n")
        self.address = "127.0.0.1", int(match.group(1))

    def stop(self):
        self.program.stop()

    def workload(self, kind, size, reference):
        if kind not in ("get", "append") or (kind == "get" and size != SMALL):
            return None
        requests = reference.workload(kind, size, reference).requests
        return Workload(kind, size, [(request, b"x" * SMALL) for request, _ in requests])


class NginxFile(Server):
    """A static file of the size, at the target of a get. Also beside appends of SMALL and getMulti
    of SMALL_OFFSETS, which it cannot do; it is sent gets of SMALL then."""

    def __init__(self, directory, workers=1):
        """With more than one worker it is sent values of SMALL alone."""
        self.directory, self.size, self.workers = directory, None, workers
        self.name = "nginx, static file" + (", %d workers" % workers) * (workers > 1)
        self.www = os.path.join(directory, "www")
        os.makedirs(self.www)
        self.address = "127.0.0.1", free_port()
        with open(os.path.join(directory, "nginx.conf"), "w") as file:
            file.write(NGINX_CONFIGURATION % {
                "directory": directory, "port": self.address[1], "workers": workers,
                # otherwise the worker's user may not enter the directory
                "user": "user root;" if os.getuid() == 0 else ""})
        self.start(SMALL)

    def start(self, size):
        """Anew, as it keeps the file open."""
        if size == self.size:
            return
        if self.size is not None:
            self.stop()
        with open(os.path.join(self.www, "get"), "wb") as file:
            file.write(values_of(size)[0])
        self.program = programs.Program(
            [programs.find("nginx"), "-c", os.path.join(self.directory, "nginx.conf"), "-p",
             self.directory, "-e", os.path.join(self.directory, "error.log")],
            os.path.join(self.directory, "log"))
        self.size, self.pid = size, self.program.pid
        wait_for(self.listening, "nginx to start")

    def listening(self):
        if self.program.popen.poll() is not None:
            raise Failure("nginx did not start:\n" + self.program.log())
        with socket.socket() as sock:
            return sock.connect_ex(self.address) == 0

    def stop(self):
        self.program.stop()

    def workload(self, kind, size, reference):
        if self.workers > 1 and (kind == "getMulti" or size != SMALL):
            return None
        if (kind, size) in (("getMulti", SMALL_OFFSETS), ("append", SMALL)):
            size = SMALL
        elif kind != "get":
            return None
        self.start(size)
        requests = reference.workload("get", size, reference).requests
        return Workload("get", size, [(request, values_of(size)[0]) for request, _ in requests])


class NginxPut(Server):
    """DAV PUT on the same nginx: it writes a file and renames it."""

    name = "nginx, PUT"

    def __init__(self, nginx):
        self.nginx, self.address = nginx, nginx.address

    @property
    def pid(self):
        return self.nginx.pid

    def workload(self, kind, size, reference):
        if kind != "append":
            return None
        return Workload(kind, size, [(Request("PUT", "/put%d" % (n % IDS), value), None)
                                     for n, value in enumerate(values_of(size))])

    def finish(self, workload, result, connections):
        for name in os.listdir(self.nginx.www):
            if name.startswith("put"):
                os.unlink(os.path.join(self.nginx.www, name))


class Redis(Server):
    """SET and GET by redis-benchmark, without a file or with one that is not synced."""

    def __init__(self, directory, append_only):
        self.append_only, self.directory = append_only, directory
        self.name = "redis, appendonly" if append_only else "redis"
        self.start()

    def start(self):
        os.makedirs(self.directory, exist_ok=True)
        self.address = "127.0.0.1", free_port()
        flags = {"port": self.address[1], "bind": "127.0.0.1", "dir": self.directory, "save": "",
                 "appendonly": "yes" if self.append_only else "no", "appendfsync": "no",
                 "auto-aof-rewrite-percentage": 0, "maxclients": 3000}
        self.program = programs.Program(
            ["redis-server"] + [str(part) for key, value in flags.items()
                                for part in ("--" + key, value)], self.directory + ".log")
        self.pid = self.program.pid
        self.program.wait_for_log("Ready to accept connections")

    def stop(self):
        self.program.stop()
        shutil.rmtree(self.directory, ignore_errors=True)

    def workload(self, kind, size, reference):
        if kind == "append" or (kind == "get" and not self.append_only):
            return Workload(kind, size, [])  # redis-benchmark makes its own
        return None

    def prepare(self, workload):
        """A fresh one for each run of writes; what GET will ask for is stored."""
        if workload.kind == "append":
            self.stop()
            self.start()
        else:
            load.redis_fill(self.address, values_of(workload.size))
        return 0

    def run(self, path, workload, connections, seconds, limit):
        return load.redis_benchmark(self.address, {"append": "set", "get": "get"}[workload.kind],
                                    workload.size, connections, len(values_of(workload.size)),
                                    seconds)
