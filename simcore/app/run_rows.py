"""One run as one flat row, and such rows as figures of a comparison again: what a sweep keeps and pools."""

import json
import math
import statistics
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simcore.app.metrics import RunMetrics, run_metrics
from simcore.errors import InputError
from simcore.limits import parse_json
from simcore.result import Result
from simcore.run_columns import CATEGORIES, CAUSES, COLUMN_NAMES
from simcore.table_columns import Column

MOST_TEXT = 1_000_000
"""Characters of a text in a row, the details of a run with many vCPUs among them."""
RunRow = tuple[Any, ...]
"""Values in the order of `simcore.run_columns.RUN_COLUMNS`."""


def run_row(result: Result) -> RunRow:
    """Return the row of a run: the figures of its first VM."""
    figures = run_metrics(result)
    values = _same_name(figures) | _derived(figures)
    values |= {"seed": result.scenario.seed, "digest": result.digest()}
    values |= {"ended_ns": int(result.summary["ended_ns"])}  # type: ignore[call-overload]
    return tuple(values[name] for name in COLUMN_NAMES)


def _same_name(figures: RunMetrics) -> dict[str, Any]:
    """Return the figures that are columns as they are."""
    fields = set(RunMetrics.__dataclass_fields__) & set(COLUMN_NAMES) - {"clock_error_ppm"}
    return {name: getattr(figures, name) for name in fields}


def _derived(figures: RunMetrics) -> dict[str, Any]:
    rates, errors = figures.rate_mhz, figures.clock_error_ppm
    lowest, median, highest = (min(rates), statistics.median(rates), max(rates)) if rates else (math.nan,) * 3
    return {
        "crashed": int(figures.crashed),
        **dict(zip(CATEGORIES, figures.ledger, strict=True)),
        **{f"crossings_{cause}": figures.crossings_by.get(cause, 0) for cause in CAUSES},
        "clock_error_ppm": float(max(errors, key=abs)) if errors else math.nan,
        "energy_uj": -1 if figures.energy_j is None else round(figures.energy_j * 1e6),
        "rate_min_mhz": lowest,
        "rate_median_mhz": median,
        "rate_max_mhz": highest,
        "details": json.dumps(_details(figures), separators=(",", ":")),
    }


def _details(figures: RunMetrics) -> dict[str, Any]:
    """Return what is no single number a run."""
    found = {key: list(values) for key, values in figures.found.items()}
    known = {"clock_error_ppm": list(figures.clock_error_ppm), "found": found, "sampled": figures.sampled}
    return {name: value for name, value in known.items() if value}


def is_row(values: Sequence[Any], columns: Sequence[Column]) -> bool:
    """Tell whether values can be those of a row, by number, type and size."""
    if len(values) != len(columns):
        return False
    return all(_KINDS[column.dtype[0]](value) for column, value in zip(columns, values, strict=True))


_KINDS: dict[str, Callable[[Any], bool]] = {
    "u": lambda value: type(value) is int and 0 <= value < 1 << 64,
    "i": lambda value: type(value) is int and -(1 << 63) <= value < 1 << 63,
    "f": lambda value: isinstance(value, float) or (type(value) is int and -(1 << 63) <= value < 1 << 63),
    "U": lambda value: isinstance(value, str) and len(value) <= MOST_TEXT,
}
"""What a value of a column may be, by the first letter of its dtype."""


def _read_details(text: str) -> dict[str, Any]:
    """Return the details of a run; raises InputError for what `_details` did not write."""
    where = "details of a run"
    details = parse_json(text, where, "damaged sweep")
    named = [details.get("found", {}), details.get("sampled", {})] if isinstance(details, dict) else [None]
    lists = [value for names in named if isinstance(names, dict) for value in names.values()]
    if not all(isinstance(names, dict) for names in named) or not all(isinstance(value, list) for value in lists):
        raise InputError("damaged sweep", where, f"{text[:60]} is not what a run has")
    if not all(type(value) in (int, float) for value in details.get("clock_error_ppm", ())):
        raise InputError("damaged sweep", where, "a clock error is no number")
    found: dict[str, Any] = details
    return found


def row_metrics(row: Any) -> RunMetrics:
    """Return the figures of a run from its row in a table; of its rates only the least, the median and the most."""
    details = _read_details(str(row["details"]))
    sampled = details.get("sampled")
    rates = tuple(float(row[f"rate_{name}_mhz"]) for name in ("min", "median", "max"))
    plain = {
        name: row[name].item()
        for name in set(RunMetrics.__dataclass_fields__) & set(COLUMN_NAMES) - {"clock_error_ppm", "crashed"}
    }
    return RunMetrics(
        **plain,
        crashed=bool(row["crashed"]),
        ledger=tuple(int(row[name]) for name in CATEGORIES),
        clock_error_ppm=tuple(details.get("clock_error_ppm", ())),
        crossings_by={cause: int(row[f"crossings_{cause}"]) for cause in CAUSES},
        energy_j=None if row["energy_uj"] < 0 else int(row["energy_uj"]) / 1e6,
        rate_mhz=() if math.isnan(rates[0]) else rates,
        found={key: tuple(values) for key, values in details.get("found", {}).items()},
        sampled=None if sampled is None else {name: tuple(figures) for name, figures in sampled.items()},
    )


def table_of_rows(columns: Sequence[Column], rows: Sequence[Sequence[Any]]) -> NDArray[np.void]:
    """Return rows as a structured array; text columns are as wide as their longest value."""
    by_column: list[Sequence[Any]] = list(zip(*rows, strict=True)) if rows else [()] * len(columns)
    dtype = [
        (
            column.name,
            f"U{max((len(text) for text in values), default=0) or 1}" if "U" in column.dtype else column.dtype,
        )
        for column, values in zip(columns, by_column, strict=True)
    ]
    table = np.zeros(len(rows), dtype)
    for column, values in zip(columns, by_column, strict=True):
        if len(values):
            table[column.name] = values
    return table
