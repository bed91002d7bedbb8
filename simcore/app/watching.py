"""What other PMU policies would have shown on a schedule that a run or a replay has kept: nothing is simulated again.

`watch` equals, tick by tick, what shadows of that run would have counted. Formulas: docs/model.md, "Shadows".
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from pmu import kernel, kernel_policies
from pmu.vcpu import Vcpu
from scheduler import choice
from scheduler import kernel_state as ks
from scheduler.guest import GuestVcpu
from simcore.app.recording import backing_of, shown_bits
from simcore.app.running import Machine
from simcore.errors import InputError
from simcore.result import Result
from simcore.scenario import Scenario
from simcore.trace import DTYPES, Log, table_of

SAMPLE_BYTES = 1 << 30
LEVELS = 2
SAMPLED = ("t_ns", "vcpu", "policy", "pmccntr", "counted", "counters")

Table = NDArray[np.void]


@dataclass(frozen=True, slots=True)
class Watched:
    """What each policy counted. Tables have the columns of a Result's (docs/output.md); `policy` numbers `policies`."""

    policies: tuple[str, ...]
    backing: tuple[str, ...]
    """The host PMU that backs the first VM under each policy; "" without one."""
    ledger: Table
    """vcpu, policy, slot, events, and one column a category."""
    interrupts: Table
    """t_ns, vcpu, policy, slot: where the sample period of a host event has ended."""
    samples: Table
    """t_ns, vcpu, policy, pmccntr, counted, counters; one for each `step_ns` from 0 on."""


@dataclass(frozen=True, slots=True)
class Operation:
    """What reached a vCPU's virtual PMUs: a load on a pCPU, or a guest's write (``register`` not empty)."""

    t_ns: int
    cpu: int
    register: str = ""
    value: int = 0


def watch(result: Result, policies: Sequence[str], step_ns: int = 0) -> Watched:
    """Look at a run or replay that kept its schedule (`schedule`) through other policies (`default@v6`, ...).

    ``step_ns`` is the distance of samples, any tick from 1 ns up; 0: none. Covers every policy, crossings, OPP changes,
    guest writes, overflows and exception levels; VCPU_INIT ran where it ran for the result, of a replay too. Raises
    InputError for a result without a schedule, with a live migration, and for a `scaled-time` counter that a filter
    confines to one exception level.
    """
    machine = _machine(result, policies)
    ended_ns = int(str(result.summary["ended_ns"]))
    samples = ended_ns // step_ns + 1 if step_ns else 0
    _check_size(samples, machine)
    interrupts = Log("interrupts")
    watchers = []
    for vcpu in machine.host.vcpus:
        watcher = _Watcher(machine, result, vcpu, step_ns, samples)
        watchers.append(watcher)
        for row in watcher.to_the_end(ended_ns):
            interrupts.add(*row)
    found = interrupts.table()
    return Watched(
        policies=tuple(f"{policy.name}@{policy.kernel}" for policy in machine.plans[0].policies[1:]),
        backing=tuple(backing_of(machine.vms[0], number) for number in range(1, machine.rows_per_vcpu)),
        ledger=_ledger(machine),
        interrupts=found[np.lexsort((found["slot"], found["policy"], found["vcpu"], found["t_ns"]))],
        samples=_samples(machine, watchers, step_ns),
    )


def _machine(result: Result, policies: Sequence[str]) -> Machine:
    """Build the machine of the run with shadows; it never runs."""
    if not policies:
        raise InputError("no policy to look through", valid="one or more, such as default@v6")
    scenario = result.scenario
    if not scenario.schedule or "segments" not in result.tables:
        raise InputError(
            "the run kept no schedule", "schedule", valid="schedule = true, in its scenario or for its replay"
        )
    if not scenario.vms or scenario.live_migrations:
        raise InputError("a live migration replaces virtual PMUs", "live_migrations", valid="a run without, with a VM")
    return Machine(_shadowed(scenario, policies))


def _shadowed(scenario: Scenario, policies: Sequence[str]) -> Scenario:
    vms = tuple(replace(vm, shadows=tuple(policies)) for vm in scenario.vms)
    if choice.name_of(scenario.scheduler) != choice.REPLAY:
        return replace(scenario, vms=vms, sample_ns=0)
    recorded = tuple(replace(vm, policy=None) for vm in vms)  # what ran had no PMU, and no policy that pins it
    return replace(scenario, vms=recorded, sample_ns=0, scheduler=choice.EEVDF)


