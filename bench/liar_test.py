"""The harness must notice: a proxy changes one byte, or loses a reply, and the run has to fail.

Between the harness and the real server stands a proxy that passes everything on, up to one reply.
"""
import os
import random
import shutil
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))

import examples
import generator
import ledger as protocol
import records
import users
from ledger import Ledger, count_known
from process import Failure
from servers import Rochefort, values_of
from wire import Request, converse

BINARY = os.environ["ROCHEFORT"]
TIMEOUT_SECONDS = 20


class Proxy:
    """Passes on what one client and the server say; `lie` may change a reply, or None ends it."""

    def __init__(self, address, lie):
        self.server_address, self.lie, self.count = address, lie, 0
        self.lock = threading.Lock()
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.address = self.listener.getsockname()
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.pass_on, args=(client,), daemon=True).start()

    def pass_on(self, client):
        with client, socket.create_connection(self.server_address, TIMEOUT_SECONDS) as server:
            client.settimeout(TIMEOUT_SECONDS)
            try:
                while data := client.recv(1 << 20):
                    server.sendall(data)
                    reply = server.recv(1 << 20)  # all are small: a request, a reply
                    with self.lock:
                        self.count += 1
                        reply = self.lie(self.count, data, reply)
                    if reply is None:
                        return
                    client.sendall(reply)
            except OSError:
                return

    def close(self):
        self.listener.close()


def flip(reply, at):
    """The same but for one bit."""
    changed = bytearray(reply)
    changed[at] ^= 1
    return bytes(changed)


