"""Files that are damaged, cut, replaced or deleted behind the server's back: an error with the
right status, never a crash, never other bytes than those that were stored."""
import errno
import json
import os
import shutil
import struct
import unittest

import faults
import harness
import records

MIB = 1 << 20


class OneFile(unittest.TestCase):
    """A server with one bucket, and direct access to its file."""

    def setUp(self):
        self.server = faults.Server("-buckets", "1", "-workers", "1")
        self.server.__enter__()
        self.addCleanup(self.server.__exit__, None, None, None)
        self.client = self.server.client()
        self.addCleanup(self.client.hang_up)
        self.directory = os.path.join(self.server.root, "p")
        self.file = os.path.join(self.directory, "append.0.raw")

    def append(self, value):
        return self.client.append("x", value, "p")

    def status(self, method, path, body=None, **parameters):
        """Status and text of a request on the prefix."""
        status, _, text = self.client.request(method, path, body, id="x", storagePrefix="p",
                                              **parameters)
        return status, text

    def check_read(self, want, offset):
        """get, HEAD and getMulti agree: `want` is the value or the status of the error."""
        status, body = self.status("GET", "/get", offset=offset)
        values, error = harness.split_multi(self.client.get_multi("x", [offset], "p"))
        head, _ = self.status("HEAD", "/get", offset=offset)
        if isinstance(want, bytes):
            self.assertEqual((200, want), (status, body))
            self.assertEqual(([want], None), (values, error))
            self.assertEqual(200, head)
        else:
            self.assertEqual(want, status, body)
            self.assertRegex(body, rb"\A[ -~]+\n\Z")
            self.assertIn(self.file.encode(), body)
            self.assertEqual([], values)
            self.assertIn(" offset %d " % offset, error)

    def check_append_refused(self, word):
        before = os.stat(self.file).st_size if os.path.exists(self.file) else None
        status, text = self.status("POST", "/append", b"refused")
        self.assertEqual(500, status)
        self.assertRegex(text, rb"\A[ -~]*\b%s\b[ -~]*\n\Z" % word)
        self.assertIn(self.file.encode(), text)
        after = os.stat(self.file).st_size if os.path.exists(self.file) else None
        self.assertEqual(before, after)

    def overwrite(self, position, data):
        with open(self.file, "r+b") as file:
            file.seek(position)
            file.write(data)


class Deleted(OneFile):
    def test_directory_deleted_without_close(self):
        """Whatever is answered is in a file that has a name."""
        for round_number in range(5):
            for number in range(3):
                value = b"round %d value %d" % (round_number, number)
                self.assertEqual((16 + len(value)) * number, self.append(value))
                self.check_read(value, (16 + len(value)) * number)
            self.assertEqual(3, len(records.decode_file(self.file)))
            self.assertEqual([self.file], self.server.open_files())
            shutil.rmtree(self.directory)
        self.assertEqual(0, self.append(b"the last"))
        self.assertEqual({0: b"the last"}, {offset: value for offset, (_, value)
                                            in records.decode_file(self.file).items()})

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
        log_bytes = len(self.server.log())
        for make in makers:
            self.append(b"before")
            os.unlink(self.file)
            make()
            status, text = self.status("POST", "/append", b"refused")
            self.assertEqual(500, status)
            self.assertRegex(text, rb"\A[ -~]+\n\Z")
            self.assertIn(self.file.encode(), text)
            shutil.rmtree(self.directory)
        self.assertEqual(log_bytes, len(self.server.log()))


class Length(OneFile):
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
        """In the middle of a value that is already on its way only a reset can tell."""
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
            file.write(records.encode(b"somebody else's"))
        self.check_append_refused(b"changed")
        self.check_read(404, 20)
        self.client.close("p")
        self.check_read(b"somebody else's", 20)
        self.assertEqual(51, self.append(b"after"))
        self.assertEqual(3, len(records.decode_file(self.file)))


class Headers(OneFile):
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
        """A sum that is right is not enough: nothing is allocated for a length beyond the file."""
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
        """They are read as they are, and damage nothing."""
        values = [records.encode(b"inner"), records.encode(b"x" * 1000)[:20],
                  struct.pack("<I", 0) + b"\0" * 12, records.encode(b"a") * 50, b"\0" * 64]
        offsets = [self.append(value) for value in values]
        for value, offset in zip(values, offsets):
            self.check_read(value, offset)
        self.check_read(b"inner", offsets[0] + 16)  # what the README says of such bytes
        self.client.close("p")
        offsets.append(self.append(b"the last"))
        for value, offset in zip(values + [b"the last"], offsets):
            self.check_read(value, offset)


