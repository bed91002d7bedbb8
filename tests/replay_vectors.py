"""Replays sequences of recorded operations (format hetpmu-vectors/1) on the virtual PMU; strict about every word.

``OPERATIONS`` is the table of operations; ``replay`` gives one result per operation in the form of the files.
"""

import errno
import gzip
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pmu.bank import CounterBank
from pmu.events import CPU_CYCLES
from pmu.host import PMUVER_IMPDEF, Host, HostPmu
from pmu.kvm import Vm
from pmu.registers import REGISTERS, UNDEF
from pmu.revisions import REVISIONS
from pmu.vcpu import Entry, Vcpu
from simcore.errors import InputError, unknown_name

SCHEMA = "hetpmu-vectors/1"
SAME = "="
REGISTER_OPERATIONS = ("rd", "wr", "get_reg", "set_reg")
_RESULT = re.compile(r"0x[0-9a-f]+|-E[A-Z0-9]+|ok|guest|FAIL_ENTRY|INTR|UNDEF|NOTRUN|NOVCPU")


class _Streams(dict[int, int]):
    """Every event is its own stream, so that nothing is lost for lack of one."""

    def get(self, event: int, default: Any = None) -> int:
        return event


class Replay:
    """One sequence under one variant."""

    def __init__(self, sequence: dict[str, Any], variant: str, quirks: bool) -> None:
        vcpus = sum(1 for op in sequence["ops"] if op[0] == "create_vcpu")
        self.bank = CounterBank(max(vcpus, 1))
        vm = sequence["vm"]
        self.vm = Vm(
            host_of(sequence["plat"]),
            REVISIONS[variant],
            self.bank,
            _Streams(),
            gic=bool(vm["gic"]),
            nr_spis=vm["nr_spis"],
            el2=bool(vm["el2"]),
            el3=bool(vm["el3"]),
            quirks=quirks,
        )

    def step(self, op: list[Any]) -> Any:
        """Run one operation and return its result."""
        name, *args = op
        perform, kind = OPERATIONS[name]
        if kind == "vm":
            return perform(self, *args)
        number, *rest = args
        if not 0 <= number < len(self.vm.vcpus):
            return "NOVCPU"
        vcpu = self.vm.vcpus[number]
        if kind == "guest" and not vcpu.in_guest:
            return "NOTRUN"
        if kind == "ioctl" and vcpu.in_guest:
            vcpu.leave()
        return perform(self, vcpu, *rest)

    # VM

    def create_vcpu(self) -> Any:
        error = self.vm.may_create_vcpu()
        if error:
            return _error(error)
        self.vm.create_vcpu(len(self.vm.vcpus))
        return len(self.vm.vcpus) - 1

    def gic_init(self) -> Any:
        return _error(self.vm.gic_init())

    def set_pmuver(self, version: int) -> Any:
        """The recorded write is a stub: it knows no IMPLEMENTATION DEFINED version and raises EINVAL for E2BIG."""
        result = self.vm.set_pmuver(version if version != PMUVER_IMPDEF else PMUVER_IMPDEF - 1)
        return _error(-errno.EINVAL if result == -errno.E2BIG else result)

    def view(self) -> Any:
        vm = self.vm
        return [vm.nr_counters, sorted(vm.supported_cpus), -1 if vm.pmu is None else vm.pmu.type_id]

    # ioctls on a vCPU

    def vcpu_init(self, vcpu: Vcpu, cpu: int, pmu: int) -> Any:
        return _error(self.vm.vcpu_init(vcpu, cpu, bool(pmu)))

    def set_attr(self, vcpu: Vcpu, cpu: int, name: str | int, value: Any) -> Any:
        payload = tuple(value) if isinstance(value, list) else value
        return _error(self.vm.set_attr(vcpu, cpu, name, payload))

    def get_attr(self, vcpu: Vcpu, name: str | int) -> Any:
        error, value = self.vm.get_attr(vcpu, name)
        return _error(error) if error else [0, value]

    def has_attr(self, vcpu: Vcpu, name: str | int) -> Any:
        return _error(self.vm.has_attr(vcpu, name))

    def get_reg(self, vcpu: Vcpu, name: str) -> Any:
        value = self.vm.get_reg(vcpu, name)
        return _error(value) if value < 0 else hex(value)

    def set_reg(self, vcpu: Vcpu, name: str, value: str) -> Any:
        return _error(self.vm.set_reg(vcpu, name, int(value, 16)))

    def run(self, vcpu: Vcpu, cpu: int) -> Any:
        ended = self.vm.run(vcpu, cpu)
        return ended.value if isinstance(ended, Entry) else _error(ended)

    # In the guest

    def exit(self, vcpu: Vcpu) -> Any:
        vcpu.leave()
        return 0

    def migrate(self, vcpu: Vcpu, cpu: int) -> Any:
        return vcpu.migrate(cpu).value

    def rd(self, vcpu: Vcpu, name: str, level: int) -> Any:
        value = vcpu.read(name, level)
        return value.value if value is UNDEF else hex(value)

    def wr(self, vcpu: Vcpu, name: str, value: str, level: int) -> Any:
        fault = vcpu.write(name, int(value, 16), level)
        return _with_exit(vcpu, "ok" if fault is None else fault.value)

    def adv(self, vcpu: Vcpu, cycles: int, events: dict[str, int], level: int) -> Any:
        vcpu.set_level(level)
        counts = {int(event, 16): count for event, count in events.items()} | {CPU_CYCLES: cycles}
        row = self.vm.vcpus.index(vcpu)
        fired = [self._advance(vcpu, row, slot, counts) for slot in range(32)]
        if any(fired):
            vcpu.resume()
        return _with_exit(vcpu, "ok")

    def irq(self, vcpu: Vcpu) -> Any:
        return [int(vcpu.irq_level), int(vcpu.injected_level), vcpu.device_irq_level]

    def _advance(self, vcpu: Vcpu, row: int, slot: int, counts: dict[int, int]) -> bool:
        """Give one slot its events, overflow by overflow; tell whether there was one."""
        events = counts.get(int(self.bank.stream[row, slot]), 0)
        fired = False
        while events:
            left = int(self.bank.left[row, slot]) if self.bank.category[row, slot] == 0 else 0
            now = min(events, left) if left else events
            events -= now
            if self.bank.add(row, slot, now):
                vcpu.overflow(slot)
                fired = True
        return fired


