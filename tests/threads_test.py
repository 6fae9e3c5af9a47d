"""The loop thread touches no file, a burst of appends is one write, and a read reads no more than it
must: shown by strace.

Runs the server under strace -ff, which writes a file for each thread, drives
all endpoints, and reads from those files which thread called what.
"""
import os
import re
import subprocess
import tempfile
import threading
import unittest

import harness
import records
import suite
from capabilities import needs_strace

# Calls that work on files and are not on sockets too.
FILE_CALLS = re.compile(
    r"^(open\w*|creat|\w*stat\w*|access\w*|faccessat\w*|readlink\w*|getdents\w*|mkdir\w*|unlink\w*"
    r"|rename\w*|link\w*|symlink\w*|pread\w*|pwrite\w*|truncate|ftruncate|fallocate|fadvise\w*"
    r"|fsync|fdatasync|sync\w*|sendfile\w*|copy_file_range|flock|lseek)\(")

# Those of the thread of the log: it writes, and waits. The rest is of its start and its end.
LOG_CALLS = {"write", "futex", "rt_sigprocmask", "set_robust_list", "rseq", "prctl", "mmap",
             "munmap", "mprotect", "madvise", "exit", "+++"}

# What a start must not do with many prefixes: see what there is, or name one.
NAMES = r"^getdents|prefix \d+|append\.\d"


class Traced(harness.Server):
    """A server under strace. self.process is strace."""

    def __init__(self, *flags, root=None):
        self.trace_directory = tempfile.TemporaryDirectory(prefix="rochefort-trace-")
        self.trace = self.trace_directory.name
        super().__init__(*flags, root=root, hold=True,
                         under=["strace", "-ff", "-s", "128", "-o", os.path.join(self.trace, "of")])

    def stop(self, signal_number=15):
        children = "/proc/%d/task/%d/children" % (self.process.pid, self.process.pid)
        if self.process.poll() is None:
            with open(children) as file:
                os.kill(int(file.read().split()[0]), signal_number)
        return self.process.wait(harness.TIMEOUT_SECONDS)

    def calls(self):
        """(calls of the loop thread while serving, [calls of each worker])"""
        _, loop, workers, _ = self.all_calls()
        return loop, workers

    def lines(self):
        """All calls of all threads, from the first to the last."""
        before, loop, workers, syncs = self.all_calls()
        return before + loop + sum(workers + syncs, self.log_calls)

    def all_calls(self):
        """(calls of the loop thread before it served, while it served, [calls of each worker],
        [calls of each sync thread])"""
        before, loop, workers, syncs, self.log_calls = [], [], [], [], []
        for name in sorted(os.listdir(self.trace)):
            if not name.startswith("of."):
                continue
            with open(os.path.join(self.trace, name), errors="replace") as file:
                lines = file.read().splitlines()
            listens = [i for i, line in enumerate(lines) if line.startswith("listen(")]
            if listens:
                before, loop = lines[:listens[-1] + 1], lines[listens[-1] + 1:]
            elif any("starting http server on" in line for line in lines):
                self.log_calls = lines
            elif any(line.startswith('prctl(PR_SET_NAME, "sync"') for line in lines):
                syncs.append(lines)
            else:
                workers.append(lines)
        return before, loop, workers, syncs


def drive(server):
    client = server.client()
    values = [b"v" * n for n in (1, 100, 5000, 600000)]
    offsets = [client.append("id", value) for value in values]
    for value, offset in zip(values, offsets):
        assert client.get("id", offset) == value
    client.request("HEAD", "/get", id="id", offset=0)
    assert harness.split_multi(client.get_multi("id", offsets)) == (values, None)
    assert client.request("GET", "/get", id="id", offset=3)[0] == 404
    assert client.request("GET", "/get", id="id", offset=3, storagePrefix="none")[0] == 404
    client.close()
    client.append("id", b"again", prefix="other")
    client.hang_up()


@needs_strace
class Reads(unittest.TestCase):
    """How many bytes are read of a value of 1 GiB, the only record of its file."""

    VALUE_BYTES = 1 << 30

    def setUp(self):
        root = self.enterContext(tempfile.TemporaryDirectory(prefix="rochefort-large-"))
        os.mkdir(os.path.join(root, "p"))
        self.file = os.path.join(root, "p", "append.0.raw")
        records.write_manifest(root, "p", 1)
        with open(self.file, "wb") as file:
            file.write(records.header(self.VALUE_BYTES, records.TIME_NS))
            file.truncate(records.HEADER_BYTES + self.VALUE_BYTES)  # the rest is no block of the disk
        self.server = self.enterContext(Traced("-workers", "1", root=root))
        self.client = self.enterContext(self.server.client())

    def ask(self, method, **headers):
        """(status, headers, [how many bytes each read of the file returned])"""
        before = len(self.reads())
        self.client.http.request(method, "/get?id=x&storagePrefix=p&offset=0", headers={
            name.replace("_", "-"): value for name, value in headers.items()})
        reply = self.client.http.getresponse()
        self.body = reply.read()
        return reply.status, reply.headers, self.reads()[before:]

    def reads(self):
        """Of the worker, and of threads that have not made a call by which they are known."""
        _, workers = self.server.calls()
        found = (re.match(r"pread\w*\(.* = (\d+)$", line) for line in sum(workers, []))
        return [int(match.group(1)) for match in found if match]

    def test_a_head_and_a_304_read_the_header(self):
        status, headers, _ = self.ask("HEAD")  # opens the file, which looks at its end
        self.assertEqual((200, str(self.VALUE_BYTES)), (status, headers["Content-Length"]))
        status, _, sizes = self.ask("HEAD")
        self.assertEqual((200, [records.HEADER_BYTES]), (status, sizes))
        for condition in ({"If_None_Match": headers["ETag"]}, {"If_None_Match": "*"},
                          {"If_Modified_Since": headers["Last-Modified"]}):
            for method in ("HEAD", "GET"):
                status, _, sizes = self.ask(method, **condition)
                self.assertEqual((304, [records.HEADER_BYTES]), (status, sizes), condition)

    def test_a_range_reads_its_bytes(self):
        self.ask("HEAD")
        for first, count in ((0, 1), (1000, 100), (900 << 20, 5000), (self.VALUE_BYTES - 7, 7),
                             (500 << 20, 1 << 20)):
            status, _, sizes = self.ask("GET", Range="bytes=%d-%d" % (first, first + count - 1))
            self.assertEqual((206, bytes(count)), (status, self.body))
            # the header when it is found, and again when it is read
            self.assertLessEqual(sum(sizes), count + 2 * records.HEADER_BYTES, (first, sizes))
            self.assertGreaterEqual(sum(sizes), count + records.HEADER_BYTES)


