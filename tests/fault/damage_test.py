"""Files that are damaged, truncated, replaced or deleted while the server runs: an error with the
right status, never a crash, never other bytes than those that were stored."""
import os
import shutil
import struct
import unittest

import harness
import one_bucket
import records

MIB = 1 << 20


class Deleted(one_bucket.TestCase):
    def test_directory_deleted_without_close(self):
        """Every answered append is in a file that has a name."""
        for round_number in range(5):
            for number in range(3):
                value = b"round %d value %d" % (round_number, number)
                self.assertEqual((16 + len(value)) * number, self.append(value))
                self.check_read(value, (16 + len(value)) * number)
            self.assertEqual(3, len(records.decode_file(self.file)))
            self.assertEqual([self.file], self.server.open_files())
            shutil.rmtree(self.directory)
        self.assertEqual(0, self.append(b"the last"))
        self.assertEqual({0: b"the last"}, records.values(self.file))

    def test_only_the_files_deleted(self):
        self.append(b"before")
        os.unlink(self.file)
        self.assertEqual(0, self.append(b"after"))
        self.check_read(b"after", 0)

    def test_replaced(self):
        self.append(b"old" * 100)
        self.append(b"old" * 100)
        other = os.path.join(self.server.directory, "other")
        with open(other, "wb") as file:
            file.write(records.encode(b"restored"))
        os.rename(other, self.file)
        self.assertEqual(24, self.append(b"after"))
        self.check_read(b"restored", 0)
        self.check_read(b"after", 24)
        self.check_read(404, 316)  # of the old file
        self.assertEqual([self.file], self.server.open_files())

    def test_directory_replaced_by_something_else(self):
        self.append(b"before")
        for make in (lambda: os.symlink(self.server.directory, self.directory),
                     lambda: os.close(os.open(self.directory, os.O_CREAT)),
                     lambda: os.mkfifo(self.directory)):
            shutil.rmtree(self.directory, ignore_errors=True)
            if os.path.lexists(self.directory):
                os.unlink(self.directory)
            make()
            status, text = self.status("POST", "/append", b"refused")
            self.assertEqual(500, status)
            self.assertRegex(text, rb"\A[ -~]+\n\Z")
        self.assertEqual({"log", "root"}, set(os.listdir(self.server.directory)))

    def test_file_replaced_by_something_else(self):
        makers = (lambda: os.symlink(os.path.join(self.server.directory, "log"), self.file),
                  lambda: os.mkdir(self.file), lambda: os.mkfifo(self.file))
        for make in makers:
            self.append(b"before")
            os.unlink(self.file)
            make()
            status, text = self.status("POST", "/append", b"refused")
            self.assertEqual(500, status)
            self.assertRegex(text, rb"\A[ -~]+\n\Z")
            self.assertIn(self.file.encode(), text)
            shutil.rmtree(self.directory)
        self.assertNotIn("refused", self.server.log())  # what the link leads to


class Length(one_bucket.TestCase):
    def test_truncated(self):
        offsets = [self.append(b"v" * 1000) for _ in range(3)] + [self.append(b"w" * MIB)]
        ends = offsets[1:] + [os.stat(self.file).st_size]
        for length in (ends[3] - 1, offsets[3] + 100000, offsets[3] + 16, offsets[3] + 15,
                       offsets[3], offsets[2] + 1, offsets[1] + 999, 20, 1, 0):
            os.truncate(self.file, length)
            for offset, end in zip(offsets, ends):
                if end <= length:
                    self.check_read(b"v" * 1000, offset)
                elif offset != offsets[3]:
                    self.check_read(500, offset)
            self.check_append_refused(b"changed")
        self.client.close("p")
        self.assertEqual(0, self.append(b"from the beginning"))
        for offset in offsets[1:]:
            self.check_read(404, offset)

    def test_long_value_cut(self):
        """A value of which a part has been sent can only be broken off by a reset."""
        offset = self.append(b"w" * MIB)
        os.truncate(self.file, 500000)
        values, error = None, None
        try:
            status, body = self.status("GET", "/get", offset=offset)
            self.assertEqual(500, status)
        except OSError:
            pass
        except Exception as exception:  # IncompleteRead: the connection ended too early
            self.assertIn("IncompleteRead", repr(exception))
        self.client.hang_up()
        try:
            values, error = harness.split_multi(self.client.get_multi("x", [offset], "p"))
            self.assertEqual([], values)
        except OSError:
            pass
        except Exception as exception:
            self.assertIn("IncompleteRead", repr(exception))
        self.client.hang_up()
        self.check_append_refused(b"changed")

    def test_longer(self):
        self.append(b"mine")
        with open(self.file, "ab") as file:
            file.write(records.encode(b"appended outside"))
        self.check_append_refused(b"changed")
        self.check_read(404, 20)
        self.client.close("p")
        self.check_read(b"appended outside", 20)
        self.assertEqual(52, self.append(b"after"))
        self.assertEqual(3, len(records.decode_file(self.file)))


