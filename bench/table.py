"""Figures of several rounds, what is wanted of them, and all of them as Markdown."""
import operator
import statistics

from plan import KIB, MIB, SMALL, SMALL_OFFSETS

AT_LEAST, AT_MOST = ">=", "<="
COMPARE = {AT_LEAST: operator.ge, AT_MOST: operator.le}
OURS, NGINX = "rochefort", "nginx, static file"


def spread(values):
    return {"median": statistics.median(values), "min": min(values), "max": max(values)}


def summarise(rounds):
    """{field: median, min and max} of the numbers that every round has."""
    return {field: spread([r[field] for r in rounds]) for field, value in rounds[0].items()
            if isinstance(value, (int, float)) and all(field in r for r in rounds)}


def ratio(ours, theirs, field):
    """Ours over theirs, round by round."""
    return spread([a[field] / b[field] for a, b in zip(ours, theirs)])


def missing(value, path="results"):
    """Where a figure is not a number, as a list of paths."""
    if isinstance(value, dict):
        return [bad for key, item in value.items() for bad in missing(item, "%s.%s" % (path, key))]
    if isinstance(value, list):
        return [bad for n, item in enumerate(value) for bad in missing(item, "%s[%d]" % (path, n))]
    return [path] if value is None or value != value else []


def plural(count):
    return "%d connection%s" % (count, "s"[:count > 1])


def find(chapters, chapter, field, **fields):
    rows = chapters.get(chapter, {"rows": []})["rows"]
    row = next((row for row in rows if all(row.get(k) == v for k, v in fields.items())), {})
    return row.get(field)


def main_targets(chapters):
    def speed(field, kind, size, connections):
        return find(chapters, "speed", field, workload=kind, size=size, connections=connections,
                    server=NGINX)
    for kind in ("append", "get"):
        for n, least in ((8, 0.55), (64, 1), (256, 1)):
            yield ("%s of 100 B, %s, requests/s over those of %s" % (kind, plural(n), NGINX),
                   AT_LEAST, least, speed("ratio", kind, SMALL, n))
        yield ("%s of 100 B, 1 connection, p50 over that of %s" % (kind, NGINX), AT_MOST, 0.333,
               speed("ratio_p50", kind, SMALL, 1))
    for size in (16 * KIB, 64 * KIB, 256 * KIB, MIB):
        for n in (8, 64):
            yield ("get of %s, %s, requests/s over those of %s" % (size_text(size), plural(n),
                                                                   NGINX),
                   AT_LEAST, 1, speed("ratio", "get", size, n))
    yield ("getMulti of 100 x 100 B, 64 connections, values/s over requests/s of " + NGINX,
           AT_LEAST, 20, speed("ratio", "getMulti", SMALL_OFFSETS, 64))
    yield ("getMulti of 10000 x 100 B, 8 connections, values/s", AT_LEAST, 3e6, find(
        chapters, "speed", "values_per_second", workload="getMulti", size=10000, connections=8))
    for count in (100, 10000):
        for n in (1, 16):
            yield ("appendMulti of %d x 100 B, %s, values/s" % (count, plural(n)), AT_LEAST, 2.5e6,
                   find(chapters, "batches", "values_per_second", size=SMALL, count=count,
                        connections=n, synced=False))
    yield ("appendMulti of 64 MiB of 1 KiB values on a tmpfs, MiB/s over fio's", AT_LEAST, 0.6,
           find(chapters, "batches", "ratio", size=KIB))
    for place, least in (("tmpfs", 0.6), ("disk", 1)):
        for size in (64 * KIB, MIB):
            for n in (1, 8, 64):
                yield ("append of %s on %s, %s, MiB/s over fio's" % (size_text(size), place,
                                                                     plural(n)), AT_LEAST, least,
                       find(chapters, "writes", "ratio", place=place, size=size, connections=n,
                            server=OURS))
    for kind in ("append", "get"):
        yield ("system calls of the loop per %s of 100 B, 64 connections" % kind, AT_MOST, 2.5,
               find(chapters, "calls", "per_request", workload=kind, size=SMALL, connections=64,
                    thread="loop"))
    yield ("bytes per idle connection", AT_MOST, 3 * KIB, find(
        chapters, "memory", "bytes_per_connection", server=OURS, workload="idle"))
    yield ("peak RSS in bytes, 256 busy connections, append and get of 100 B", AT_MOST, 8 * MIB,
           find(chapters, "memory", "peak_rss_bytes", workload="mixed"))
    yield ("bytes beyond what is reserved and a fresh start, 64 gets of 1 MiB", AT_MOST, 16 * MIB,
           find(chapters, "memory", "beyond_bytes", workload="get"))


