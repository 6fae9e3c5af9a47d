"""/healthz and /readyz: when a server says that it is not ready, and when it is again."""
import errno
import os
import signal
import tempfile
import unittest

import faults
import harness
import proxies
import tmpfs
from capabilities import needs_mounts

READY = (200, b"ready\n")
MIB = 1 << 20
ROOM_BYTES = 16 * MIB
ROOM_INODES = 256


def ask(server, target="/readyz"):
    """A reply, with a connection of its own."""
    with server.send("GET", target) as sock:
        status, headers, body = harness.receive_reply(sock)
    assert headers["content-type"] == "text/plain", headers
    assert headers["cache-control"] == "no-store", headers
    return status, body


class Running(unittest.TestCase):
    def test_a_server_that_runs_is_alive_and_ready(self):
        with harness.Server() as server:
            self.assertEqual((200, b"ok\n"), ask(server, "/healthz"))
            for query in ("", "?for=append", "?for=get"):
                self.assertEqual(READY, ask(server, "/readyz" + query))
            self.assertEqual((400, b"for must be append or get\n"), ask(server, "/readyz?for=both"))
            for target in ("/healthz", "/readyz"):
                with server.client() as client:
                    status, headers, body = client.request("HEAD", target)
                    self.assertEqual((200, b""), (status, body))
                    self.assertEqual(405, client.request("POST", target, b"")[0])
            self.assertEqual(["/.rochefort.lock"],
                             ["/" + name for name in os.listdir(server.root)])  # no prefix is made

    def test_a_thread_that_waits_for_the_disk_holds_up_only_what_needs_it(self):
        with harness.Server("-workers", "1", hold=True) as server:
            server.hold_disk()
            with server.send("POST", "/append?id=a", b"x") as append:
                harness.wait_for(server.disk_is_waiting, "the append")
                with server.send("GET", "/readyz") as waiting:
                    self.assertEqual((200, b"ok\n"), ask(server, "/healthz"))
                    self.assertEqual(READY, ask(server, "/readyz?for=get"))
                    self.assertFalse(harness.is_readable(waiting, 0))
                    server.release_disk()
                    self.assertEqual(READY, harness.receive_reply(waiting)[::2])
                self.assertEqual(200, harness.receive_reply(append)[0])

    def test_a_server_that_stops_is_alive_and_not_ready(self):
        with harness.Server() as server:
            targets = {"/healthz": (200, b"ok\n"), "/readyz": (503, b"stopping\n"),
                       "/readyz?for=get": (503, b"stopping\n")}
            socks = {target: self.enterContext(server.connect()) for target in targets}
            for target, sock in socks.items():
                sock.sendall(b"GET %s HTTP/1.1\r\nHost: a\r\n" % target.encode())
            ask(server, "/healthz")  # by its reply these have been read
            server.process.send_signal(signal.SIGTERM)
            harness.wait_for(lambda: "stopping" in server.log(), "the signal")
            for target, sock in socks.items():
                sock.sendall(b"\r\n")
                status, headers, body = harness.receive_reply(sock)
                self.assertEqual(targets[target], (status, body))
                self.assertEqual("close", headers["connection"])
            self.assertEqual(0, server.process.wait(harness.TIMEOUT_SECONDS))


class FailedSync(unittest.TestCase):
    def start(self):
        return self.enterContext(faults.Server("-buckets", "1"))

    def append(self, server, prefix):
        with server.client() as client:
            return client.request("POST", "/append", b"x", id="a", sync="1",
                                  storagePrefix=prefix)[0]

    def test_until_the_prefix_is_closed(self):
        server = self.start()
        for prefix in ("good", "b\u00e4d", "other"):
            self.assertEqual(200, self.append(server, prefix))
        self.assertEqual(READY, ask(server))
        server.fail("fdatasync", errno.EIO)
        self.assertEqual(500, self.append(server, "b\u00e4d"))
        line = ("a sync failed: storagePrefix b\u00e4d; it takes no more appends that are to be "
                "synced until it is closed\n").encode()
        for target in ("/readyz", "/readyz?for=append"):
            self.assertEqual((503, line), ask(server, target))
        self.assertEqual(READY, ask(server, "/readyz?for=get"))
        self.assertEqual((200, b"ok\n"), ask(server, "/healthz"))
        self.assertEqual(200, self.append(server, "good"))
        with server.client() as client:
            client.request("GET", "/close", storagePrefix="good")
            self.assertEqual((503, line), ask(server))
            self.assertEqual(200, client.request("GET", "/close", storagePrefix="b\u00e4d")[0])
        self.assertEqual(READY, ask(server))
        self.assertEqual(200, self.append(server, "b\u00e4d"))

    def test_where_is_not_told_to_everybody_if_tokens_are_asked_for(self):
        path = os.path.join(self.enterContext(tempfile.TemporaryDirectory()), "tokens")
        with open(os.open(path, os.O_CREAT | os.O_WRONLY, 0o600), "w") as file:
            file.write("token-of-this-test write\n")
        server = self.enterContext(faults.Server("-buckets", "1", "-tokens", path))
        server.fail("fdatasync", errno.EIO)
        with server.send("POST", "/append?id=a&sync=1&storagePrefix=private", b"x", (
                "Authorization: Bearer token-of-this-test",)) as sock:
            self.assertEqual(500, harness.receive_reply(sock)[0])
        self.assertEqual((503, b"a sync failed; the log says where\n"), ask(server))
        harness.wait_for(lambda: "private/append.0.raw" in server.log(), "the line in the log")

    def test_of_the_root_until_a_restart(self):
        server = self.start()
        server.fail("fsync", errno.EIO, nth=4)  # the file's, MANIFEST's, the directory's, the root's
        self.assertEqual(500, self.append(server, "p"))
        with server.client() as client:
            self.assertEqual(200, client.request("GET", "/close", storagePrefix="p")[0])
        self.assertEqual((503, b"a sync of the root failed; restart the server when its disk is "
                               b"well\n"), ask(server))
        self.assertEqual(READY, ask(server, "/readyz?for=get"))
        server.heal()
        server.stop()
        server.start()
        self.assertEqual(READY, ask(server))


