"""The guest that runs an rt-app file: thread number i of the file is all that vCPU i does.

Each vCPU first lets its cycle counter run, which nobody reads: what it misses is in the tables of the run. There is no
scheduler inside the guest, so a file with more threads than the VM has vCPUs is refused, and policies and priorities
have no effect. Like rt-app, the guest measures first how much work takes a nanosecond on the CPU of the
calibration, which is a vCPU here, wherever that runs.
"""

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from simcore.errors import InputError
from simcore.scenario import RTAPP, GuestSpec
from simcore.units import NS_PER_S
from workloads.actions import Action, Halt, Record, Run, Sleep, SpinUntil, Wake, WriteReg
from workloads.catalog import Workload
from workloads.phase import Phase
from workloads.program import GuestCpu, Steps
from workloads.rtapp_file import RtApp
from workloads.rtapp_parsing import load_rtapp
from workloads.rtapp_steps import Block, BusyUntil, PhaseDone, SleepUntil, Stay, WakeThread, Work
from workloads.rtapp_thread import RtThread, Shared
from workloads.steps import ALL_COUNTERS, CYCLE_COUNTER, PMCR_E, PMCR_LC, Part, boot, timer

CALIBRATION_INSTRUCTIONS = 10_000_000
CALIBRATION_TRIALS = 1_000
WORK_PHASE = 0
CYCLES_ON = (
    ("PMINTENCLR_EL1", ALL_COUNTERS),
    ("PMCNTENCLR_EL0", ALL_COUNTERS),
    ("PMCCFILTR_EL0", 0),
    ("PMCNTENSET_EL0", 1 << CYCLE_COUNTER),
    ("PMCR_EL0", PMCR_E | PMCR_LC),
)
"""Writes that start the cycle counter; without a PMU each is UNDEFINED, which changes nothing."""


