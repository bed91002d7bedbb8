"""What `perf stat` prints, before it is text: events with their counts on each CPU, and the rows that these make."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from simcore.app.perf_metrics import CLOCK, MS_PER_NS, Metric, Totals, metrics_of


@dataclass(frozen=True, slots=True)
class Count:
    """An event on one CPU, or the sum over several; times in ns."""

    value: int = 0
    enabled: int = 0
    running: int = 0

    def __add__(self, other: "Count") -> "Count":
        """Return the sum of two CPUs."""
        return Count(self.value + other.value, self.enabled + other.enabled, self.running + other.running)

    def since(self, before: "Count") -> "Count":
        """Return what came since an earlier read."""
        return Count(self.value - before.value, self.enabled - before.enabled, self.running - before.running)

    def scaled(self) -> "Count":
        """Return it as if the event had always had a counter, in doubles (perf_counts_values__scale)."""
        if self.running == 0:
            return Count(0, self.enabled, 0)
        if self.running >= self.enabled:
            return self
        return Count(int(float(self.value) * self.enabled / self.running), self.enabled, self.running)


@dataclass(frozen=True, slots=True)
class Event:
    """An event as perf calls it: its name, and the generic one if it was opened by that; False: `<not supported>`."""

    name: str
    generic: str | None = None
    supported: bool = True

    @property
    def is_clock(self) -> bool:
        """Tell whether it is printed as milliseconds."""
        return self.generic == CLOCK


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One time that perf prints: ``stamp_ns`` since it began, ``wall_ns`` of this interval.

    ``counts[event][cpu]`` are as read; perf 6.1 scales the sum over CPUs, or with -A each CPU's count.
    """

    stamp_ns: int
    wall_ns: int
    events: Sequence[Event]
    counts: Sequence[Sequence[Count]]


@dataclass(frozen=True, slots=True)
class Row:
    """An event with its count: of all CPUs together (``cpu`` None) or of one, and the metrics beside it."""

    event: Event
    cpu: int | None
    count: Count
    metrics: Sequence[Metric]

    @property
    def word(self) -> str | None:
        """Return what stands in place of a number, None where there is one."""
        if not self.event.supported:
            return "<not supported>"
        return None if self.count.running and self.count.enabled else "<not counted>"

    @property
    def shown(self) -> float:
        """Return the number in its unit."""
        return self.count.value * MS_PER_NS if self.event.is_clock else float(self.count.value)

    @property
    def unit(self) -> str:
        """Return the unit, empty for most."""
        return "msec" if self.event.is_clock and self.event.supported else ""

    @property
    def whole_percent(self) -> int:
        """Return the share of the time running as -x and -j print it: rounded down."""
        if self.count.running == self.count.enabled:
            return 100
        return 100 * self.count.running // self.count.enabled


def rows_of(snapshot: Snapshot, per_cpu: bool) -> Iterator[Row]:
    """Yield the rows in perf's order: by event, then by CPU."""
    cpus = range(len(snapshot.counts[0])) if snapshot.counts else range(0)
    if per_cpu:
        columns: dict[int | None, list[Count]] = {
            cpu: [counts[cpu].scaled() for counts in snapshot.counts] for cpu in cpus
        }
    else:
        columns = {None: [sum(counts, Count()).scaled() for counts in snapshot.counts]}
    totals = {cpu: _totals(snapshot, column) for cpu, column in columns.items()}
    for number, event in enumerate(snapshot.events):
        for cpu, column in columns.items():
            yield _row(event, cpu, column[number], totals[cpu])


def _totals(snapshot: Snapshot, column: Sequence[Count]) -> Totals:
    counted = {
        event.generic: float(count.value)
        for event, count in zip(snapshot.events, column, strict=True)
        if event.generic is not None and event.supported
    }
    return Totals(counted, snapshot.wall_ns)


def _row(event: Event, cpu: int | None, count: Count, totals: Totals) -> Row:
    row = Row(event, cpu, count, ())
    metrics = [Metric(unit="")] if row.word else metrics_of(event.generic, float(count.value), totals)
    return Row(event, cpu, count, metrics)
