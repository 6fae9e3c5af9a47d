"""The figures as pictures, drawn by gnuplot."""
import os

import programs
from peers import SMALL_OFFSETS
from table import size_text

SECONDS = 60
COLOURS = ("#1b6ca8", "#d1495b", "#66a182", "#edae49", "#6a4c93", "#8d8d8d", "#00798c")


def file_text(size):
    """A size as a part of a file's name."""
    return size_text(size).replace(" ", "")


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
        """Points are (x, y), or (x, y, low, high) with bars; () breaks the line. What is on axis 2
        is dashed, and has the colour of the line before it."""
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
        programs.run(["gnuplot"], SECONDS, (script + "\n").encode())
        return os.path.basename(self.path)


def points(rows, server):
    """Over the connections: the median of values a second, with the slowest and fastest round."""
    return [(row["connections"],) + tuple(row["values_per_second"][key]
                                          for key in ("median", "min", "max"))
            for row in rows if row["server"] == server]


def speed_plots(rows, out):
    """Values a second over the number of connections, for the smallest of each workload; of
    getMulti for the number of offsets that has a peer."""
    drawn = []
    for kind in dict.fromkeys(row["workload"] for row in rows):
        of_kind = [row for row in rows if row["workload"] == kind]
        size = SMALL_OFFSETS if kind == "getMulti" else min(row["size"] for row in of_kind)
        of_kind = [row for row in of_kind if row["size"] == size]
        what = "%d offsets" % size if kind == "getMulti" else size_text(size)
        plot = Plot(os.path.join(out, "speed-%s.svg" % kind), "%s of %s: medians, and the slowest "
                    "and the fastest round" % (kind, what), "connections", "values a second")
        plot.doubling(row["connections"] for row in of_kind)
        for server in dict.fromkeys(row["server"] for row in of_kind):
            plot.line(server, points(of_kind, server), bars=True)
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


def write_plots(result, out):
    """Second by second, all rounds: p99.9 of the latency, and throughput."""
    drawn = []
    for size, beside in dict.fromkeys((row["size"], row["beside"]) for row in result["rows"]):
        of_size = [row for row in result["rows"] if (row["size"], row["beside"]) == (size, beside)]
        alone = beside == "nobody"
        for field, scale, label, name in (("p999_us", 1000, "p99.9, ms", "latency"),
                                          ("mib", 1, "MiB answered", "rate")):
            path = os.path.join(out, "write-%s%s-%s.svg" % (
                file_text(size), "" if alone else "-beside-" + beside, name))
            plot = Plot(path, "appends of %s without pause%s: each second of all rounds" % (
                size_text(size), "" if alone else " beside " + beside), "seconds", label)
            if field == "p999_us":
                plot.set("logscale y").set("yrange [*:*]")
            for row in of_size:
                points = []
                for found in row["rounds"]:
                    whole = found["timeline"][:-1] or found["timeline"]  # the last is cut short
                    points += [(p["second"], p[field] / scale) for p in whole] + [()]
                plot.line(row["server"], points)
            drawn.append(plot.draw())
    return drawn


def read_plots(result, out):
    drawn = []
    rows = [row for row in result["rows"] if row["workload"] == "get"]
    for size in dict.fromkeys(row["size"] for row in rows):
        plot = Plot(os.path.join(out, "read-%s.svg" % file_text(size)),
                    "cold reads of %s: medians, and the slowest and the fastest round"
                    % size_text(size), "reads in flight", "reads a second")
        of_size = [row for row in rows if row["size"] == size]
        plot.doubling(row["connections"] for row in of_size)
        for server in dict.fromkeys(row["server"] for row in of_size):
            plot.line(server, points(of_size, server), bars=True)
        drawn.append(plot.draw())
    return drawn


def draw_all(results, out):
    """Answers the names of the files."""
    drawn = []
    for name, chapter in results["chapters"].items():
        if name == "speed":
            drawn += speed_plots(chapter, out)
        elif name == "write":
            drawn += write_plots(chapter, out)
        elif name == "read":
            drawn += read_plots(chapter, out)
        elif name not in ("examples", "calls", "memory"):
            drawn.append(growth_plot(name, chapter, out))
    return drawn
