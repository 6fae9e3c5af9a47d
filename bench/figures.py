"""Figures of several rounds: medians, spreads, and ratios taken round by round."""
import statistics


def spread(values):
    return {"median": statistics.median(values), "min": min(values), "max": max(values)}


def summarise(rounds):
    """{field: median, min and max} of the numbers that every round has."""
    return {field: spread([r[field] for r in rounds]) for field, value in rounds[0].items()
            if isinstance(value, (int, float)) and all(field in r for r in rounds)}


def ratio(ours, theirs, field="per_second"):
    """Ours over theirs. Each round is held against the one that ran right beside it."""
    return spread([a[field] / b[field] for a, b in zip(ours, theirs)])


def missing(value, path="results"):
    """Where a figure is not a number, as a list of paths."""
    if isinstance(value, dict):
        return [bad for key, item in value.items() for bad in missing(item, "%s.%s" % (path, key))]
    if isinstance(value, list):
        return [bad for n, item in enumerate(value) for bad in missing(item, "%s[%d]" % (path, n))]
    if value is None or (isinstance(value, float) and value != value):
        return [path]
    return []
