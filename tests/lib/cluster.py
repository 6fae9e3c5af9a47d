"""Several nodes, each with the real server and a part of all ids, behind a proxy with a configuration of
src/deploy: the very file, with other addresses and paths."""
import contextlib
import os
import random
import re
import socket

import harness
import process
import proxies
import records
import slots

DEPLOY = os.path.join(os.environ["SOURCE_DIR"], "src/deploy")
COUNT = 4096  # slots
KEPT_PORTS = 12000, 30000  # below net.ipv4.ip_local_port_range
ATTEMPTS = 20
NJS = "/usr/lib/nginx/modules/ngx_http_js_module.so"


def deployed(name):
    with open(os.path.join(DEPLOY, name), encoding="utf-8") as file:
        return file.read()


def replace(text, replacements):
    for old, new in replacements.items():
        assert old in text, old
        text = text.replace(old, new)
    return text


def flags_of(text):
    """The -slots of each node, as the comment at the top of a configuration has them."""
    flags = re.findall(r"^#   10\.0\.0\.(\d)   rochefort -bind 10\.0\.0\.\1:8000 -slots (\S+)$", text,
                       re.MULTILINE)
    assert [int(number) for number, _ in flags] == list(range(1, len(flags) + 1)), text
    return [flag for _, flag in flags]


class Shards(proxies.Proxy):
    """`ports` are those of the nodes; `edit` changes the text of the configuration."""

    source = None

    def __init__(self, ports, edit=lambda text: text, source=None):
        self.source = source or self.source
        self.edit = edit
        super().__init__(ports)

    def addresses(self):
        return {"10.0.0.%d:8000" % (number + 1): "127.0.0.1:%d" % port
                for number, port in enumerate(self.backend)}

    def configuration(self):
        """Without the comment at the top, which has the addresses too."""
        text = deployed(self.source)
        return self.edit(text[text.index("\n\n"):])


class HAProxy(Shards):
    program = "haproxy"
    source = "haproxy/haproxy.cfg"
    paths = {"/etc/haproxy": os.path.join(DEPLOY, "haproxy")}

    def command(self):
        path = self.write("haproxy.cfg", replace(self.configuration(), {
            "bind :8080": "bind 127.0.0.1:%d" % self.port,
            **self.paths, **self.addresses()}))
        return [proxies.find("haproxy"), "-db", "-f", path]


class Nginx(Shards):
    program = "nginx"
    source = "nginx/nginx.conf"

    def configure(self, text):
        """With this machine's addresses and paths."""
        temporary = "".join("%s_temp_path %s/%s;" % (kind, self.directory, kind)
                            for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
        return replace(text, {
            "user www-data;": "daemon off; master_process off; error_log stderr warn;",
            "/run/nginx.pid": os.path.join(self.directory, "pid"),
            "access_log off;": "access_log off; " + temporary,
            "listen 8080": "listen 127.0.0.1:%d" % self.port,
            **self.addresses()})

    def command(self):
        text = replace(self.configuration(),
                       {"js_path /etc/nginx": "js_path " + os.path.join(DEPLOY, "nginx")})
        path = self.write("nginx.conf", self.configure(text))
        return [proxies.find("nginx"), "-c", path, "-p", self.directory, "-e", "stderr"]


def reason_to_skip(kind):
    """Why this proxy cannot be had here, or None."""
    if not proxies.find(kind.program):
        return "needs " + kind.program
    if kind is Nginx and not os.path.exists(NJS):
        return "needs nginx's njs (libnginx-mod-http-js)"
    return None


def kept_port():
    """A free one that the kernel gives nobody who asks for any, so it is still free after a kill."""
    for port in random.sample(range(*KEPT_PORTS), ATTEMPTS):
        with socket.socket() as sock:
            try:
                sock.bind(("127.0.0.1", port))
                return port
            except OSError:
                continue
    raise process.Failure("no free port of %d to %d" % KEPT_PORTS)


class Cluster:
    """Use as a context manager. `flags`: those of each node; by default -slots of the configuration."""

    def __init__(self, kind=HAProxy, flags=None, edit=lambda text: text):
        self.kind, self.edit = kind, edit
        self.flags = flags or [("-slots", share) for share in flags_of(deployed(kind.source))]

    def __enter__(self):
        with contextlib.ExitStack() as stack:
            self.nodes = [stack.enter_context(harness.Server(
                "-buckets", "4", "-bind", "127.0.0.1:%d" % kept_port(), *flags))
                for flags in self.flags]
            self.proxy = stack.enter_context(self.kind([node.port for node in self.nodes], self.edit))
            self.stack = stack.pop_all()
        return self

    def __exit__(self, *arguments):
        return self.stack.__exit__(*arguments)

    def client(self):
        return harness.Client(self.proxy.port)

    def owner(self, id):
        """The number of the node that an id belongs to."""
        slot = slots.slot_of(id, COUNT)
        return next(number for number, (_, share) in enumerate(self.flags)
                    if slot <= int(re.fullmatch(r"\d+-(\d+)/\d+", share).group(1)))

    def values(self):
        """The values that each node holds, of all its prefixes."""
        return [[value for prefix in os.listdir(node.root)
                 if os.path.exists(os.path.join(node.root, prefix, "MANIFEST"))
                 for file in records.decode_prefix(node.root, prefix).values()
                 for _, value in file.values()] for node in self.nodes]
