"""The threads of an rt-app file as threads of the host: each step becomes a row of the thread's script."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from scheduler import kernel_state as ks
from scheduler import layout
from scheduler.attributes import check_thread
from simcore.errors import InputError
from simcore.platform import Platform
from simcore.scenario import ThreadSpec
from simcore.trace import HOST_VM
from workloads.rtapp_file import RtApp
from workloads.rtapp_steps import Block, BusyUntil, PhaseDone, SleepUntil, Stay, Steps, WakeThread, Work
from workloads.rtapp_thread import RtThread, Shared

if TYPE_CHECKING:
    from scheduler.host import Host


def check_threads(app: RtApp, where: str, cpus: int) -> None:
    """Refuse pCPUs that a host of ``cpus`` pCPUs does not have, and what sched_setattr refuses."""
    for task in app.tasks:
        check_thread(task.sched, f"{where}: tasks.{task.name}")
        for named in (task.cpus, *(phase.cpus for phase in task.phases)):
            if named and max(named) >= cpus:
                raise InputError(
                    f"no CPU {max(named)} on this platform",
                    f"{where}: tasks.{task.name}.cpus",
                    valid=f"0 to {cpus - 1}",
                )
    if app.calibration_cpu is not None and app.calibration_cpu >= cpus:
        raise InputError(
            f"no CPU {app.calibration_cpu} on this platform", f"{where}: global.calibration", valid=f"0 to {cpus - 1}"
        )


def places_of(app: RtApp) -> list[tuple[ThreadSpec, tuple[int, ...] | None]]:
    """Return how the host schedules each thread, and on which pCPUs (None: all)."""
    return [(task.sched, task.phases[0].cpus or task.cpus) for task in app.threads]


def host_threads(app: RtApp, platform: Platform, first_task: int) -> list["RtappThread"]:
    """Return the threads; they are the host's tasks from ``first_task`` on.

    All start at time 0, each on the next of its pCPUs in turn (assumed: Linux starts a new thread on the idlest).
    """
    shared = Shared(app, 0)
    threads = []
    for number, (task, (_, allowed)) in enumerate(zip(app.threads, places_of(app), strict=True)):
        cpus = allowed or tuple(range(len(platform.cpus)))
        steps = RtThread(task, number, shared).steps()
        threads.append(RtappThread(steps, app, platform, first_task, cpus[number % len(cpus)]))
    return threads


@dataclass(slots=True)
class RtappThread:
    """One thread, which starts on pCPU ``first_cpu``; ``asked`` tells whether its steps have begun."""

    steps: Steps
    app: RtApp
    platform: Platform
    first_task: int
    first_cpu: int
    asked: bool = False

    def begin(self, host: "Host", task: int) -> None:
        """Start at once."""
        host.start_thread(task, self.first_cpu)

    def go_on(self, host: "Host", task: int) -> None:
        """Advance the thread's steps until one takes time."""
        while True:
            step = self._next(host.now_ns)
            if step is None:
                host.resume(ks.EXIT)
                return
            if not HANDLERS[type(step)](self, host, task, step):
                return

    def _next(self, now_ns: int) -> Any:
        begun, self.asked = self.asked, True
        try:
            return self.steps.send(now_ns) if begun else next(self.steps)
        except StopIteration:
            return None

    def work(self, host: "Host", task: int, step: Work) -> bool:
        """Execute as long as the CPU of the calibration takes at its top OPP."""
        if self.app.calibration_cpu is None:
            work = layout.burst_work(self.platform, step.ns)
        else:
            work = layout.work_on(self.platform, self.app.calibration_cpu, step.ns)
        return _row(host, task, ks.RUN, 0, work)

    def busy(self, host: "Host", task: int, step: BusyUntil) -> bool:
        """Execute until a given time."""
        return _row(host, task, ks.SPIN, 0, step.ns)

    def sleep(self, host: "Host", task: int, step: SleepUntil) -> bool:
        """Sleep until a given time."""
        return _row(host, task, ks.SLEEP_FOR, ks.NONE, step.ns - host.now_ns)

    def block(self, host: "Host", task: int, step: Block) -> bool:
        """Sleep until woken."""
        return _row(host, task, ks.HALT, 0, 0)

    def wake(self, host: "Host", task: int, step: WakeThread) -> bool:
        """Wake another thread."""
        host.wake(self.first_task + step.thread, int(host.state.glob[ks.STOP_CPU]), task)
        return True

    def stay(self, host: "Host", task: int, step: Stay) -> bool:
        """Run on these pCPUs only; the thread goes on when it runs on one of them."""
        cpus = step.cpus or tuple(range(len(self.platform.cpus)))
        here = int(host.state.task[task, ks.CPU])
        host.allow(task, cpus)
        return here in cpus

    def done(self, host: "Host", task: int, step: PhaseDone) -> bool:
        """Record what rt-app would log."""
        host.logs["rtapp"].add(HOST_VM, *step.row())
        return True


def _row(host: "Host", task: int, *row: int) -> bool:
    host.write_script(task, [row])
    host.resume()
    return False


HANDLERS: dict[type, Callable[[RtappThread, "Host", int, Any], bool]] = {
    Work: RtappThread.work,
    BusyUntil: RtappThread.busy,
    SleepUntil: RtappThread.sleep,
    Block: RtappThread.block,
    WakeThread: RtappThread.wake,
    Stay: RtappThread.stay,
    PhaseDone: RtappThread.done,
}
"""Each returns whether the thread goes on at once; if not, it has told the host how."""
