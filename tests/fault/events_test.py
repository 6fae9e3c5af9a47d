"""What the log says of failures and limits: the first of each kind at once, then a count, so that a
full disk leaves lines but does not flood the log."""
import errno
import os
import re
import unittest

import faults
import harness

MIB = 1 << 20
MANY = 20


def lines(server):
    """Without the time, those about the start and stop of the server left out."""
    said = [line[20:] for line in server.log().splitlines()]
    return [line for line in said if not re.search(r"\Astarting|stopping\Z|\Astopped\Z", line)]


def first_lines(server):
    """Lines are written by a thread of the server, so they may come a little later than the reply."""
    harness.wait_for(lambda: lines(server) != [], "a line in the log")
    return lines(server)


class Failures(unittest.TestCase):
    def append(self, server, status):
        with server.client() as client:
            self.assertEqual(status, client.request("POST", "/append", b"value", id="x")[0])

    def check(self, server, first, more):
        """One line at once, and the rest as a count when the server stops."""
        self.assertEqual([first], first_lines(server))
        server.stop()
        self.assertEqual([first, "%d more in the last minute: %s" % (more, first)], lines(server))

    def test_disk_full(self):
        with faults.Server("-buckets", "1") as server:
            self.append(server, 200)
            server.fail("pwritev", errno.ENOSPC, times=MANY)
            for _ in range(MANY):
                self.append(server, 507)
            self.append(server, 200)
            self.check(server, "507: disk full: %s; appends go on as soon as there is room"
                       % server.bucket(), MANY - 1)

    def test_reads_of_any_offset_are_of_one_kind(self):
        with faults.Server("-buckets", "1") as server, server.client() as client:
            offsets = [client.append("x", b"value") for _ in range(MANY)]
            server.fail("preadv2", errno.EIO, times=faults.EVER)
            for offset in offsets:
                self.assertEqual(500, client.request("GET", "/get", id="x", offset=offset)[0])
            self.assertIn(b"Input/output error", client.request(
                "POST", "/getMulti", offsets[1].to_bytes(8, "little"), id="x")[2])
            server.heal()
            client.hang_up()
            self.check(server, "500: Input/output error: %s" % server.bucket(), MANY)

    def test_files_missing(self):
        with harness.Server("-buckets", "2") as server, server.client() as client:
            for id in "abcdefgh":
                client.append(id, b"value")
            client.close()
            os.unlink(server.bucket(number=1))
            for _ in range(MANY):
                self.assertEqual(500, client.request("GET", "/get", id="a", offset=0)[0])
            client.hang_up()
            [first] = first_lines(server)
            self.assertRegex(first, r"\A500: .*missing.*%s.*adopt -missing"
                             % re.escape(server.bucket(number=1)))
            self.check(server, first, MANY - 1)

    def test_names_are_printable(self):
        with harness.Server("-buckets", "1") as server, server.client() as client:
            name = "a\u009bb"  # no such is made, and what exists is served
            os.mkdir(os.path.join(server.root, name))
            with open(server.bucket(name), "wb") as file:
                file.write(b"data without a MANIFEST")
            self.assertEqual(500, client.request("POST", "/append", b"v", id="x",
                                                 storagePrefix=name)[0])
            [line] = first_lines(server)
            self.assertRegex(line, r"\A500: [ -~]*/a\?+b[ -~]*rochefort adopt [ -~]*\Z")

    def test_what_clients_do_wrong_is_none_of_the_servers_failures(self):
        with harness.Server("-buckets", "1") as server, server.client() as client:
            client.append("x", b"value")
            for expected, target in ((404, "/get?id=x&offset=1"), (404, "/no"), (400, "/get?id=x"),
                                     (405, "/append?id=x")):
                with server.send("GET", target) as sock:
                    self.assertEqual(expected, harness.receive_reply(sock)[0])
            client.hang_up()
            server.stop()
            self.assertEqual([], lines(server))


class Limits(unittest.TestCase):
    def test_in_flight(self):
        line = "-max-in-flight is reached: requests are refused with 503"
        append = harness.request_bytes("POST", "/append?id=x", b"value")
        with harness.Server("-max-in-flight", "1", "-workers", "1", hold=True) as server:
            server.hold_disk()
            with server.connect() as first, server.connect() as other:
                first.sendall(append)
                harness.wait_for(server.disk_is_waiting, "the append to reach the disk")
                for _ in range(MANY):
                    other.sendall(append)
                    self.assertEqual(503, harness.receive_reply(other)[0])
                server.release_disk()
                self.assertEqual(200, harness.receive_reply(first)[0])
            self.assertEqual([line], first_lines(server))
            server.stop()
            self.assertEqual([line, "%d more in the last minute: %s" % (MANY - 1, line)],
                             lines(server))

    def test_connections(self):
        line = "-max-connections is reached: more clients are accepted when others leave"
        with harness.Server("-max-connections", "4") as server:
            for _ in range(3):
                clients = [server.client() for _ in range(4)]
                for client in clients:
                    client.append("x", b"value")
                self.assertEqual([line], first_lines(server))
                for client in clients:
                    client.hang_up()
                harness.wait_for(lambda: server.sockets() == 1, "the clients to be gone")

    def test_memory(self):
        line = "-max-buffered is reached: requests wait for memory"
        flags = ("-max-buffered", "1MiB", "-max-value", "4MiB", "-min-rate", "0")
        with harness.Server(*flags) as server, server.connect() as slow, server.connect() as other:
            slow.sendall(harness.request_bytes("POST", "/append?id=slow", headers=(
                "Content-Length: %d" % MIB, "Expect: 100-continue")))
            self.assertEqual(100, harness.receive_head(slow)[0])
            self.assertEqual([], lines(server))
            other.sendall(harness.request_bytes("POST", "/append?id=x", b"v" * 100_000))
            self.assertEqual([line], first_lines(server))
            slow.sendall(b"v" * MIB)
            self.assertEqual(200, harness.receive_reply(slow)[0])
            self.assertEqual(200, harness.receive_reply(other)[0])


if __name__ == "__main__":
    unittest.main()
