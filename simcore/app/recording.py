"""What a finished machine leaves behind, as the tables of a Result (``simcore.trace.DTYPES``)."""

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from pmu import kernel as pmu_kernel
from pmu.events import NOMINAL_CYCLES
from scheduler import kernel_group as kg
from scheduler import kernel_idle as ki
from scheduler import kernel_poll as kp
from scheduler import kernel_state as ks
from scheduler.energy import UNKNOWN, busy_uj, has_energy_model, idle_uj, powers
from scheduler.idling import state_names
from simcore.app.live_plans import then
from simcore.app.recording_history import history_tables
from simcore.result import Result
from simcore.trace import Log, table_of

if TYPE_CHECKING:
    from scheduler.guest import GuestVm
    from simcore.app.running import Machine

Table = NDArray[np.void]


def result_of(machine: "Machine") -> Result:
    """Return the Result of a machine that has run."""
    host = machine.host
    tables = {name: log.table() for name, log in host.logs.items()}
    tables |= history_tables(host.state)
    tables |= {
        "migrations": _log_table("migrations", host.state.moves, host.state.glob[ks.N_MOVES]),
        "segments": _segments(machine),
        "loads": _log_table("loads", host.state.loads, host.state.glob[ks.N_LOADS]),
        "stalls": _stalls(machine),
        "samples": _samples(machine),
        "ledger": _ledger(machine),
        "events": _events(machine),
        "vcpus": _vcpus(machine),
        "vpmus": _vpmus(machine),
        "guests": guests_table(machine),
        "residence": _residence(machine),
        "cgroups": _cgroups(machine),
        "cpus": table_of("cpus", [np.arange(len(host.state.cpu)), host.state.cpu[:, ks.BUSY_NS]]),
        "energy": _energy(machine),
        "halts": _halts(machine),
        "idle_states": _idle_states(machine),
    }
    return Result(machine.scenario, tables, _summary(machine))


def _summary(machine: "Machine") -> dict[str, object]:
    return {
        "ended_ns": machine.host.now_ns,
        "policies": [_policies(machine, number) for number in range(len(machine.plans))],
        "host_pmus": [node.name for node in machine.platform.pmus],
        "has_energy_model": has_energy_model(machine.platform),
    }


def _policies(machine: "Machine", vm: int) -> list[str]:
    """Return the policies of a VM, the real one first, and what it has after live migrations."""
    real, *shadows = (f"{policy.name}@{policy.kernel}" for policy in machine.plans[vm].policies)
    return [then(machine.scenario, real, vm), *shadows]


def _log_table(name: str, rows: NDArray[np.int64], used: int) -> Table:
    return table_of(name, list(rows[:used].T))


def _segments(machine: "Machine") -> Table:
    table = _log_table("segments", machine.host.state.segments, machine.host.state.glob[ks.N_SEGMENTS])
    return table[np.lexsort((table["vcpu"], table["start_ns"]))]


