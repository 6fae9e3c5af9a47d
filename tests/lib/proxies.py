"""nginx, HAProxy and Varnish in front of a server, with minimal configurations.

A proxy listens on a free port of the loopback for HTTP/1 and HTTP/2 without TLS, keeps its files in
a fresh directory and is stopped by its own process id. It refuses requests whose target contains
FORBIDDEN with a 403, so such a request reaches the server only if it was hidden from the proxy.
"""
import os
import shutil
import socket
import tempfile
import unittest

import process
from process import Failure, wait_for

FORBIDDEN = "smuggled"
ATTEMPTS = 5  # another program may take the port before the proxy does
SYSTEM_PATH = os.environ.get("PATH", os.defpath) + ":/usr/local/sbin:/usr/sbin:/sbin"


def find(name):
    return shutil.which(name, path=SYSTEM_PATH)


def needs(proxy):
    return unittest.skipUnless(find(proxy.program), "needs " + proxy.program)


def free_port():
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


class Proxy:
    """Use as a context manager. `backend` is the server's port."""

    program = None
    one_port = True  # for both versions of HTTP

    def __init__(self, backend):
        self.backend = backend
        self.directory = tempfile.mkdtemp(prefix="rochefort-proxy-")
        self.log_path = os.path.join(self.directory, "log")
        for attempt in range(ATTEMPTS):
            self.port = free_port()
            self.http2_port = self.port if self.one_port else free_port()
            self.process = process.Process(self.command(), self.log_path, self.environment())
            try:
                wait_for(self.listens, "%s to listen" % self.program)
                return
            except Failure:
                self.stop()
                if attempt == ATTEMPTS - 1:
                    raise

    def command(self):
        raise NotImplementedError

    def environment(self):
        return dict(os.environ, PATH=SYSTEM_PATH)

    def write(self, name, text):
        path = os.path.join(self.directory, name)
        with open(path, "w") as file:
            file.write(text)
        return path

    def listens(self):
        if self.process.popen.poll() is not None:
            raise Failure("%s did not start:\n%s" % (self.program, self.process.log()))
        return all(self.is_open(port) for port in (self.port, self.http2_port))

    @staticmethod
    def is_open(port):
        with socket.socket() as sock:
            return sock.connect_ex(("127.0.0.1", port)) == 0

    def connect(self, http2=False):
        port = self.http2_port if http2 else self.port
        sock = socket.create_connection(("127.0.0.1", port), process.TIMEOUT_SECONDS)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return sock

    def stop(self):
        self.process.signal()
        self.process.popen.wait(process.TIMEOUT_SECONDS)

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        try:
            self.stop()
            if kind is not None:
                print(self.process.log())
        finally:
            shutil.rmtree(self.directory, ignore_errors=True)


NGINX = """
daemon off; master_process off; pid %(directory)s/pid; error_log stderr warn;
events { worker_connections 1024; }
http {
    access_log off; client_max_body_size 0; proxy_http_version 1.1;
    client_body_temp_path %(directory)s/body; proxy_temp_path %(directory)s/proxy;
    fastcgi_temp_path %(directory)s/fastcgi; uwsgi_temp_path %(directory)s/uwsgi;
    scgi_temp_path %(directory)s/scgi;
    proxy_cache_path %(directory)s/cache keys_zone=cache:1m;
    upstream server { server 127.0.0.1:%(backend)d; keepalive 1; }
    server {
        listen 127.0.0.1:%(port)d; listen 127.0.0.1:%(http2_port)d http2;
        proxy_set_header Connection ""; proxy_request_buffering %(buffering)s;
        if ($request_uri ~ "%(forbidden)s") { return 403; }
        location / { proxy_pass http://server; %(cache)s }
    }
}
"""


class Nginx(Proxy):
    program = "nginx"
    one_port = False  # without TLS
    buffering = "on"
    cache = ""

    def command(self):
        configuration = self.write("nginx.conf", NGINX % {
            "directory": self.directory, "backend": self.backend, "port": self.port,
            "http2_port": self.http2_port, "buffering": self.buffering, "cache": self.cache,
            "forbidden": FORBIDDEN})
        return [find("nginx"), "-c", configuration, "-p", self.directory, "-e", "stderr"]


class NginxStreaming(Nginx):
    """Forwards bodies as they arrive, without a length if they have none."""

    buffering = "off"


class NginxCache(Nginx):
    """Caches every reply for a minute unless the server forbids it."""

    cache = "proxy_cache cache; proxy_cache_valid any 1m;"


HAPROXY = """
defaults
    mode http
    timeout connect 60s
    timeout client 60s
    timeout server 60s
    http-reuse always
frontend clients
    bind 127.0.0.1:%(port)d
    bind 127.0.0.1:%(http2_port)d proto h2
    http-request deny deny_status 403 if { url -m sub %(forbidden)s }
    default_backend server
backend server
    %(checks)s
    server server 127.0.0.1:%(backend)d
"""


class HAProxy(Proxy):
    program = "haproxy"
    one_port = False
    checks = ""

    def command(self):
        configuration = self.write("haproxy.cfg", HAPROXY % {
            "backend": self.backend, "port": self.port, "http2_port": self.http2_port,
            "forbidden": FORBIDDEN, "checks": self.checks})
        return [find("haproxy"), "-db", "-f", configuration]


class CheckingHAProxy(HAProxy):
    """Looks at /readyz five times a second, and believes each answer."""

    checks = """
    option httpchk GET /readyz
    default-server check inter 200ms fall 1 rise 1"""


VARNISH = """
vcl 4.1;
backend server { .host = "127.0.0.1"; .port = "%(backend)d"; }
sub vcl_recv {
    if (req.url ~ "%(forbidden)s") { return (synth(403)); }
}
"""


class Varnish(Proxy):
    program = "varnishd"

    def command(self):
        return [find("varnishd"), "-F", "-j", "none", "-n", os.path.join(self.directory, "work"),
                "-a", "127.0.0.1:%d" % self.port, "-T", "none", "-s", "malloc,64m",
                "-p", "feature=+http2", *self.rules()]

    def rules(self):
        return ["-f", self.write("rules.vcl", VARNISH % {"backend": self.backend,
                                                         "forbidden": FORBIDDEN})]


class VarnishAlone(Varnish):
    """With nothing but the address of the server."""

    def rules(self):
        return ["-b", "127.0.0.1:%d" % self.backend]