OPERATIONS: dict[str, tuple[Callable[..., Any], str]] = {
    "create_vcpu": (Replay.create_vcpu, "vm"),
    "gic_init": (Replay.gic_init, "vm"),
    "set_pmuver": (Replay.set_pmuver, "vm"),
    "vm": (Replay.view, "vm"),
    "vcpu_init": (Replay.vcpu_init, "ioctl"),
    "set_attr": (Replay.set_attr, "ioctl"),
    "get_attr": (Replay.get_attr, "ioctl"),
    "has_attr": (Replay.has_attr, "ioctl"),
    "get_reg": (Replay.get_reg, "ioctl"),
    "set_reg": (Replay.set_reg, "ioctl"),
    "run": (Replay.run, "ioctl"),
    "exit": (Replay.exit, "guest"),
    "migrate": (Replay.migrate, "guest"),
    "rd": (Replay.rd, "guest"),
    "wr": (Replay.wr, "guest"),
    "adv": (Replay.adv, "guest"),
    "irq": (Replay.irq, "look"),
}
"""Operation -> (method, kind): ``ioctl`` makes the vCPU exit first, ``guest`` needs it in the guest."""


def host_of(plat: dict[str, Any]) -> Host:
    """Return the host of a sequence; it never runs out of counters."""
    pmus = tuple(
        HostPmu(
            name=f"pmu{row['type']}",
            type_id=row["type"],
            cpus=frozenset(row["cpus"]),
            counters=row["n"],
            pmceid0=int(row["ceid0"], 16),
            pmceid1=int(row["ceid1"], 16),
            limited=False,
        )
        for row in plat["pmus"]
    )
    return Host(plat["ncpus"], pmus, plat["host_pmuver"], bool(plat["el0_32"]), bool(plat["impdef"]))


