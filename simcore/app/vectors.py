"""Recorded sequences (format hetpmu-vectors/1): what a file's content means, checked strictly before any replay.

Each error names sequence, place and what would be valid. Files are read in ``simcore.app.vector_files``, operations and
results are checked in ``simcore.app.vector_steps``, replayed in ``simcore.app.conforming``.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from pmu.host import Host, HostPmu
from pmu.registers import EVENT_COUNTERS
from pmu.revisions import MAINLINE, REVISIONS
from simcore.app.replaying import Operation, Result
from simcore.app.vector_files import Content
from simcore.app.vector_forms import INT32, hexadecimal, integer, items, keys, known, shown, within, wrong
from simcore.app.vector_steps import canonical, check_operation
from simcore.errors import InputError

SCHEMA: Final = "hetpmu-vectors/1"
SAME: Final = "="
MAX_CPUS: Final = 4096  # the largest NR_CPUS of arm64
MAX_SPIS: Final = 1024 - 32


@dataclass(frozen=True, slots=True)
class Recording:
    """One recorded sequence: host, options of the VM, operations, results by variant.

    ``patches``: by variant, what a model without the sample-period quirks gives instead at some steps.
    """

    id: str
    host: Host
    options: Mapping[str, Any]
    ops: tuple[Operation, ...]
    results: Mapping[str, Sequence[Result]]
    patches: Mapping[str, Mapping[int, Result]]

    @property
    def vcpus(self) -> int:
        """Return how many vCPUs the operations try to create."""
        return sum(op[0] == "create_vcpu" for op in self.ops)

    def expected(self, variant: str, quirks: bool) -> list[Result]:
        """Return what a variant must give: the recorded results, without quirks patched."""
        results = list(self.results[variant])
        if not quirks:
            for step, result in self.patches.get(variant, {}).items():
                results[step] = result
        return results


def read(content: Content) -> tuple[Recording, ...]:
    """Return the recordings of a file; the first thing that is wrong raises InputError with its place."""
    keys(content, ("header", "sequences"))
    sequences = _at("sequences", items, content["sequences"])
    if not sequences:
        raise InputError("the file has no sequence", where="sequences", valid="at least one")
    recordings = tuple(_at(_name(row, number), _recording, row) for number, row in enumerate(sequences))
    _once("sequence", [recording.id for recording in recordings])
    return recordings


def _at(place: str, parse: Callable[..., Any], *arguments: Any) -> Any:
    """Return what ``parse`` makes of its arguments; an error gets the place."""
    try:
        return parse(*arguments)
    except InputError as error:
        raise within(error, place) from None


def _name(row: Any, number: int) -> str:
    name = row.get("id") if isinstance(row, dict) else None
    return f"sequence {shown(name)}" if isinstance(name, str) and name else f"sequence number {number}"


def _once(kind: str, names: Iterable[Any]) -> None:
    seen = set()
    for name in names:
        if name in seen:
            raise InputError(f"{kind} {name!r} stands there twice", valid=f"each {kind} once")
        seen.add(name)


def _recording(row: Any) -> Recording:
    keys(row, ("id", "plat", "vm", "ops", "res"), ("mode", "period_quirk"))
    host = _at("plat", _host, row["plat"])
    ops = _at("ops", _operations, row["ops"], host.ncpus)
    return Recording(
        id=_at("id", _identifier, row["id"]),
        host=host,
        options=_at("vm", _options, row["vm"]),
        ops=ops,
        results=_at("res", _results, row["res"], ops),
        patches=_at("period_quirk", _patches, row.get("period_quirk", {}), ops),
    )


def _identifier(value: Any) -> str:
    if not isinstance(value, str) or not value or not value.isprintable():
        raise wrong(value, "a string of printable characters")
    return value


def _host(value: Any) -> Host:
    """Return the host of a sequence; it never runs out of counters."""
    plat = keys(value, ("ncpus", "host_pmuver", "el0_32", "impdef", "pmus"))
    ncpus = _at("ncpus", integer, plat["ncpus"], 1, MAX_CPUS)
    rows = enumerate(_at("pmus", items, plat["pmus"]))
    pmus = tuple(_at(f"pmus {number}", _host_pmu, row, ncpus) for number, row in rows)
    _at("pmus", _once, "type", [host_pmu.type_id for host_pmu in pmus])
    return Host(
        ncpus=ncpus,
        pmus=pmus,
        pmuver=_at("host_pmuver", integer, plat["host_pmuver"], 0, 15),
        el0_aarch32=_flag(plat, "el0_32"),
        impdef=_flag(plat, "impdef"),
    )


def _host_pmu(value: Any, ncpus: int) -> HostPmu:
    row = keys(value, ("type", "cpus", "n", "ceid0", "ceid1"))
    cpus = [_at("cpus", integer, cpu, 0, ncpus - 1) for cpu in _at("cpus", items, row["cpus"])]
    _at("cpus", _once, "CPU", cpus)
    type_id = _at("type", integer, row["type"], 0, INT32)
    return HostPmu(
        name=f"pmu{type_id}",
        type_id=type_id,
        cpus=frozenset(cpus),
        counters=_at("n", integer, row["n"], 0, EVENT_COUNTERS),
        pmceid0=_at("ceid0", hexadecimal, row["ceid0"]),
        pmceid1=_at("ceid1", hexadecimal, row["ceid1"]),
        limited=False,
    )


def _options(value: Any) -> Mapping[str, Any]:
    """Return the options of the VM as `simcore.app.replaying.Replay` takes them."""
    vm = keys(value, ("gic", "nr_spis", "el2", "el3"))
    flags = {name: _flag(vm, name) for name in ("gic", "el2", "el3")}
    return {**flags, "nr_spis": _at("nr_spis", integer, vm["nr_spis"], 0, MAX_SPIS)}


def _flag(row: Mapping[str, Any], key: str) -> bool:
    return bool(_at(key, integer, row[key], 0, 1))


def _operations(value: Any, ncpus: int) -> tuple[Operation, ...]:
    ops = items(value, "a list of [operation, argument, ...]")
    if not ops:
        raise wrong(ops, "at least one operation")
    for step, op in enumerate(ops):
        _at(f"step {step}", check_operation, op, ncpus)
    return tuple(ops)


# Results


def _results(value: Any, ops: Sequence[Operation]) -> Mapping[str, Sequence[Result]]:
    rows = _by_variant(value)
    if not rows:
        raise wrong(value, "results of at least one variant")
    results = {
        variant: _at(f"variant {variant!r}", _one_each, row, ops) for variant, row in rows.items() if row != SAME
    }
    for variant, row in rows.items():
        if row == SAME:
            if MAINLINE.name not in results:
                why = f"it means the same as {MAINLINE.name}, whose results are not here"
                raise InputError(f"wrong value {shown(row)}", f"variant {variant!r}", why, "a list of results")
            results[variant] = results[MAINLINE.name]
    return results


def _by_variant(value: Any) -> Mapping[str, Any]:
    """Return what stands there for each variant, in the order of the table of revisions."""
    if not isinstance(value, dict):
        raise wrong(value, "an object {variant: ...}")
    for variant in value:
        known("variant", variant, REVISIONS)
    return {variant: value[variant] for variant in REVISIONS if variant in value}


def _one_each(value: Any, ops: Sequence[Operation]) -> Sequence[Result]:
    results = items(value, f'a list, or "{SAME}": the same as {MAINLINE.name}')
    if len(results) != len(ops):
        raise InputError(f"{len(results)} results of {len(ops)} operations", valid="one result per operation")
    pairs = zip(ops, results, strict=True)
    return [_at(f"step {step}", canonical, op[0], result) for step, (op, result) in enumerate(pairs)]


def _patches(value: Any, ops: Sequence[Operation]) -> Mapping[str, Mapping[int, Result]]:
    return {variant: _at(f"variant {variant!r}", _patch, row, ops) for variant, row in _by_variant(value).items()}


def _patch(value: Any, ops: Sequence[Operation]) -> Mapping[int, Result]:
    if not isinstance(value, dict):
        raise wrong(value, "an object {step: result}")
    patch = {}
    for key, result in value.items():
        if not key.isascii() or not key.isdigit() or key != str(int(key[:9])) or int(key) >= len(ops):
            raise InputError(f"{shown(key)} is no step", valid=f'"0" to "{len(ops) - 1}"')
        patch[int(key)] = _at(f"step {key}", canonical, ops[int(key)][0], result)
    return patch
