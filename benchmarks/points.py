"""Points of the pictures: a number, and what was measured there."""

from benchmarks.measure import Measurement

Point = dict[str, float]


def point(number: int, found: Measurement) -> Point:
    """Return one point: median and interval of throughputs at a number."""
    low, high = found.interval
    return {"number": number, "median": found.median, "low": low, "high": high}
