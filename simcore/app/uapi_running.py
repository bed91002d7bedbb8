"""Runs a sequence of `hetpmu uapi` under kernel revisions: rows of results, and the state of each VM at the end.

One VM is in `simcore.app.uapi_machine`, the text in `simcore.app.uapi_text`.
"""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

from pmu.host import Host
from pmu.revisions import Revision, documented
from pmu.versions import KERNELS as EVERY
from simcore.app.uapi_machine import Machine, Outcome, implied_steps
from simcore.app.uapi_parsing import Step
from simcore.errors import unknown_name

KERNELS: Final = ("mainline", "v6", "v8", "review")
"""The revisions by default; v4 is v6 with a bug that was fixed before v6 was posted."""
DOCUMENTED: Final = "+doc"


@dataclass(frozen=True, slots=True)
class Column:
    """A kernel revision under its name in the table; ``documented``: SET_NR_COUNTERS is as documented."""

    name: str
    revision: Revision
    documented: bool = False


@dataclass(frozen=True, slots=True)
class Row:
    """One step and its outcome by column; ``implied``: it was not typed."""

    number: int
    text: str
    outcomes: dict[str, Outcome]
    implied: bool = False

    @property
    def differs(self) -> bool:
        """Return whether the columns disagree about the result."""
        results = [outcome.result for outcome in self.outcomes.values()]
        return any(result != results[0] for result in results)


@dataclass(frozen=True, slots=True)
class Account:
    """A sequence under several revisions: a row a step, and each VM's state after the last one."""

    rows: tuple[Row, ...]
    states: dict[str, dict[str, Any]]


def columns_of(names: Iterable[str], as_documented: bool = False) -> tuple[Column, ...]:
    """Return the columns of kernel names; ``+doc`` after a name: SET_NR_COUNTERS as documented."""
    found = {}
    for name in names:
        kernel = name.removesuffix(DOCUMENTED)
        if kernel not in EVERY:
            raise unknown_name("kernel revision", name, [*EVERY, f"K{DOCUMENTED}"], where="--kernel")
        column = Column(kernel, EVERY[kernel])
        column = as_document(column) if as_documented or kernel != name else column
        found[column.name] = column
    return tuple(found.values())


def as_document(column: Column) -> Column:
    """Return the column with SET_NR_COUNTERS as KVM's documentation has it."""
    return Column(column.name + DOCUMENTED, documented(column.revision), documented=True)


def vcpus_of(steps: Sequence[Step], at_least: int = 1) -> int:
    """Return how many vCPUs the steps name."""
    return max([at_least, *(step.vcpu + 1 for step in steps if step.vcpu is not None)])


def run_steps(
    host: Host, columns: Sequence[Column], steps: Sequence[Step], vcpus: int, irqchip: str = "gicv3"
) -> Account:
    """Run the steps on a new VM of each revision."""
    machines = {column.name: Machine(host, column.revision, vcpus, irqchip) for column in columns}
    rows = []
    implied = implied_steps(steps, vcpus)
    if implied:
        outcomes = {name: _first_refused(machine, implied) for name, machine in machines.items()}
        rows.append(Row(0, implied[0].text + (f" of all {vcpus} vCPUs" if vcpus > 1 else ""), outcomes, implied=True))
    for number, step in enumerate(steps, 1):
        outcomes = {name: machine.perform(step) for name, machine in machines.items()}
        rows.append(Row(number, step.label(vcpus), outcomes))
    return Account(tuple(rows), {name: machine.state() for name, machine in machines.items()})


def _first_refused(machine: Machine, steps: Sequence[Step]) -> Outcome:
    outcomes = [machine.perform(step) for step in steps]
    return next((outcome for outcome in outcomes if outcome.result != 0), outcomes[0])


def as_json(
    platform: str, host: Host, columns: Sequence[Column], vcpus: int, irqchip: str, account: Account | None
) -> dict[str, Any]:
    """Return the answer of `hetpmu uapi` (docs/uapi.md describes every field); ``explore`` is left to the caller."""
    return {
        "schema": "hetpmu-uapi/1",
        "platform": platform,
        "pmuver": host.pmuver_limit,
        "host_pmus": [
            {
                "name": host_pmu.name,
                "type_id": host_pmu.type_id,
                "cpus": sorted(host_pmu.cpus),
                "nr_counters": host.max_counters(host_pmu),
            }
            for host_pmu in host.usable_pmus
        ],
        "vcpus": vcpus,
        "irqchip": irqchip,
        "columns": [column_row(column) for column in columns],
        "steps": None if account is None else [_step_row(row) for row in account.rows],
        "state": None if account is None else account.states,
        "explore": None,
    }


def column_row(column: Column) -> dict[str, str]:
    """Return what a column stands for."""
    return {
        "name": column.name,
        "kernel": column.revision.name,
        "set_nr_counters": "documented" if column.documented else "implemented",
    }


def _step_row(row: Row) -> dict[str, Any]:
    return {
        "step": row.number,
        "text": row.text,
        "implied": row.implied,
        "differs": row.differs,
        "results": {name: outcome.result for name, outcome in row.outcomes.items()},
        "rules": {name: asdict(outcome.rule) for name, outcome in row.outcomes.items()},
    }
