"""The text of `hetpmu migrate`: both VMs, the registers, the calls, what can go wrong, the order; at most 118 columns.

The answer is that of `simcore.app.migrating.Migration.as_json`.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import groupby
from textwrap import wrap
from typing import Any, Final

from simcore.app.columns import table
from simcore.app.explaining import PMUVER_NAMES
from simcore.app.migrate_calls import ATTRIBUTE
from simcore.platform import cpu_list

Row = dict[str, Any]
COLUMNS: Final = 118
UNDEF: Final = "UNDEF"
NOT_CARRIED, REFUSED, ARRIVED = "not carried", "refused", "arrived"
_NUMBERED: Final = re.compile(r"(PMEV(?:CNTR|TYPER))(\d+)(_EL0)")
FILTER_NOTE: Final = (
    "A FILTER would have to be repeated too, call by call; it cannot be read back. No policy of hetpmu sets one."
)


def report(answer: Row, every: bool = False) -> str:
    """Return the text; ``every``: each event counter on a line of its own."""
    sections = (_head(answer), _registers(answer, every), _hidden(answer), _calls(answer), _hazards(answer))
    return "\n\n".join([*("\n".join(section) for section in sections), "\n".join(_orders(answer))]) + "\n"


def _head(answer: Row) -> list[str]:
    source, destination = answer["source"], answer["destination"]
    cells = [(name, show(source), show(destination)) for name, show in _FACTS.items()]
    return [
        f"The PMU of one vCPU by KVM_GET/SET_ONE_REG, restored in {answer['order']} order of ids",
        "",
        table(("", "source", "destination"), cells),
        "",
        *_wrapped(f"The guest sees {_views(answer)}."),
        *_wrapped(f"Before it was saved its counters were used on {_stretches(answer)}."),
    ]


_FACTS: Final[dict[str, Callable[[Row], str]]] = {
    "platform": lambda row: str(row["platform"]),
    "policy": lambda row: f"{row['policy']}@{row['kernel']}",
    "VCPU_INIT": lambda row: f"on CPU {row['init_cpu']}",
    "runs": lambda row: f"on CPU {cpu_list(row['pinned_cpus'] or row['supported_cpus'])}",
    "backed by": lambda row: "the local PMU" if row["fixed_counters_only"] else row["host_pmu"] or "no one host PMU",
    "PMCR_EL0.N": lambda row: f"{row['pmcr_n']}, at most {row['pmcr_n_max']}",
    "PMUVer": lambda row: f"{row['pmuver']} ({PMUVER_NAMES[row['pmuver']]}), at most {row['pmuver_limit']}",
    "in PMCEID": lambda row: f"{row['common_events']} events",
}


def _views(answer: Row) -> str:
    rows = (("N", "pmcr_n"), ("common events", "common_events"), ("PMUVer", "pmuver"))
    source, destination = answer["source"], answer["destination"]
    parts = [f"{name} {_change(source[key], destination[key])}" for name, key in rows]
    error = next((row["error"] for row in answer["registers"] if row["error"]), None)
    refused = f" (refused: {error})" if error else ""
    before, after = answer["interrupt_line"]
    return f"{', '.join(parts)}{refused}, interrupt line {_change(before, after)}"


def _change(before: object, after: object) -> str:
    return f"{before}" if before == after else f"{before} -> {after}"


def _stretches(answer: Row) -> str:
    stretches = answer["stretches"]
    crossings = sum(stretch["crossing"] for stretch in stretches)
    cpus = ", ".join(str(stretch["cpu"]) for stretch in stretches)
    return f"CPU {cpus} ({crossings or 'no'} crossing{'s' if crossings != 1 else ''})"


# Registers


def _registers(answer: Row, every: bool) -> list[str]:
    rows = [row for row in answer["registers"] if row["verdict"] != NOT_CARRIED]
    counts = ", ".join(f"{count} {name}" for name, count in _verdicts(answer))
    blocks = [[row] for row in rows] if every else list(_blocks(rows))
    cells = [_single(block[0]) if len(block) == 1 else _several(block) for block in blocks]
    head, *lines = table(("register", "source", "destination", "guest there", "verdict"), cells).splitlines()
    notes = (_notes(block[0]["reasons"]) for block in blocks)
    shown = [part for line, note in zip(lines, notes, strict=True) for part in (line, *note)]
    return [f"Registers: {counts}", head, *shown]


def _verdicts(answer: Row) -> Iterator[tuple[str, int]]:
    found = [row["verdict"] for row in answer["registers"]]
    return ((name, found.count(name)) for name in dict.fromkeys(found))


def _blocks(rows: Iterable[Row]) -> Iterator[list[Row]]:
    """Yield runs of event counters of which the same is to be said, and every other register alone."""
    for key, block in groupby(rows, key=_same):
        if key is None:
            yield from ([row] for row in block)
        else:
            yield list(block)


def _same(row: Row) -> tuple[object, ...] | None:
    """Return what rows of a block have in common; None: such a row stands alone."""
    match = _NUMBERED.fullmatch(row["register"])
    if match is None or row["restored"] != row["saved"]:
        return None
    return (
        match[1],
        row["verdict"],
        tuple(row["reasons"]),
        _guest(row) if row["guest_after"] == UNDEF else "",
        _unused(row),
    )


def _unused(row: Row) -> bool:
    return bool(row["guest_before"] == row["guest_after"] == UNDEF)


def _single(row: Row) -> tuple[str, ...]:
    return row["register"], row["saved"], row["restored"], _guest(row), _verdict(row)


def _several(block: Sequence[Row]) -> tuple[str, ...]:
    first, last = (_NUMBERED.fullmatch(row["register"]) for row in (block[0], block[-1]))
    assert first is not None
    assert last is not None
    name = f"{first[1]}{first[2]}..{last[2]}{first[3]}"
    return name, f"{len(block)} values", "the same", _guest(block[0]), _verdict(block[0])


def _guest(row: Row) -> str:
    """Return what the guest reads on the destination, where that is not what ONE_REG gives."""
    return "" if row["guest_after"] in (None, row["restored"]) or _unused(row) else str(row["guest_after"])


def _verdict(row: Row) -> str:
    if row["verdict"] == REFUSED:
        return f"{REFUSED}: {row['error']}"
    return f"{row['verdict']}, unused" if _unused(row) else str(row["verdict"])


def _hidden(answer: Row) -> list[str]:
    rows = [row for row in answer["registers"] if row["verdict"] == NOT_CARRIED]
    cells = [(row["register"], row["guest_before"], row["guest_after"]) for row in rows]
    head, *lines = table(("register", "guest on source", "guest on destination"), cells).splitlines()
    notes = (_notes(row["reasons"]) for row in rows)
    shown = [part for line, note in zip(lines, notes, strict=True) for part in (line, *note)]
    return ["Not carried, for want of a ONE_REG", head, *shown]


# The rest


def _calls(answer: Row) -> list[str]:
    rows = answer["calls"]
    cells = [(row["call"].removeprefix(ATTRIBUTE), row["source"] or "-", row["destination"]) for row in rows]
    title = "Not in registers either: what the VMM asks for by ioctls, to be repeated before the first KVM_RUN"
    return [title, table(("call", "source", "destination"), cells), *_wrapped(FILTER_NOTE)]


def _hazards(answer: Row) -> list[str]:
    found = answer["hazards"] or ["nothing that is known"]
    return ["What can go wrong with this pair", *(part for text in found for part in _wrapped(f"* {text}"))]


def _orders(answer: Row) -> list[str]:
    rows = answer["order_matters_for"]
    random = [label.split()[1] for label in answer["orders"] if label.startswith("random")]
    tried = f"ascending, descending, and random with seeds {random[0]} to {random[-1]}"
    if not rows:
        return _wrapped(f"The order of registers does not matter: {tried} give the same.")
    lines = _wrapped(f"The order of registers matters ({tried}); against {answer['order']}:")
    for row in rows:
        others = "; ".join(f"{value} in {', '.join(labels)}" for value, labels in _by_value(row["others"]))
        lines += _wrapped(f"{row['register']}: {row['value']}, but {others}", "    ")
        lines += _notes(row["reasons"], " " * 8)
    return lines


def _by_value(others: dict[str, str]) -> Iterator[tuple[str, list[str]]]:
    values = dict.fromkeys(others.values())
    return ((value, [label for label, other in others.items() if other == value]) for value in values)


def _notes(texts: Sequence[str], indent: str = "    ") -> list[str]:
    return [part for text in texts for part in _wrapped(text, indent)]


def _wrapped(text: str, indent: str = "") -> list[str]:
    return wrap(text, COLUMNS, initial_indent=indent, subsequent_indent=indent + "    ", break_on_hyphens=False)
