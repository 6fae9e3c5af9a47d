"""The figures as Markdown, laid out to be read as it is: for the terminal and for a file."""


def number(value):
    """Short: three digits, thousands with k."""
    if value >= 100000:
        return "%.0fk" % (value / 1000)
    if value >= 1000:
        return "%.1fk" % (value / 1000)
    return "%.3g" % value if value < 100 else "%.0f" % value


def milliseconds(us):
    return "%.3f" % (us / 1000) if us < 10000 else "%.1f" % (us / 1000)


def mib(value):
    return "%.1f" % (value / (1 << 20))


def size_text(value):
    for unit, name in ((1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")):
        if value >= unit:
            return "%g %s" % (round(value / unit, 1), name)
    return "%d B" % value


def align(rows, left=1, words=()):
    """A Markdown table; the first row is its head. The first `left` columns and those numbered in
    `words` are flush left."""
    widths = [max(3, *(len(row[n]) for row in rows)) for n in range(len(rows[0]))]
    lefts = set(range(left)).union(words)
    rule = ["-" * (width - 1) + ("-" if n in lefts else ":") for n, width in enumerate(widths)]
    return ["| %s |" % " | ".join(cell.ljust(width) if n in lefts else cell.rjust(width)
                                  for n, (cell, width) in enumerate(zip(row, widths)))
            for row in [rows[0], rule] + rows[1:]]


def three(figure, show):
    """Median, min, max: three cells."""
    return [show(figure[key]) for key in ("median", "min", "max")]


def ratio(value):
    return "%.2f" % value


def targets_lines(rows):
    table = [["target", "wanted", "median", "min", "max", "met"]]
    for row in rows:
        wanted = "%s %s" % (row["comparison"], "%g" % row["wanted"])
        if "median" in row:
            cells = three(row, number) + ["yes" if row["met"] else "no"]
        else:
            cells = ["not measured", "", "", ""]
        table.append([row["name"], wanted] + cells)
    return align(table, 1, (5,))


def examples_lines(result):
    lines = ["- README's lines by curl: %d, all right" % result["curl_lines"]]
    for name, part in result.items():
        if isinstance(part, dict):
            lines.append("- %s: %d replies (%s) on %d connections compared, every byte right; %d "
                         "records stored" % (name, part["replies"], size_text(part["bytes"]),
                                             part["connections"], part["records"]))
    return lines


SPEED_HEAD = ["server", "conns", "req/s", "min", "max", "ours/its", "min", "max", "p50 ms",
              "p99 ms", "p99.9 ms", "CPU us", "user", "system", "loop", "workers", "switches",
              "RSS MiB", "generator"]


def speed_row(row):
    def median(field, show):
        return show(row[field]["median"]) if field in row else "-"
    return ([row["server"], str(row["connections"])] + three(row["per_second"], number)
            + three(row["ratio"], ratio)
            + [median(k, milliseconds) for k in ("p50_us", "p99_us", "p999_us")]
            + [median(k, number) for k in ("cpu_us", "cpu_user_us", "cpu_system_us", "cpu_loop_us",
                                           "cpu_workers_us")]
            + [median("switches", ratio), median("peak_rss_bytes", mib),
               median("generator_cpu", lambda value: "%.0f%%" % (100 * value))])


def speed_lines(rows):
    lines, groups = [], {}
    for row in rows:
        groups.setdefault((row["workload"], row["size"]), []).append(row)
    for (kind, size), members in groups.items():
        what = "%d offsets of 100 B" % size if kind == "getMulti" else size_text(size)
        lines += ["", "### %s, %s" % (kind, what), ""]
        lines += align([SPEED_HEAD] + [speed_row(row) for row in members])
        if kind == "getMulti":
            lines += ["", "ours/its counts values: nginx gets one a request."]
    return lines[1:]


def calls_lines(rows):
    table = [["server", "workload", "conns", "thread", "calls/request", "calls/MiB", "which"]]
    for row in rows:
        what = "%d offsets" % row["size"] if row["workload"] == "getMulti" else size_text(
            row["size"])
        which = ", ".join("%s %.2f" % (name, count) for name, count in row["calls"].items()
                          if count >= 0.005)
        table.append([row["server"], "%s %s" % (row["workload"], what), str(row["connections"]),
                      row["thread"], ratio(row["per_request"]),
                      "%.1f" % row["per_mib"] if "per_mib" in row else "-", which])
    return align(table, 2, (3, 6))


def memory_lines(result):
    idle = [["server", "idle conns", "bytes a connection", "min", "max", "RSS MiB"]]
    for row in result["idle"]:
        idle.append([row["server"], str(row["connections"])]
                    + three(row["bytes_per_connection"], lambda value: "%.0f" % value)
                    + [mib(row["rss_bytes"]["median"])])
    busy = [["workload", "busy conns", "peak RSS MiB", "min", "max"]]
    for row in result["busy"]:
        busy.append(["%s %s" % (row["workload"], size_text(row["size"])), str(row["connections"])]
                    + three(row["peak_rss_bytes"], mib))
    return align(idle) + [""] + align(busy)


def growth_lines(sweep):
    table = [[sweep["what"], "workload", "req/s", "min", "max", "CPU us", "p50 ms", "p99 ms",
              "p99.9 ms", "RSS MiB"]]
    for row in sweep["rows"]:
        at = size_text(row["at"]) if sweep.get("bytes") else str(row["at"])
        table.append([at, row["workload"]] + three(row["per_second"], number)
                     + [number(row["cpu_us"]["median"])]
                     + [milliseconds(row[k]["median"]) for k in ("p50_us", "p99_us", "p999_us")]
                     + [mib(row["peak_rss_bytes"]["median"])])
    return align(table, 2) + (["", sweep["note"] + "."] if sweep.get("note") else [])


def write_lines(result):
    table = [["who", "size", "beside", "MiB/s answered", "min", "max", "ours/its", "min", "max",
              "MiB/s on disk", "ours/its", "p50 ms", "p99 ms", "p99.9 ms", "min", "max", "max ms",
              "server cores", "generator cores"]]
    for row in result["rows"]:
        cores = [ratio(row[k]["median"]) if k in row else "-"
                 for k in ("server_cores", "generator_cores")]
        table.append([row["server"], size_text(row["size"]), row["beside"]]
                     + three(row["mib_per_second"], number) + three(row["ratio"], ratio)
                     + [number(row["mib_per_second_synced"]["median"]),
                        ratio(row["ratio_synced"]["median"])]
                     + [milliseconds(row[k]["median"])
                        for k in ("p50_us", "p99_us")] + three(row["p999_us"], milliseconds)
                     + [milliseconds(row["max_us"]["median"])] + cores)
    return align(table, 3) + ["", result["note"] + "."]


def read_lines(result):
    table = [["who", "workload", "conns", "reads/s", "min", "max", "ours/its", "min", "max",
              "p50 ms", "p99 ms", "p99.9 ms"]]
    for row in result["rows"]:
        table.append([row["server"], "%s %s" % (row["workload"], size_text(row["size"])),
                      str(row["connections"])] + three(row["values_per_second"], number)
                     + three(row["ratio"], ratio)
                     + [milliseconds(row[k]["median"]) for k in ("p50_us", "p99_us", "p999_us")])
    return align(table, 2) + ["", result["note"] + "."]


LINES = {"examples": examples_lines, "speed": speed_lines, "calls": calls_lines,
         "memory": memory_lines, "write": write_lines, "read": read_lines}


def render(results, plots):
    """All of it; the plots are files beside it."""
    machine = results["machine"]
    lines = ["# %(version)s, commit %(commit)s, %(date)s" % machine, "",
             "%(cores)d cores (%(cpu)s), %(memory_gib)g GiB, Linux %(kernel)s, %(filesystem)s; "
             "load average before: %(load_before).2f." % machine,
             "; ".join(text for text in machine["programs"].values() if text) + ".",
             "Rounds: %d. `%s` took %d s in all." % (results["rounds"], results["command"],
                                                     results["took_seconds"])]
    if results["quick"]:
        lines += ["", "**A quick run: its timings mean nothing.**"]
    lines += ["", "## targets", ""] + targets_lines(results["targets"])
    for name, chapter in results["chapters"].items():
        lines += ["", "## " + name, ""] + LINES.get(name, growth_lines)(chapter)
    if plots:
        lines += ["", "## plots", ""] + ["![%s](%s)" % (name[:-4], name) for name in plots]
    return "\n".join(lines) + "\n"