def growth_targets(chapters):
    for name, chapter in chapters.items():
        for kind, figure in chapter.get("growth", {}).items():
            yield ("%s, %s: the largest cost over the smallest" % (name, kind), AT_MOST, 1.3,
                   figure)


def tails_targets(chapters):
    yield ("p99.9 of cached gets beside dd over that without", AT_MOST, 2, find(
        chapters, "tails", "ratio", what="get, cached"))


def cold_targets(chapters):
    for size in (SMALL, 4 * KIB, 64 * KIB):
        for n in (1, 8, 64):
            for what, field, comparison, value in (("reads/s", "ratio", AT_LEAST, 0.9),
                                                   ("p99", "ratio_p99", AT_MOST, 2)):
                yield ("cold reads of %s, %s, %s over fio's" % (size_text(size), plural(n), what),
                       comparison, value, find(chapters, "cold", field, workload="get", size=size,
                                               connections=n, server="fio"))


TARGETS = {"main": main_targets, "growth": growth_targets, "tails": tails_targets,
           "cold": cold_targets}


def targets(run, chapters):
    """Rows: name, what is wanted, and if it was measured the figure and whether it is met. Nothing
    fails because of it: a slow machine is not a wrong byte."""
    rows = []
    for name, comparison, value, figure in TARGETS[run](chapters):
        rows.append({"name": name, "wanted": "%s %s" % (comparison, number(value))})
        if figure is not None:
            figure = figure if isinstance(figure, dict) else spread([figure])
            met = COMPARE[comparison](figure["median"], value)
            rows[-1].update(figure=figure, met="yes" if met else "no")
    return rows


def number(value):
    """Short: three digits, thousands with k."""
    if value >= 1000:
        return "%.*fk" % (value < 100000, value / 1000)
    return "%.3g" % value if value < 100 else "%.0f" % value


