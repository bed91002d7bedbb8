"""Replays sequences of recorded operations (format hetpmu-vectors/1) on the virtual PMU; strict about every word."""

import gzip
import json
import re
from pathlib import Path
from typing import Any

from pmu.host import Host, HostPmu
from pmu.registers import REGISTERS
from pmu.revisions import REVISIONS, ideal
from simcore.app.replaying import OPERATIONS, Replay
from simcore.errors import InputError, unknown_name

SCHEMA = "hetpmu-vectors/1"
SAME = "="
REGISTER_OPERATIONS = ("rd", "wr", "get_reg", "set_reg")
_RESULT = re.compile(r"0x[0-9a-f]+|-E[A-Z0-9]+|ok|guest|FAIL_ENTRY|INTR|UNDEF|NOTRUN|NOVCPU")


def replay_of(sequence: dict[str, Any], variant: str, quirks: bool) -> Replay:
    revision = REVISIONS[variant] if quirks else ideal(REVISIONS[variant])
    vcpus = sum(1 for op in sequence["ops"] if op[0] == "create_vcpu")
    vm = sequence["vm"]
    return Replay(
        host_of(sequence["plat"]),
        revision,
        vcpus,
        gic=bool(vm["gic"]),
        nr_spis=vm["nr_spis"],
        el2=bool(vm["el2"]),
        el3=bool(vm["el3"]),
    )


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
    replay = replay_of(sequence, variant, quirks)
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
