"""The guest that runs rr: records a program by counting its retired branches, and replays it. See docs/guests.md."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count

from simcore.scenario import GuestSpec
from workloads.actions import Report, Run
from workloads.catalog import Workload
from workloads.findings import Finding
from workloads.linux_guest import LinuxGuest
from workloads.linux_pmu import LONGEST_LEFT, CpuPmu, HwEvent, reset
from workloads.program import GuestCpu, Steps
from workloads.steps import Part, pause, quantum, truth

BR_RETIRED = 0x21
EXCLUDE_EL1 = 1 << 31
CHECKED_BRANCHES, CHECK_INSTRUCTIONS = 500, 100_000
"""rr's first check: a loop of so many branches must be counted. The instructions that stand for it are assumed."""
STARTED, REPLAYS, TICKS, OVERSHOT, MISSING, COUNTED, TRUE = (
    f"rr:{name}" for name in ("started", "replays", "ticks", "overshot", "missing", "counted", "true")
)
REFUSED = -1


@dataclass(frozen=True, slots=True)
class Stop:
    """Where the recording stopped the program: at its ticks, of which the counter had missed so many before.

    `switch`: an interrupt stopped it, at the end of a timeslice; else it did, by a system call.
    """

    switch: bool
    ticks: int
    missed: int


@dataclass(slots=True)
class Tracee:
    """One program under rr on one vCPU: recorded, then replayed, again and again; `sleeps` numbers its sleeps."""

    cpu: GuestCpu
    spec: GuestSpec
    workload: Workload
    driver: CpuPmu
    sleeps: Iterator[int]
    event: HwEvent = field(default_factory=lambda: HwEvent(BR_RETIRED, filter=EXCLUDE_EL1), init=False)
    stops: list[Stop] = field(default_factory=list, init=False)
    replaying: bool = field(default=False, init=False)
    failure: str | None = field(default=None, init=False)
    totals: dict[str, int] = field(
        default_factory=lambda: dict.fromkeys((REPLAYS, TICKS, OVERSHOT, MISSING, COUNTED, TRUE), 0), init=False
    )
    _at: int = field(default=0, init=False)
    _ahead: tuple[int, int] = field(default=(0, 0), init=False)
    _asked: bool = field(default=False, init=False)
    _slice_end: int = field(default=0, init=False)
    _true_before: int = field(default=0, init=False)

    def check(self) -> Part[bool]:
        """Tell whether the counter works at all (check_working_counters)."""
        if not (yield from self.driver.masked(self._resume())):
            return False
        yield Run(0, CHECK_INSTRUCTIONS)
        yield from self.driver.masked(self.driver.remove(self.event))
        return self.event.total >= CHECKED_BRANCHES

    def session(self) -> Part[None]:
        """Record the program, then replay it until its end or until the replay fails; report."""
        self.stops.clear()
        yield from self._run(replaying=False)
        yield from self._run(replaying=True)
        self.totals[REPLAYS] += 1
        if self.failure is not None:
            self.totals[self.failure] += 1
        for key, total in self.totals.items():
            yield Report(key, total)

    def overflowed(self, event: HwEvent) -> Part[None]:
        """Stop the program at an interrupt: a switch to record, or the way to one to replay."""
        stop = yield from self._here(switch=True)
        if self.replaying:
            self._approach(stop)
        else:
            self.stops.append(stop)
            self._slice_end = stop.ticks + self.spec.rr_timeslice
        yield from event.stop()
        event.period = event.left = self._request()
        yield from event.start()

    def _run(self, replaying: bool) -> Part[None]:
        """Let the program run from system call to system call; a recorded one blocks in some of them."""
        self.replaying, self.failure, self._at, self._ahead = replaying, None, 0, (0, 0)
        self.event.total, self._slice_end = 0, self.spec.rr_timeslice
        self._true_before = yield from truth(BR_RETIRED)
        for number in range(self.spec.rr_syscalls):
            yield from self._to_syscall(quantum(self.cpu, self.spec, self.workload, number))
            if self.failure is not None:
                break
            if not replaying and (number + 1) % self.spec.quanta_per_wake == 0:
                yield from pause(self.cpu, self.spec, next(self.sleeps))
        self.totals[COUNTED] += self.event.total
        self.totals[TRUE] += (yield from truth(BR_RETIRED)) - self._true_before

    def _to_syscall(self, run: Run) -> Part[None]:
        """Let the program run to its next system call, with the counter on it."""
        self.event.period = self.event.left = self._request()
        yield from self.driver.masked(self._resume())
        yield run
        yield from self.driver.masked(self.driver.remove(self.event))
        stop = yield from self._here(switch=False)
        if self.replaying:
            self._compare(stop)
        else:
            self.stops.append(stop)

    def _resume(self) -> Part[bool]:
        """Let the counter count; tell whether there was one."""
        found = yield from self.driver.add(self.event)
        yield from self.driver.enable()
        return found

    def _here(self, switch: bool) -> Part[Stop]:
        ticks = self.event.total
        return Stop(switch, ticks, (yield from truth(BR_RETIRED)) - self._true_before - ticks)

    def _request(self) -> int:
        """Return after how many ticks to interrupt: at the end of the timeslice, or short of the next switch.

        A replay goes the last `rr_skid` ticks, or twice that if no more are left, by breakpoint and single steps.
        """
        if not self.replaying:
            return max(1, self._slice_end - self.event.total)
        ahead = self.stops[self._at].ticks - self.event.total
        self._asked = self.stops[self._at].switch and ahead > 2 * self.spec.rr_skid
        return ahead - self.spec.rr_skid if self._asked else LONGEST_LEFT

    def _approach(self, stop: Stop) -> None:
        """Judge the interrupt of a replay, and go on to the switch that it was asked for."""
        wanted = self.stops[self._at]
        if not self._asked:
            return
        if stop.ticks > wanted.ticks:
            self._fail(OVERSHOT)
        elif stop.missed - wanted.missed != self._ahead[1]:
            self._fail(TICKS)
        self._at += 1

    def _compare(self, stop: Stop) -> None:
        """Judge a system call of a replay by the ticks, as check_ticks_consistency does.

        Since the last one the counter must have missed as many branches as in the recording, or counted as many: where
        it stood still both times rr sees the same number too.
        """
        while self.stops[self._at].switch:
            if self._asked:
                self._fail(MISSING)
            self._asked = False
            self._at += 1
        wanted = self.stops[self._at]
        ahead = (stop.ticks - wanted.ticks, stop.missed - wanted.missed)
        if all(now != before for now, before in zip(ahead, self._ahead, strict=True)):
            self._fail(TICKS)
        self._ahead = ahead
        self._at += 1

    def _fail(self, cause: str) -> None:
        """Keep why the replay ends, the first cause only."""
        self.failure = self.failure or cause


