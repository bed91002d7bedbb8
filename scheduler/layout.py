"""The host's arrays at the start of a run, made from a platform and a scenario."""

from collections.abc import Sequence

import numpy as np

from pmu.bank import CounterBank
from scheduler import kernel_group as kg
from scheduler import kernel_state as ks
from scheduler.energy import has_energy_model, opp_rows, powers
from scheduler.governors import SCHEDUTIL, govern
from scheduler.idling import idle_arrays, no_timers
from scheduler.kernel_crowd import CROWD_COLUMNS
from scheduler.kernel_history import HISTORY_COLUMNS, INTERRUPTED, ROOM_FACTOR
from scheduler.kernel_poll import HALTED_AT, MOST_NS, POLL_COLUMNS
from scheduler.kernel_switch import FIRST_AVERAGE_V
from scheduler.topology import describe_cpus, describe_placement, domain_arrays
from simcore.platform import SCHED_CAPACITY_SCALE, Platform
from simcore.scenario import Scenario
from simcore.units import NS_PER_S

MAX_HORIZON_NS = 1 << 29
BASE_SLICE_NS = 700_000
FIRST_LOG_ROWS = 4096
DEFAULT_CPU_WEIGHT = 100
EAS = "eas"
NICE_WEIGHTS = (
    88761, 71755, 56483, 46273, 36291, 29154, 23254, 18705, 14949, 11916, 9548, 7620, 6100, 4904, 3906, 3121,
    2501, 1991, 1586, 1277, 1024, 820, 655, 526, 423, 335, 272, 215, 172, 137, 110, 87, 70, 56, 45, 36, 29, 23,
    18, 15,
)  # fmt: skip
"""Weights of nice -20..19: Linux' sched_prio_to_weight."""


def weight_of(nice: int) -> int:
    """Return the weight of a nice value from -20 to 19."""
    return NICE_WEIGHTS[nice + 20]


def base_slice_ns(cpus: int) -> int:
    """Return EEVDF's base slice: 0.7 ms * (1 + floor(log2(min(CPUs, 8))))."""
    return BASE_SLICE_NS * min(cpus, 8).bit_length()


def balance_interval_ns(cpus: int) -> int:
    """Return the periodic balance interval: one ms for each CPU of the domain, as Linux' min_interval."""
    return cpus * 1_000_000


def rate_classes(platform: Platform) -> list[tuple[str, int]]:
    """Return the (core type, perf domain) pairs of a platform; a pCPU's rates depend on nothing else."""
    return sorted({(cpu.core, cpu.perf_domain) for cpu in platform.cpus})


def pmu_sets(platform: Platform) -> list[tuple[str, ...]]:
    """Return the distinct sets of host PMUs that cover some pCPU."""
    return sorted({_pmu_names(platform, cpu.number) for cpu in platform.cpus})


def cache_ids(platform: Platform) -> list[int]:
    """Return an id of the last-level cache of each pCPU; one for all where the device tree has none."""
    last = max((cache.level for cache in platform.caches), default=0)
    ids = [0] * len(platform.cpus)
    for number, cache in enumerate(c for c in platform.caches if c.level == last):
        for cpu in cache.cpus:
            ids[cpu] = number + 1
    return ids


