"""The figures as pictures (SVG), drawn by gnuplot."""
import os

import programs
from plan import SMALL_OFFSETS
from table import size_text

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
set yrange [0:*]
set xrange [-0.2:%g]
set xtics (%s)
"""


def draw(path, title, x_label, y_label, lines):
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
        path, title, x_label, y_label, len(marks) - 0.8, texts) + data + "plot "
        + ", \\\n".join(plots) + "\n").encode())
    return os.path.basename(path)


def by(rows, key, x, field, divide=lambda row: 1):
    lines = {}
    for row in rows:
        lines.setdefault(row[key], {})[row[x]] = {
            name: value / divide(row) for name, value in row[field].items()}
    return lines


def draw_all(results, out):
    """Medians with the slowest and the fastest round; returns the names of the files."""
    drawn = []
    for name, chapter in results["chapters"].items():
        rows, path = chapter["rows"], os.path.join(out, name + ".svg")
        if "what" in chapter:
            unit = "offset" if name == "offsets" else "request"
            drawn.append(draw(path, "how cost grows", chapter["what"], "CPU us per " + unit, by(
                rows, "workload", "at", "cpu_us",
                lambda row: row["at"] if name == "offsets" else 1)))
        if name not in ("speed", "read"):
            continue
        for kind in dict.fromkeys(row["workload"] for row in rows):
            of_kind = [row for row in rows if row["workload"] == kind]
            sizes = [row["size"] for row in of_kind]
            size = SMALL_OFFSETS if kind == "getMulti" and name == "speed" else min(sizes)
            of_kind = [row for row in of_kind if row["size"] == size]
            drawn.append(draw(path[:-4] + "-%s.svg" % kind, of_kind[0]["what"], "connections",
                              "values a second", by(of_kind, "server", "connections",
                                                    "values_per_second")))
    return drawn
