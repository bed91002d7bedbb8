"""The text of `hetpmu conformance`: a line per file and variant, and an account of where a case stopped to match.

At most 120 columns, the same for the same files. What is shown of a VM is read through its public face.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from textwrap import wrap
from typing import Final

from pmu.host import CYCLE_COUNTER, Host
from pmu.kvm import Vm
from pmu.vcpu import Vcpu
from simcore.app.columns import table
from simcore.app.conforming import Failure, FileResult, KvmCase, Mismatch, SchedulerCase
from simcore.app.metrics import CATEGORIES
from simcore.app.replaying import Operation, Result
from simcore.app.vector_steps import ARGUMENTS, VCPU
from simcore.platform import cpu_list

WIDTH: Final = 118
BEFORE: Final = 12
"""Operations before the one that differs that are shown."""
_STEP: Final = 78
_ARGUMENTS: Final = {"v": "v{}", "cpu": "cpu={}", "pmu": "pmu={}", "el": "EL{}", "cycles": "cycles={}"}
_PMCR_BITS: Final = {"E": 0, "P": 1, "C": 2, "D": 3, "X": 4, "DP": 5, "LC": 6, "LP": 7}
_CYCLES: Final = ("PMCCNTR_EL0", "PMCCFILTR_EL0")
_BITMAPS: Final = ("PMCNTENSET_EL0", "PMINTENSET_EL1", "PMOVSSET_EL0")
_REGISTERS: Final = ("PMCR_EL0", *_BITMAPS, "PMSELR_EL0", "PMUSERENR_EL0")
_COLUMNS: Final = ("counter", "value", "type", "enabled", "int", "ovs", "event", "now", "overflow in")


def report(results: Sequence[FileResult], show: int) -> str:
    """Return the table, and accounts of the first ``show`` failed cases."""
    failures = [(result.file, failure) for result in results for failure in result.failures]
    parts = [_tallies(results), *("\n".join(account(name, failure)) for name, failure in failures[:show])]
    rest = len(failures) - show
    if rest > 0:
        parts.append(f"{'and ' if show else ''}{rest} {'more ' if show else ''}failed; --show N shows more of them")
    return "\n\n".join(parts)


def _tallies(results: Sequence[FileResult]) -> str:
    rows = [
        (_short(result.file), tally.variant or "-", tally.cases, tally.cases - len(tally.failures), len(tally.failures))
        for result in results
        for tally in result.tallies
    ]
    cases = sum(result.cases for result in results)
    failed = sum(len(result.failures) for result in results)
    return table(("file", "variant", "cases", "passed", "failed"), [*rows, ("all", "", cases, cases - failed, failed)])


def _short(name: str) -> str:
    return name if len(name) <= 70 else "..." + name[-67:]


# One failed case


def account(name: str, failure: Failure) -> list[str]:
    """Return how a case came to the first result that differs, and for a VM its state right after."""
    case, mismatch = failure.case, failure.mismatch
    if isinstance(case, SchedulerCase):
        lines = _scheduler_account(name, case, mismatch)
    else:
        lines = _kvm_account(name, case, mismatch)
    return [
        part
        for line in lines
        for part in (wrap(line, WIDTH, subsequent_indent=" " * 6, break_on_hyphens=False) or [""])
    ]


def _scheduler_account(name: str, case: SchedulerCase, mismatch: Mismatch) -> list[str]:
    kept = {key: value for key, value in case.vector.items() if not isinstance(value, list | dict)}
    return [
        f"{case.id} of part {case.content['part']}: step {mismatch.step} differs ({_short(name)})",
        f"  vector: {json.dumps(kept)}",
        f"> {mismatch.step:>3} {_result(mismatch.op)}",
        f"      expected  {_result(mismatch.expected)}",
        f"      got       {_result(mismatch.got)}",
    ]


def _kvm_account(name: str, case: KvmCase, mismatch: Mismatch) -> list[str]:
    replay = case.stopped_at(mismatch.step)
    lines = [
        f"{case.recording.id} under {case.variant}: step {mismatch.step} differs ({_short(name)})",
        *_host(case.recording.host),
        _machine(case),
        "",
        *_before(case, mismatch.step),
        f"> {_step(mismatch.step, mismatch.op)}",
        f"      expected  {_result(mismatch.expected)}{_patched(case, mismatch.step)}",
        f"      got       {_result(mismatch.got)}",
        *_rule(replay.vm),
        "",
        *_vm(replay.vm),
        *(line for number, vcpu in enumerate(replay.vm.vcpus) for line in _vcpu(vcpu, number)),
    ]
    concerned = _concerned(replay.vm, mismatch.op)
    if concerned is not None:
        lines += _registers(replay.vm, concerned)
    return lines


def _host(host: Host) -> Iterator[str]:
    pmus = [f"type {row.type_id} on CPU {cpu_list(row.cpus) or 'none'} with N {row.counters}" for row in host.pmus]
    yield (
        f"  host: {host.ncpus} CPUs, PMUVer {host.pmuver} (guests get up to {host.pmuver_limit}), "
        f"{'' if host.el0_aarch32 else 'no '}AArch32 at EL0{', traps for a PMU of its own kind' if host.impdef else ''}"
    )
    yield f"  PMUs: {'; '.join(pmus) or 'none'}"


def _machine(case: KvmCase) -> str:
    options = case.recording.options
    irqchip = f"vGICv3 with {options['nr_spis']} SPIs" if options["gic"] else "irqchip in user space"
    levels = [name.upper() for name in ("el2", "el3") if options[name]]
    quirks = "with" if case.quirks else "without"
    return f"  VM: {irqchip}, ID registers show {' and '.join(levels) or 'no EL2, no EL3'}; {quirks} period quirks"


def _before(case: KvmCase, step: int) -> Iterator[str]:
    expected = case.recording.expected(case.variant, case.quirks)
    first = max(0, step - BEFORE)
    if first:
        yield f"  ... {first} steps before"
    steps = {number: _step(number, case.recording.ops[number]) for number in range(first, step)}
    room = min(_STEP, max(map(len, steps.values()), default=0))
    for number, text in steps.items():
        yield f"  {text:<{room}}  {_result(expected[number])}"


def _patched(case: KvmCase, step: int) -> str:
    recorded = case.recording.results[case.variant][step]
    expected = case.recording.expected(case.variant, case.quirks)[step]
    return "" if recorded == expected else f"  (period_quirk; the kernel gives {_result(recorded)})"


def _step(number: int, op: Operation) -> str:
    name, *values = op
    pairs = zip(ARGUMENTS[name], values, strict=True)
    words = [_ARGUMENTS.get(argument.name, "{}").format(_result(value)) for argument, value in pairs]
    return " ".join([f"{number:>3}", name, *words])


def _result(value: Result) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _rule(vm: Vm) -> Iterator[str]:
    if vm.decided_by is not None:
        text = (vm.decided_by.__doc__ or "").strip().partition("\n")[0]
        yield f"      decided by {vm.decided_by.__name__}: {text}"


# State


def _vm(vm: Vm) -> Iterator[str]:
    backing = "no host PMU" if vm.pmu is None else f"the PMU of type {vm.pmu.type_id}"
    parts = [
        f"N {vm.nr_counters}",
        f"backed by {backing}{' (SET_PMU)' if vm.explicit_pmu else ''}",
        f"supported_cpus {cpu_list(vm.supported_cpus) or 'none'}",
        f"PMUVer {vm.pmuver}" if vm.has_pmu else "no PMU feature",
        "fixed counters only" if vm.fixed_only else "not fixed",
        "no filter" if vm.filter is None else f"filter allows {sum(vm.filter)} of {len(vm.filter)} events",
        "has run" if vm.ran else "has not run",
        "vGIC initialised" if vm.gic_ready else "vGIC not initialised" if vm.gic else "no vGIC",
    ]
    yield f"  after it: {', '.join(parts)}"


def _vcpu(vcpu: Vcpu, number: int) -> Iterator[str]:
    parts = [
        "initialised" if vcpu.initialised else "not initialised",
        "PMU created (INIT)" if vcpu.created else "PMU not created",
        "no IRQ" if vcpu.irq_num is None else f"IRQ {vcpu.irq_num}",
        f"in the guest on CPU {vcpu.cpu} at EL{vcpu.counters.level}" if vcpu.in_guest else "not in the guest",
    ]
    levels = f"interrupt line {vcpu.irq_level:d}, in the vGIC {vcpu.injected_level:d}"
    yield f"  v{number}: {', '.join(parts)}; {levels}, device_irq_level {vcpu.device_irq_level}"


def _concerned(vm: Vm, op: Operation) -> int | None:
    """Return the vCPU of an operation whose registers mean something."""
    name, *values = op
    if VCPU not in ARGUMENTS[name] or not 0 <= values[0] < len(vm.vcpus):
        return None
    return values[0] if vm.has_pmu and vm.vcpus[values[0]].initialised else None


def _registers(vm: Vm, number: int) -> Iterator[str]:
    vcpu = vm.vcpus[number]
    values = {name: vcpu.get(name) for name in _REGISTERS}
    control = values["PMCR_EL0"]
    flags = [name for name, bit in _PMCR_BITS.items() if control >> bit & 1]
    decoded = f" ({' '.join([*flags, f'N={control >> 11 & 0x1F}'])})"
    named = [f"{_brief(name)} {value:#x}{decoded if name == 'PMCR_EL0' else ''}" for name, value in values.items()]
    yield f"  registers of v{number}: {', '.join(named)}"
    yield ""
    yield from (f"  {line}" for line in table(_COLUMNS, list(_counters(vm, number, values))).splitlines())


def _counters(vm: Vm, number: int, values: Mapping[str, int]) -> Iterator[tuple[object, ...]]:
    """Yield a row for the cycle counter, and one for each other counter that is enabled or has a host event."""
    vcpu = vm.vcpus[number]
    for idx in range(CYCLE_COUNTER + 1):
        if idx < CYCLE_COUNTER and not (values["PMCNTENSET_EL0"] | vcpu.counters.live) >> idx & 1:
            continue
        names = (f"PMEVCNTR{idx}_EL0", f"PMEVTYPER{idx}_EL0") if idx < CYCLE_COUNTER else _CYCLES
        live = bool(vcpu.counters.live >> idx & 1)
        left = int(vm.bank.left[number, idx])
        yield (
            _brief(names[0]),
            *(f"{vcpu.get(name):#x}" for name in names),
            *("yes" if values[name] >> idx & 1 else "no" for name in _BITMAPS),
            "yes" if live else "no",
            CATEGORIES[int(vm.bank.category[number, idx])],
            f"{left:#x}" if left else "never" if live else "-",
        )


def _brief(register: str) -> str:
    return register.rpartition("_")[0]
