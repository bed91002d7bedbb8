"""What a report's figures assume: every parameter without a source, with its value in the scenario and its default.

Keys are those of a scenario file; docs/model.md, "Parameters", marks the same ones "assumed".
"""

from collections.abc import Iterator, Sequence
from importlib import import_module
from typing import Any

from simcore.app.columns import without_folder
from simcore.app.report_blocks import Block, Notes, Table
from simcore.app.report_tables import plain_table
from simcore.app.trace_results import HYPOTHETICAL
from simcore.costs import COST_NAMES, EVENT_COSTS, Costs
from simcore.errors import InputError
from simcore.loader import load_platform
from simcore.scenario import BackgroundTask, IdleSpec, LiveMigration, Scenario, VmSpec
from simcore.units import format_time_ns
from workloads.catalog import load_workload

OF_VM = {
    "init_placement": "where KVM_ARM_VCPU_INIT runs",
    "pin_delay_ns": "from the start of threads to their pinning",
    "vmm_threads.io_burst_ns": "work of an I/O thread, twice for each request",
    "guest.window_ns": "the guest's calibration window",
    "guest.boot_ns": "boot before the calibration; who dies depends on it",
    "guest.quantum_instructions": "instructions between two reads of the clock",
    "guest.quanta_per_wake": "quanta between two sleeps",
    "guest.sleep_ns": "mean sleep",
    "guest.tick_instructions": "instructions of a timer tick (guest ticking)",
    "guest.rr_syscalls": "system calls of a recorded program (guest rr)",
}
OF_BACKGROUND = {
    "burst_ns": "work of a host thread at a time",
    "sleep_ns": "its mean sleep",
    "cpus": "pCPUs that it may run on",
    "policy": "how it is scheduled",
    "priority": "its priority",
    "nice": "its nice value",
}
OF_IDLE = {
    "wfi_power": "power in WFI, in 1/1000 of that at the lowest OPP",
    "sleep_power": "power in deeper idle states, likewise",
}
OF_COSTS = {
    "context_switch": "switch of a pCPU to another thread",
    "migration": "first run of a thread on another pCPU",
    "trap": "one trapped register access",
    "wfi": "one WFI that blocks",
    "event_create": "creation of one host perf event",
    "event_release": "release of one host perf event",
    "event_enable": "enabling or disabling one host event",
    "interrupt_latency": "from the overflow of a host event to the guest's handler",
    "fail_entry": "one KVM_RUN that fails entry",
    "user_exit": "exit to the VMM with a level of the PMU's interrupt",
}
OF_LIVE = {"downtime_ns": "time for which the guest does not execute"}
CONSTANTS = {
    "scheduler.outside.IO_CPU": "pCPU of I/O completions",
    "workloads.guest_rtapp.CALIBRATION_INSTRUCTIONS": "instructions that a guest rt-app:FILE measures",
    "simcore.app.importing_counts.MIN_RUNNING_PERCENT": "imports: below which a host PMU is left out, in %",
    "simcore.app.importing_perf.LOW_RUNNING_PERCENT": "imports: below which scaling is noted, in %",
    "workloads.self_test.LOOP_INSTRUCTIONS": "instructions of a check's loop (guest self-test)",
    "workloads.self_test.READ_INSTRUCTIONS": "instructions between two reads of a counter (guest self-test)",
    "workloads.self_test.MOST_IPC": "instructions a cycle, more is implausible (guest self-test)",
    "workloads.guest_rr.CHECK_INSTRUCTIONS": "instructions that stand for a check (guest rr)",
    "simcore.platform_build.ASSUMED_COUNTERS": "event counters of a core type without a source",
    "simcore.platform_build.ASSUMED_KHZ": "kHz of a perf domain without OPPs",
}
HEADS = ("key", "value", "default", "what it is")
Rows = Iterator[tuple[str, str, str, str]]


def scenario_table(scenario: Scenario) -> Table | None:
    """Return every assumed parameter of a scenario with its value and its default."""
    rows = [*_vms(scenario), *_background(scenario), *_others(scenario), *_workloads(scenario)]
    return plain_table("Parameters without a source", HEADS, 4, rows)