def _check_size(samples: int, machine: Machine) -> None:
    size = samples * machine.bank.saved.shape[0] * kernel.SLOTS * 8
    if size > SAMPLE_BYTES:
        raise InputError(
            f"samples of {size >> 20} MiB", "step", valid=f"a wider step, {SAMPLE_BYTES >> 20} MiB at most"
        )


class _Watcher:
    """The shadows of one vCPU on their way through its schedule."""

    def __init__(self, machine: Machine, result: Result, vcpu: GuestVcpu, step_ns: int, samples: int) -> None:
        rows = slice(vcpu.rows().start + 1, vcpu.rows().stop)
        bank, events, policies = machine.bank, len(machine.events), len(vcpu.shadows)
        self.vcpu = vcpu
        self.state = machine.host.state
        self.operations = _operations(result, vcpu.index)
        self.segments, self.rate = _segments(machine, result, vcpu.index)
        self.levels = np.unique(self.segments[:, kernel_policies.SETTING]).tolist()
        self.step_ns = step_ns
        self.at = np.zeros(kernel_policies.AT_COLUMNS, np.int64)
        self.streams = np.zeros((5, events), np.uint64)  # residual, total, mark, limit, increment
        self.time_tied = machine.host.state.time_tied
        self.stream, self.category = bank.stream[rows], bank.category[rows]
        self.settings = np.zeros((2, LEVELS, policies, bank.slots), np.int64)
        self.counters = [array[rows] for array in (bank.saved, bank.count, bank.left, bank.ledger)]
        self.overflowed = np.zeros(policies, np.int64)
        self.sample = np.zeros((samples, policies, kernel.SLOTS), np.uint64)
        self.counted = np.zeros((samples, policies), np.uint64)
        self.cpu = self.pmu_class = int(ks.NONE)
        self.executed = np.cumsum(self.segments[:, kernel_policies.TO] - self.segments[:, kernel_policies.FROM])

    def to_the_end(self, ended_ns: int) -> Iterator[tuple[int, int, int, int]]:
        """Do every operation at its time and yield the rows of the interrupts."""
        self._take_settings()
        for operation in self.operations:
            if self._changes_nothing(operation):
                self.cpu = operation.cpu
                continue
            yield from self._to(operation.t_ns)
            self._do(operation)
            self._take_settings()
        yield from self._to(ended_ns)

    def _to(self, t_ns: int) -> Iterator[tuple[int, int, int, int]]:
        while kernel_policies.follow(
            self.segments, self.at, t_ns, self.step_ns, self.rate, self.time_tied, *self.streams, *self.settings,
            *self.counters, self.overflowed, self.sample, self.counted,
        ):  # fmt: skip
            self._tell_time(int(self.at[kernel_policies.NOW]))
            for policy, vpmu in enumerate(self.vcpu.shadows):
                mask = int(self.overflowed[policy])
                for slot in range(mask.bit_length()):
                    if mask >> slot & 1:
                        yield int(self.at[kernel_policies.NOW]), self.vcpu.index, policy, slot
                        vpmu.overflow(slot)
            self._enter(self.vcpu.shadows, self.cpu)
            self.overflowed[:] = 0
            self._take_settings()
        self._tell_time(t_ns)

    def _tell_time(self, t_ns: int) -> None:
        """Tell the host's arrays the time and how long the guest has executed, for counters that follow a timer."""
        begun = int(np.searchsorted(self.segments[:, kernel_policies.FROM], t_ns))
        executed = int(self.executed[begun - 1]) if begun else 0
        late = max(0, int(self.segments[begun - 1, kernel_policies.TO]) - t_ns) if begun else 0
        self.state.glob[ks.NOW] = t_ns
        self.state.vcpu[self.vcpu.index, ks.GUEST_NS] = executed - late

    def _changes_nothing(self, operation: Operation) -> bool:
        """Tell whether an operation is a load on the same class of host PMUs that no virtual PMU needs."""
        again = not operation.register and int(self.state.cpu[operation.cpu, ks.PMU_CLASS]) == self.pmu_class
        return again and not any(vpmu.loads_matter for vpmu in self.vcpu.shadows)

    def _do(self, operation: Operation) -> None:
        if operation.register:
            for vpmu in self.vcpu.shadows:
                vpmu.write(operation.register, operation.value)
            self._enter(self.vcpu.shadows, self.cpu)
            return
        self.cpu = operation.cpu
        before, self.pmu_class = self.pmu_class, int(self.state.cpu[operation.cpu, ks.PMU_CLASS])
        loaded = [vpmu for vpmu in self.vcpu.shadows if vpmu.loads_matter or self.pmu_class != before]
        for vpmu in loaded:
            vpmu.put()
            vpmu.load(operation.cpu)
        self._enter(loaded, operation.cpu)

    def _enter(self, vpmus: Sequence[Vcpu], cpu: int) -> None:
        for vpmu in vpmus:
            vpmu.reenter(cpu)

    def _take_settings(self) -> None:
        """Note what drives each counter, and where it is booked, at each exception level at which the vCPU executes."""
        depends = [vpmu for vpmu in self.vcpu.shadows if vpmu.depends_on_level]
        if any(vpmu.vm.mode.timed for vpmu in depends) and len(self.levels) > 1:
            raise InputError("a scaled-time counter is confined to one exception level", valid="another policy")
        for level in self.levels:
            for vpmu in self.vcpu.shadows:
                vpmu.set_level(level)
            self.settings[:, level] = self.stream, self.category