def build_state(
    platform: Platform,
    scenario: Scenario,
    bank: CounterBank,
    events: Sequence[int],
    time_events: frozenset[int],
    inst_event: int,
    levels: Sequence[int],
    vcpus: int,
    tasks: int,
) -> ks.State:
    """Return the arrays of a host with idle pCPUs and threads that have not started.

    ``levels`` are the exception levels of the guests' phases.
    """
    log_room = len(platform.cpus) + tasks + bank.saved.shape[0]
    log_rows = max(FIRST_LOG_ROWS, 2 * log_room)
    rows_per_vcpu = bank.saved.shape[0] // vcpus if vcpus else 1
    samples = scenario.seconds_ns // scenario.sample_ns + 1 if scenario.sample_ns else 0
    streams = len(events)
    dom, opp, member = _domains(platform)
    dom[:, ks.RATE_LIMIT_NS] = scenario.rate_limit_ns
    govern(dom, opp, platform, scenario.governor)
    when, winner = event_entries(len(platform.cpus), tasks)
    return ks.State(
        glob=_globals(platform, scenario, rows_per_vcpu, list(events).index(inst_event), log_room),
        cpu=_cpus(platform),
        dom=dom,
        task=_tasks(tasks),
        allowed=np.ones((tasks, len(platform.cpus)), np.uint8),
        opp=opp,
        member=member,
        group=_groups(scenario, len(platform.cpus)),
        bucket=np.zeros((len(platform.cpus), 2, ks.BUCKETS, ks.BUCKET_COLUMNS), np.int64),
        script=np.zeros((tasks, ks.SCRIPT_LENGTH, ks.SCRIPT_COLUMNS), np.int64),
        when=when,
        winner=winner,
        level=np.array(levels, np.int64),
        **idle_arrays(platform, scenario.idle),
        timer=no_timers(tasks),
        crowd=np.zeros((len(platform.cpus), CROWD_COLUMNS), np.int64),
        vcpu=_vcpus(vcpus),
        poll=_polls(vcpus, scenario.halt_poll_ns),
        row=np.zeros((bank.saved.shape[0], ks.ROW_COLUMNS), np.int64),
        busy=np.zeros((len(platform.cpus), opp.shape[1]), np.int64),
        rate=np.zeros((len(levels), len(rate_classes(platform)), opp.shape[1], streams), np.uint64),
        residual=np.zeros((vcpus, streams), np.uint64),
        total=np.zeros((vcpus, streams), np.uint64),
        mark=np.zeros((vcpus, streams), np.uint64),
        limit=np.zeros((vcpus, streams), np.uint64),
        increment=np.zeros(streams, np.uint64),
        time_tied=np.array([event in time_events for event in events], np.uint8),
        **bank_arrays(bank),
        **empty_logs(log_rows),
        sample=np.zeros((samples, vcpus, ks.SAMPLE_COLUMNS), np.int64),
        sample_value=np.zeros((samples, bank.saved.shape[0], 32), np.uint64),
        sample_counted=np.zeros((samples, bank.saved.shape[0]), np.uint64),
        sample_category=np.zeros((samples, bank.saved.shape[0]), np.int8),
    )


def bank_arrays(bank: CounterBank) -> dict[str, np.ndarray]:
    """Return the arrays of a counter bank by their names in a State."""
    names = {"counts": "count"}
    kept = ("saved", "counts", "left", "stream", "category", "ledger")
    return {name: getattr(bank, names.get(name, name)) for name in kept}


def empty_logs(rows: int) -> dict[str, np.ndarray]:
    """Return the logs of a State with room for so many rows each."""
    columns = {
        "moves": ks.MOVE_COLUMNS,
        "stalls": ks.STALL_COLUMNS,
        "segments": ks.SEGMENT_COLUMNS,
        "loads": ks.LOAD_COLUMNS,
    }
    history = np.zeros((2 * ROOM_FACTOR * rows, HISTORY_COLUMNS), np.int64)
    return {"history": history} | {name: np.zeros((rows, count), np.int64) for name, count in columns.items()}


def event_entries(cpus: int, tasks: int) -> tuple[np.ndarray, np.ndarray]:
    """Return ``(when, winner)`` of a host on which nothing happens yet."""
    entries = 3 * cpus + tasks + 1
    leaves = 1 << (entries - 1).bit_length()
    winner = np.zeros(2 * leaves, np.int64)
    winner[leaves:] = np.arange(leaves)
    for node in range(leaves - 1, 0, -1):
        winner[node] = winner[2 * node]
    return np.full(leaves, ks.NEVER, np.int64), winner


