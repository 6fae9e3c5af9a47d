"""A kernel without statx, preadv2 or extended attributes, or a container's filter that refuses them:
everything works. See refuse_calls.c."""
import errno
import json
import os
import signal
import struct
import subprocess
import unittest

import harness
import records

LIBRARY = os.environ["REFUSE_CALLS_LIBRARY"]
CALLS = ("statx", "preadv2", "fgetxattr", "fsetxattr", "fremovexattr", "fstatvfs")
MIB = 1 << 20


class RefusedCalls(unittest.TestCase):
    def environment(self, calls, error):
        return {"REFUSE_CALLS": " ".join(calls), "REFUSE_ERRNO": str(error)}

    def use(self, server, stored):
        """Appends, with a sync now and then, and reads everything that was stored by then."""
        with server.client() as client:
            for number in range(200):
                id, value = "id %d" % (number % 9), b"%d " % number + b"v" * (number * 37 % 5000)
                status, _, body = client.request(
                    "POST", "/append", value, id=id, sync=str(int(number % 50 == 0)))
                self.assertEqual(200, status, body)
                stored.append((id, json.loads(body)["offset"], value))
            id, value = "long", os.urandom(2 * MIB)
            stored.append((id, client.append(id, value), value))
            for id, offset, value in stored:
                self.assertTrue(value == client.get(id, offset))
            for id in {id for id, _, _ in stored}:
                of_id = [(offset, value) for other, offset, value in stored if other == id]
                body = client.get_multi(id, [offset for offset, _ in of_id])
                self.assertTrue(([value for _, value in of_id], None) == harness.split_multi(body))
            status, headers, _ = client.request("HEAD", "/get", id="long", offset=stored[-1][1])
            self.assertEqual((200, str(2 * MIB)), (status, headers["Content-Length"]))
            self.assertEqual(404, client.request("GET", "/get", id="id 1", offset=1)[0])

    def check(self, calls, error):
        environment = self.environment(calls, error)
        stored = []
        with harness.Server("-buckets", "4", env=environment, preload=[LIBRARY]) as server:
            self.use(server, stored)
            server.stop()
            server.start()
            self.use(server, stored)
            # the beginning of an append that was cut by a kill is cut off as ever
            server.stop(signal.SIGKILL)
            path = next(path for path in map(server.bucket, ["default"] * 4, range(4))
                        if 0 < os.path.getsize(path) < MIB)
            length = os.path.getsize(path)
            with open(path, "ab") as file:
                file.write(struct.pack("<I", 5))
            server.start()
            self.use(server, stored)
            with server.client() as client:
                client.close()
            self.assertEqual(stored and {
                (offset, value) for _, offset, value in stored},
                {(offset, value) for file in records.decode_prefix(server.root, "default").values()
                 for offset, (_, value) in file.items()})
            line = "at offset %d of %d, an unfinished append was cut off" % (length, length + 4)
            harness.wait_for(lambda: line in server.log(), line)
            self.check_verify(server, environment)

    def check_verify(self, server, environment):
        command = ["env", "LD_PRELOAD=%s" % " ".join(filter(None, [
            harness.SANITIZE in ("address", "thread") and harness.sanitizer_runtime(), LIBRARY])),
            harness.BINARY, "verify", os.path.join(server.root, "default")]
        done = subprocess.run(command, env=dict(os.environ, **environment), capture_output=True,
                              text=True, timeout=harness.TIMEOUT_SECONDS)
        self.assertEqual(0, done.returncode, done.stdout + done.stderr)
        self.assertIn("whole", done.stdout)

    def test_each_call(self):
        for call in CALLS:
            for error in (errno.EPERM, errno.ENOSYS):
                with self.subTest(call, error=errno.errorcode[error]):
                    self.check([call], error)

    def test_all_of_them(self):
        for error in (errno.EPERM, errno.ENOSYS):
            with self.subTest(errno.errorcode[error]):
                self.check(CALLS, error)


if __name__ == "__main__":
    unittest.main()