class Reads(OneFile):
    def read_all_ways(self, offsets):
        """Statuses of get and the error of getMulti, connections that are cut counted as 500."""
        results = []
        for offset in offsets:
            try:
                status, body = self.status("GET", "/get", offset=offset)
                results.append((status, body))
            except Exception:
                self.client.hang_up()
                results.append((500, b"cut"))
        try:
            values, error = harness.split_multi(self.client.get_multi("x", offsets, "p"))
        except Exception:
            self.client.hang_up()
            values, error = [], "cut"
        return results, values, error

    def test_every_call_fails_once(self):
        """The Nth preadv2 fails, for N = 1, 2, ... until all are through."""
        values = [b"a" * 10, b"b" * 5000, b"c" * 600000]
        offsets = [self.append(value) for value in values]
        for error in (errno.EIO, errno.ENOMEM, errno.EINTR, errno.EAGAIN):
            nth = 0
            while True:
                nth += 1
                self.server.fail("preadv2", error, nth)
                results, got, text = self.read_all_ways(offsets)
                seen = self.server.seen("preadv2")
                wrong = 0
                for value, (status, body) in zip(values, results):
                    if status == 200:
                        self.assertEqual(value, body)
                    else:
                        wrong += 1
                        self.assertIn(status, (500, 503))
                self.assertEqual(values[:len(got)], got)
                wrong += text is not None
                if seen < nth:
                    self.assertEqual(0, wrong)
                    break
                self.assertEqual(1 if error in (errno.EIO, errno.ENOMEM) else 0, wrong, nth)
            self.assertGreater(nth, 5)

    def test_short_reads(self):
        """Every read moves some bytes only: the values are whole all the same."""
        values = [b"a" * 10, b"b" * 2000]
        offsets = [self.append(value) for value in values]
        for some in (1, 7, 15, 16, 17, 100):
            self.server.shorten("preadv2", some, times=faults.EVER)
            results, got, text = self.read_all_ways(offsets)
            self.assertEqual([(200, value) for value in values], results)
            self.assertEqual((values, None), (got, text))

    def test_the_end_comes_too_early(self):
        """A read that moves nothing: the file is shorter than it was."""
        offset = self.append(b"a" * 10)
        self.server.shorten("preadv2", 0, times=faults.EVER)
        self.check_read(500, offset)
        self.server.heal()
        self.check_read(b"a" * 10, offset)


class ReplacedInTheMiddle(OneFile):
    """Of a value that is under way to a client the rest must not come from another file."""

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
                self.assertNotEqual(b"", data, "it ends as if it were whole")
        self.assertEqual(b"b" * (30 * MIB), self.client.get("x", 0, "p"))

    def test_the_first_append_after_a_close_replaces_nothing(self):
        """It opens the file once more, for writing, while a read of it is under way."""
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


class Opening(OneFile):
    def test_every_call_fails_once(self):
        """Creating a prefix: a call fails, then all is well again."""
        tried = unnoted = 0
        for call, error, want in (("openat", errno.EIO, 500), ("openat", errno.ENOSPC, 507),
                                  ("openat", errno.EDQUOT, 507), ("fstat", errno.EIO, 500),
                                  ("statx", errno.EIO, 500),
                                  ("mkdirat", errno.ENOSPC, 507), ("mkdirat", errno.EIO, 500)):
            nth = 0
            while True:
                nth += 1
                tried += 1
                prefix = "%s.%d.%d" % (call, error, nth)
                self.server.fail(call, error, nth)
                status, _, text = self.client.request("POST", "/append", b"x", id="x",
                                                      storagePrefix=prefix)
                seen = self.server.seen(call)
                self.server.heal()
                offset = self.client.append("x", b"again", prefix)
                self.assertEqual(b"again", self.client.get("x", offset, prefix))
                if seen < nth:
                    self.assertEqual((200, 17), (status, offset))
                    break
                if status == 200:  # only the note of how many files there are could not be made
                    self.assertEqual("openat", call)
                    unnoted += 1
                    continue
                self.assertEqual((want, 0), (status, offset), text)
        self.assertEqual(3, unnoted)  # once for each error of openat
        self.assertGreater(tried, 12)


if __name__ == "__main__":
    unittest.main()
