"""The figures as text, for the terminal and for a file."""


def number(value, digits=3):
    """Short: three digits, thousands with k."""
    if value >= 100000:
        return "%.0fk" % (value / 1000)
    if value >= 1000:
        return "%.1fk" % (value / 1000)
    return "%.*g" % (digits, value) if value < 100 else "%.0f" % value


def milliseconds(us):
    return "%.2f" % (us / 1000) if us < 100000 else "%.0f" % (us / 1000)


def size_text(value):
    for unit, name in ((1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")):
        if value >= unit:
            return "%g %s" % (round(value / unit, 1), name)
    return "%d B" % value


def align(rows, left=1):
    """Columns of text; the first `left` are flush left."""
    widths = [max(len(row[n]) for row in rows) for n in range(len(rows[0]))]
    return ["  ".join(cell.ljust(width) if n < left else cell.rjust(width)
                      for n, (cell, width) in enumerate(zip(row, widths))).rstrip()
            for row in rows]


def examples_lines(result):
    lines = ["README's lines by curl: %d, all right" % result["curl_lines"]]
    for name, part in result.items():
        if isinstance(part, dict):
            lines.append("%s: %d replies (%s) on %d connections compared, every byte right; %d "
                         "records stored" % (name, part["replies"], size_text(part["bytes"]),
                                             part["connections"], part["records"]))
    return lines


SPEED_HEAD = ["server", "conns", "req/s", "min", "max", "ours/its", "min", "max", "p50 ms",
              "p99 ms", "p99.9 ms", "CPU us", "user", "system", "loop", "workers", "switches",
              "RSS MiB", "generator"]


def speed_row(row):
    def median(field, show):
        return show(row[field]["median"]) if field in row else "-"
    rate, ratio = row["per_second"], row["ratio"]
    switches = "-"
    if "switches_loop" in row:
        switches = "%.2f" % (row["switches_voluntary"]["median"]
                             + row["switches_involuntary"]["median"])
    return [row["server"], str(row["connections"])] + [number(rate[k]) for k in
                                                       ("median", "min", "max")] + [
        "%.2f" % ratio[k] for k in ("median", "min", "max")] + [
        milliseconds(row[k]["median"]) for k in ("p50_us", "p99_us", "p999_us")] + [
        median(k, number) for k in ("cpu_us", "cpu_user_us", "cpu_system_us", "cpu_loop_us",
                                    "cpu_workers_us")] + [
        switches, median("peak_rss_bytes", lambda v: "%.0f" % (v / (1 << 20))),
        median("generator_cpu", lambda v: "%.0f%%" % (100 * v))]


def speed_lines(rows):
    lines, groups = [], {}
    for row in rows:
        groups.setdefault((row["workload"], row["size"]), []).append(row)
    for (kind, size), members in groups.items():
        what = "%d offsets of 100 B" % size if kind == "getMulti" else size_text(size)
        lines += ["", "%s, %s" % (kind, what)]
        lines += align([SPEED_HEAD] + [speed_row(row) for row in members])
    return lines[1:]


def calls_lines(rows):
    table = [["workload", "thread", "calls/request", "which"]]
    for row in rows:
        which = ", ".join("%s %.2f" % (name, count) for name, count in row["calls"].items()
                          if count >= 0.005)
        table.append([row["workload"], row["thread"], "%.2f" % row["per_request"], which])
    widths = [max(len(row[n]) for row in table) for n in range(3)]
    return ["%s  %s  %s  %s" % (row[0].ljust(widths[0]), row[1].ljust(widths[1]),
                                row[2].rjust(widths[2]), row[3]) for row in table]


def growth_lines(sweep):
    table = [[sweep["what"], "workload", "req/s", "CPU us", "p50 ms", "p99 ms", "p99.9 ms",
              "RSS MiB"]]
    for row in sweep["rows"]:
        at = size_text(row["at"]) if sweep.get("bytes") else str(row["at"])
        table.append([at, row["workload"], number(row["per_second"]["median"]),
                      number(row["cpu_us"]["median"])] + [
            milliseconds(row[k]["median"]) for k in ("p50_us", "p99_us", "p999_us")] + [
            "%.0f" % (row["peak_rss_bytes"]["median"] / (1 << 20))])
    return align(table, 2) + (["  " + sweep["note"]] if sweep.get("note") else [])


def write_lines(result):
    table = [["who", "size", "GiB", "MiB/s answered", "MiB/s on disk", "p50 ms", "p99 ms",
              "p99.9 ms", "max ms", "server cores", "generator cores"]]
    for row in result["rows"]:
        cores = ["%.2f" % row[k] if k in row else "-" for k in ("server_cores", "generator_cores")]
        table.append([row["server"], size_text(row["size"]), "%.2f" % (row["bytes"] / (1 << 30)),
                      "%.0f" % row["mib_per_second"], "%.0f" % row["mib_per_second_synced"]]
                     + [milliseconds(row[k]) for k in ("p50_us", "p99_us", "p999_us", "max_us")]
                     + cores)
    return align(table, 2) + ["  " + result["note"]]


def cold_lines(result):
    table = [["who", "in flight", "reads/s", "p50 ms", "p99 ms", "p99.9 ms"]]
    for row in result["rows"]:
        table.append([row["server"], str(row["connections"]), number(row["per_second"])]
                     + [milliseconds(row[k]) for k in ("p50_us", "p99_us", "p999_us")])
    return align(table) + ["  " + result["note"]]


def render(results):
    """All of it."""
    machine = results["machine"]
    lines = ["rochefort %(version)s, commit %(commit)s, %(date)s" % machine,
             "%(cores)d cores (%(cpu)s), %(memory_gib)g GiB, Linux %(kernel)s, %(filesystem)s"
             % machine]
    makers = {"examples": examples_lines, "speed": speed_lines, "calls": calls_lines,
              "write": write_lines, "read": cold_lines}
    for name, chapter in results["chapters"].items():
        lines += ["", "== " + name, ""] + makers.get(name, growth_lines)(chapter)
    return "\n".join(lines) + "\n"
