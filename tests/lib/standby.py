"""A server that may have to wait for its root, see -lock-wait."""
import os
import signal
import uuid

import harness
import process

FOREVER = "2147483647"
WAITS = r"another rochefort is using root \S+: waiting up to %s s for its lock\n"
TAKES_OVER = r"the lock of root \S+ is free after \d+ s: taking it over\n"


class Standby:
    """A server that may have to wait. Use as a context manager."""

    def __init__(self, root, directory, seconds=FOREVER, bind="127.0.0.1:0", env=None):
        log_path = os.path.join(directory, "log of " + uuid.uuid4().hex)
        command = [harness.BINARY, "-bind", bind, "-root", root, "-buckets", "2", "-lock-wait",
                   seconds]
        self.root, self.seconds = root, seconds
        self.process = process.Process(command, log_path, dict(os.environ, **(env or {})))

    def wait_until_it_waits(self):
        self.process.wait_for_log(WAITS % self.seconds)

    def wait_until_it_serves(self):
        self.port = int(self.process.wait_for_log(process.START_LINE).group(1))

    def client(self):
        return harness.Client(self.port)

    def end(self, signal_number=signal.SIGTERM):
        self.process.signal(signal_number)
        return self.status()

    def status(self):
        return self.process.popen.wait(harness.TIMEOUT_SECONDS)

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        if self.process.popen.poll() is None:
            self.process.popen.kill()
            self.process.popen.wait(harness.TIMEOUT_SECONDS)
        if kind is not None:
            print(self.process.log())
        assert "Sanitizer" not in self.process.log(), self.process.log()
