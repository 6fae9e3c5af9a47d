"""The ledger test can fail: a proxy changes one byte or loses one reply, and the ledger finds it.

The proxy between the clients and the real server forwards everything else unchanged.
"""
import random
import socket
import struct
import threading
import unittest

import harness
import records
from conversation import Request, converse
from ledger import Ledger
from ledger_test import mixed_user
from process import Failure

TIMEOUT_SECONDS = 20


class Proxy:
    """Forwards requests and replies. `change` returns the reply to send, or None: then the
    connection is closed."""

    def __init__(self, address, change):
        self.server_address, self.change, self.count = address, change, 0
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
            threading.Thread(target=self.forward, args=(client,), daemon=True).start()

    def forward(self, client):
        with client, socket.create_connection(self.server_address, TIMEOUT_SECONDS) as server:
            client.settimeout(TIMEOUT_SECONDS)
            try:
                while data := client.recv(1 << 20):
                    server.sendall(data)
                    reply = server.recv(1 << 20)  # all are small, and none is pipelined
                    with self.lock:
                        self.count += 1
                        reply = self.change(self.count, data, reply)
                    if reply is None:
                        return
                    client.sendall(reply)
            except OSError:
                return

    def close(self):
        self.listener.close()


def flip(reply, at):
    """The reply with one bit changed."""
    changed = bytearray(reply)
    changed[at] ^= 1
    return bytes(changed)


class LedgerFaults(unittest.TestCase):
    def setUp(self):
        self.server = self.enterContext(harness.Server("-buckets", "10"))

    def replay(self, change, connections=4):
        """The ledger test's mix, smaller, through a proxy; returns the ledger."""
        proxy = Proxy(("127.0.0.1", self.server.port), change)
        self.addCleanup(proxy.close)
        ledger = Ledger(self.server.root)
        converse(proxy.address, [mixed_user(ledger, number, 5, random.Random(number), 3)
                                 for number in range(connections)])
        ledger.check_files()
        return ledger

    def failure(self, change):
        with self.assertRaises(Failure) as caught:
            self.replay(change)
        return str(caught.exception)

    def once(self, target, change):
        """Changes the third reply with status 200 to such a request."""
        seen = []

        def change_third(count, request, reply):
            if target in request.split(b"\r\n")[0] and reply.startswith(b"HTTP/1.1 200 "):
                seen.append(count)
                if len(seen) == 3:
                    return change(reply)
            return reply
        return change_third

    def test_unchanged(self):
        self.assertEqual(4 * 5 * 6, len(self.replay(lambda count, request, reply: reply).entries))

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

    def test_an_encoded_record(self):
        data = records.encode(b"some text")
        self.assertEqual((9, 25), (struct.unpack("<I", data[:4])[0], len(data)))
        self.assertEqual("653d4f41", data[12:16].hex())
        self.assertEqual("POST /x with the body b'y'", str(Request("POST", "/x", b"y")))


if __name__ == "__main__":
    unittest.main()
