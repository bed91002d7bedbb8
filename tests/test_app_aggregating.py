"""The row of a comparison: every field of the specification, sums over runs, and None where nothing is known."""

import json
import math

import pytest

from simcore.app.aggregating import compare_row, wilson
from tests.app_samples import figures, row

FIELDS = [
    "policy", "kernel", "runs", "crashes", "crash_probability", "by_init_pmu", "stalled_fraction", "longest_stall_ns",
    "zero_deltas", "lost_cycles", "ledger", "clock_error_ppm", "instructions", "throughput", "energy_j", "migrations",
    "crossings", "crossings_by", "reloads", "event_creations", "overhead_ns", "fail_entries", "pmccntr_rate_mhz",
    "guest_findings", "sampling",
]  # fmt: skip


@pytest.mark.parametrize("runs", [[], [figures()], [figures(), figures(crashed=True, clock_error_ppm=())]])
def test_a_row_has_exactly_the_specified_fields(runs):
    found = compare_row("default", "mainline", runs, 1e9)
    assert sorted(found) == sorted(FIELDS)
    json.dumps(found, allow_nan=False)


@pytest.mark.parametrize(
    "hits, runs, low, high",
    [
        (0, 20, 0.0, 0.1611),
        (20, 20, 0.8389, 1.0),
        (10, 20, 0.2993, 0.7007),
        (1, 10, 0.0179, 0.4042),
        (0, 1, 0.0, 0.7935),
    ],
)
def test_wilson_intervals_are_those_of_the_textbook(hits, runs, low, high):
    assert wilson(hits, runs) == pytest.approx((low, high), abs=5e-5)


def test_wilson_intervals_hold_the_share_and_shrink():
    for runs in (1, 3, 20, 400):
        for hits in range(runs + 1):
            low, high = wilson(hits, runs)
            assert 0 <= low <= hits / runs <= high <= 1
    assert math.isclose(sum(wilson(7, 20)), 2 - sum(wilson(13, 20)))


def test_figures_are_summed_over_runs():
    runs = [figures(crashed=True, reloads=2), figures(reloads=3, crossings_by={"wakeup": 0, "misfit": 7})]
    found = row(runs=runs)
    assert (found["runs"], found["crashes"], found["reloads"], found["crossings"]) == (2, 1, 5, 8)
    assert found["crossings_by"] == {"wakeup": 3, "balance": 1, "misfit": 7, "affinity": 0, "other": 0}
    assert found["crash_probability"]["estimate"] == 0.5


def test_lost_cycles_are_four_categories_of_the_ledger():
    found = row(runs=[figures(ledger=(1, 2, 4, 8, 16, 32, 64, 128))])
    assert found["lost_cycles"] == 16 + 32 + 64 + 128
    assert list(found["ledger"].values()) == [1, 2, 4, 8, 16, 32, 64, 128]
    assert list(found["ledger"]) == [
        "counted", "disabled", "filtered", "excluded_level", "no_event", "off_pmu", "no_host_counter", "other",
    ]  # fmt: skip


def test_ratios_are_those_of_sums():
    runs = [figures(stalled_ns=9, enabled_ns=10), figures(stalled_ns=0, enabled_ns=90)]
    assert row(runs=runs)["stalled_fraction"] == 0.09
    lived = [figures(instructions=10, lived_ns=10), figures(instructions=0, lived_ns=10)]
    assert row(runs=lived, baseline=1e9)["throughput"] == 0.5


def test_clock_error_is_a_size():
    found = row(runs=[figures(clock_error_ppm=(-400_000, 10)), figures(clock_error_ppm=(30,))])
    assert found["clock_error_ppm"] == {"median": 30, "max": 400_000}


def test_what_is_unknown_is_none():
    found = row(runs=[figures(enabled_ns=0, clock_error_ppm=(), rate_mhz=())], baseline=None)
    assert [found[name] for name in ("stalled_fraction", "clock_error_ppm", "pmccntr_rate_mhz", "throughput")] == [
        None
    ] * 4
    assert row(runs=[])["crash_probability"] == {"estimate": None, "low": None, "high": None}
    assert row(runs=[figures(energy_j=1.0), figures(energy_j=None)])["energy_j"] is None
    assert row(runs=[figures(energy_j=1.0), figures(energy_j=2.5)])["energy_j"] == 3.5


def test_figures_are_split_by_the_pmu_drawn():
    runs = [figures(crashed=True), figures(init_pmu="armv8_cortex_a76", pmceid0=1), figures()]
    found = row(runs=runs)["by_init_pmu"]
    assert {pmu: (part["runs"], part["crashes"]) for pmu, part in found.items()} == {
        "armv8_cortex_a55": (2, 1),
        "armv8_cortex_a76": (1, 0),
    }
    assert found["armv8_cortex_a76"] == {"runs": 1, "crashes": 0, "pmcr_n": 6, "pmceid0": 1, "pmceid1": 0xF2AE7F}


def test_rates_span_all_windows():
    found = row(runs=[figures(rate_mhz=(0.0, 5.0)), figures(rate_mhz=(7.0,))])
    assert found["pmccntr_rate_mhz"] == {"min": 0.0, "median": 5.0, "max": 7.0}