class UnknownRoom(unittest.TestCase):
    def test_a_file_system_that_does_not_say(self):
        environment = {"REFUSE_CALLS": "fstatvfs", "REFUSE_ERRNO": str(errno.EIO)}
        with harness.Server(env=environment,
                            preload=[os.environ["REFUSE_CALLS_LIBRARY"]]) as server:
            line = "cannot look at the free space: Input/output error: %s\n" % server.root
            self.assertEqual((503, line.encode()), ask(server))
            self.assertEqual(READY, ask(server, "/readyz?for=get"))
            path = os.path.join(server.directory, "tokens")
            with open(os.open(path, os.O_CREAT | os.O_WRONLY, 0o600), "w") as file:
                file.write("token-of-this-test write\n")
            server.stop()
            server.flags += ["-tokens", path]
            server.start()
            line = b"cannot look at the free space: Input/output error: the root\n"
            self.assertEqual((503, line), ask(server))


@needs_mounts
class FullDisk(unittest.TestCase):
    def full(self, server):
        return 503, b"disk full: less than 16 MiB are free: %s\n" % server.root.encode()

    def test_from_less_room_than_needed_until_there_is_room(self):
        with tmpfs.Server("32m") as server:
            self.assertEqual(READY, ask(server))
            server.leave_room(ROOM_BYTES)
            self.assertEqual(READY, ask(server))
            server.make_room()
            server.leave_room(ROOM_BYTES - 4096)
            for _ in range(2):
                self.assertEqual(self.full(server), ask(server))
            self.assertEqual(READY, ask(server, "/readyz?for=get"))
            self.assertEqual((200, b"ok\n"), ask(server, "/healthz"))
            server.make_room()
            self.assertEqual(READY, ask(server))  # and nothing was appended meanwhile

    def test_inodes(self):
        with tmpfs.Server("32m", inodes=1000) as server:
            taken = os.path.join(server.inside, "taken")
            os.mkdir(taken)
            for number in range(server.free()[1] - ROOM_INODES):
                open(os.path.join(taken, str(number)), "w").close()
            self.assertEqual(READY, ask(server))
            open(os.path.join(taken, "last"), "w").close()
            self.assertEqual((503, b"disk full: less than 256 inodes are free: %s\n"
                              % server.root.encode()), ask(server))
            os.unlink(os.path.join(taken, "last"))
            self.assertEqual(READY, ask(server))

    def test_over_max_in_flight_what_was_found_last_counts(self):
        with tmpfs.Server("32m", "-workers", "1", "-max-in-flight", "1", hold=True) as server:
            server.leave_room(ROOM_BYTES - 4096)
            self.assertEqual(self.full(server), ask(server))
            server.hold_disk()
            with server.send("POST", "/append?id=a", b"x") as append:
                harness.wait_for(server.disk_is_waiting, "the append")
                server.make_room()
                self.assertEqual(self.full(server), ask(server))
                server.release_disk()
                self.assertEqual(200, harness.receive_reply(append)[0])
            self.assertEqual(READY, ask(server))


@proxies.needs(proxies.HAProxy)
@needs_mounts
class Proxy(unittest.TestCase):
    def test_takes_a_server_out_while_its_disk_is_full(self):
        with tmpfs.Server("32m") as server, proxies.CheckingHAProxy(server.port) as proxy:
            client = self.enterContext(harness.Client(proxy.port))
            offset = client.append("a", b"value")

            def status():
                return client.request("GET", "/get", id="a", offset=offset)[0]
            self.assertEqual(200, status())
            server.leave_room(ROOM_BYTES - 4096)
            harness.wait_for(lambda: status() == 503, "HAProxy to take the server out")
            with server.client() as direct:
                self.assertEqual(b"value", direct.get("a", offset))
            server.make_room()
            harness.wait_for(lambda: status() == 200, "HAProxy to use the server again")
            self.assertEqual(21, client.append("a", b"more"))


if __name__ == "__main__":
    unittest.main()
