"""What is wanted of the figures, and what came out: the table at the top of the results.

Nothing fails because of it: a slow machine is not a wrong byte.
"""
import operator

from plan import KIB, MIB, SMALL

AT_LEAST, AT_MOST = ">=", "<="
COMPARE = {AT_LEAST: operator.ge, AT_MOST: operator.le}
OWN, NGINX = "evhttp, our sockets", "nginx, static file"


def find(rows, **wanted):
    """The first row that has all of these, or {}."""
    return next((row for row in rows if all(row.get(k) == v for k, v in wanted.items())), {})


def size_name(size):
    return {SMALL: "100 B", 4 * KIB: "4 KiB", 64 * KIB: "64 KiB", MIB: "1 MiB"}[size]


def speed_targets(chapters):
    def row(kind, size, connections, server):
        return find(chapters.get("speed", []), workload=kind, size=size, connections=connections,
                    server=server)
    for server in (NGINX, OWN):
        for kind in ("append", "get"):
            for n in (64, 256):
                yield ("%s 100 B, %d connections, requests/s over those of %s" % (kind, n, server),
                       AT_LEAST, 0.85, row(kind, SMALL, n, server).get("ratio"))
    for kind in ("append", "get"):
        for n in (1, 8):
            yield ("%s 100 B, %s, p50 over that of %s"
                   % (kind, "1 connection" if n == 1 else "8 connections", OWN),
                   AT_MOST, 1.1, row(kind, SMALL, n, OWN).get("ratio_p50"))
    for size in (64 * KIB, MIB):
        yield ("get %s, 8 connections, requests/s over those of %s" % (size_name(size), NGINX),
               AT_LEAST, 1, row("get", size, 8, NGINX).get("ratio"))
    yield ("getMulti of 100 x 100 B, 64 connections, values/s over requests/s of %s" % NGINX,
           AT_LEAST, 15, row("getMulti", 100, 64, NGINX).get("ratio"))


def read_targets(chapters):
    rows = chapters.get("read", {}).get("rows", [])
    for kind, size, n, what in (
            ("get", SMALL, 64, "cold reads of 100 B, 64 connections"),
            ("get", 4 * KIB, 64, "cold reads of 4 KiB, 64 connections"),
            ("getMulti", SMALL, 1, "a cold getMulti of 1000 offsets, values/s")):
        found = find(rows, workload=kind, size=size, connections=n, server="fio")
        yield what + " over fio's", AT_LEAST, 0.8, found.get("ratio")


def cost_targets(chapters):
    for kind in ("append", "get"):
        row = find(chapters.get("calls", []), server="rochefort", workload=kind, size=SMALL,
                   connections=64, thread="loop")
        yield ("system calls of the loop per %s of 100 B, 64 connections" % kind, AT_MOST, 2.5,
               row.get("per_request"))
    memory = chapters.get("memory", {})
    row = find(memory.get("idle", []), server="rochefort")
    yield "bytes per idle connection", AT_MOST, 5 * KIB, row.get("bytes_per_connection")
    row = find(memory.get("busy", []), workload="mixed", size=SMALL)
    peak = row.get("peak_rss_bytes")
    yield ("peak RSS in MiB, %d busy connections, append and get of 100 B"
           % row.get("connections", 256), AT_MOST, 24,
           peak and {key: value / MIB for key, value in peak.items()})


def table(chapters):
    """Rows: name, the comparison, what is wanted, and if it was measured the figure (with min and
    max where there are rounds) and whether it is met."""
    rows = []
    for source in (speed_targets, read_targets, cost_targets):
        for name, comparison, wanted, figure in source(chapters):
            row = {"name": name, "comparison": comparison, "wanted": wanted}
            if figure is not None:
                if not isinstance(figure, dict):
                    figure = {"median": figure, "min": figure, "max": figure}
                row.update(figure, met=COMPARE[comparison](figure["median"], wanted))
            rows.append(row)
    return rows