@dataclass(slots=True)
class RtappGuest:
    """Boot, calibrate, then let every vCPU do its thread; ``per_ns`` is the work that the calibration found."""

    spec: GuestSpec
    workload: Workload
    app: RtApp
    per_ns: Fraction = Fraction(1)
    shared: Shared | None = None

    @property
    def name(self) -> str:
        """Name the guest as the command line does."""
        return self.spec.name

    @property
    def phases(self) -> tuple[Phase, ...]:
        """List the workload's phases, then the kernel's."""
        return (*self.workload.phases, self.workload.kernel)

    def check_vcpus(self, vcpus: int, where: str) -> None:
        """Refuse a VM on which the file's threads cannot run."""
        check_vcpus(self.app, vcpus, "cpus" in self.spec.rtapp_ignore, where)

    def vcpu(self, cpu: GuestCpu) -> Steps:
        """Yield what one vCPU does."""
        yield from boot(cpu, self.spec, len(self.workload.phases))
        for register, value in CYCLES_ON:
            yield WriteReg(register, value)
        calibrator = self.app.calibration_cpu or 0
        if cpu.vcpu == 0 and calibrator:
            yield Wake(calibrator)
        if cpu.vcpu == calibrator:
            yield from self._calibrate(cpu)
            for other in range(cpu.vcpus):
                if other != cpu.vcpu:
                    yield Wake(other)
        while self.shared is None:
            yield Halt()
        threads = self.app.threads
        if cpu.vcpu < len(threads):
            yield from self._play(cpu, RtThread(threads[cpu.vcpu], cpu.vcpu, self.shared))

    def interrupt(self, cpu: GuestCpu) -> None:
        """Keep the PMU interrupt masked."""

    def _calibrate(self, cpu: GuestCpu) -> Part[None]:
        """Measure a fixed amount of work until two measurements differ by less than 2 %; the time starts then."""
        before, took = yield from self._measure(cpu)
        for _ in range(CALIBRATION_TRIALS):
            last = took
            before, took = yield from self._measure(cpu)
            if 50 * abs(took - last) < took:
                break
        self.per_ns = Fraction(CALIBRATION_INSTRUCTIONS, max(1, min(took, last)))
        self.shared = Shared(self.app, before + took)

    def _measure(self, cpu: GuestCpu) -> Part[tuple[int, int]]:
        before = yield from self._now(cpu)
        yield Run(WORK_PHASE, CALIBRATION_INSTRUCTIONS)
        after = yield from self._now(cpu)
        return before, after - before

    def _now(self, cpu: GuestCpu) -> Part[int]:
        """Return the guest's clock in ns, rounded up: what was to last until a time has lasted so."""
        ticks = yield from timer()
        return -(-ticks * NS_PER_S // cpu.cntfrq_hz)

    def _play(self, cpu: GuestCpu, thread: RtThread) -> Steps:
        """Turn the steps of a thread into actions."""
        steps = thread.steps()
        try:
            step: Any = next(steps)
            while True:
                action = ACTIONS[type(step)](self, cpu, step, (yield from self._now(cpu)))
                if action is not None:
                    yield action
                step = steps.send((yield from self._now(cpu)))
        except StopIteration:
            return

    def _work(self, cpu: GuestCpu, step: Work, now: int) -> Action | None:
        return Run(WORK_PHASE, max(1, int(step.ns * self.per_ns)))

    def _busy(self, cpu: GuestCpu, step: BusyUntil, now: int) -> Action | None:
        return SpinUntil(WORK_PHASE, _first_ticks(cpu, step.ns))

    def _sleep(self, cpu: GuestCpu, step: SleepUntil, now: int) -> Action | None:
        return Sleep(max(1, step.ns - now))

    def _block(self, cpu: GuestCpu, step: Block, now: int) -> Action | None:
        return Halt()

    def _wake(self, cpu: GuestCpu, step: WakeThread, now: int) -> Action | None:
        return Wake(step.thread)

    def _stay(self, cpu: GuestCpu, step: Stay, now: int) -> Action | None:
        return None

    def _done(self, cpu: GuestCpu, step: PhaseDone, now: int) -> Action | None:
        return Record("rtapp", step.row())


def make_rtapp_guest(spec: GuestSpec, workload: Workload) -> RtappGuest:
    """Make the program of a guest `rt-app:FILE`."""
    file = spec.name.removeprefix(f"{RTAPP}:")
    if not file:
        raise InputError(f"guest {spec.name!r} names no file", valid=f"{RTAPP}:FILE")
    return RtappGuest(spec, workload, load_rtapp(file, spec.rtapp_ignore))


def check_vcpus(app: RtApp, vcpus: int, any_cpus: bool, where: str) -> None:
    """Refuse too few vCPUs, and, unless ``any_cpus``, affinities to other vCPUs than the thread's own."""
    threads = app.threads
    if len(threads) > vcpus:
        raise InputError(
            f"{len(threads)} threads of the rt-app file on {vcpus} vCPUs: each needs a vCPU of its own",
            where,
            valid=f"at least {len(threads)} vCPUs (--vcpus, vms.N.vcpus)",
        )
    if app.calibration_cpu is not None and app.calibration_cpu >= vcpus:
        raise InputError(f"no vCPU {app.calibration_cpu} to calibrate on", where, valid=f"CPU0 to CPU{vcpus - 1}")
    for number, task in enumerate(threads):
        affinities = (task.cpus, *(phase.cpus for phase in task.phases))
        if not any_cpus and not all(_may_run(cpus, number) for cpus in affinities):
            raise InputError(
                f"task {task.name!r} may not run on vCPU {number}, which is its own",
                where,
                valid=f"cpus with {number} in them, or --ignore cpus",
            )


def _may_run(cpus: tuple[int, ...] | None, vcpu: int) -> bool:
    return cpus is None or vcpu in cpus


def _first_ticks(cpu: GuestCpu, ns: int) -> int:
    """Return the first value of the architected timer that is not before ``ns``."""
    return -(-ns * cpu.cntfrq_hz // NS_PER_S)


ACTIONS: dict[type, Callable[[RtappGuest, GuestCpu, Any, int], Action | None]] = {
    Work: RtappGuest._work,
    BusyUntil: RtappGuest._busy,
    SleepUntil: RtappGuest._sleep,
    Block: RtappGuest._block,
    WakeThread: RtappGuest._wake,
    Stay: RtappGuest._stay,
    PhaseDone: RtappGuest._done,
}
