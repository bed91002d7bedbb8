"""The guest that checks its PMU as a unit test does, over and over, and works and sleeps in between.

The checks are in `workloads.self_test`; docs/guests.md says where they come from and what is assumed.
"""

from collections import Counter
from dataclasses import dataclass, field
from itertools import count

from simcore.scenario import GuestSpec
from workloads.actions import Report
from workloads.findings import Finding
from workloads.guest_base import Guest
from workloads.linux_pmu import GuestPmu, probe
from workloads.program import GuestCpu, Steps
from workloads.self_test import CHECKS, PASS, SKIP, Lab
from workloads.steps import Part, boot, pause, quantum, read, start_others, survive, timer

REPEAT_NS = 100_000_000
"""From the start of one round of checks to that of the next, at least."""
READ_ONLY = 0xFFFF_FF00
"""The bits of PMCR_EL0 that a write keeps as they are."""


@dataclass(slots=True)
class SelfTest(Guest):
    """A PMU unit test on every vCPU. One object for one VM and run, with the state of each vCPU's test."""

    name: str = "self-test"
    labs: dict[int, Lab] = field(default_factory=dict, init=False)

    def interrupt(self, cpu: GuestCpu) -> Steps | None:
        """Yield the handler of a check that waits for the interrupt; else it is masked."""
        lab = self.labs.get(cpu.vcpu)
        return survive(lab.handler()) if lab is not None and lab.unmasked else None

    def life(self, cpu: GuestCpu) -> Steps:
        """Yield what one vCPU does."""
        yield from boot(cpu, self.spec, len(self.workload.phases))
        yield from start_others(cpu)
        offered = yield from probe()
        if offered is not None:
            self.labs[cpu.vcpu] = yield from self._lab(cpu, offered)
        score = Score()
        due = yield from timer()
        for wake in count():
            for turn in range(self.spec.quanta_per_wake):
                now = yield from timer()
                if now >= due:
                    due = now + cpu.ticks(REPEAT_NS)
                    yield from self._round(cpu, score)
                yield quantum(cpu, self.spec, self.workload, wake * self.spec.quanta_per_wake + turn)
            yield from pause(cpu, self.spec, wake)

    def _lab(self, cpu: GuestCpu, offered: GuestPmu) -> Part[Lab]:
        read_only = (yield from read("PMCR_EL0")) & READ_ONLY
        return Lab(cpu, len(self.workload.phases), offered, read_only)

    def _round(self, cpu: GuestCpu, score: "Score") -> Steps:
        lab = self.labs.get(cpu.vcpu)
        for name, check in CHECKS.items():
            yield from score.note(name, SKIP if lab is None else (yield from check(lab)))
        yield from score.report()


@dataclass(slots=True)
class Score:
    """How a vCPU's checks ended so far."""

    ended: Counter[str] = field(default_factory=Counter)
    failed: dict[str, int] = field(default_factory=dict)

    def note(self, name: str, result: int) -> Steps:
        """Take the result of a check, and report the step at which it failed."""
        self.ended["passed" if result == PASS else "skipped" if result == SKIP else "failed"] += 1
        if result == SKIP:
            self.failed.setdefault(name, SKIP)
            return
        self.failed[name] = max(self.failed.get(name, 0), int(result != PASS))
        if result != PASS:
            yield Report(f"{check_key(name)}:step", result)

    def report(self) -> Steps:
        """Report the totals, and for each check whether it ever failed."""
        for name in ("passed", "failed", "skipped"):
            yield Report(f"test:{name}", self.ended[name])
        for name, failed in self.failed.items():
            yield Report(check_key(name), failed)


def check_key(name: str) -> str:
    """Name the report that says whether a check failed."""
    return f"test:{name}"


def self_test_findings(spec: GuestSpec) -> list[Finding]:
    """List how many checks passed, failed and were skipped, and for each on how many vCPUs it failed."""
    totals = [
        Finding(
            name=name, key=f"test:{name}", heading=("checks", name), meaning=f"checks that {verb}, all rounds and vCPUs"
        )
        for name, verb in (("passed", "passed"), ("failed", "failed"), ("skipped", "were skipped"))
    ]
    checks = [
        Finding(
            name=name,
            key=check_key(name),
            heading=_heading(name),
            meaning="vCPUs on which this check failed at least once, over all runs",
            words={SKIP: "skip"},
        )
        for name in CHECKS
    ]
    return [*totals, *checks]


def _heading(name: str) -> tuple[str, str]:
    first, _, second = name.rpartition("-")
    return first, second
