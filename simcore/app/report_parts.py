"""The sections of a report, each from rows or runs; a section is None where a directory has nothing for it."""

from collections.abc import Callable, Sequence

from simcore.app.columns import POLICY, Row, backed, count, label
from simcore.app.finding import FoundBlock
from simcore.app.found_text import found_columns, meanings
from simcore.app.lanes import run_names
from simcore.app.measured_text import COLUMNS as MEASURED
from simcore.app.measured_text import LEGEND as MEASURED_LEGEND
from simcore.app.replay_text import COUNTER, THREADS
from simcore.app.replay_text import GUEST as REPLAY_GUEST
from simcore.app.replay_text import LEGEND as REPLAY_LEGEND
from simcore.app.report_assumptions import constants_table, platform_block, replay_table, scenario_table
from simcore.app.report_blocks import Block, Notes, Plot, Section, Table, section
from simcore.app.report_lanes import plot_of
from simcore.app.report_moves import move_matrices
from simcore.app.report_rates import Rates, rate_pictures, rate_table, rates_of
from simcore.app.report_strips import clock_strips, crash_strips, ledger_strips, throughput_strips
from simcore.app.report_tables import table_of
from simcore.app.report_trade import trade_picture, trade_table
from simcore.app.sampling import sampled_rows
from simcore.app.tables import (
    GUEST,
    HOST,
    LEGEND,
    SAMPLING,
    SAMPLING_TITLE,
    SENSITIVITY,
    SHOWN,
    SHOWN_TITLE,
    moved_rows,
    shown_rows,
)
from simcore.app.watch_text import COUNTER as WATCH_COUNTER
from simcore.app.watch_text import LEDGER as WATCH_LEDGER
from simcore.app.watch_text import LEGEND as WATCH_LEGEND
from simcore.loader import load_platform
from simcore.platform import Platform
from simcore.result import Result
from simcore.scenario import Scenario

SOURCE = "The plot is drawn by uPlot 1.6.32 (MIT), which this page contains; it loads nothing from anywhere."
THINNED = (
    "Curves are thinned for display: every point that is drawn is a sample as it was recorded, lines between "
    "them pass all other samples within"
)
OTHERS_THINNED = (
    "Rates and clock errors are thinned to the least and the largest of each stretch, bands and marks closer than a "
    "pixel joined."
)
Named = Callable[[Row], str]


def comparison_tables(rows: Sequence[Row], sensitivity: Row | None, found: Sequence[FoundBlock]) -> Section | None:
    """Return the tables that compare and run print."""
    blocks: list[Block | None] = [
        table_of("What the guest gets", GUEST, rows),
        table_of("What it costs the host (all runs together; crossings also by cause)", HOST, rows),
        table_of(SHOWN_TITLE, SHOWN, shown_rows(rows)),
        table_of(SAMPLING_TITLE, SAMPLING, sampled_rows(rows)),
    ]
    if sensitivity is not None:
        title = f"Sensitivity ({sensitivity['note']})"
        blocks.append(table_of(title, SENSITIVITY, moved_rows(sensitivity["rows"])))
    for guests in found:
        blocks += [_found(guests), Notes(tuple(meanings(guests)))]
    return section("figures", "Figures", "All figures", [*blocks, _legend(LEGEND)])


def replay_tables(answer: Row) -> Section | None:
    """Return the tables that replay prints, a measured log's included."""
    measured = answer["measured"]
    rows = [{**row, "true_cycles": measured["true_cycles"]} for row in measured["policies"]] if measured else []
    closest = [f"Closest to the log: {', '.join(dict.fromkeys(measured['closest']))}."] if measured else []
    blocks = [
        table_of("The threads that are its vCPUs", THREADS, answer["threads"]),
        table_of("What the guest would have seen on this schedule", REPLAY_GUEST, answer["policies"]),
        table_of(
            "The counter's rate, where the policy forbids the schedule, and what it costs", COUNTER, answer["policies"]
        ),
        table_of("A measured counter beside the replay", MEASURED, rows),
        Notes((*closest, *measured["notes"], " ".join(MEASURED_LEGEND))) if measured else None,
        _legend(REPLAY_LEGEND),
    ]
    return section("figures", "Figures", "All figures", blocks)


def watch_tables(answer: Row) -> Section | None:
    """Return the tables that watch prints."""
    rows = answer["policies"]
    blocks = [
        table_of("What the cycle counter shows under each policy", WATCH_COUNTER, rows),
        table_of("Where the guest's cycles went", WATCH_LEDGER, rows),
        _legend(WATCH_LEGEND),
    ]
    return section("figures", "Figures", "All figures", blocks)


