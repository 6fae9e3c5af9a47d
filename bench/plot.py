"""The figures as pictures, drawn by gnuplot."""
import os

import process
from table import size_text

SECONDS = 60
COLOURS = ("#1b6ca8", "#d1495b", "#66a182", "#edae49", "#6a4c93", "#8d8d8d", "#00798c")


class Plot:
    """One SVG: lines over a common x."""

    def __init__(self, path, title, xlabel, ylabel, y2label=None):
        self.path, self.lines, self.data, self.colours = path, [], [], 0
        self.settings = [
            "set terminal svg size 860,480 font 'sans-serif,13' background '#ffffff'",
            "set output '%s'" % path, "set title '%s'" % title, "set xlabel '%s'" % xlabel,
            "set ylabel '%s'" % ylabel, "set grid ytics lc '#dddddd'", "set key outside right top",
            "set border 3" if y2label is None else "set border 11", "set tics nomirror out",
            "set yrange [0:*]"]
        if y2label:
            self.settings += ["set y2label '%s'" % y2label, "set y2tics", "set y2range [0:*]"]

    def set(self, text):
        self.settings.append("set " + text)
        return self

    def doubling(self, values):
        """An axis on which each step doubles, with a little room at the ends."""
        values = sorted(set(values))
        self.set("logscale x 2").set("xrange [%g:%g]" % (values[0] * 0.8, values[-1] * 1.25))
        return self.marks([(value, value) for value in values])

    def marks(self, pairs):
        """Names for points on the x axis."""
        return self.set("xtics (%s)" % ", ".join("'%s' %s" % (name, x) for x, name in pairs))

    def line(self, name, points, axis=1, bars=False):
        """Points are (x, y), or (x, y, low, high) with bars. What is on axis 2 is dashed, and has
        the colour of the line before it."""
        self.colours += axis == 1
        colour = COLOURS[(self.colours - 1) % len(COLOURS)]
        block = "$data%d" % len(self.data)
        self.data.append("%s << EOD\n%s\nEOD" % (block, "\n".join(
            " ".join("%.9g" % value for value in point) for point in points)))
        dash = " dt 2" if axis == 2 else ""
        self.lines.append("%s using 1:2 axes x1y%d with linespoints pt 7 ps 0.6 lw 2 lc rgb '%s'%s"
                          " title '%s'" % (block, axis, colour, dash, name))
        if bars:
            self.lines.append("%s using 1:2:3:4 with yerrorbars pt 7 ps 0.6 lc rgb '%s' notitle"
                              % (block, colour))
        return self

    def draw(self):
        script = "\n".join(self.data + self.settings + ["plot " + ", \\\n  ".join(self.lines)])
        process.run(["gnuplot"], SECONDS, (script + "\n").encode())
        return os.path.basename(self.path)


def speed_plots(rows, out):
    """Requests a second over the number of connections, for the smallest values."""
    drawn = []
    for kind in dict.fromkeys(row["workload"] for row in rows):
        of_kind = [row for row in rows if row["workload"] == kind]
        size = min(row["size"] for row in of_kind)
        of_kind = [row for row in of_kind if row["size"] == size]
        what = "%d offsets" % size if kind == "getMulti" else size_text(size)
        plot = Plot(os.path.join(out, "speed-%s.svg" % kind), "%s of %s: medians, and the slowest "
                    "and the fastest round" % (kind, what), "connections", "requests a second")
        plot.doubling(row["connections"] for row in of_kind)
        for server in dict.fromkeys(row["server"] for row in of_kind):
            plot.line(server, [
                (row["connections"],) + tuple(row["per_second"][k] for k in
                                              ("median", "min", "max"))
                for row in of_kind if row["server"] == server], bars=True)
        drawn.append(plot.draw())
    return drawn


def growth_plot(name, sweep, out):
    """Requests a second, and on the right CPU time per request."""
    title = "how cost grows: " + sweep["what"]
    plot = Plot(os.path.join(out, name + ".svg"), title, sweep["what"], "requests a second",
                "CPU us per %s" % sweep.get("unit", "request"))
    points = sorted({row["at"] for row in sweep["rows"]})
    # by rank: steps differ by orders of magnitude, and may begin at 0
    ranks = {at: n for n, at in enumerate(points)}
    plot.marks([(ranks[at], size_text(at) if sweep.get("bytes") else at) for at in points])
    plot.set("xrange [-0.2:%g]" % (len(points) - 0.8))
    for workload in dict.fromkeys(row["workload"] for row in sweep["rows"]):
        rows = [row for row in sweep["rows"] if row["workload"] == workload]
        plot.line("%s/s" % workload, [(ranks[row["at"]], row["per_second"]["median"])
                                      for row in rows])
        plot.line("%s, CPU" % workload, [
            (ranks[row["at"]], row["cpu_us"]["median"] / (row["at"] if "unit" in sweep else 1))
            for row in rows], axis=2)
    return plot.draw()


def write_plot(result, out):
    """Throughput and p99.9 of the latency, second by second."""
    plot = Plot(os.path.join(out, "write.svg"), "appends without pause: p99.9 of each second",
                "seconds", "p99.9, ms", "MiB/s answered")
    for row in result["rows"]:
        if "timeline" not in row:
            continue
        name = size_text(row["size"])
        plot.line("%s, p99.9" % name, [(p["second"], p["p999_us"] / 1000)
                                       for p in row["timeline"]])
        plot.line("%s, MiB/s" % name, [(p["second"], p["mib"]) for p in row["timeline"]], axis=2)
    return plot.draw()


def cold_plot(result, out):
    plot = Plot(os.path.join(out, "read.svg"), "cold reads of 4 KiB", "reads in flight",
                "reads a second")
    plot.doubling(row["connections"] for row in result["rows"])
    for server in dict.fromkeys(row["server"] for row in result["rows"]):
        plot.line(server, [(row["connections"], row["per_second"]) for row in result["rows"]
                           if row["server"] == server])
    return plot.draw()


def draw_all(results, out):
    """Answers the names of the files."""
    drawn = []
    for name, chapter in results["chapters"].items():
        if name == "speed":
            drawn += speed_plots(chapter, out)
        elif name == "write":
            drawn.append(write_plot(chapter, out))
        elif name == "read":
            drawn.append(cold_plot(chapter, out))
        elif name not in ("examples", "calls"):
            drawn.append(growth_plot(name, chapter, out))
    return drawn
