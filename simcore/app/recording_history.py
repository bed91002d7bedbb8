"""The history of a host (`scheduler.kernel_history`) as tables, one for each kind of thing that it did."""

from collections.abc import Mapping
from typing import Final

import numpy as np
from numpy.typing import NDArray

from scheduler import kernel_history as kh
from scheduler import kernel_state as ks
from simcore.trace import table_of

Rows = NDArray[np.int64]


def history_tables(state: ks.State) -> dict[str, NDArray[np.void]]:
    """Return the tables of what a host did; all but `switches` are empty unless it kept a trace."""
    rows = state.history[: state.glob[ks.N_HISTORY]]
    order = np.arange(len(rows))
    tables = {}
    for name, kinds in _KINDS.items():
        chosen = np.isin(rows[:, kh.KIND], kinds)
        mine = rows[chosen]
        columns = _COLUMNS[name](mine, state)
        tables[name] = table_of(name, [mine[:, kh.AT], *columns, order[chosen]])
    return tables


def _figures(rows: Rows) -> list[Rows]:
    return list(rows[:, kh.FIRST_FIGURE :].T)


def _switches(rows: Rows, state: ks.State) -> list[Rows]:
    return _figures(rows)[:3]


def _wakings(rows: Rows, state: ks.State) -> list[Rows]:
    task, cpu, waker_cpu, by = _figures(rows)
    return [task, cpu, by, waker_cpu, rows[:, kh.KIND] == kh.STARTED]


def _moves(rows: Rows, state: ks.State) -> list[Rows]:
    return _figures(rows)


def _entries(rows: Rows, state: ks.State) -> list[Rows]:
    vcpu, cpu, why, _ = _figures(rows)
    return [vcpu, cpu, rows[:, kh.KIND] == kh.ENTERED, why]


def _frequencies(rows: Rows, state: ks.State) -> list[Rows]:
    domain, khz, *_ = _figures(rows)
    return [state.member[domain, 0], khz]


_KINDS: Final[Mapping[str, tuple[int, ...]]] = {
    "switches": (kh.SWITCHED,),
    "wakings": (kh.WOKEN, kh.STARTED),
    "moves": (kh.MOVED,),
    "entries": (kh.ENTERED, kh.EXITED),
    "frequencies": (kh.CLOCKED,),
}
_COLUMNS: Final = {
    "switches": _switches,
    "wakings": _wakings,
    "moves": _moves,
    "entries": _entries,
    "frequencies": _frequencies,
}
