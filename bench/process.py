"""Processes of the harness: started in fresh directories, stopped by their own id, always.

Each is told by the kernel to end if the harness dies before it could stop them.
"""
import atexit
import ctypes
import os
import re
import signal
import subprocess
import time

from wire import Failure

START_SECONDS = 20
STOP_SECONDS = 10
PR_SET_PDEATHSIG = 1

running = []
libc = ctypes.CDLL(None)


def die_with_parent():
    os.setsid()  # an interrupt from the terminal is for the harness, which then stops us
    libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


def wait_for(condition, what, seconds=START_SECONDS):
    """Polls until condition() is true, and answers its value."""
    limit = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > limit:
            raise Failure("timed out waiting for " + what)
        time.sleep(0.005)


class Process:
    """A server in the background; its output goes to `log_path`."""

    def __init__(self, command, log_path):
        self.name, self.log_path = os.path.basename(command[0]), log_path
        with open(log_path, "ab") as log:
            self.begin = log.tell()
            self.process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                preexec_fn=die_with_parent)  # nobody else runs threads here
        self.pid = self.process.pid
        running.append(self)

    def log(self):
        with open(self.log_path, "rb") as log:
            log.seek(self.begin)
            return log.read().decode(errors="replace")

    def wait_for_log(self, pattern):
        """The first match of the pattern in what it has written."""
        def found():
            if self.process.poll() is not None:
                raise Failure("%s did not start:\n%s" % (self.name, self.log()))
            return re.search(pattern, self.log())
        return wait_for(found, "%s to start" % self.name)

    def stop(self, signal_number=signal.SIGTERM):
        """Ends it; answers its exit status."""
        if self in running:
            running.remove(self)
        if self.process.poll() is None:
            self.process.send_signal(signal_number)
        try:
            return self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            return self.process.wait(STOP_SECONDS)


@atexit.register
def stop_all():
    for process in list(running):
        process.stop()


def run(command, seconds, stdin=None):
    """Runs a command to its end, within a time; answers what it wrote to standard output."""
    try:
        done = subprocess.run(command, input=stdin, capture_output=True, timeout=seconds,
                              stdin=subprocess.DEVNULL if stdin is None else None,
                              preexec_fn=die_with_parent, check=False)
    except subprocess.TimeoutExpired as error:
        raise Failure("%s did not end in %d s" % (" ".join(command), seconds)) from error
    if done.returncode != 0:
        raise Failure("%s: exit %d\n%s%s" % (" ".join(command), done.returncode,
                                             done.stdout.decode(errors="replace"),
                                             done.stderr.decode(errors="replace")))
    return done.stdout
