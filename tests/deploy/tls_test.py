"""src/deploy/nginx-tls.conf and haproxy-tls.cfg, with the real programs: who has neither a right
certificate nor a right password gets nothing, and sends nothing to the server."""
import os
import shutil
import subprocess
import tempfile
import unittest

import cluster
import harness
import proxies
import suite

SOURCE = os.environ["SOURCE_DIR"]
VALUE = b"for those who may read it"
PASSWORD = "correct horse"
PATHS = ("/get?id=x&offset=0", "/", "/metrics", "/stats", "/prefixes", "/healthz",
         "/close?storagePrefix=default", "/none")


def openssl(*arguments, **options):
    return subprocess.run(["openssl", *arguments], check=True, capture_output=True, text=True,
                          timeout=harness.TIMEOUT_SECONDS, **options).stdout


class Authority:
    """Signs certificates, in a directory."""

    def __init__(self, directory, name):
        self.directory, self.name = directory, name
        openssl("req", "-x509", *self.new_key(name), "-out", self.path(name + ".pem"), "-subj",
                "/CN=" + name, "-days", "2")

    def path(self, name):
        return os.path.join(self.directory, name)

    def new_key(self, name):
        return ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout",
                self.path(name + ".key"))

    def sign(self, name, subject):
        """NAME.pem and NAME.key."""
        request = openssl("req", *self.new_key(name), "-subj", "/CN=" + subject)
        extension = self.path(name + ".ext")
        with open(extension, "w", encoding="utf-8") as file:
            file.write("subjectAltName=DNS:localhost\n")
        openssl("x509", "-req", "-CA", self.path(self.name + ".pem"), "-CAkey",
                self.path(self.name + ".key"), "-CAcreateserial", "-days", "2", "-extfile", extension,
                "-out", self.path(name + ".pem"), input=request)


class Tls:
    """What two kinds of proxies share: a configuration of ours with other paths and ports."""

    source = None

    def __init__(self, backend, tls):
        self.tls = tls
        super().__init__(backend)

    def configuration(self, replacements):
        with open(os.path.join(SOURCE, "src/deploy", self.source), encoding="utf-8") as file:
            text = file.read()
        for old, new in replacements.items():
            assert old in text, old
            text = text.replace(old, new)
        return text


class Nginx(Tls, proxies.Nginx):
    one_port = True
    source = "nginx-tls.conf"
    AROUND = """
daemon off; master_process off; pid %(directory)s/pid; error_log stderr warn;
events { worker_connections 1024; }
http {
    access_log off;
    client_body_temp_path %(directory)s/body; proxy_temp_path %(directory)s/proxy;
    fastcgi_temp_path %(directory)s/fastcgi; uwsgi_temp_path %(directory)s/uwsgi;
    scgi_temp_path %(directory)s/scgi;
%(ours)s
}
"""

    def command(self):
        passwords = self.write("passwords", "reader:%s\n" % openssl("passwd", "-6", PASSWORD).strip())
        ours = self.configuration({
            "127.0.0.1:8000 ": "127.0.0.1:%d " % self.backend,
            "listen 8443": "listen 127.0.0.1:%d" % self.port,
            "/etc/rochefort/tls": self.tls, "/etc/rochefort/passwords": passwords})
        path = self.write("nginx.conf", self.AROUND % {"directory": self.directory, "ours": ours})
        return [proxies.find("nginx"), "-c", path, "-p", self.directory, "-e", "stderr"]


class HAProxy(Tls, proxies.HAProxy):
    one_port = True
    source = "haproxy-tls.cfg"

    def command(self):
        with open(os.path.join(self.tls, "both.pem"), "wb") as both:
            for name in ("server.pem", "server.key"):
                with open(os.path.join(self.tls, name), "rb") as part:
                    shutil.copyfileobj(part, both)
        path = self.write("haproxy.cfg", self.configuration({
            "127.0.0.1:8000 ": "127.0.0.1:%d " % self.backend,
            "bind :8443": "bind 127.0.0.1:%d" % self.port,
            "/etc/rochefort/tls/server.pem": "/etc/rochefort/tls/both.pem",
            "$6$replace$this": openssl("passwd", "-6", PASSWORD).strip()}).replace(
                "/etc/rochefort/tls", self.tls))
        return [proxies.find("haproxy"), "-db", "-f", path]