class Headers(one_bucket.TestCase):
    def test_every_bit_flipped(self):
        offset = self.append(b"before")
        offset = self.append(b"the value")
        self.append(b"after")
        with open(self.file, "rb") as file:
            header = file.read()[offset:offset + 16]
        for bit in range(128):
            flipped = bytearray(header)
            flipped[bit // 8] ^= 1 << bit % 8
            self.overwrite(offset, flipped)
            self.check_read(404, offset)
        self.overwrite(offset, header)
        self.check_read(b"the value", offset)
        self.check_read(b"after", offset + 25)

    def test_length_past_the_end(self):
        """A valid checksum is not enough: nothing is allocated for a length beyond the file."""
        offset = self.append(b"v" * 100)
        self.append(b"w" * 100)
        self.check_read(b"v" * 100, offset)
        before = self.server.memory_bytes("VmHWM")
        for length in (217, 218, 1 << 20, 1 << 31, (1 << 32) - 1):
            head = struct.pack("<IQ", length, 1)
            whole = records.encode(b"")[:0] + head + struct.pack("<I", records.zlib.crc32(head))
            self.overwrite(offset, whole)
            self.check_read(500, offset)
        self.assertLess(self.server.memory_bytes("VmHWM") - before, 16 * MIB)
        self.check_read(b"w" * 100, offset + 116)

    def test_values_that_look_like_headers(self):
        """They are read back unchanged."""
        values = [records.encode(b"inner"), records.encode(b"x" * 1000)[:20],
                  struct.pack("<I", 0) + b"\0" * 12, records.encode(b"a") * 50, b"\0" * 64]
        offsets = [self.append(value) for value in values]
        for value, offset in zip(values, offsets):
            self.check_read(value, offset)
        self.check_read(b"inner", offsets[0] + 16)  # as FORMAT.md says of such offsets
        self.client.close("p")
        offsets.append(self.append(b"the last"))
        for value, offset in zip(values + [b"the last"], offsets):
            self.check_read(value, offset)


class ReplacedInTheMiddle(one_bucket.TestCase):
    """The rest of a value that is being sent must not come from another file."""

    def test_it_is_cut_off(self):
        offset = self.append(b"a" * (20 * MIB))
        sock = self.server.connect(receive_buffer=4096)
        self.addCleanup(sock.close)
        sock.sendall(harness.request_bytes("GET", "/get?id=x&storagePrefix=p&offset=%d" % offset))
        got = sock.recv(4096)
        self.assertTrue(got.startswith(b"HTTP/1.1 200 "), got)
        os.unlink(self.file)
        self.assertEqual(0, self.append(b"b" * (30 * MIB)))
        with self.assertRaises(ConnectionResetError):
            while True:
                data = sock.recv(1 << 20)
                self.assertNotIn(b"b", data)
                self.assertNotEqual(b"", data, "an end of file instead of a reset")
        self.assertEqual(b"b" * (30 * MIB), self.client.get("x", 0, "p"))

    def test_the_first_append_after_a_close_replaces_nothing(self):
        """It opens the file once more, for writing, while a reply from it is being sent."""
        value = os.urandom(20 * MIB)
        offset = self.append(value)
        self.client.close("p")
        sock = self.server.connect(receive_buffer=4096)
        self.addCleanup(sock.close)
        sock.sendall(harness.request_bytes("GET", "/get?id=x&storagePrefix=p&offset=%d" % offset))
        got = [sock.recv(4096)]
        self.append(b"another")
        while sum(map(len, got)) < len(value):
            data = sock.recv(1 << 20)
            self.assertNotEqual(b"", data)
            got.append(data)
        reply = b"".join(got)
        head = reply.index(b"\r\n\r\n") + 4
        while len(reply) < head + len(value):
            reply += sock.recv(1 << 20)
        self.assertTrue(reply[head:] == value)


if __name__ == "__main__":
    unittest.main()
