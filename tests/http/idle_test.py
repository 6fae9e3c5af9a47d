"""A server with nothing to do does nothing: it neither spins nor wakes up."""
import os
import time
import unittest

import harness

CLIENTS = 50
WINDOW_SECONDS = 1
CPU_SECONDS_MAX = 0.005  # in a window; somebody who spins has one core's


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
    def watch(self, pid, wakeups_of_loop):
        """True if nobody has woken up in a window, but for the loop so many times."""
        sleeps, seconds = snapshot(pid)
        time.sleep(WINDOW_SECONDS)  # this is what is measured, not waited for
        later, later_seconds = snapshot(pid)
        self.seen = {thread: later[thread] - sleeps[thread] for thread in later}
        self.seen_seconds = later_seconds - seconds
        loop = self.seen.pop(pid)
        return loop <= wakeups_of_loop and not any(self.seen.values()) and \
            self.seen_seconds <= CPU_SECONDS_MAX

    def expect_rest(self, server, wakeups_of_loop):
        """What was still to be done may take a window or two."""
        pid = server.process.pid
        if not any(self.watch(pid, wakeups_of_loop) for _ in range(5)):
            self.fail("%.4f s of CPU in a second, workers slept %s times" % (
                self.seen_seconds, self.seen))

    def test_nobody_is_there(self):
        with harness.Server() as server:
            self.expect_rest(server, 0)

    def test_after_the_last_client(self):
        with harness.Server() as server:
            with server.client() as client:
                for _ in range(200):
                    client.append("a", b"x")
            self.expect_rest(server, 1)  # the clock that watches clients stops

    def test_clients_that_are_silent(self):
        """All have sent a request, the last one so many that workers look on for more."""
        with harness.Server() as server:
            clients = [server.client() for _ in range(CLIENTS)]
            for client in clients:
                client.append("a", b"x")
            for _ in range(200):
                clients[-1].append("a", b"x")
            self.expect_rest(server, 2)  # once a second it looks whose patience is over
            for client in clients:
                self.assertEqual(b"x", client.get("a", 0))
                client.http.close()


if __name__ == "__main__":
    unittest.main()