def expected_results(sequence: dict[str, Any], variant: str, quirks: bool) -> list[Any]:
    """Return what a variant must give: the recorded results, without quirks patched with ``period_quirk``."""
    recorded = sequence["res"][variant]
    base = list(sequence["res"]["mainline"] if recorded == SAME else recorded)
    if not quirks:
        for step, result in sequence.get("period_quirk", {}).get(variant, {}).items():
            base[int(step)] = result
    return base


def mismatch(sequence: dict[str, Any], variant: str, quirks: bool) -> tuple[int, Any, Any, Any] | None:
    """Return (step, operation, expected, got) of the first difference, or None."""
    replay = Replay(sequence, variant, quirks)
    for step, (op, expected) in enumerate(
        zip(sequence["ops"], expected_results(sequence, variant, quirks), strict=True)
    ):
        got = replay.step(op)
        if got != expected:
            return step, op, expected, got
    return None


def load(path: Path) -> dict[str, Any]:
    """Return a vector file whose every word is known; raise InputError, naming the first that is not."""
    try:
        with gzip.open(path, "rt", encoding="utf-8") as file:
            content: dict[str, Any] = json.load(file)
    except (OSError, ValueError, EOFError) as error:
        raise InputError("not a gzip file of JSON", where=str(path), why=str(error)) from error
    check(content, str(path))
    return content


def check(content: dict[str, Any], where: str) -> None:
    """Raise InputError for a schema, sequence, operation, register, variant or result form that is not known."""
    schema = content.get("header", {}).get("schema")
    if schema != SCHEMA:
        raise InputError(f"schema is {schema!r}", where=where, valid=SCHEMA)
    for sequence in content["sequences"]:
        place = f"{where}: sequence {sequence.get('id')!r}"
        _check_sequence(sequence, place)
        for step, op in enumerate(sequence["ops"]):
            _check_operation(op, f"{place}, step {step}")


def _check_sequence(sequence: dict[str, Any], where: str) -> None:
    missing = {"id", "plat", "vm", "ops", "res"} - set(sequence)
    unknown = set(sequence) - {"id", "plat", "vm", "ops", "res", "mode", "period_quirk"}
    if missing or unknown:
        raise InputError(f"missing fields {sorted(missing)}, unknown fields {sorted(unknown)}", where=where)
    for variant, results in sequence["res"].items():
        if variant not in REVISIONS:
            raise unknown_name("variant", variant, REVISIONS, where=where)
        if results == SAME and variant != "mainline":
            continue
        if not isinstance(results, list) or len(results) != len(sequence["ops"]):
            raise InputError(f"results of {variant!r} are not one per operation", where=where)
        for step, result in enumerate(results):
            if not _is_result(result):
                raise InputError(f"unknown form of result {result!r}", where=f"{where}, step {step}")


def _check_operation(op: list[Any], where: str) -> None:
    name, *args = op
    if name not in OPERATIONS:
        raise unknown_name("operation", name, OPERATIONS, where=where)
    method, _ = OPERATIONS[name]
    wanted = method.__code__.co_argcount - 1  # all but self
    if len(args) != wanted:
        raise InputError(f"operation {name!r} has {len(args)} arguments, not {wanted}", where=where)
    if name in REGISTER_OPERATIONS and args[1] not in REGISTERS:
        raise unknown_name("register", args[1], REGISTERS, where=where)


def _is_result(result: Any) -> bool:
    if isinstance(result, bool) or result is None:
        return False
    if isinstance(result, str):
        return bool(_RESULT.fullmatch(result))
    return isinstance(result, int) or (
        isinstance(result, list) and all(isinstance(part, int | str | list) for part in result)
    )


def _error(result: int) -> Any:
    return f"-{errno.errorcode[-result]}" if result < 0 else result


def _with_exit(vcpu: Vcpu, result: str) -> Any:
    return result if vcpu.in_guest else [result, "INTR"]