@dataclass(slots=True)
class Rr(LinuxGuest):
    """Linux with one `rr record` and `rr replay` after another on every vCPU, each bound to it.

    One object for one VM and run: the probed PMU and the recordings are the VM's memory.
    """

    name: str = "rr"

    def after_boot(self, cpu: GuestCpu) -> Steps:
        """Yield what one vCPU does once Linux is up."""
        sleeps = count()
        tracee = yield from self._start(cpu, sleeps)
        for number in count():
            if tracee is None:
                yield quantum(cpu, self.spec, self.workload, number)
            else:
                yield from tracee.session()
            if tracee is not None or (number + 1) % self.spec.quanta_per_wake == 0:
                yield from pause(cpu, self.spec, next(sleeps))

    def _start(self, cpu: GuestCpu, sleeps: Iterator[int]) -> Part[Tracee | None]:
        """Start rr; None where it refuses, its counter not working."""
        if self.pmu is None:
            yield Report(STARTED, REFUSED)
            return None
        yield from reset(self.pmu)
        driver = self.cpus[cpu.vcpu] = CpuPmu(self.pmu)
        tracee = Tracee(cpu, self.spec, self.workload, driver, sleeps)
        works = yield from tracee.check()
        driver.overflowed = tracee.overflowed
        yield Report(STARTED, 1 if works else REFUSED)
        return tracee if works else None


def rr_findings(spec: GuestSpec) -> list[Finding]:
    """List what became of the replays."""
    failures = (
        (TICKS, ("ticks", "differ"), "of the replays, those that failed for a tick count that differs"),
        (OVERSHOT, ("over-", "shot"), "of the replays, those in which the interrupt came after the tick to stop at"),
        (MISSING, ("no inter-", "rupt"), "of the replays, those in which an interrupt did not come"),
    )
    refused = {REFUSED: "refused"}
    return [
        Finding("started", STARTED, ("rr", "starts"), "vCPUs whose counter works for rr, of all runs", words=refused),
        Finding("replays", REPLAYS, ("", "replays"), "replays of all vCPUs and runs, each to its end or its failure"),
        *(
            Finding(key.removeprefix("rr:"), key, heading, meaning, per=REPLAYS, unit="share")
            for key, heading, meaning in failures
        ),
        Finding(
            "counted",
            COUNTED,
            ("branches", "counted"),
            "of the branches that the programs retired, those counted",
            per=TRUE,
            unit="share",
        ),
    ]
