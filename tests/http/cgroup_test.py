"""In a container the default of -max-buffered is a quarter of the container's memory."""
import hashlib
import threading
import unittest

import harness
import records
from memory_cgroup import MemoryCgroup

MIB = 1 << 20
GROUP_BYTES = 256 * MIB
UPLOADS, VALUE_BYTES = 10, 60 * MIB


def value_of(number):
    return hashlib.sha256(b"%d" % number).digest() * (VALUE_BYTES // 32)


@unittest.skipIf(harness.SANITIZE in ("address", "thread"), "sanitizers need memory of their own")
class Container(unittest.TestCase):
    def start(self, group_bytes, *flags):
        self.group = self.enterContext(MemoryCgroup(group_bytes))
        return self.enterContext(harness.Server("-buckets", "1", *flags, under=self.group.under))

    def reserve(self, server):
        """A client that asks for leave to send 50 MiB."""
        sock = self.enterContext(server.connect())
        sock.sendall(harness.request_bytes("POST", "/append?id=a", headers=(
            "Content-Length: %d" % (50 * MIB), "Expect: 100-continue")))
        return sock

    def test_ten_uploads_of_60_MiB_with_default_flags_are_all_answered(self):
        server = self.start(GROUP_BYTES)
        answers = {}

        def upload(number):
            with server.client() as client:
                answers[number] = client.append("a", value_of(number))
        threads = [threading.Thread(target=upload, args=(number,)) for number in range(UPLOADS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(0, self.group.kills(), server.log())
        self.assertEqual(set(range(UPLOADS)), set(answers), server.log())
        found = {offset: hashlib.sha256(value).digest()
                 for offset, _, value in records.walk(server.bucket())}
        self.assertEqual({offset: hashlib.sha256(value_of(number)).digest()
                          for number, offset in answers.items()}, found)

    def test_the_default_is_a_quarter(self):
        server = self.start(GROUP_BYTES)
        self.assertEqual(100, harness.receive_head(self.reserve(server))[0])
        second = self.reserve(server)  # together they are more than 64 MiB
        self.assertFalse(harness.is_readable(second))

    def test_what_is_given_counts(self):
        server = self.start(GROUP_BYTES, "-max-buffered", "1GiB")
        for _ in range(4):
            self.assertEqual(100, harness.receive_head(self.reserve(server))[0])

    def test_a_limit_that_is_larger_than_the_default_needs_changes_nothing(self):
        server = self.start(1 << 60)
        for _ in range(4):
            self.assertEqual(100, harness.receive_head(self.reserve(server))[0])


if __name__ == "__main__":
    unittest.main()