def _stalls(machine: "Machine") -> Table:
    rows = machine.host.state.stalls[: machine.host.state.glob[ks.N_STALLS]]
    start, end, row, guest_ns = rows.T
    table = table_of("stalls", [start, end, row // machine.rows_per_vcpu, row % machine.rows_per_vcpu, guest_ns])
    return table[np.lexsort((table["policy"], table["vcpu"], table["start_ns"]))]


def _samples(machine: "Machine") -> Table:
    """Return one row for each sample, vCPU and policy, in this order."""
    state, step = machine.host.state, machine.scenario.sample_ns
    count = machine.host.now_ns // step + 1 if step else 0
    shape = (count, len(state.vcpu), machine.rows_per_vcpu)
    k, v, p = (grid.ravel() for grid in np.indices(shape))
    row = v * machine.rows_per_vcpu + p
    info = state.sample[k, v].reshape(-1, ks.SAMPLE_COLUMNS)
    value = state.sample_value[k, row].reshape(-1, pmu_kernel.SLOTS)
    cpu, guest_ns, cycles, level = info.T
    counted, category = (kept[k, row].reshape(-1) for kept in (state.sample_counted, state.sample_category))
    counters = value[:, : pmu_kernel.CYCLE_SLOT] & shown_bits(machine)[v, p, np.newaxis]
    pmccntr = value[:, pmu_kernel.CYCLE_SLOT]
    return table_of("samples", [k * step, v, p, cpu, level, guest_ns, cycles, pmccntr, counted, category, counters])


def shown_bits(machine: "Machine") -> NDArray[np.uint64]:
    """Return the bits of an event counter that the guest reads, for each vCPU and each of its virtual PMUs."""
    bits = np.zeros((len(machine.host.vcpus), machine.rows_per_vcpu), np.uint64)
    for vcpu in machine.host.vcpus:
        for number, vpmu in enumerate(vcpu.vpmus):
            bits[vcpu.index, number] = vpmu.counters.shown_bits(0)
    return bits


def _ledger(machine: "Machine") -> Table:
    booked = machine.bank.ledger
    rows, slots = (grid.ravel() for grid in np.indices(booked.shape[:2]))
    categories = booked.reshape(-1, pmu_kernel.CATEGORIES)
    vcpu, policy = rows // machine.rows_per_vcpu, rows % machine.rows_per_vcpu
    return table_of("ledger", [vcpu, policy, slots, categories.sum(axis=1), *categories.T])


def _events(machine: "Machine") -> Table:
    """Return the true events of each vCPU: whole events of its streams, whatever any counter did."""
    kept = [stream for stream, event in enumerate(machine.events) if event != NOMINAL_CYCLES]
    total = machine.host.state.total[:, kept]
    vcpu, stream = (grid.ravel() for grid in np.indices(total.shape))
    return table_of("events", [vcpu, np.array(machine.events)[kept][stream], total.ravel()])


def _vcpus(machine: "Machine") -> Table:
    log = Log("vcpus")
    for vcpu in machine.host.vcpus:
        row = machine.host.state.vcpu[vcpu.index]
        log.add(
            vcpu.index,
            vcpu.vm.number,
            vcpu.init_cpu,
            int(row[ks.GUEST_NS]),
            int(row[ks.CYCLES]),
            int(row[ks.INSTRUCTIONS]),
            vcpu.charged_ns,
            vcpu.attempts.total,
            vcpu.irqchip_exits,
            int(machine.host.state.task[vcpu.task, ks.RUN_DELAY]),
        )
    return log.table()


def _vpmus(machine: "Machine") -> Table:
    log = Log("vpmus")
    for vcpu in machine.host.vcpus:
        for policy, (number, vpmu) in enumerate(zip(vcpu.rows(), vcpu.vpmus, strict=True)):
            row = machine.host.state.row[number]
            log.add(
                vcpu.index,
                policy,
                int(row[ks.ENABLED_NS]),
                int(row[ks.STALLED_NS]),
                int(row[ks.LONGEST_NS]),
                vpmu.work.load_reloads,
                vpmu.work.other_reloads,
                vpmu.work.creations,
                vpmu.work.releases,
                vcpu.refused[policy],
            )
    return log.table()


def guests_table(machine: "Machine", policy: int = 0) -> Table:
    """Return one row a VM; what its guest reads of PMCR_EL0.N and PMCEID is read through the policy's virtual PMU."""
    log = Log("guests")
    for vm in machine.vms:
        vpmu = vm.vcpus[0].vpmus[policy]
        pmcr, pmceid0, pmceid1 = (_value(vpmu.read(name, 1)) for name in ("PMCR_EL0", "PMCEID0_EL0", "PMCEID1_EL0"))
        died = -1 if vm.died_ns is None else vm.died_ns
        log.add(vm.number, vm.outcome, died, backing_of(vm, policy), pmcr >> 11 & 31, pmceid0, pmceid1)
    return log.table()


def backing_of(vm: "GuestVm", policy: int) -> str:
    """Return the name of the host PMU that backs a VM under its policy of this number; "" without one."""
    backing = vm.kvms[policy].pmu or vm.kvms[policy].drawn_pmu
    return backing.name if backing else ""


def _residence(machine: "Machine") -> Table:
    """Return one row for each vCPU and each class of host PMUs, by its first, on whose pCPUs it executed."""
    log = Log("residence")
    host = machine.host
    first_pmu = dict(host.state.cpu[:, [ks.PMU_CLASS, ks.FIRST_PMU]].tolist())
    for vcpu in host.vcpus:
        host.book_residence(vcpu)
        for pmu_class, (guest_ns, guest_cycles) in sorted(vcpu.residence.spent.items()):
            log.add(vcpu.index, first_pmu[pmu_class], guest_ns, guest_cycles)
    return log.table()


def _cgroups(machine: "Machine") -> Table:
    rows = machine.host.state.group
    columns = (kg.USAGE_NS, kg.N_PERIODS, kg.N_THROTTLED, kg.THROTTLED_NS)
    return table_of("cgroups", [np.arange(len(rows)), *(rows[:, column] for column in columns)])


def _value(answer: object) -> int:
    return answer if isinstance(answer, int) else 0


def _energy(machine: "Machine") -> Table:
    """Return one row a perf domain: the energy of its busy and of its idle time, if the power of its CPUs is known."""
    log = Log("energy")
    for number, domain in enumerate(machine.platform.perf_domains):
        power = powers(machine.platform, domain)
        if power is None:
            log.add(number, UNKNOWN, UNKNOWN)
        else:
            state = machine.host.state
            log.add(number, busy_uj(state, domain, power), idle_uj(state, domain, power, machine.scenario.idle))
    return log.table()


def _halts(machine: "Machine") -> Table:
    poll = machine.host.state.poll
    columns = (kp.HALTS, kp.ATTEMPTS, kp.SUCCESSES, kp.SUCCESS_NS, kp.FAIL_NS, kp.WAIT_NS, kp.WINDOW_NS)
    return table_of("halts", [np.arange(len(poll)), *(poll[:, column] for column in columns)])


def _idle_states(machine: "Machine") -> Table:
    log = Log("idle_states")
    for cpu in range(len(machine.platform.cpus)):
        names = state_names(machine.platform, cpu)
        for number, (name, row) in enumerate(zip(names, machine.host.state.idle_state[cpu], strict=False)):
            figures = (int(row[column]) for column in (ki.TIME_NS, ki.ENTERED, ki.TOO_DEEP, ki.TOO_SHALLOW))
            log.add(cpu, number, name, *figures)
    return log.table()