def cause_mask(scenario: Scenario) -> int:
    """Return the causes of migration that are switched on as bits; ``random`` and ``pinned`` place nothing."""
    causes = scenario.causes
    if scenario.scheduler.startswith(("random", "pinned")):
        causes = causes & {"affinity", "other"}
    return sum(1 << code for code, name in enumerate(ks.CAUSE_NAMES) if name in causes)


def _globals(platform: Platform, scenario: Scenario, rows_per_vcpu: int, inst_stream: int, log_room: int) -> np.ndarray:
    values = {
        ks.RESUME: ks.NONE,
        ks.QUOTAS: int(any(vm.cgroup.quota_ns for vm in scenario.vms)),
        ks.ROUND_ROBIN: int(scenario.scheduler.startswith("round-robin")),
        ks.HZ_NS: NS_PER_S // scenario.hz,
        ks.BALANCE_NS: balance_interval_ns(len(platform.cpus)),
        ks.TICK_NS: scenario.tick_ns,
        ks.SAMPLE_NS: scenario.sample_ns,
        ks.ROWS_PER_VCPU: rows_per_vcpu,
        ks.KEEP_SWITCHES: int(scenario.switches or scenario.trace),
        ks.KEEP_TRACE: int(scenario.trace),
        ks.KEEP_SCHEDULE: int(scenario.schedule),
        ks.CAUSES: cause_mask(scenario),
        ks.BASE_SLICE: base_slice_ns(len(platform.cpus)),
        ks.COST_SWITCH: scenario.costs.context_switch,
        ks.COST_MIGRATION: scenario.costs.migration,
        ks.COST_WFI: scenario.costs.wfi,
        ks.HORIZON: MAX_HORIZON_NS,
        ks.LOG_ROOM: log_room,
        ks.INST_STREAM: inst_stream,
    }
    array = _filled(ks.GLOBALS, values)
    wanted = scenario.scheduler == EAS and scenario.governor == SCHEDUTIL
    describe_placement(array, platform.capacities(), wanted and has_energy_model(platform), scenario.margin)
    return array


def _filled(columns: int, values: dict[int, int]) -> np.ndarray:
    array = np.zeros(columns, np.int64)
    for column, value in values.items():
        array[column] = value
    return array


def _cpus(platform: Platform) -> np.ndarray:
    classes = rate_classes(platform)
    sets = pmu_sets(platform)
    names = [node.name for node in platform.pmus]
    scales = work_scales(platform)
    array = np.zeros((len(platform.cpus), ks.CPU_COLUMNS), np.int64)
    for cpu in platform.cpus:
        covering = _pmu_names(platform, cpu.number)
        array[cpu.number] = _filled(
            ks.CPU_COLUMNS,
            {
                ks.CURRENT: ks.NONE,
                ks.FAIR_CURRENT: ks.NONE,
                ks.ROOT: ks.NONE,
                ks.RT_ROOT: ks.NONE,
                ks.AVERAGE_V: FIRST_AVERAGE_V,
                ks.LAST_TASK: ks.NONE,
                ks.MODE: ks.IDLE,
                ks.UNTIL: ks.NEVER,
                ks.TICK_AT: ks.NEVER,
                ks.DOMAIN: cpu.perf_domain,
                ks.RATE_CLASS: classes.index((cpu.core, cpu.perf_domain)),
                ks.PMU_CLASS: sets.index(covering),
                ks.FIRST_PMU: names.index(covering[0]) if covering else ks.NONE,
                ks.SCALE: scales[cpu.number],
            },
        )
    describe_cpus(array, platform.capacities(), cache_ids(platform))
    return array


