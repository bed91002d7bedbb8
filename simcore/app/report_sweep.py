"""The page of a sweep: its points as tables and charts; a sweep keeps figures of its runs, not their tables."""

from collections.abc import Callable, Sequence
from pathlib import Path

from simcore import __version__
from simcore.app.columns import Column, Row, count
from simcore.app.report_assumptions import constants_table, platform_block, scenario_table
from simcore.app.report_blocks import Block, Notes, Page, Section, section
from simcore.app.report_names import names_of, near
from simcore.app.report_repeat import sweep_repeat
from simcore.app.report_strips import clock_strips, crash_strips, ledger_strips
from simcore.app.report_tables import table_of
from simcore.app.report_trade import trade_picture, trade_table
from simcore.app.report_verdict_sweep import point_name, sweep_verdict
from simcore.app.study_data import StudyData, load_study
from simcore.app.study_sources import study_points
from simcore.app.study_table import COLUMNS as COSTS
from simcore.app.study_table import HEAD, labelled_rows
from simcore.app.sweep_directory import read_identity
from simcore.app.sweep_text import FIGURES, SHOWN_POINTS, answer_head, answer_of
from simcore.study_build import scenario_of


def sweep_page(directory: Path) -> Page:
    """Return the page of a sweep's directory, finished or not."""
    data = load_study(directory)
    answer = answer_of(data, directory)
    identity = read_identity(directory)
    names = names_of(data.study, identity["files"])
    answer["points"] = [row | {"values": near(row["values"], names)} for row in answer["points"]]
    rows = [row for row in answer["points"] if row["runs"]]
    sections = (
        _figures(data, answer),
        section("deaths", "Deaths", "How often guests die", [crash_strips(rows, point_name)]),
        section("ledger", "Ledger", "Where the cycles went", [ledger_strips(rows, point_name)]),
        section("clock", "Clock", "Clock error", [clock_strips(rows, point_name)]),
        _trade(rows),
        _assumed(data),
        section("repeat", "Repeat", "To repeat it", sweep_repeat(data.study, identity, names)),
    )
    known = tuple(part for part in sections if part is not None)
    foot = (f"Made by hetpmu {__version__}; the page loads nothing from anywhere.",)
    title = f"Study {data.study.name}"
    return Page(title, tuple(answer_head(answer)), tuple(sweep_verdict(answer)), known, foot)


def _figures(data: StudyData, answer: Row) -> Section | None:
    """Return the tables that sweep and show print; keys in full."""
    points = answer["points"][:SHOWN_POINTS]
    keys = [Column(("", key.rpartition(".")[2]), _value(key), left=True) for key in answer["keys"]]
    numbers = [point.number for point in data.points if len(data.at(point.number))][:SHOWN_POINTS]
    costs = labelled_rows(study_points(data)[:SHOWN_POINTS], numbers)
    cut = (
        f" (the first {SHOWN_POINTS} of {len(answer['points'])} points)" if len(answer["points"]) > SHOWN_POINTS else ""
    )
    blocks: list[Block | None] = [
        table_of(f"The points of the study{cut}", (_NUMBER, *keys, *FIGURES), points),
        table_of(f"What it costs the host, and what is left for the guest{cut}", COSTS, costs),
        Notes((" ".join(HEAD),)),
    ]
    return section("figures", "Figures", "All figures", blocks)


def _value(key: str) -> Callable[[Row], str]:
    return lambda row: str(row["values"][key])


def _trade(rows: Sequence[Row]) -> Section | None:
    """Return energy against the speed of guests, in G instructions a second."""
    picture = trade_picture(rows, point_name, "G instructions a second", _speed, 1e9)
    table = trade_table(rows, (_keys(rows), _values), "instructions/s", _speed, count)
    why = None if any(row["energy_j"] is not None for row in rows) else Notes((NO_ENERGY,))
    return section("trade", "Energy", "Energy and throughput", [picture, table, why])


def _keys(rows: Sequence[Row]) -> str:
    return ", ".join(key.rpartition(".")[2] for key in rows[0]["values"]) if rows else ""


def _values(row: Row) -> str:
    return ", ".join(map(str, row["values"].values()))


def _speed(row: Row) -> float | None:
    return row["instructions"] / row["lived_ns"] * 1e9 if row["lived_ns"] else None


def _assumed(data: StudyData) -> Section | None:
    """Return what the first point assumes; other points differ in the keys of the study only."""
    scenario = scenario_of(data.study, 0)
    note = Notes(("As at point 0; the other points differ in the keys of the study only.",))
    blocks = [note, scenario_table(scenario), platform_block(scenario.platform), constants_table()]
    return section("assumptions", "Assumptions", "What is assumed", blocks)


_NUMBER = Column(("", "point"), lambda row: str(row["point"]))
NO_ENERGY = "The platform has no sourced energy model, so there is no energy to show."
