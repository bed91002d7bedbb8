"""Runs an image of real code under a policy and accounts for it; the answer is plain data (docs/guest_code.md)."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from fractions import Fraction
from typing import Any, Final

from pmu.host import PMUVER_V3, Host
from pmu.policies import POLICIES, Policy, kind_of, parse
from simcore.app.code_board import device_tree
from simcore.app.code_clock import Q32
from simcore.app.code_console import status_of, verdicts
from simcore.app.code_core import PMU_PPI, Core
from simcore.app.code_engine import need_engine
from simcore.app.code_images import read_image
from simcore.app.code_loader import parse_image
from simcore.app.code_machine import CodeMachine, CodeRun
from simcore.app.code_plan import Plan, parse_plan
from simcore.costs import COST_NAMES, Costs
from simcore.errors import InputError, unknown_name
from simcore.loader import load_platform
from simcore.platform import Platform
from simcore.run_columns import CATEGORIES
from simcore.units import NS_PER_S
from workloads.catalog import load_workload

SCHEMA: Final = "hetpmu-guest/1"
FREE: Final = Costs(**dict.fromkeys(COST_NAMES, 0))
_KHZ_PER_MHZ: Final = 1000


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
    workload: str = "dhrystone"
    cpi: str = ""
    mhz: tuple[str, ...] = ()
    free: bool = False
    ram_mib: int = 64
    limit_ns: int = 60_000_000_000
    limit_instructions: int = 2_000_000_000
    slice_instructions: int = 1_000_000


def answer(question: Question) -> dict[str, Any]:
    """Run the image and return the account; raise InputError for bad input."""
    need_engine()
    machine = _machine(question)
    machine.go()
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
    costs = FREE if question.free else Costs()
    return CodeRun(
        platform=platform,
        host=host,
        policy=policy_of(question.policy, question.kernel, host),
        phase=load_workload(question.workload, platform.core_types).phases[0],
        khz=frequencies(platform, question.mhz),
        plan=_possible(parse_plan(question.migrate, host.ncpus), costs),
        vcpus=question.vcpus,
        seed=question.seed,
        init_cpu=question.init_cpu,
        cpi_q32=_cpi(question.cpi),
        costs=costs,
        ram_bytes=question.ram_mib << 20,
        limit_ns=question.limit_ns,
        limit_instructions=question.limit_instructions,
        slice_instructions=question.slice_instructions,
    )


def _possible(plan: Plan, costs: Costs) -> Plan:
    """Return the plan; refuse one under which a vCPU would do nothing but move."""
    period, move_ns = (
        plan.every_ns or (NS_PER_S // plan.per_s if plan.per_s else 0),
        costs.migration + costs.context_switch,
    )
    if 0 < period <= move_ns:
        why = f"a move takes {move_ns} ns, so the guest would never execute"
        raise InputError(f"moves every {period} ns", "--migrate", why, "longer times between moves, or --free")
    return plan


def policy_of(text: str, kernel: str, host: Host) -> Policy:
    """Return a policy by name, on the kernel that was asked for, or its own."""
    kind = kind_of(text.partition("@")[0])
    return parse(text, host, kernel or (POLICIES["default"] if kind is None else kind).kernel)


def frequencies(platform: Platform, asked: Sequence[str]) -> tuple[int, ...]:
    """Return kHz by pCPU: the highest, but where ``HOST_PMU=MHZ`` says another."""
    khz = [platform.max_khz(cpu.number) for cpu in platform.cpus]
    for text in asked:
        name, equals, mhz = text.partition("=")
        node = platform.pmu_named(name)
        if node is None:
            raise unknown_name("host PMU", name, [node.name for node in platform.pmus], where="--mhz")
        if not equals or not mhz.isdigit() or not 1 <= int(mhz) <= 10_000:
            raise InputError(f"{mhz!r} MHz", "--mhz", valid=f"{name}=MHZ, a whole number from 1 to 10000")
        for cpu in node.cpus:
            khz[cpu] = int(mhz) * _KHZ_PER_MHZ
    return tuple(khz)


def _cpi(text: str) -> int | None:
    if not text:
        return None
    try:
        value = Fraction(text)
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
        "host_ns": clock.host_ns - core.traps.idle_ns,
        "idle_ns": core.traps.idle_ns,
        "migrations": moves.done,
        "crossings": moves.crossings,
        "refused_moves": moves.refused,
        "overflows": core.pmu.overflows,
        **{name: value for name, value in asdict(core.traps).items() if name != "idle_ns"},
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