def replay_table(scenarios: Sequence[Scenario]) -> Table | None:
    """Return what the figures of a replay assume: where each policy's VM was initialised, and what host events cost."""
    places = ", ".join(dict.fromkeys(_value(scenario.vms[0], "init_placement") for scenario in scenarios))
    meaning = f"{OF_VM['init_placement']}; where that decides there is a row for each"
    rows = [_row("vms.0.init_placement", places, _value(VmSpec(), "init_placement"), meaning)]
    for key in EVENT_COSTS:
        used, default = (format_time_ns(getattr(costs, key)) for costs in (HYPOTHETICAL, Costs()))
        rows.append(_row(f"costs.{key}", used, default, OF_COSTS[key]))
    return plain_table("Parameters without a source, of those that a replay uses", HEADS, 4, rows)


def constants_table() -> Table | None:
    """Return the assumed constants of the code."""
    rows = ((name, _constant(name), meaning) for name, meaning in CONSTANTS.items())
    return plain_table("Constants of the code without a source", ("constant", "value", "what it is"), 3, rows, True)


def platform_block(name: str) -> Block:
    """Return what the sources of a platform lack, and what stands in for it."""
    try:
        platform = load_platform(name)
    except InputError:
        return Notes(("The platform's file is not here, so what it assumes is unknown.",))
    rows = [(row.key, row.value, row.why) for row in platform.assumptions]
    found = plain_table(f"What the sources of {platform.name} lack", ("key", "value", "why"), 3, rows)
    return found or Notes((f"The file of {platform.name} assumes nothing.",))


def _vms(scenario: Scenario) -> Rows:
    for number, vm in enumerate(scenario.vms):
        for key, meaning in OF_VM.items():
            yield _row(f"vms.{number}.{key}", _value(vm, key), _value(VmSpec(), key), meaning)


def _background(scenario: Scenario) -> Rows:
    default = Scenario().background
    yield _row("background", _entries(len(scenario.background)), _entries(len(default)), "threads of the host")
    kinds = dict.fromkeys(scenario.background)
    for task in kinds:
        numbers = [number for number, other in enumerate(scenario.background) if other == task]
        for key, meaning in OF_BACKGROUND.items():
            yield _row(f"background.{_spans(numbers)}.{key}", _value(task, key), _value(BackgroundTask(), key), meaning)


def _others(scenario: Scenario) -> Rows:
    busy = ", ".join(f"{name}: {number}" for name, number in scenario.busy_counters) or "none"
    yield _row("busy_counters", busy, "none", "counters that host users have pinned")
    for key, meaning in OF_IDLE.items():
        yield _row(f"idle.{key}", _value(scenario.idle, key), _value(IdleSpec(), key), meaning)
    for key in COST_NAMES:
        now, default = (format_time_ns(getattr(costs, key)) for costs in (scenario.costs, Costs()))
        yield _row(f"costs.{key}", now, default, OF_COSTS[key])
    for number, live in enumerate(scenario.live_migrations):
        for key, meaning in OF_LIVE.items():
            default = _value(LiveMigration(0, "none"), key)
            yield _row(f"live_migrations.{number}.{key}", _value(live, key), default, meaning)


def _workloads(scenario: Scenario) -> Rows:
    for name in dict.fromkeys(vm.guest.workload for vm in scenario.vms):
        try:
            cv = f"{load_workload(name, ()).burst_permille / 1000:g}"
        except InputError:
            cv = "unknown: its file is not here"
        meaning = f"burst_cv of {without_folder(name)}: how unequal its bursts are"
        yield _row("burst_cv (workload file)", cv, "0", meaning)


def _constant(name: str) -> str:
    module, _, constant = name.rpartition(".")
    return str(getattr(import_module(module), constant))


def _row(key: str, value: str, default: str, meaning: str) -> tuple[str, str, str, str]:
    return ".".join(part.removesuffix("_ns") for part in key.split(".")), value, default, meaning


def _value(spec: Any, key: str) -> str:
    for part in key.split("."):
        spec = getattr(spec, part)
    if spec is None:
        return "none"
    return format_time_ns(spec) if key.endswith("_ns") else str(list(spec) if isinstance(spec, tuple) else spec)


def _entries(number: int) -> str:
    return f"{number} {'entry' if number == 1 else 'entries'}"


def _spans(numbers: Sequence[int]) -> str:
    """Write indices in short: 0-3, or 0,2."""
    if len(numbers) > 1 and numbers[-1] - numbers[0] == len(numbers) - 1:
        return f"{numbers[0]}-{numbers[-1]}"
    return ",".join(map(str, numbers))