def size_text(value):
    for unit, name in ((1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")):
        if value >= unit:
            return "%g %s" % (round(value / unit, 1), name)
    return "%d B" % value


def milliseconds(us):
    return "%.3f" % (us / 1000) if us < 10000 else "%.1f" % (us / 1000)


def mib(value):
    return "%.1f" % (value / MIB)


def two(value):
    return "%.2f" % value


def top_calls(counts):
    return ", ".join("%s %.2f" % pair for pair in counts.items() if pair[1] >= 0.005)


# Columns: head, field, how it is shown (None: as text), and with "spread" also min and max
LATENCY = [("p50 ms", "p50_us", milliseconds), ("p99 ms", "p99_us", milliseconds),
           ("p99.9 ms", "p999_us", milliseconds)]
WHO = [("server", "server", None), ("what", "what", None), ("conns", "connections", number)]
RATE = [("req/s", "per_second", number, "spread")]
CPU = [("CPU us", "cpu_us", number), ("user", "cpu_user_us", number),
       ("system", "cpu_system_us", number), ("loop", "cpu_loop_us", number),
       ("workers", "cpu_workers_us", number), ("switches", "switches", two)]
RSS = [("RSS MiB", "peak_rss_bytes", mib)]
OVER = [("ours/its", "ratio", two, "spread")]
COLUMNS = {
    "targets": [("target", "name", None), ("wanted", "wanted", None),
                ("median", "figure", number, "spread"), ("met", "met", None)],
    "speed": WHO + RATE + OVER + LATENCY + CPU + RSS + [("generator", "generator_share", two)],
    "calls": WHO + [("thread", "thread", None), ("calls/request", "per_request", two),
                    ("calls/MiB", "per_mib", number), ("which", "calls", top_calls)],
    "callgrind": WHO + [("instructions/request", "instructions", number),
                        ("allocations/request", "allocations", two)],
    "memory": WHO + [("bytes a connection", "bytes_per_connection", number, "spread"),
                     ("peak RSS MiB", "peak_rss_bytes", mib, "spread"),
                     ("reserved MiB", "reserved_bytes", mib), ("beyond MiB", "beyond_bytes", mib)],
    "batches": WHO + [("values/s", "values_per_second", number, "spread"),
                      ("MiB/s", "mib_per_second", number), ("of fio's", "ratio", two, "spread"),
                      ("CPU ns/value", "cpu_ns_value", number),
                      ("of the worker", "cpu_workers_ns_value", number)] + LATENCY + RSS
    + [("generator", "generator_share", two)],
    "writes": WHO + [("MiB/s", "mib_per_second", number, "spread"),
                     ("of fio's", "ratio", two, "spread")] + LATENCY + CPU[:1]
    + [("generator", "generator_share", two)],
    "cold": WHO + [("reads/s", "values_per_second", number, "spread")] + OVER + LATENCY,
    "tails": [("what", "what", None), ("conns", "connections", number),
              ("p99.9 ms quiet", "quiet", milliseconds, "spread"),
              ("beside dd", "beside", milliseconds, "spread"), ("ratio", "ratio", two)],
    "growth": [("at", "at", number), ("workload", "workload", None)] + RATE + CPU[:1]
    + [("a value", "cpu_value_us", number)] + LATENCY + RSS,
    "own": [("what", "what", None), ("conns", "connections", number)] + RATE + LATENCY
    + [("generator", "generator_share", two)],
}


def cells(row, columns):
    found = []
    for _, field, show, *wide in columns:
        value = row.get(field)
        if show is None or value is None:
            found += ["-" if value is None else value] + ["-"] * 2 * len(wide)
        elif isinstance(value, dict) and "median" in value:
            found += [show(value[key]) for key in (("median", "min", "max") if wide
                                                   else ("median",))]
        else:
            found += [show(value)] + ["-"] * 2 * len(wide)
    return found


def table(rows, columns):
    """Lines of a Markdown table that is also laid out to be read as it is; text is flush left."""
    head = [cell for name, _, _, *wide in columns for cell in [name] + ["min", "max"] * len(wide)]
    left = [show in (None, top_calls) for _, _, show, *wide in columns
            for _ in range(1 + 2 * len(wide))]
    body = [cells(row, columns) for row in rows]
    widths = [max(3, *(len(line[n]) for line in [head] + body)) for n in range(len(head))]
    rule = ["-" * (width - 1) + "-:"[not flush] for width, flush in zip(widths, left)]
    return ["| %s |" % " | ".join(cell.ljust(width) if flush else cell.rjust(width)
                                  for cell, width, flush in zip(line, widths, left))
            for line in [head, rule] + body]


def render(results, plots):
    """All of it; the plots are files beside it."""
    machine = results["machine"]
    lines = ["# %(run)s" % results + ": %(version)s, commit %(commit)s, %(date)s" % machine, "",
             "%(cores)d cores (%(cpu)s), %(memory_gib)g GiB, Linux %(kernel)s, %(filesystem)s; "
             "load average before: %(load_before).2f." % machine,
             "; ".join(filter(None, machine["programs"])) + ".",
             "Rounds: %(rounds)d. `%(command)s` took %(took_seconds)d s." % results]
    if results["quick"]:
        lines += ["", "**A quick run: its timings mean nothing.**"]
    lines += ["", "## targets", ""] + table(results["targets"], COLUMNS["targets"])
    for name, chapter in results["chapters"].items():
        lines += ["", "## " + name, ""]
        if "what" in chapter:
            lines += ["at: " + chapter["what"], ""]
        lines += table(chapter["rows"], COLUMNS.get(name, COLUMNS["growth"]))
        if chapter.get("note"):
            lines += ["", chapter["note"] + "."]
    if plots:
        lines += ["", "## plots", ""] + ["![%s](%s)" % (name[:-4], name) for name in plots]
    return "\n".join(lines) + "\n"
