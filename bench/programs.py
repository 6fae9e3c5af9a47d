"""Programs of the harness: servers and generators, all stopped whatever happens.

Each is told by the kernel to end if the harness dies before it could stop it.
"""
import atexit
import ctypes
import os
import shutil
import signal
import subprocess

import process
from process import Failure

STOP_SECONDS = 10
SHOWN_CHARACTERS = 2000
PR_SET_PDEATHSIG = 1

running = []
libc = ctypes.CDLL(None)


def die_with_parent():
    os.setsid()  # an interrupt from the terminal is for the harness, which then stops us
    libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


def find(name):
    """Where a program is, or None; servers are often where only root looks for them."""
    return shutil.which(name, path=os.environ.get("PATH", os.defpath) + ":/usr/sbin:/sbin")


class Program(process.Process):
    """In the background; its output goes to `log_path`."""

    def __init__(self, command, log_path, env=None):
        super().__init__(command, log_path, env, preexec_fn=die_with_parent)  # we run no threads
        running.append(self)

    def wait(self, seconds):
        """Until it ends by itself; answers its exit status."""
        try:
            status = self.popen.wait(seconds)
        except subprocess.TimeoutExpired as error:
            raise Failure("%s did not end in %d s" % (self.name, seconds)) from error
        running.remove(self)
        return status

    def stop(self, signal_number=signal.SIGTERM):
        """Ends it; answers its exit status."""
        if self in running:
            running.remove(self)
        self.signal(signal_number)
        try:
            return self.popen.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.popen.kill()
            return self.popen.wait(STOP_SECONDS)


@atexit.register
def stop_all():
    for program in list(running):
        program.stop()


def run(command, seconds, stdin=None):
    """Runs a command to its end, within a time; answers what it wrote to standard output."""
    try:
        done = subprocess.run(command, input=stdin, capture_output=True, timeout=seconds,
                              stdin=subprocess.DEVNULL if stdin is None else None,
                              preexec_fn=die_with_parent, check=False)
    except subprocess.TimeoutExpired as error:
        raise Failure("%s did not end in %d s" % (" ".join(command), seconds)) from error
    if done.returncode != 0:
        said = (done.stdout + done.stderr).decode(errors="replace")
        raise Failure("%s: exit %d\n%s" % (" ".join(command), done.returncode,
                                           said[-SHOWN_CHARACTERS:]))
    return done.stdout
