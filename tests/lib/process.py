"""Programs that run beside a test or a measurement: started, waited for, stopped by their own id.

Nothing sleeps for a fixed time: wait_for() polls a condition, with a bound.
"""
import os
import re
import signal
import subprocess
import time

TIMEOUT_SECONDS = 60
START_LINE = r"starting http server on \S*:(\d+)\n"


class Failure(AssertionError):
    """What was expected did not come: a condition in time, a program's start, a right byte."""


def wait_for(condition, what, seconds=TIMEOUT_SECONDS):
    """Polls until condition() is true and returns its value."""
    limit = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > limit:
            raise Failure("timed out waiting for " + what)
        time.sleep(0.005)


def read_log(path, begin=0):
    with open(path, "rb") as log:
        log.seek(begin)
        return log.read().decode(errors="replace")


class Process:
    """A program in the background; what it writes is added to the file `log_path`."""

    def __init__(self, command, log_path, env=None, preexec_fn=None):
        self.name, self.log_path = os.path.basename(command[0]), log_path
        with open(log_path, "ab") as log:
            self.begin = log.tell()
            self.popen = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log,
                                          stderr=log, env=env, preexec_fn=preexec_fn)
        self.pid = self.popen.pid

    def log(self):
        """What this one has written."""
        return read_log(self.log_path, self.begin)

    def wait_for_log(self, pattern):
        """The first match of the pattern in what it has written; fails if it ends without one."""
        def found():
            ended = self.popen.poll() is not None  # asked first: it may end after the line
            match = re.search(pattern, self.log())
            if match is None and ended:
                raise Failure("%s did not start:\n%s" % (self.name, self.log()))
            return match
        return wait_for(found, "%s to start" % self.name)

    def signal(self, signal_number=signal.SIGTERM):
        if self.popen.poll() is None:
            self.popen.send_signal(signal_number)

    def sockets(self):
        """How many sockets it has open, listening ones included."""
        base, count = "/proc/%d/fd" % self.pid, 0
        for fd in os.listdir(base):
            try:
                count += os.readlink(os.path.join(base, fd)).startswith("socket:")
            except FileNotFoundError:
                continue
        return count
