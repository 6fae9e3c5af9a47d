"""Programs that the harness starts, all stopped at its end, and what the kernel counts for them.

CPU time is in /proc/PID/task/*/stat in ticks of 10 ms; the kernel rounds the sum of a thread, not
each slice, so a run of a second is exact to about 1 in 100.
"""
import atexit
import ctypes
import os
import re
import shutil
import signal
import subprocess

import process
from process import Failure

STOP_SECONDS = 10
SHOWN_CHARACTERS = 2000
PR_SET_PDEATHSIG = 1
TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")

running = []
libc = ctypes.CDLL(None)


def die_with_parent():
    os.setsid()  # an interrupt from the terminal is for the harness, which then stops its programs
    libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


def find(name):
    """Where a program is, or None; servers are often only in root's path."""
    return shutil.which(name, path=os.environ.get("PATH", os.defpath) + ":/usr/sbin:/sbin")


class Program(process.Process):
    """In the background; its output goes to `log_path`."""

    def __init__(self, command, log_path, env=None):
        super().__init__(command, log_path, env, preexec_fn=die_with_parent)  # no threads run here
        running.append(self)

    def stop(self, signal_number=signal.SIGTERM):
        """Ends it; returns its exit status."""
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


def run(command, seconds, stdin=b"", enter=None):
    """Runs a command to its end, within a time; returns its standard output. Before it begins,
    enter() gets its id."""
    def prepare():
        die_with_parent()
        if enter:
            enter(os.getpid())
    try:
        done = subprocess.run(command, input=stdin, capture_output=True, timeout=seconds,
                              preexec_fn=prepare, check=False)
    except subprocess.TimeoutExpired as error:
        raise Failure("%s did not end in %d s" % (" ".join(command), seconds)) from error
    if done.returncode != 0:
        output = (done.stdout + done.stderr).decode(errors="replace")
        raise Failure("%s: exit %d\n%s" % (" ".join(command), done.returncode,
                                           output[-SHOWN_CHARACTERS:]))
    return done.stdout


def family(pid):
    """The process and its children: nginx works in a child."""
    with open("/proc/%d/task/%d/children" % (pid, pid)) as file:
        return [pid] + [member for child in file.read().split() for member in family(int(child))]


def threads(pid):
    """The ids of the process's threads; the first is the main one, which runs the loop."""
    return sorted(int(tid) for tid in os.listdir("/proc/%d/task" % pid))


def usage(pid):
    """{(pid, tid): (user seconds, system seconds, context switches)} of all threads."""
    found = {}
    for member in family(pid):
        for tid in threads(member):
            base = "/proc/%d/task/%d/" % (member, tid)
            with open(base + "stat") as file:
                user, system = file.read().rsplit(")", 1)[1].split()[11:13]
            with open(base + "status") as file:
                switches = re.findall(r"^\w*voluntary_ctxt_switches:\s+(\d+)", file.read(), re.M)
            found[member, tid] = (int(user) / TICKS_PER_SECOND, int(system) / TICKS_PER_SECOND,
                                  sum(map(int, switches)))
    return found


def used(before, after, requests):
    """Per request: CPU microseconds, in all and of the loop and the workers, and switches."""
    total, loop = [0, 0, 0], 0
    for (pid, tid), now in after.items():
        used_here = [n - t for n, t in zip(now, before.get((pid, tid), (0, 0, 0)))]
        total = [a + b for a, b in zip(total, used_here)]
        loop += sum(used_here[:2]) if pid == tid else 0
    user, system = (seconds * 1e6 / requests for seconds in total[:2])
    return {"cpu_us": user + system, "cpu_user_us": user, "cpu_system_us": system,
            "cpu_loop_us": loop * 1e6 / requests,
            "cpu_workers_us": max(0.0, user + system - loop * 1e6 / requests),
            "switches": total[2] / requests}


def reset_peak(pid):
    """Begins the count of the peak of memory anew, where the kernel lets us."""
    try:
        with open("/proc/%d/clear_refs" % pid, "w") as file:
            file.write("5")
    except OSError:
        pass  # then the peak is that of the whole life


def memory_bytes(pid, field):
    """VmRSS, or the peak VmHWM."""
    total = 0
    for member in family(pid):
        with open("/proc/%d/status" % member) as file:
            total += int(re.search(field + r":\s+(\d+) kB", file.read()).group(1)) * 1024
    return total