@needs_strace
class Threads(unittest.TestCase):
    def test_the_loop_touches_no_file_and_the_workers_no_socket(self):
        with Traced("-buckets", "4", "-workers", "2") as server:
            drive(server)
        loop, workers = server.calls()
        self.assertGreater(len(loop), 20)
        self.assertEqual([line for line in loop if FILE_CALLS.match(line)], [])
        self.assertEqual(len(workers), 2)
        self.assertLessEqual(set(map(call_of, server.log_calls)), LOG_CALLS)
        calls = "\n".join("\n".join(lines) for lines in workers)
        for name in ("openat", "mkdirat", "pwritev", "preadv2", "getdents64"):
            self.assertRegex(calls, r"(?m)^%s\(" % name)
        self.assertNotRegex(calls, r"(?m)^(accept4|readv|writev|recv\w*|send\w*|epoll_\w*)\(")

    def test_appends_that_wait_together_are_one_write(self):
        with Traced("-buckets", "1", "-workers", "1") as server:
            client = server.client()
            client.append("id", b"opens the file")
            server.hold_disk()
            thread = threading.Thread(target=client.append, args=("id", b"x" * 10))
            thread.start()
            harness.wait_for(server.disk_is_waiting, "the first write")
            waiting = [server.connect() for _ in range(20)]
            for sock in waiting:
                self.addCleanup(sock.close)
                sock.sendall(b"POST /append?id=id HTTP/1.1\r\nHost: x\r\n"
                             b"Content-Length: 10\r\n\r\n0123456789")
            harness.wait_for(lambda: count_of("readv", server) >= 22, "the requests to be read")
            server.release_disk()
            replies = [harness.receive_reply(sock) for sock in waiting]
            thread.join()
            client.hang_up()
        self.assertEqual({status for status, _, _ in replies}, {200})
        _, (worker,) = server.calls()
        writes = [line for line in worker if line.startswith("pwritev(")]
        self.assertEqual(len(writes), 3)  # the one that opened the file, the held one, the rest
        self.assertIn("= %d" % (20 * 26), writes[2])

    def test_small_replies_do_not_wait_for_acknowledgements(self):
        """Nagle's algorithm is off on the listening socket, from which all others inherit it."""
        with Traced() as server:
            pass
        before, _, _, _ = server.all_calls()
        off = [i for i, line in enumerate(before) if "TCP_NODELAY, [1]" in line]
        listens = [i for i, line in enumerate(before) if line.startswith("listen(")]
        self.assertEqual(len(off), len(listens))
        self.assertLess(off[0], listens[0])

    def test_libevent_is_used_without_locks(self):
        libraries = subprocess.run(["ldd", harness.BINARY], capture_output=True, text=True,
                                   check=True).stdout
        self.assertIn("libevent_core", libraries)
        self.assertNotIn("libevent_pthreads", libraries)

    def test_a_request_is_one_read_and_one_write_of_the_socket(self):
        with Traced("-workers", "1") as server:
            client = server.client()
            offset = client.append("id", b"v" * 100)
            before = len(server.calls()[0])
            for _ in range(100):
                client.get("id", offset)
            harness.wait_for(lambda: count_of("writev", server) >= 101, "strace to have written")
            loop = server.calls()[0][before:]
            client.hang_up()
        names = [line.split("(")[0] for line in loop]
        self.assertLessEqual(names.count("readv"), 101)
        self.assertLessEqual(names.count("writev"), 101)
        self.assertEqual(names.count("epoll_ctl"), 0)
        self.assertEqual(names.count("read"), 0)  # the eventfd is never read

    def test_a_start_opens_no_prefix(self):
        """It does not list them either: how long a start takes does not depend on their number."""
        with tempfile.TemporaryDirectory(prefix="rochefort-many-") as root:
            for number in range(200):
                for bucket in range(4):
                    records.write_bucket(root, "prefix %d" % number, [b"v"], bucket, buckets=4)
            with Traced(root=root) as server:
                pass  # it starts, and gets no request
            lines = server.lines()
            self.assertIn(root, "\n".join(lines))
            self.assertEqual([], [line for line in lines if re.search(NAMES, line)])

            with Traced(root=root) as server, server.client() as client:
                self.assertEqual(b"v", client.get("x", 0, "prefix 70"))
            lines = server.lines()
            self.assertTrue([line for line in lines if line.startswith("getdents64(")])
            self.assertEqual({"prefix 70"}, set(re.findall(r"prefix \d+", "\n".join(
                line for line in lines if FILE_CALLS.match(line)))))


def call_of(line):
    return re.split(r"[( ]", line)[0]


def count_of(name, server):
    return sum(line.startswith(name + "(") for line in server.calls()[0])


if __name__ == "__main__":
    suite.main()
