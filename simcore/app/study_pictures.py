"""The kinds of pictures of `hetpmu plot` beside continuity: what each takes from a directory, and its head."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from simcore.app import plotting_matrices, plotting_shares, plotting_studies
from simcore.app.event_sets import event_sets as sets_of
from simcore.app.plotting import check_suffix, save
from simcore.app.plotting_frame import Picture
from simcore.app.storing import load_runs, replaced_file
from simcore.app.study_series import Series, crash_series, overhead_series, throughput_series
from simcore.app.study_sources import moves_of, platforms_of, points_of, rows_of, told
from simcore.app.sweep_directory import is_sweep
from simcore.errors import InputError
from simcore.loader import list_platforms, load_platform
from simcore.run_columns import CATEGORIES

Row = Mapping[str, Any]
MOST_ROWS = 40
SAMPLING = ("samples_share", "cycles_share", "time_share")


def draw_kind(kind: str, directory: Path | None, output: Path) -> None:
    """Draw one kind of picture into a PNG or SVG file; without a directory, of all platforms."""
    check_suffix(output)
    with replaced_file(output) as temporary:
        save(picture(kind, directory), temporary)


def picture(kind: str, directory: Path | None) -> Picture:
    """Return the figure of a kind; raises InputError where the directory has nothing for it."""
    if directory is None:
        if kind != "events":
            raise InputError(f"{kind} needs a result directory", valid="hetpmu plot DIR; only events does without")
        return _events(list_platforms(), "all SoCs of the product")
    return PICTURES[kind](directory)


def _crash(directory: Path) -> Picture:
    if not is_sweep(directory):
        load_runs(directory)
        raise _missing(
            directory, "crash probability by migration rate", "its runs have one scheduler, hence one rate",
            "a directory of sweep, as of the study crash-by-migration-rate",
        )  # fmt: skip
    title = "How often the guest dies, by how often its vCPUs move"
    points = [point for point in points_of(directory) if point.has_pmu]
    return plotting_studies.crash_probability(_some(crash_series(points), directory), title, _head(directory, "Wilson"))


def _throughput(directory: Path) -> Picture:
    title = "Throughput by policy, and so by pinning"
    if is_sweep(directory):
        series = throughput_series(points_of(directory))
        why = "no point of the study has the policy none with the other keys alike: nothing to measure by"
    else:
        series = _compared(rows_of(directory))
        why = "the throughput is that over a VM without a PMU, and a single run has none beside it"
    if not series:
        raise _missing(directory, "throughput", why, "a directory of compare, or of the study throughput-by-pinning")
    return plotting_studies.throughput(series, title, _head(directory, "by Student's t"))


def _compared(rows: Sequence[Row]) -> list[Series]:
    """Return the throughput of a comparison's rows, which tell no interval."""
    known = [(row["label"] + ("*" if row["crashes"] else ""), row["throughput"]) for row in rows if row["throughput"]]
    if not known:
        return []
    labels, values = zip(*known, strict=True)
    figures = np.array(values, dtype=np.float64)
    unknown = np.full(len(known), np.nan)
    label = "* some guests died, and count until then" if any("*" in name for name in labels) else ""
    return [Series(label, np.arange(len(known), dtype=np.float64), figures, unknown, unknown, tuple(labels))]


def _overhead(directory: Path) -> Picture:
    title = "What the host spends on the guest's PMU, by how often vCPUs cross"
    series = _some(overhead_series(points_of(directory)), directory)
    return plotting_studies.overhead(series, title, _head(directory, "by Student's t"))


def _events(names: Sequence[str], what: str) -> Picture:
    found = sets_of(load_platform(name) for name in names)
    if not found.groups:
        raise InputError("no event sets there", where=what, why="KVM has no vPMU on these platforms")
    without = f"; no vPMU on {', '.join(found.without)}" if found.without else ""
    title = "Common events in PMCEID0/1_EL0, by SoC (under fixed-counters-only: none)"
    return plotting_matrices.event_sets(found.names, found.event_names, found.cells, title, what + without)


def _sampling(directory: Path) -> Picture:
    rows = [row for row in rows_of(directory) if row.get("sampling")]
    if not rows:
        why, valid = (
            "no guest there takes samples",
            "runs of the guest linux-perf-record, as of the study sampling-bias",
        )
        raise _missing(directory, "samples", why, valid)
    pmus = sorted({name for row in rows for name in row["sampling"]}, key=lambda name: (not name, name))
    shares = np.array(
        [[[_share(row, name, key) for key in SAMPLING] for name in pmus] for row in rows], dtype=np.float64
    )
    title = "Where perf record takes its samples, and where the guest executes"
    labels = [row["label"] for row in rows]
    return plotting_shares.sampling_bias(labels, pmus, shares, title, _head(directory, ""))


def _share(row: Row, name: str, key: str) -> float:
    share = row["sampling"].get(name, {}).get(key, 0.0)
    return np.nan if share is None else float(share)


def _ledger(directory: Path) -> Picture:
    rows = [row for row in rows_of(directory) if row.get("ledger") and sum(row["ledger"].values())]
    if not rows:
        raise _missing(directory, "ledger", "no guest there has a PMU that counts cycles", "runs of another policy")
    if len(rows) > MOST_ROWS:
        raise _missing(directory, "ledger that fits", f"it has {len(rows)} points", f"a study of at most {MOST_ROWS}")
    cycles = np.array([[row["ledger"][name] for name in CATEGORIES] for row in rows], dtype=np.float64)
    shares = cycles / cycles.sum(axis=1, keepdims=True)
    title = "Where the guest's cycles went: PMCCNTR_EL0's ledger"
    return plotting_shares.ledger([row["label"] for row in rows], shares, title, _head(directory, ""))


def _crossings(directory: Path) -> Picture:
    if is_sweep(directory):
        raise _missing(
            directory, "matrix of moves", "a sweep keeps figures of its runs, not their moves",
            "a directory of run or compare --out",
        )  # fmt: skip
    found = moves_of(directory)
    title = "Moves of vCPU threads between core types"
    return plotting_matrices.crossings(found.matrices, found.cores, title, _head(directory, ""))


def _head(directory: Path, intervals: str) -> str:
    return told(directory) + (f"; 95 % intervals {intervals}" if intervals and is_sweep(directory) else "")


def _some(series: list[Series], directory: Path) -> list[Series]:
    if not series:
        raise _missing(directory, "runs", "no guest there has a PMU, or no run has ended", "another result directory")
    return series


def _missing(directory: Path, what: str, why: str, valid: str) -> InputError:
    return InputError(f"no {what} in this directory", where=str(directory), why=why, valid=valid)


PICTURES: Mapping[str, Callable[[Path], Picture]] = {
    "crash": _crash,
    "throughput": _throughput,
    "overhead": _overhead,
    "events": lambda directory: _events(platforms_of(directory), told(directory)),
    "sampling": _sampling,
    "ledger": _ledger,
    "crossings": _crossings,
}
