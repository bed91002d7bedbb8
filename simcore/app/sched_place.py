"""Replay of recorded wakeup placements (part eas of hetpmu-sched-vectors/1): one sleeping thread on a machine.

The kernel's part is in ``scheduler.kernel_wake``, ``kernel_energy`` and ``kernel_capacity``.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

from scheduler import kernel_capacity, kernel_energy, kernel_signal, kernel_wake
from scheduler import kernel_state as ks
from scheduler.kernel_handle import handle_of
from simcore.app.sched_machine import Named, Row, build, compared, has_model, mask_of, set_cpu
from simcore.app.sched_machine_forms import INT64, SCALE, check_cpu, check_file, cpus_of, flag, numbers
from simcore.app.vector_forms import UINT32, at, integer, items, keys
from simcore.errors import InputError

PART: Final = "eas"
NOTES: Final = ("vector", "result", "documented_example", "documented_example_about")
TASK: Final = 0
NOT_ASKED: Final = -1

TASK_STATE: Final[Mapping[str, int]] = {
    "util_avg": ks.SE_UTIL,
    "util_est": ks.UTIL_EST,
    "runnable_avg": ks.SE_RUNNABLE,
    "load_avg": ks.SE_LOAD,
}
"""Name of a figure of the thread -> its column."""


class Placement:
    """A machine at the moment at which a thread wakes up."""

    def __init__(self, vector: Row, platform: Row) -> None:
        """Set the figures of all CPUs and of the thread."""
        self.state = build(platform, 1, vector["uclamp_used"])
        self.cpus = range(platform["ncpus"])
        self.last: int = vector["task"]["prev_cpu"]
        self.waker: int = vector["waker_cpu"]
        self.sync: int = vector["sync"]
        self.state.glob[ks.OVERUTILISED] = vector["overutilized"]
        for cpu, row in enumerate(vector["cpus"]):
            set_cpu(self.state, cpu, row)
        for name, pressure in vector["pressure"].items():
            self.state.cpu[int(name), ks.PRESSURE] = pressure
        self._set_task(vector["task"])
        self.handle = handle_of(self.state)
        for cpu in self.cpus:
            kernel_capacity.renew_capacity(self.handle, cpu)

    def _set_task(self, row: Row) -> None:
        task = self.state.task[TASK]
        task[ks.CPU] = task[ks.RECENT_CPU] = row["prev_cpu"]
        for name, column in TASK_STATE.items():
            task[column] = row[name]
        task[ks.CLAMP_MIN] = 0 if row["uclamp_min"] == NOT_ASKED else row["uclamp_min"]
        task[ks.CLAMP_MAX] = SCALE if row["uclamp_max"] == NOT_ASKED else row["uclamp_max"]
        self.state.allowed[TASK] = [row["affinity"] >> cpu & 1 for cpu in self.cpus]

    def efficient(self) -> int:
        """Return the CPU on which the thread costs the least energy."""
        return int(kernel_wake.find_efficient(self.handle, TASK, self.last, self.waker))

    def selected(self) -> int:
        """Return the CPU on which the thread wakes up, whether allowed or not."""
        return int(kernel_wake.select_cpu(self.handle, TASK, self.waker, self.sync))

    def expected_util(self) -> int:
        """Return the utilisation to expect of the thread."""
        return int(kernel_signal.expected_util(self.handle, TASK))

    def capacities(self) -> list[int]:
        """Return what other classes leave of each CPU."""
        return self.state.cpu[:, ks.CAPACITY_LEFT].tolist()  # type: ignore[no-any-return]

    def util_with(self) -> list[int]:
        """Return the utilisation of each CPU with the thread."""
        return [self._util_with(cpu, cpu) for cpu in self.cpus]

    def util_without(self) -> list[int]:
        """Return the utilisation of each CPU without the thread."""
        return [self._util_with(cpu, ks.NONE) for cpu in self.cpus]

    def _util_with(self, cpu: int, target: int) -> int:
        return int(kernel_capacity.util_with(self.state.cpu, cpu, self.state.task, TASK, target, ks.NO))

    def fits(self) -> list[int]:
        """Return whether the thread fits each CPU."""
        return [int(kernel_capacity.fit_of(self.handle, cpu, TASK) > 0) for cpu in self.cpus]

    def overutilised(self) -> list[int]:
        """Return whether each CPU is overutilised."""
        return [int(kernel_capacity.is_overutilised(self.handle, cpu)) for cpu in self.cpus]

    def domains(self) -> list[Row]:
        """Return what each perf domain would cost, in visiting order."""
        return [self._domain(d) for d in self.state.dom[:, ks.VISITED].tolist()]

    def _domain(self, d: int) -> Row:
        members = self.state.member[d, : self.state.dom[d, ks.N_MEMBERS]].tolist()
        without = kernel_energy.survey(self.handle, d, TASK)
        added = int(kernel_energy.busy_with(self.handle, TASK, self.last))

        def cost(target: int) -> list[int]:
            highest = kernel_energy.highest_with(self.handle, d, TASK, target, without)
            return [int(highest), int(kernel_energy.energy_with(self.handle, d, TASK, target, without, added))]

        return {
            "cpus": mask_of(members),
            "task_busy": added,
            "pd_busy": int(without[0]),
            "base": cost(ks.NONE),
            "dst": {str(cpu): cost(cpu) for cpu in members},
        }


RESULTS: Final[Mapping[str, Callable[[Placement], Any]]] = {
    "feec": Placement.efficient,
    "select": Placement.selected,
    "task_util_est": Placement.expected_util,
    "capacity_of": Placement.capacities,
    "cpu_util_with": Placement.util_with,
    "cpu_util_without": Placement.util_without,
    "task_fits": Placement.fits,
    "overutil": Placement.overutilised,
    "pds": Placement.domains,
}
"""Name of a recorded result -> what gives it."""


def mismatch(vector: Row, content: Row) -> tuple[int, str, Any, Any] | None:
    """Replay a vector of a checked file; return (step, name, expected, got) of the first difference, or None."""
    platform = next(row for row in content["platforms"] if row["name"] == vector["platform"])
    placement = Placement(vector, platform)
    for step, (name, expected, got) in enumerate(_compared(vector, platform, placement)):
        if expected != got:
            return step, name, expected, got
    return None


def _compared(vector: Row, platform: Row, placement: Placement) -> list[Named]:
    results = [(name, vector["result"][name], result(placement)) for name, result in RESULTS.items()]
    return [*results, *compared(platform, placement.state)]


# What a file may say


def check(content: Row, where: str = "") -> None:
    """Raise InputError for the first thing in a file that has no meaning."""
    check_file(content, where, PART, NOTES, _vector)


def _vector(value: Any, platform: Row) -> None:
    row = keys(
        value,
        ("id", "platform", "uclamp_used", "pressure", "cpus", "task", "waker_cpu", "overutilized", "sync", "result"),
        ("theme",),
    )
    ncpus = platform["ncpus"]
    if not has_model(platform):
        raise InputError(f"platform {platform['name']!r} has no energy model", "platform", valid="one that has")
    at("uclamp_used", flag, row["uclamp_used"])
    for cpu in at("pressure", cpus_of, row["pressure"], ncpus, integer, 0, SCALE):
        at(f"pressure, cpu {cpu}", integer, row["pressure"][str(cpu)], 0, platform["capacity"][cpu])
    cpus = at("cpus", items, row["cpus"])
    if len(cpus) != ncpus:
        raise InputError(f"{len(cpus)} CPUs", where="cpus", valid=f"the {ncpus} of {platform['name']}")
    for cpu, figures in enumerate(cpus):
        at(f"cpus, cpu {cpu}", check_cpu, figures)
    at("task", _task, row["task"], ncpus)
    at("waker_cpu", integer, row["waker_cpu"], 0, ncpus - 1)
    for name in ("overutilized", "sync"):
        at(name, integer, row[name], 0, 1)
    at("result", _result, row["result"], platform)


def _task(value: Any, ncpus: int) -> None:
    row = keys(value, (*TASK_STATE, "prev_cpu", "affinity", "uclamp_min", "uclamp_max"))
    for name in TASK_STATE:
        at(name, integer, row[name], 0, UINT32)
    at("prev_cpu", integer, row["prev_cpu"], 0, ncpus - 1)
    at("affinity", integer, row["affinity"], 1, (1 << ncpus) - 1)
    for name in ("uclamp_min", "uclamp_max"):
        at(name, integer, row[name], NOT_ASKED, SCALE)


def _result(value: Any, platform: Row) -> None:
    row = keys(value, RESULTS)
    ncpus = platform["ncpus"]
    for name in ("feec", "select"):
        at(name, integer, row[name], 0, ncpus - 1)
    at("task_util_est", integer, row["task_util_est"], 0, UINT32)
    for name in ("capacity_of", "cpu_util_with", "cpu_util_without"):
        at(name, numbers, row[name], ncpus, SCALE)
    for name in ("task_fits", "overutil"):
        at(name, numbers, row[name], ncpus, 1)
    for number, pd in enumerate(at("pds", items, row["pds"])):
        at(f"pds, number {number}", _energies, pd, ncpus)


def _energies(value: Any, ncpus: int) -> None:
    row = keys(value, ("cpus", "task_busy", "pd_busy", "base", "dst"))
    at("cpus", integer, row["cpus"], 1, (1 << ncpus) - 1)
    for name in ("task_busy", "pd_busy"):
        at(name, integer, row[name], 0, INT64)
    at("base", numbers, row["base"], 2, INT64)
    at("dst", cpus_of, row["dst"], ncpus, numbers, 2, INT64)
