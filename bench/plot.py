"""The figures as pictures (SVG), drawn by gnuplot."""
import os

import programs
from table import size_text, spread

SECONDS = 60
COLOURS = ("#1b6ca8", "#d1495b", "#66a182", "#edae49", "#6a4c93", "#8d8d8d", "#00798c")
SETTINGS = """set terminal svg size 860,480 font 'sans-serif,13' background '#ffffff'
set output '%s'
set title '%s'
set xlabel '%s'
set ylabel '%s'
set grid ytics lc '#dddddd'
set key outside right top
set border 3
set tics nomirror out
set %s
set xrange [-0.2:%g]
set xtics (%s)
"""


def draw(path, title, x_label, y_label, lines, setting="yrange [0:*]"):
    """lines: {name: {x: figure}}. The values of x are drawn in their order, at equal distances."""
    marks = {x: n for n, x in enumerate(sorted({x for line in lines.values() for x in line}))}
    data, plots = "", []
    for n, (name, line) in enumerate(lines.items()):
        data += "$data%d << EOD\n%s\nEOD\n" % (n, "\n".join(
            "%d %g %g %g" % (marks[x], figure["median"], figure["min"], figure["max"])
            for x, figure in sorted(line.items())))
        style = "pt 7 ps 0.6 lc rgb '%s'" % COLOURS[n % len(COLOURS)]
        plots.append("$data%d using 1:2 with linespoints lw 2 %s title '%s'" % (n, style, name))
        plots.append("$data%d using 1:2:3:4 with yerrorbars %s notitle" % (n, style))
    texts = ", ".join("'%s' %d" % (size_text(x)[:-2] if x < 1 << 10 or x % (1 << 10) else
                                   size_text(x), n) for x, n in marks.items())
    programs.run(["gnuplot"], SECONDS, (SETTINGS % (
        path, title, x_label, y_label, setting, len(marks) - 0.8, texts) + data + "plot "
        + ", \\\n".join(plots) + "\n").encode())
    return os.path.basename(path)


def by(rows, key, x, field):
    lines = {}
    for row in rows:
        lines.setdefault(row[key], {})[row[x]] = row[field]
    return lines


def over_time(chapter):
    """{series: {second: its p99.9 in ms}}; the writer begins at second 0."""
    return {row["what"]: {second - chapter["quiet_seconds"]: spread([one["p999_us"] / 1000])
                          for second, one in enumerate(row["rounds"])} for row in chapter["rows"]}


def draw_all(results, out):
    """Medians with the slowest and the fastest round; returns the names of the files."""
    drawn = []
    for name, chapter in results["chapters"].items():
        rows, path = chapter["rows"], os.path.join(out, name + ".svg")
        if "growth" in chapter:
            field = "cpu_value_us" if name in ("offsets", "batch") else "cpu_us"
            drawn.append(draw(path, "how cost grows", chapter["what"], "CPU us per " + (
                "value" if field == "cpu_value_us" else "request"),
                by(rows, "workload", "at", field)))
        elif name == "tails":
            drawn.append(draw(path, "p99.9 beside a writer that fills the disk",
                              "seconds after it began", "ms", over_time(chapter), "logscale y"))
        elif name in ("speed", "cold"):
            for kind in dict.fromkeys(row["workload"] for row in rows):
                size = min(row["size"] for row in rows if row["workload"] == kind)
                chosen = [row for row in rows if (row["workload"], row["size"]) == (kind, size)]
                drawn.append(draw(path[:-4] + "-%s.svg" % kind, chosen[0]["what"], "connections",
                                  "values a second", by(chosen, "server", "connections",
                                                        "values_per_second")))
    return drawn