def work_scales(platform: Platform) -> list[int]:
    """Return the work of a host thread in one cycle of each pCPU; 1024 on the pCPU with the highest capacity."""
    capacities = platform.capacities()
    biggest = max(range(len(capacities)), key=lambda c: capacities[c])
    highest, fastest = capacities[biggest], platform.max_khz(biggest)
    return [
        max(1, 1024 * capacity * fastest // (highest * platform.max_khz(cpu)))
        for cpu, capacity in enumerate(capacities)
    ]


def burst_work(platform: Platform, burst_ns: int) -> int:
    """Return the work of a burst that takes ``burst_ns`` on the biggest pCPU at its top OPP."""
    capacities = platform.capacities()
    return work_on(platform, max(range(len(capacities)), key=lambda c: capacities[c]), burst_ns)


def work_on(platform: Platform, cpu: int, ns: int) -> int:
    """Return the work that takes ``ns`` on a pCPU at its top OPP."""
    return ns * platform.max_khz(cpu) // 1_000_000 * work_scales(platform)[cpu]


def _pmu_names(platform: Platform, cpu: int) -> tuple[str, ...]:
    return tuple(node.name for node in platform.pmus_of(cpu))


def _domains(platform: Platform) -> tuple[np.ndarray, ...]:
    """Return ``(dom, opp, member)``; a perf domain whose source lacks a figure has no energy model."""
    capacities = platform.capacities()
    members = [domain.cpus for domain in platform.perf_domains]
    opps = [
        opp_rows([opp.khz for opp in domain.opps], powers(platform, domain), capacities[domain.cpus[0]])
        for domain in platform.perf_domains
    ]
    return domain_arrays(members, opps)


def _tasks(tasks: int) -> np.ndarray:
    array = np.zeros((tasks, ks.TASK_COLUMNS), np.int64)
    array[:, ks.VCPU] = ks.NONE
    array[:, ks.LAST_CPU] = array[:, ks.SLEPT_ON] = ks.NONE
    array[:, ks.WAKE_AT] = ks.NEVER
    array[:, ks.BUSY_UNTIL] = ks.NEVER
    array[:, ks.WAKER] = ks.NONE
    array[:, ks.WEIGHT] = weight_of(0)
    array[:, ks.CLAMP_MAX] = SCHED_CAPACITY_SCALE
    array[:, ks.RECENT_CPU] = ks.NONE
    array[:, ks.SE_AT] = ks.NONE
    array[:, ks.GROUP] = ks.NONE
    array[:, ks.LEAVES_FOR] = INTERRUPTED
    return array


def _groups(scenario: Scenario, cpus: int) -> np.ndarray:
    """Return one row for each VM, whether it has a cgroup of its own or not."""
    array = np.zeros((len(scenario.vms), kg.GROUP_COLUMNS + cpus), np.int64)
    array[:, kg.GROUP_COLUMNS :] = ks.NONE
    for row, vm in zip(array, scenario.vms, strict=True):
        row[kg.SHARES] = shares_of(vm.cgroup.weight or DEFAULT_CPU_WEIGHT)
        row[kg.QUOTA] = row[kg.POOL] = vm.cgroup.quota_ns
    return array


def shares_of(cpu_weight: int) -> int:
    """Return the weight of a whole cgroup from its cpu.weight, rounded half up as Linux does: 1024 for 100."""
    return max(2, (cpu_weight * SCHED_CAPACITY_SCALE + DEFAULT_CPU_WEIGHT // 2) // DEFAULT_CPU_WEIGHT)


def _vcpus(vcpus: int) -> np.ndarray:
    array = np.zeros((vcpus, ks.VCPU_COLUMNS), np.int64)
    array[:, ks.SPIN_UNTIL] = ks.NEVER
    array[:, ks.INTERRUPT_AT] = ks.NEVER
    array[:, ks.LOADED_CLASS] = ks.NONE
    array[:, ks.SETTLED_FROM] = ks.NEVER
    array[:, ks.SEGMENT] = ks.NONE
    return array


def _polls(vcpus: int, most_ns: int) -> np.ndarray:
    array = np.zeros((vcpus, POLL_COLUMNS), np.int64)
    array[:, MOST_NS] = most_ns
    array[:, HALTED_AT] = ks.NONE
    return array
