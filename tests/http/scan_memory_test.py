"""Scans of a bucket that is larger than the memory that they may take, by readers that are slow.

ROCHEFORT_THOROUGH=1 scans 10 GiB instead of 256 MiB. The values are zeros that take no room on the
disk; their headers are those of real records.
"""
import os
import unittest

import harness
import records

MIB = 1 << 20
BUCKET_BYTES = 10 << 30 if os.environ.get("ROCHEFORT_THOROUGH") else 256 * MIB
LIMIT = 64 * MIB  # the most that one scan may ask for
VALUE_BYTES = (16 * MIB, 1000, 48 * MIB)  # of the records, in turn
SLOW_CLIENTS = 16
BUFFERED = 8 * MIB
# Stacks, the allocator's slack, and what each connection needs for itself.
OVERHEAD_BYTES = 24 * MIB
PART_BYTES = MIB
ZEROS = bytes(PART_BYTES)


def write_bucket(path):
    """Its records, as (offset, length of the value)."""
    written, end = [], 0
    with open(path, "wb") as file:
        while end < BUCKET_BYTES:
            length = VALUE_BYTES[len(written) % len(VALUE_BYTES)]
            file.seek(end)
            file.write(records.header(length, records.TIME_NS))
            written.append((end, length))
            end += records.HEADER_BYTES + length
            file.truncate(end)
    return written


class Reader:
    """Reads one reply after the other, and checks the records in them."""

    def __init__(self, server, wanted):
        self.sock, self.wanted, self.offset = server.connect(65536), iter(wanted), 0
        self.ask()

    def ask(self):
        self.sock.sendall(harness.request_bytes(
            "GET", "/scan?bucket=0&storagePrefix=p&limit=%d&offset=%d" % (LIMIT, self.offset)))

    def zeros(self, count):
        while count > 0:
            part = self.sock.recv(min(count, PART_BYTES))
            assert part and part == ZEROS[:len(part)]
            count -= len(part)

    def read_reply(self):
        """False at the end of the bucket."""
        status, headers = harness.receive_head(self.sock)
        if status == 204:
            return False
        assert status == 200, status
        end = self.offset + int(headers["content-length"])
        while self.offset < end:
            offset, length = next(self.wanted)
            assert offset == self.offset
            header = harness.receive_body(self.sock, records.HEADER_BYTES)
            assert header == records.header(length, records.TIME_NS)
            self.zeros(length)
            self.offset += records.HEADER_BYTES + length
        assert self.offset == end == int(headers["rochefort-next-offset"])
        return True


class Memory(unittest.TestCase):
    def test_slow_readers_of_a_large_bucket(self):
        server = self.enterContext(harness.Server("-buckets", "1", "-max-buffered", str(BUFFERED),
                                                  "-max-value", str(4 * MIB), "-max-batch",
                                                  str(4 * MIB), "-min-rate", "0"))
        records.write_bucket(server.root, "p", [], buckets=1)
        wanted = write_bucket(server.bucket("p"))
        slow = [Reader(server, wanted) for _ in range(SLOW_CLIENTS)]
        for reader in slow:
            self.addCleanup(reader.sock.close)
            harness.wait_for(lambda: harness.is_readable(reader.sock, 0), "a reply to begin")
        reader = Reader(server, wanted)
        self.addCleanup(reader.sock.close)
        while reader.read_reply():  # beside those that have not read anything yet
            reader.ask()
        self.assertEqual(os.path.getsize(server.bucket("p")), reader.offset)
        self.assertIsNone(next(reader.wanted, None))
        for reader in slow[:2]:
            self.assertTrue(reader.read_reply())
        if harness.SANITIZE == "none":
            peak = server.memory_bytes("VmHWM")
            print("%d MiB, %d slow clients, budget %d MiB: peak of %.1f MiB" % (
                BUCKET_BYTES // MIB, SLOW_CLIENTS, BUFFERED // MIB, peak / MIB))
            self.assertLess(peak, BUFFERED + OVERHEAD_BYTES)


if __name__ == "__main__":
    unittest.main()
