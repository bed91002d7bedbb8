"""The forms in which `perf stat` of Linux 6.1 prints: plain text, -x SEP and -j, character by character.

tools/perf/util/stat-display.c of that version; docs/exports.md says what other versions do.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from simcore.app.perf_metrics import Metric
from simcore.app.perf_rows import Row, Snapshot, rows_of
from simcore.units import NS_PER_S

NAME_WIDTH, WORD_NAME_WIDTH, METRIC_WIDTH = 32, 25, 35
INTERVALS_A_HEADER = 25
HINT = """\
Some events weren't counted. Try disabling the NMI watchdog:
\techo 0 > /proc/sys/kernel/nmi_watchdog
\tperf stat ...
\techo 1 > /proc/sys/kernel/nmi_watchdog
"""
_FIGURE = re.compile(r"[0-9.]*")


class Form(Protocol):
    """How rows become text."""

    def stamp(self, ns: int) -> str:
        """Return what begins a line in an interval."""

    def row(self, row: Row, prefix: str) -> str:
        """Return the lines of a row; ``prefix`` is empty without intervals."""

    def around(self, snapshots: Sequence[Snapshot], blocks: Iterable[str], per_cpu: bool, intervals: bool) -> str:
        """Return the whole text."""


def printed(snapshots: Sequence[Snapshot], form: Form, per_cpu: bool = False, intervals: bool = False) -> str:
    """Return what perf prints: once, or with ``intervals`` (-I) for each snapshot."""

    def block(snapshot: Snapshot) -> str:
        prefix = form.stamp(snapshot.stamp_ns) if intervals else ""
        return "".join(f"{form.row(row, prefix)}\n" for row in rows_of(snapshot, per_cpu))

    return form.around(snapshots, map(block, snapshots), per_cpu, intervals)


@dataclass(frozen=True, slots=True)
class Plain:
    """The table for people. ``big_num``: thousands as in the locale en_US; ``hint``: the guest has an NMI watchdog."""

    big_num: bool = True
    hint: bool = False

    def stamp(self, ns: int) -> str:
        """Return what begins a line in an interval."""
        return f"{_seconds(ns)} "

    def row(self, row: Row, prefix: str) -> str:
        """Return the lines of a row; the share of running time stands behind the last metric."""
        lead = prefix if row.cpu is None else f"{prefix}CPU{row.cpu:<7} "
        name_width = WORD_NAME_WIDTH if row.word else NAME_WIDTH
        first, *more = map(self._metric, row.metrics)
        text = f"{lead}{row.word or self._number(row):>18} {row.unit:<4} {row.event.name:<{name_width}}{first}"
        indent = " " * (49 if row.cpu is None else 57)
        text += "".join(f"\n{lead}{indent}{metric}" for metric in more)
        count = row.count
        if count.running == count.enabled:
            return text
        return f"{text}  ({100 * count.running / count.enabled:.2f}%)"

    def around(self, snapshots: Sequence[Snapshot], blocks: Iterable[str], per_cpu: bool, intervals: bool) -> str:
        """Return the whole text, with a head at each 25th interval or one with its foot."""
        if intervals:
            columns = f" CPU{'counts':>26}" if per_cpu else f"{'counts':>19}"
            head = f"#           time{columns} unit events\n"
            return "".join(("" if number % INTERVALS_A_HEADER else head) + block for number, block in enumerate(blocks))
        (snapshot,), (block,) = snapshots, blocks
        seconds = snapshot.wall_ns / NS_PER_S
        foot = f"\n {seconds:17.9f} seconds time elapsed\n\n"
        words = {row.word for row in rows_of(snapshot, per_cpu)}
        hint = HINT if self.hint and "<not counted>" in words else ""
        return f"\n Performance counter stats for 'system wide':\n\n{block}{foot}{hint}"

    def _number(self, row: Row) -> str:
        digits = 2 if row.event.is_clock else 0
        return f"{row.shown:,.{digits}f}" if self.big_num else f"{row.shown:.{digits}f}"

    def _metric(self, metric: Metric) -> str:
        if metric.form is None or metric.unit is None:
            return " " * METRIC_WIDTH
        value = f" # {metric.form % metric.value}"
        return f"{value} {metric.unit:<{METRIC_WIDTH - len(value) - 1}}"


@dataclass(frozen=True, slots=True)
class Separated:
    """Fields with a separator between them (-x)."""

    separator: str = ","

    def stamp(self, ns: int) -> str:
        """Return what begins a line in an interval."""
        return f"{_seconds(ns)}{self.separator}"

    def row(self, row: Row, prefix: str) -> str:
        """Return the lines of a row: a line for each metric beyond the first."""
        lead = prefix if row.cpu is None else f"{prefix}CPU{row.cpu}{self.separator}"
        number = f"{row.shown:.{2 if row.event.is_clock else 0}f}"
        fields = [row.word or number, row.unit, row.event.name, str(row.count.running), f"{row.whole_percent:.2f}"]
        first, *more = map(self._metric, row.metrics)
        gap = self.separator * (3 if row.cpu is None else 4)
        return f"{lead}{self.separator.join(fields)}{first}" + "".join(f"\n{lead}{gap}{metric}" for metric in more)

    def around(self, snapshots: Sequence[Snapshot], blocks: Iterable[str], per_cpu: bool, intervals: bool) -> str:
        """Return the whole text."""
        return "".join(blocks)

    def _metric(self, metric: Metric) -> str:
        if metric.form is None or metric.unit is None:
            return self.separator * 2
        figure = _FIGURE.match((metric.form % metric.value).lstrip(" "))
        return f"{self.separator}{figure[0] if figure else ''}{self.separator}{metric.unit}"


@dataclass(frozen=True, slots=True)
class Json:
    """An object a line (-j)."""

    def stamp(self, ns: int) -> str:
        """Return what begins a line in an interval."""
        return f'"interval" : {_seconds(ns).lstrip()}, '

    def row(self, row: Row, prefix: str) -> str:
        """Return the lines of a row: an object for each metric beyond the first."""
        lead = "{" + prefix if row.cpu is None else "{" + f'{prefix}"cpu" : "{row.cpu}", '
        value = row.word or f"{row.shown:.6f}"
        what = f'"counter-value" : "{value}", "unit" : "{row.unit}", "event" : "{row.event.name}", '
        ran = f'"event-runtime" : {row.count.running}, "pcnt-running" : {row.whole_percent:.2f}, '
        first, *more = map(self._metric, row.metrics)
        return "\n".join([f"{lead}{what}{ran}{first}", *(f"{lead}{metric}" for metric in more)])

    def around(self, snapshots: Sequence[Snapshot], blocks: Iterable[str], per_cpu: bool, intervals: bool) -> str:
        """Return the whole text."""
        return "".join(blocks)

    def _metric(self, metric: Metric) -> str:
        unit = "(null)" if metric.unit is None else metric.unit
        return f'"metric-value" : {metric.value:.6f}, "metric-unit" : "{unit}"}}'


def _seconds(ns: int) -> str:
    """Return a time stamp: %6lu.%09lu."""
    return f"{ns // NS_PER_S:6}.{ns % NS_PER_S:09}"