class Liar(unittest.TestCase):
    def setUp(self):
        self.directory = tempfile.mkdtemp(prefix="rochefort-liar-")
        self.server = Rochefort(BINARY, self.directory, "-buckets", "10")
        self.proxies = []

    def tearDown(self):
        for proxy in self.proxies:
            proxy.close()
        self.server.stop()
        shutil.rmtree(self.directory)

    def replay(self, lie, connections=4):
        """The examples' mix through a proxy; answers the ledger."""
        proxy = Proxy(self.server.address, lie)
        self.proxies.append(proxy)
        ledger = Ledger(self.server.root)
        converse(proxy.address, [users.example_user(ledger, n, 5, random.Random(n), 3)
                                 for n in range(connections)])
        ledger.check_files()
        return ledger

    def failure(self, lie):
        with self.assertRaises(Failure) as caught:
            self.replay(lie)
        return str(caught.exception)

    def once(self, target, change):
        """A lie about the third good reply to such a request."""
        seen = []

        def lie(count, request, reply):
            if target in request.split(b"\r\n")[0] and reply.startswith(b"HTTP/1.1 200 "):
                seen.append(count)
                if len(seen) == 3:
                    return change(reply)
            return reply
        return lie

    def test_honest(self):
        self.assertEqual(4 * 5 * 3, len(self.replay(lambda count, request, reply: reply).entries))

    def test_one_byte_of_a_value(self):
        text = self.failure(self.once(b"/get?", lambda reply: flip(reply, -1)))
        self.assertIn("wrong reply", text)
        self.assertIn("request: GET /get?id=some_identifier", text)

    def test_one_byte_of_a_get_multi(self):
        text = self.failure(self.once(b"/getMulti?", lambda reply: flip(
            reply, reply.index(b"\r\n\r\n") + 4 + 4)))
        self.assertIn("request: POST /getMulti?id=some_identifier", text)

    def test_another_offset(self):
        def change(reply):
            at = reply.index(b'"offset":') + len(b'"offset":')
            return flip(reply, at)
        text = self.failure(self.once(b"/append?", change))
        self.assertIn("request: ", text)

    def test_one_byte_of_an_append_reply(self):
        text = self.failure(self.once(b"/append?", lambda reply: flip(reply, -1)))
        self.assertIn("request: POST /append?id=some_identifier", text)

    def test_a_reply_to_close(self):
        seen = self.once(b"/close?", lambda reply: reply.replace(b"true", b"null"))
        self.assertIn("request: GET /close?storagePrefix=mine", self.failure(seen))

    def test_a_lost_reply(self):
        text = self.failure(self.once(b"/get?", lambda reply: None))
        self.assertIn("lost", text)
        self.assertIn("request: GET /get?id=some_identifier", text)

    def test_two_replies_for_one(self):
        text = self.failure(self.once(b"/get?", lambda reply: reply + reply))
        self.assertIn("bytes follow", text)

    def test_not_http(self):
        text = self.failure(self.once(b"/get?", lambda reply: b"HTP/1.1 200 OK\r\n\r\n"))
        self.assertIn("no good reply", text)

    def test_a_record_that_is_not_in_the_file(self):
        ledger = self.replay(lambda count, request, reply: reply)
        path, held = next(iter(ledger.files.items()))
        with open(path, "r+b") as file:
            file.seek(max(held) + records.HEADER_BYTES)
            file.write(b"X")
        with self.assertRaisesRegex(Failure, "does not hold what was appended"):
            ledger.check_files()

    def test_bytes_of_a_timed_run(self):
        result = {"requests": 10, "bytes": 2000}
        generator.check_bytes(result, 200, 2, "GET /get")
        for wrong in (1999, 2401):
            with self.assertRaises(Failure):
                generator.check_bytes(dict(result, bytes=wrong), 200, 2, "GET /get")

    def test_errors_of_a_timed_run(self):
        path = os.path.join(self.directory, "requests")
        generator.write_requests(path, [protocol.get("id", 1)], "127.0.0.1")
        with self.assertRaisesRegex(Failure, "status [1-9][^\n]*\n  request: GET /get\\?id=id"):
            generator.wrk(self.server.address, path, 2, 1)

    def test_a_value_that_was_never_sent(self):
        values = values_of(100)[:2]
        converse(self.server.address, [users.filling_user([], "id", values, "timed")])
        directory = os.path.join(self.server.root, "timed")
        self.assertEqual(2, count_known(directory, values))
        with self.assertRaisesRegex(Failure, "was never sent"):
            count_known(directory, values[:1])

    def test_an_append_too_few(self):
        values = values_of(100)[:2]
        converse(self.server.address, [users.filling_user([], "id", values, "timed")])
        result = {"requests": 3, "before": 0}
        with self.assertRaisesRegex(Failure, "must hold 3 to 7 records, but hold 2\n  request: "):
            self.server.after("append", 100, result, 4)

    def test_a_curl_line(self):
        self.assertEqual(7, examples.check_curl(self.server))
        with self.assertRaisesRegex(Failure, "request: curl .*append"):
            examples.check_curl(self.server)  # the server is not fresh any more

    def test_the_whole_command(self):
        """A liar among the peers: exit 1, and the request is shown."""
        proxy = Proxy(self.server.address, self.once(b"/get?", lambda reply: flip(reply, -1)))
        self.proxies.append(proxy)
        done = subprocess.run(
            [sys.executable, "-B", os.path.join(HERE, "bench.py"), "--quick", "--only", "examples",
             "--rochefort", BINARY, "--ceiling", BINARY, "--no-disk", BINARY,
             "--directory", self.directory,
             "--out", os.path.join(self.directory, "out"),
             "--peer", "liar=http://%s:%d" % proxy.address],
            capture_output=True, text=True, timeout=120, check=False)
        self.assertEqual(1, done.returncode, done.stderr)
        self.assertRegex(done.stderr, "bench: wrong reply: byte \\d+ is not what was appended")
        self.assertIn("request: GET /get?id=some_identifier", done.stderr)
        self.assertFalse(os.path.exists(os.path.join(self.directory, "out", "table.md")))

    def test_an_encoded_record_is_readable(self):
        data = records.encode(b"some text")
        self.assertEqual((9, 25), (struct.unpack("<I", data[:4])[0], len(data)))
        self.assertEqual("653d4f41", data[12:16].hex())
        self.assertEqual("POST /x with the body b'y'", str(Request("POST", "/x", b"y")))


if __name__ == "__main__":
    unittest.main()
