"""What a server has used, as the kernel counts it: CPU by thread, context switches, memory.

CPU time is in /proc/PID/task/*/stat in ticks of 10 ms; the kernel rounds the sum of a thread, not
each slice, so a run of a second is good to about one part in a hundred.
"""
import os
import re

TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")
KINDS = ("loop", "workers")


def family(pid):
    """The process and its children: nginx works in a child."""
    pids = [pid]
    try:
        with open("/proc/%d/task/%d/children" % (pid, pid)) as file:
            for child in file.read().split():
                pids += family(int(child))
    except FileNotFoundError:
        pass
    return pids


def threads(pid):
    """The ids of the process's threads; the first is the main one, which runs the loop."""
    return sorted(int(tid) for tid in os.listdir("/proc/%d/task" % pid))


def _thread(pid, tid):
    base = "/proc/%d/task/%d/" % (pid, tid)
    with open(base + "stat") as file:
        fields = file.read().rsplit(")", 1)[1].split()
    with open(base + "status") as file:
        switches = dict(re.findall(r"^(\w*voluntary)_ctxt_switches:\s+(\d+)", file.read(), re.M))
    return (int(fields[11]) / TICKS_PER_SECOND, int(fields[12]) / TICKS_PER_SECOND,
            int(switches["voluntary"]), int(switches["nonvoluntary"]))


def snapshot(pid):
    """{(pid, tid): (user seconds, system seconds, voluntary, involuntary switches)}"""
    found = {}
    for member in family(pid):
        for tid in threads(member):
            try:
                found[member, tid] = _thread(member, tid)
            except FileNotFoundError:
                continue  # it has ended
    return found


def reset_peak(pid):
    """From here on the peak of memory is counted anew."""
    try:
        with open("/proc/%d/clear_refs" % pid, "w") as file:
            file.write("5")
    except OSError:
        pass  # then the peak is that of the whole life


def memory_bytes(pid, field):
    total = 0
    for member in family(pid):
        with open("/proc/%d/status" % member) as file:
            total += int(re.search(field + r":\s+(\d+) kB", file.read()).group(1)) * 1024
    return total


def rss_bytes(pid):
    return memory_bytes(pid, "VmRSS")


def peak_rss_bytes(pid):
    return memory_bytes(pid, "VmHWM")


def between(before, after, requests):
    """The figures of a run, each per request."""
    totals = {kind: [0, 0, 0, 0] for kind in KINDS}
    for (pid, tid), now in after.items():
        then = before.get((pid, tid), (0, 0, 0, 0))
        kind = KINDS[0] if pid == tid else KINDS[1]
        totals[kind] = [total + n - t for total, n, t in zip(totals[kind], now, then)]
    count = max(requests, 1)
    user, system, *switches = (sum(column) for column in zip(*totals.values()))
    figures = {"cpu_us": (user + system) * 1e6 / count, "cpu_user_us": user * 1e6 / count,
               "cpu_system_us": system * 1e6 / count, "switches": sum(switches) / count}
    for kind in KINDS:
        figures["cpu_%s_us" % kind] = sum(totals[kind][:2]) * 1e6 / count
        figures["switches_" + kind] = sum(totals[kind][2:]) / count
    return figures