def crashes(rows: Sequence[Row]) -> Section | None:
    """Return how often guests die, with intervals."""
    return section("deaths", "Deaths", "How often guests die", [crash_strips(rows, label)])


def kept_parts(results: Sequence[Result], once: str) -> list[Section | None]:
    """Return what only the tables of runs tell: the plot, moves between core types, rates by core type."""
    if not results:
        return []
    platform = load_platform(results[0].scenario.platform)
    plot, figures = plot_of(results, platform)
    rates = [rates_of(run, name, platform) for run, name in zip(results, run_names(results), strict=True)]
    moves = move_matrices(results, platform, f"From the core type of the row to that of the column{once}")
    return [
        continuity(plot, figures),
        section("crossings", "Crossings", "Moves between core types", [moves]),
        section("rates", "Rates", f"Rate of the counter by core type{once}", _rates(rates, platform)),
    ]


def continuity(plot: Plot | None, figures: Table | None) -> Section | None:
    """Return the interactive plot, or say why there is none."""
    if plot is None:
        note = "No samples were recorded, so there is nothing to plot: run with --sample, watch with --step."
        return section("continuity", "Plot", "PMCCNTR_EL0 over time", [Notes((note,))])
    if figures is None:
        away = max(lane["away"] for lanes in plot.data["lanes"].values() for lane in lanes)
        thinning = Notes((f"{THINNED} {count(away)} cycles.",))
        return section("continuity", "Plot", "PMCCNTR_EL0 over time", [plot, thinning])
    thinning = Notes((f"{THINNED} the distance that the table below names for each lane. {OTHERS_THINNED}",))
    return section("continuity", "Plot", "PMCCNTR_EL0 against time and true cycles", [plot, thinning, figures])


def ledger(rows: Sequence[Row], named: Named) -> Section | None:
    """Return where the guest's cycles went."""
    bars = ledger_strips(rows, named)
    none = Notes(("No guest here has a PMU that counts cycles.",))
    return section("ledger", "Ledger", "Where the cycles went", [bars or none])


def clocks(rows: Sequence[Row], named: Named) -> Section | None:
    """Return how wrong the clocks of guests are."""
    bars = clock_strips(rows, named)
    none = Notes(("No guest here keeps a clock by its cycles.",))
    return section("clock", "Clock", "Clock error", [bars or none])


def trade(rows: Sequence[Row], named: Named, speed: str) -> Section | None:
    """Return energy against throughput, or against instructions of rows that have no throughput."""
    form: Callable[[float], str] = "{:.3f}".format if speed == "throughput" else count
    known = [row for row in rows if row["energy_j"] is not None]
    why = Notes(("The platform has no sourced energy model, so there is no energy to show.",))
    blocks = [
        trade_picture(rows, named, speed, lambda row: row[speed], 1.0) if known and len(rows) > 1 else None,
        throughput_strips(rows, named),
        trade_table(rows, ("policy@kernel", named), speed, lambda row: row[speed], form),
        None if known else why,
    ]
    return section("trade", "Energy", "Energy and throughput", blocks)


def assumed(scenario: Scenario | None, platform: str) -> Section | None:
    """Return what the figures of a scenario assume; without one only what the platform's file does."""
    rest = [] if scenario is None else [scenario_table(scenario), constants_table()]
    return section("assumptions", "Assumptions", "What is assumed", [*rest[:1], platform_block(platform), *rest[1:]])


def replay_assumed(scenarios: Sequence[Scenario], platform: str) -> Section | None:
    """Return what the figures of a replay assume; without runs that are kept only what the platform's file does."""
    rest = [replay_table(scenarios)] if scenarios else []
    return section("assumptions", "Assumptions", "What is assumed", [*rest, platform_block(platform)])


def repeated(blocks: Sequence[Block | None]) -> Section | None:
    """Return what it takes to do it again."""
    return section("repeat", "Repeat", "To repeat it", blocks)


def named_seat(row: Row) -> str:
    """Name a row by policy and the host PMU that backs the guest."""
    return backed(label(row), row["init_pmu"] or "")


def _found(guests: FoundBlock) -> Table | None:
    return table_of(f"What the guest found ({guests.guest})", (POLICY, *found_columns(guests)), guests.rows)


def _rates(rates: Sequence[Rates], platform: Platform) -> list[Block | None]:
    none = Notes(("No window of 10 ms has the counter enabled at both ends and 1 ms in the guest.",))
    return [rate_pictures(rates, platform) or none, rate_table(rates)]


def _legend(lines: Sequence[str]) -> Notes:
    return Notes((" ".join(lines),))
