"""An idle server uses no CPU: it neither spins nor wakes up."""
import os
import time
import unittest

import harness

CLIENTS = 50
INTERVAL_SECONDS = 1
CPU_SECONDS_MAX = 0.005  # in an interval; a thread that spins uses one core for all of it


def snapshot(pid):
    """For each thread how often it has slept, and all their CPU seconds."""
    sleeps, nanoseconds = {}, 0
    for thread in os.listdir("/proc/%d/task" % pid):
        task = "/proc/%d/task/%s/" % (pid, thread)
        with open(task + "status") as file:
            fields = dict(line.split(":\t", 1) for line in file)
        sleeps[int(thread)] = int(fields["voluntary_ctxt_switches"])
        with open(task + "schedstat") as file:
            nanoseconds += int(file.read().split()[0])
    return sleeps, nanoseconds / 1e9


class Idle(unittest.TestCase):
    def is_idle(self, pid, wakeups_of_loop):
        """True if in one interval no worker woke up, and the loop at most so many times."""
        sleeps, seconds = snapshot(pid)
        time.sleep(INTERVAL_SECONDS)  # what is measured
        later, later_seconds = snapshot(pid)
        self.seen = {thread: later[thread] - sleeps[thread] for thread in later}
        self.seen_seconds = later_seconds - seconds
        loop = self.seen.pop(pid)
        return loop <= wakeups_of_loop and not any(self.seen.values()) and \
            self.seen_seconds <= CPU_SECONDS_MAX

    def check_idle(self, server, wakeups_of_loop):
        """The first intervals may still see work from before."""
        pid = server.process.pid
        if not any(self.is_idle(pid, wakeups_of_loop) for _ in range(5)):
            self.fail("%.4f s of CPU in a second, workers slept %s times" % (
                self.seen_seconds, self.seen))

    def test_without_clients(self):
        with harness.Server() as server:
            self.check_idle(server, 0)

    def test_after_the_last_client(self):
        with harness.Server() as server:
            with server.client() as client:
                for _ in range(200):
                    client.append("a", b"x")
            self.check_idle(server, 1)  # the timer of the timeouts stops

    def test_with_idle_clients(self):
        """All have sent a request, the last one so many that loop and worker spin for more."""
        with harness.Server() as server:
            clients = [server.client() for _ in range(CLIENTS)]
            for client in clients:
                client.append("a", b"x")
            for _ in range(200):
                clients[-1].append("a", b"x")
            self.check_idle(server, 2)  # the timeouts are checked once a second
            for client in clients:
                self.assertEqual(b"x", client.get("a", 0))
                client.http.close()


if __name__ == "__main__":
    unittest.main()
