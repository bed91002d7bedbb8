"""Runs an image of real code under a policy and accounts for it; the answer is plain data (docs/guest_code.md)."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from fractions import Fraction
from typing import Any, Final

from pmu.host import PMUVER_V3, Host
from pmu.policies import POLICIES, Policy, kind_of, parse
from scheduler.host import never
from simcore.app.code_board import device_tree
from simcore.app.code_clock import Q32
from simcore.app.code_console import status_of, verdicts
from simcore.app.code_core import PMU_PPI, Core
from simcore.app.code_images import read_image
from simcore.app.code_loader import parse_image
from simcore.app.code_machine import CodeMachine
from simcore.app.code_plan import parse_plan
from simcore.app.code_run import QUANTUM_NS, READ_CYCLES, TURN_NS, CodeRun
from simcore.app.code_unicorn import need_engine
from simcore.costs import COST_NAMES, Costs
from simcore.errors import InputError, unknown_name
from simcore.loader import load_platform
from simcore.platform import Platform, cpu_list
from simcore.run_columns import CATEGORIES
from simcore.units import parse_time_ns, parse_whole
from workloads.catalog import load_workload

SCHEMA: Final = "hetpmu-guest/1"
FREE: Final = Costs(**dict.fromkeys(COST_NAMES, 0))
_KHZ_PER_MHZ: Final = 1000
LONGEST_CPI: Final = 32
"""Characters; an exponent is none of them, since a fraction takes as many digits as it says."""


@dataclass(frozen=True, slots=True)
class Question:
    """What a user asks for; an empty ``kernel`` is that of the policy."""

    image: str
    arguments: str = ""
    platform: str = "rk3588"
    policy: str = "default"
    kernel: str = ""
    migrate: str = "none"
    vcpus: int = 1
    seed: int = 1
    init_cpu: int | None = None
    cpus: tuple[int, ...] = ()
    workload: str = "dhrystone"
    cpi: str = ""
    mhz: tuple[str, ...] = ()
    free: bool = False
    costs: tuple[str, ...] = ()
    quantum_ns: int = QUANTUM_NS
    turn_ns: int = TURN_NS
    read_cycles: int = READ_CYCLES
    ram_mib: int = 64
    limit_ns: int = 60_000_000_000
    limit_instructions: int = 2_000_000_000
    slice_instructions: int = 1_000_000


def answer(question: Question, stopped: Callable[[], bool] = never) -> dict[str, Any]:
    """Run the image and return the account; raise InputError for bad input, KeyboardInterrupt where it is stopped."""
    need_engine()
    machine = _machine(question)
    machine.go(stopped)
    machine.close()
    return _account(question, machine)


def _machine(question: Question) -> CodeMachine:
    run = code_run(question)
    image = parse_image(read_image(question.image), question.image, run.ram_bytes)
    tree = device_tree(run.vcpus, run.ram_bytes, question.arguments, PMU_PPI if run.policy.has_pmu else None)
    return CodeMachine(run, image, tree)


def code_run(question: Question) -> CodeRun:
    """Return the run that a question asks for."""
    platform = load_platform(question.platform)
    host = Host.from_platform(platform, unknown_pmuver=PMUVER_V3)
    if question.init_cpu is not None and question.init_cpu >= host.ncpus:
        raise InputError(f"no CPU {question.init_cpu}", "--init-cpu", valid=f"0 to {host.ncpus - 1}")
    costs = costs_of(question.costs, FREE if question.free else Costs())
    run = CodeRun(
        platform=platform,
        host=host,
        policy=policy_of(question.policy, question.kernel, host),
        phase=load_workload(question.workload, platform.core_types).phases[0],
        khz=frequencies(platform, question.mhz),
        plan=parse_plan(question.migrate, host.ncpus),
        vcpus=question.vcpus,
        seed=question.seed,
        init_cpu=question.init_cpu,
        cpus=_cpus(question.cpus, host.ncpus),
        cpi_q32=_cpi(question.cpi),
        costs=costs,
        quantum_ns=question.quantum_ns,
        turn_ns=question.turn_ns,
        read_cycles=question.read_cycles,
        ram_bytes=question.ram_mib << 20,
        limit_ns=question.limit_ns,
        limit_instructions=question.limit_instructions,
        slice_instructions=question.slice_instructions,
    )
    if not run.allowed:
        raise InputError(f"{run.policy.name} allows none of the CPUs {cpu_list(run.cpus)}", "--cpus")
    return run


def _cpus(asked: Sequence[int], ncpus: int) -> tuple[int, ...]:
    for cpu in asked:
        if cpu >= ncpus:
            raise InputError(f"no CPU {cpu}", "--cpus", valid=f"0 to {ncpus - 1}")
    return tuple(sorted(set(asked)))


def costs_of(asked: Sequence[str], costs: Costs) -> Costs:
    """Return the costs with those changed that ``NAME=TIME`` says."""
    changes = {}
    for text in asked:
        name, equals, time = text.partition("=")
        if name not in COST_NAMES or not equals:
            raise unknown_name("cost", name, [f"{known}=TIME" for known in COST_NAMES], where="--cost")
        changes[name] = parse_time_ns(time, where=f"--cost {name}")
    return replace(costs, **changes)


def policy_of(text: str, kernel: str, host: Host) -> Policy:
    """Return a policy by name, on the kernel that was asked for, or its own."""
    kind = kind_of(text.partition("@")[0])
    return parse(text, host, kernel or (POLICIES["default"] if kind is None else kind).kernel)


def frequencies(platform: Platform, asked: Sequence[str]) -> tuple[int, ...]:
    """Return kHz by pCPU: the highest, but where ``HOST_PMU=MHZ`` says another."""
    khz = [platform.max_khz(cpu.number) for cpu in platform.cpus]
    for text in asked:
        name, _, mhz = text.partition("=")
        node = platform.pmu_named(name)
        if node is None:
            raise unknown_name("host PMU", name, [node.name for node in platform.pmus], where="--mhz")
        if not 1 <= parse_whole(mhz) <= 10_000:
            raise InputError(f"{mhz!r} MHz", "--mhz", valid=f"{name}=MHZ, a whole number from 1 to 10000")
        for cpu in node.cpus:
            khz[cpu] = int(mhz) * _KHZ_PER_MHZ
    return tuple(khz)


def _cpi(text: str) -> int | None:
    if not text:
        return None
    try:
        value = Fraction(text if len(text) <= LONGEST_CPI and "e" not in text.lower() else 0)
    except (ValueError, ZeroDivisionError):
        value = Fraction(0)
    if not Fraction(1, 16) <= value <= 1000:
        raise InputError(f"{text!r} cycles per instruction", "--cpi", valid="a number from 0.0625 to 1000")
    return round(value * Q32)


# The account


def _account(question: Question, machine: CodeMachine) -> dict[str, Any]:
    run, console = machine.run, machine.console.text
    counts, status = verdicts(console), status_of(console)
    well = machine.outcome == "off" and not counts["FAIL"] and not status
    return {
        "schema": SCHEMA,
        "image": question.image,
        "platform": run.platform.id,
        "policy": run.policy.name,
        "kernel": run.policy.kernel,
        "migrate": question.migrate,
        "seed": question.seed,
        "backing_pmu": None if machine.vm.pmu is None else machine.vm.pmu.name,
        "nr_counters": machine.vm.nr_counters,
        "pmceid": list(machine.vm.pmceid),
        "console": console,
        "outcome": machine.outcome,
        "where": machine.where,
        "verdicts": counts,
        "status": status,
        "well": well,
        "vcpus": [_of_core(machine, core) for core in machine.cores],
    }


def _of_core(machine: CodeMachine, core: Core) -> dict[str, Any]:
    moves, clock = machine.moves[core.number], core.clock
    ledger = dict(zip(CATEGORIES, machine.vm.bank.ledger[core.number, 31].tolist(), strict=True))
    stretches = [_stretch(machine, asdict(row)) for row in moves.stretches]
    return {
        "vcpu": core.number,
        "init_cpu": machine.init_cpus[core.number],
        "instructions": clock.instructions,
        "cycles": clock.cycles,
        "ns": clock.ns,
        "host_ns": clock.host_ns - core.traps.idle_ns - core.traps.waited_ns,
        "idle_ns": core.traps.idle_ns,
        "waited_ns": core.traps.waited_ns,
        "migrations": moves.done,
        "crossings": moves.crossings,
        "refused_moves": moves.refused,
        "stalls": moves.stalls.number,
        "stalled_ns": moves.stalls.total_ns,
        "longest_stall_ns": moves.stalls.longest_ns,
        "overflows": core.pmu.overflows,
        **{name: value for name, value in asdict(core.traps).items() if not name.endswith("_ns")},
        "work": asdict(core.pmu.vcpu.work),
        "ledger": {name: int(value) for name, value in ledger.items()},
        "by_pmu": _by_pmu(stretches),
        "stretches": stretches,
    }


def _stretch(machine: CodeMachine, row: dict[str, Any]) -> dict[str, Any]:
    host_pmu = machine.run.host.first_pmu(row["cpu"])
    return row | {"host_pmu": None if host_pmu is None else host_pmu.name, "khz": machine.run.khz[row["cpu"]]}


def _by_pmu(stretches: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Sum the stretches by the host PMU of their pCPU; what the cycle counter did not count of them is ``lost``."""
    sums: dict[str, dict[str, Any]] = {}
    for row in stretches:
        name = row["host_pmu"] or "none"
        total = sums.setdefault(name, {"host_pmu": name, "stretches": 0, "instructions": 0, "cycles": 0, "counted": 0})
        total["stretches"] += 1
        for key in ("instructions", "cycles", "counted"):
            total[key] += row[key]
    return list(sums.values())