@unittest.skipUnless(shutil.which("openssl"), "needs openssl")
class Access(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.tls = tempfile.mkdtemp(prefix="rochefort-tls-")
        cls.addClassCleanup(shutil.rmtree, cls.tls)
        ours, others = Authority(cls.tls, "clients"), Authority(cls.tls, "others")
        ours.sign("server", "localhost")
        ours.sign("program", "program")
        others.sign("stranger", "program")  # the same name, signed by somebody else

    def setUp(self):
        self.server = self.enterContext(harness.Server("-buckets", "2"))
        with self.server.client() as client:
            self.assertEqual(0, client.append("x", VALUE))

    def curl(self, path, *flags, scheme="https"):
        """(exit status of curl, status of the reply, body); status 0: there was none"""
        target = "%s://localhost:%d%s" % (scheme, self.proxy.port, path)
        done = subprocess.run(
            ["curl", "-sS", "-m", str(harness.TIMEOUT_SECONDS), "--noproxy", "*", "--cacert",
             os.path.join(self.tls, "clients.pem"), "-w", "\n%{http_code}", *flags, target],
            capture_output=True, check=False)
        body, _, status = done.stdout.rpartition(b"\n")
        return done.returncode, int(status), body

    def certificate(self, name):
        return ("--cert", os.path.join(self.tls, name + ".pem"), "--key",
                os.path.join(self.tls, name + ".key"))

    def requests(self):
        """How many the server has answered, but for those of proxies that look after it."""
        with self.server.client() as client:
            text = client.request("GET", "/metrics")[2].decode()
        return [line for line in text.splitlines()
                if line.startswith("rochefort_http_requests_total{")
                and 'endpoint="metrics"' not in line and 'endpoint="readyz"' not in line]

    def check(self, kind):
        self.proxy = self.enterContext(kind(self.server.port, self.tls))
        for flags in (self.certificate("program"), ("-u", "reader:" + PASSWORD)):
            self.assertEqual((0, 200, VALUE), self.curl("/get?id=x&offset=0", *flags))
            _, status, body = self.curl("/append?id=x", "-d", "y", *flags)
            self.assertEqual(200, status, body)
            self.assertEqual(200, self.curl("/", *flags)[1])
            own = "https://localhost:%d" % self.proxy.port  # a page that the server has sent
            self.assertEqual(200, self.curl("/get?id=x&offset=0", "-H", "Origin: " + own, *flags)[1])
        large = os.path.join(self.tls, "large")
        with open(large, "wb") as file:
            file.truncate(5 << 20)
        _, status, body = self.curl("/append?id=x", "--data-binary", "@" + large,
                                    *self.certificate("program"))
        self.assertEqual(200, status, body)

        before = self.requests()
        wrong = {"nothing": (), "password": ("-u", "reader:" + PASSWORD[:-1]),
                 "no password": ("-u", "reader:"), "user": ("-u", "root:" + PASSWORD),
                 "certificate": self.certificate("stranger"),
                 "certificate beside a right password": (
                     *self.certificate("stranger"), "-u", "reader:" + PASSWORD)}
        for what, flags in wrong.items():
            for path in PATHS:
                with self.subTest(what, path=path):
                    code, status, body = self.curl(path, *flags)
                    self.assertIn(status, (0, 400) if "certificate" in what else (401,))
                    self.assertEqual(status == 0, code != 0)
                    self.assertNotIn(VALUE, body)
            self.assertIn(self.curl("/append?id=x", "-d", "z", *flags)[1], (0, 400, 401))
        for path in PATHS:  # without TLS
            self.assertIn(self.curl(path, scheme="http")[1], (0, 400))
        self.assertEqual(before, self.requests())

    @proxies.needs(HAProxy)
    def test_in_front_of_several_nodes(self):
        """haproxy/haproxy.cfg with the line that it has for this."""
        shutil.copy(os.path.join(self.tls, "server.pem"), os.path.join(self.tls, "shards.pem"))
        with open(os.path.join(self.tls, "shards.pem"), "ab") as both, \
                open(os.path.join(self.tls, "server.key"), "rb") as key:
            shutil.copyfileobj(key, both)

        def edit(text):
            return cluster.replace(text, {
                "    bind :8080\n": "", "#tls bind :8443 ": "bind :8080 ",
                "/etc/rochefort/tls/server.pem": os.path.join(self.tls, "shards.pem"),
                "/etc/rochefort/tls/clients.pem": os.path.join(self.tls, "clients.pem")})
        shards = self.enterContext(cluster.Cluster(edit=edit))
        self.proxy = shards.proxy
        for number in range(9):
            _, status, body = self.curl("/append?id=%d" % number, "-d", "x",
                                        *self.certificate("program"))
            self.assertEqual(200, status, body)
        stored = shards.values()
        self.assertEqual(9, sum(map(len, stored)))
        for flags in ((), self.certificate("stranger")):
            code, status, _ = self.curl("/append?id=1", "-d", "x", *flags)
            self.assertEqual((True, 0), (code != 0, status))
        self.assertEqual(stored, shards.values())

    @proxies.needs(Nginx)
    def test_nginx(self):
        self.check(Nginx)

    @proxies.needs(HAProxy)
    def test_haproxy(self):
        self.check(HAProxy)


if __name__ == "__main__":
    suite.main()