def _operations(result: Result, vcpu: int) -> list[Operation]:
    """Return the loads and writes of a vCPU in the order in which they happened."""
    loads, writes = result.tables["loads"], result.tables["writes"]
    ordered = [
        ((number, 0, 0), Operation(int(loads["t_ns"][number]), int(loads["cpu"][number])))
        for number in np.flatnonzero(loads["vcpu"] == vcpu).tolist()
    ]
    for number in np.flatnonzero(writes["vcpu"] == vcpu).tolist():
        t_ns, _, before, register, value = writes[number].item()
        ordered.append(((before - 1, 1, number), Operation(t_ns, -1, register, value)))
    return [operation for _, operation in sorted(ordered, key=lambda pair: pair[0])]


def _segments(machine: Machine, result: Result, vcpu: int) -> tuple[NDArray[np.int64], NDArray[np.uint64]]:
    """Return the segments of a vCPU as the kernel takes them, and the rates that they name."""
    table = result.tables["segments"]
    table = table[table["vcpu"] == vcpu]
    core = [cpu.core for cpu in machine.platform.cpus]
    keys = list(
        zip(table["phase"].tolist(), (core[cpu] for cpu in table["cpu"].tolist()), table["khz"].tolist(), strict=True)
    )
    number = {key: place for place, key in enumerate(dict.fromkeys(keys))}
    segments = np.zeros((len(table), kernel_policies.SEGMENT_COLUMNS), np.int64)
    columns = {
        kernel_policies.FROM: table["start_ns"],
        kernel_policies.TO: table["end_ns"],
        kernel_policies.RATES: [number[key] for key in keys],
        kernel_policies.KHZ: table["khz"],
        kernel_policies.REST: table["rest"],
        kernel_policies.SETTING: [machine.phases[phase].level for phase in table["phase"].tolist()],
    }
    for column, values in columns.items():
        segments[:, column] = values
    rates = [machine.rates(*key) for key in number]
    return segments, np.array(rates, np.uint64).reshape(len(rates), len(machine.events))


def _ledger(machine: Machine) -> Table:
    rows = machine.rows_per_vcpu
    booked = machine.bank.ledger.reshape(-1, rows, *machine.bank.ledger.shape[1:])[:, 1:]
    vcpu, policy, slot = (grid.ravel() for grid in np.indices(booked.shape[:3]))
    categories = booked.reshape(-1, kernel.CATEGORIES)
    return table_of("ledger", [vcpu, policy, slot, categories.sum(axis=1), *categories.T])


def _samples(machine: Machine, watchers: Sequence[_Watcher], step_ns: int) -> Table:
    """Return a row for each sample, vCPU and policy, in this order."""
    values = np.stack([watcher.sample for watcher in watchers], axis=1)
    counted = np.stack([watcher.counted for watcher in watchers], axis=1)
    sample, vcpu, policy = np.indices(counted.shape).reshape(3, -1)
    kept = values.reshape(-1, kernel.SLOTS)
    table = np.zeros(len(kept), [column for column in DTYPES["samples"] if column[0] in SAMPLED])
    counters = kept[:, : kernel.CYCLE_SLOT] & shown_bits(machine)[vcpu, policy + 1, np.newaxis]
    columns = (sample * step_ns, vcpu, policy, kept[:, kernel.CYCLE_SLOT], counted.ravel(), counters)
    for name, column in zip(SAMPLED, columns, strict=True):
        table[name] = column
    return table
