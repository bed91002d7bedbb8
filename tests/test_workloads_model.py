"""The fit by hand-computed rows, curves between knots, profiles as they are read, and what is left out of what."""

import pytest

from workloads.crossing import cross, relate
from workloads.curve import Curve, along, along_inverse
from workloads.fitting import BEND, BUS_ACCESS, STALL_FRONTEND, Row, fit, fit_line, rows_of, sag
from workloads.phase import PhaseRates
from workloads.predicting import predict
from workloads.profiles import (
    Profile,
    Silicon,
    event_names,
    find_profiles,
    find_silicon,
    frequencies,
    profiles_of,
    running_khz,
    silicon_table,
)
from workloads.regress import Measured, everything, fit_bend, least_absolute, single_line, without

LITTLE = Silicon("Little", "-", "-", "soc", 0, "cortex-a55")
BIG = Silicon("Big", "-", "-", "soc", 4, "cortex-a76")
MISSES, CYCLES_EVENT = 0x03, 0x24


def row(ghz, cpi, **per_kinst):
    return Row(ghz * 1e6, cpi, {int(name[1:], 16): count for name, count in per_kinst.items()})


def profile(khz, cycles, instructions, seconds, events=None):
    counts = {0x11: cycles, 0x08: instructions, **(events or {})}
    return Profile("Kryo 485 Gold", "s", "w", khz, (seconds, seconds, 1.5 * seconds), counts, "-")


def test_two_rows_give_core_part_and_stall_time():
    # CPI 1.25 at 0.5 GHz and 2 at 2 GHz: 0.5 ns of stall an instruction, 1 cycle without
    assert fit_line([row(0.5, 1.25), row(2.0, 2.0)]) == pytest.approx((1.0, 0.5))


def test_three_rows_give_the_least_relative_squares():
    rows = [row(0.5, 1.25), row(1.0, 1.6), row(2.0, 2.0)]
    core, stall = fit_line(rows)

    def loss(a, b):
        return sum(((a + b * one.ghz) / one.cpi - 1) ** 2 for one in rows)

    least = loss(core, stall)
    for a, b in ((1e-3, 0), (-1e-3, 0), (0, 1e-3), (0, -1e-3)):
        assert loss(core + a, stall + b) > least


def test_stall_time_is_not_below_zero_and_core_part_above():
    core, stall = fit_line([row(0.5, 1.0), row(2.0, 0.8)])
    assert stall == 0
    assert 0.8 < core < 1.0
    core, stall = fit_line([row(1.0, 1.0), row(4.0, 5.0)])
    assert core == 1 / 16
    assert stall > 0


@pytest.mark.parametrize("khz, expected", [(1_000_000, 8.0), (2_000_000, 4.0), (4_000_000, 2.0), (1_600_000, 5.0)])
def test_counts_that_go_with_time_are_linear_in_the_inverse_frequency(khz, expected):
    assert along_inverse(((1e6, 8.0), (2e6, 4.0)), khz) == pytest.approx(expected)


@pytest.mark.parametrize("at, expected", [(0.0, 1.0), (1.0, 2.0), (1.5, 4.0), (2.0, 6.0), (3.0, 10.0)])
def test_knots_are_joined_by_straight_lines_which_go_on_beyond(at, expected):
    assert along(((1.0, 2.0), (2.0, 6.0)), at) == (expected if at else -2.0)


def test_one_knot_is_a_constant():
    assert along(((1e6, 3.0),), 5e6) == along_inverse(((1e6, 3.0),), 5e6) == 3.0


def test_a_curve_passes_through_its_rows_and_no_count_falls_below_zero():
    rows = [row(1.0, 1.5, x3=6.0, x24=100.0), row(2.0, 2.2, x3=4.0, x24=400.0), row(3.0, 2.5, x3=1.0, x24=500.0)]
    rates = fit(BIG, rows, 2_000_000)
    for one in rows:
        assert float(rates.cpi(round(one.khz))) == pytest.approx(one.cpi)
        assert float(rates.events_per_kinst(MISSES, round(one.khz))) == pytest.approx(one.per_kinst[MISSES])
        assert float(rates.events_per_kinst(CYCLES_EVENT, round(one.khz))) == one.per_kinst[CYCLES_EVENT]
    assert float(rates.events_per_kinst(CYCLES_EVENT, 1_500_000)) == pytest.approx(250.0)
    assert rates.events_per_kinst(MISSES, 9_000_000) == 0
    # beyond the rows CPI goes along the line, at the ratio of the last row
    line = rates.core_cpi + rates.stall_ns_per_inst * 6
    assert float(rates.cpi(6_000_000)) == pytest.approx(line * 2.5 / (rates.core_cpi + rates.stall_ns_per_inst * 3))


def test_parts_of_the_cycles_are_never_more_than_the_cycles():
    curve = Curve(((1e6, 1.0),), ((CYCLES_EVENT, ((1e6, 5000.0),)),), (CYCLES_EVENT,))
    rates = PhaseRates("x", 2.0, 0.0, ((CYCLES_EVENT, 5000.0),), curve=curve)
    assert rates.events_per_kinst(CYCLES_EVENT, 1_000_000) == 2000


def test_an_out_of_order_core_sags_between_two_rows_by_its_bus_accesses():
    low, high = row(1.0, 1.0, x19=500.0), row(3.0, 2.0, x19=500.0)
    # half way: line 1.5, 0.5 accesses an instruction, (2 - 1) * (3 - 2) GHz^2
    assert sag(low, high, 2.0) == pytest.approx(-BEND * 0.5 / 1.5)
    assert float(fit(BIG, [low, high], 2_000_000).cpi(2_000_000)) == pytest.approx(1.5 - BEND * 0.5)
    assert float(fit(LITTLE, [low, high], 2_000_000).cpi(2_000_000)) == pytest.approx(1.5)
    assert BUS_ACCESS == 0x19


def test_the_front_end_of_an_in_order_core_goes_with_time():
    rows = [row(1.0, 2.0, x23=80.0), row(2.0, 2.0, x23=40.0)]
    assert float(fit(LITTLE, rows, 9).events_per_kinst(STALL_FRONTEND, 1_600_000)) == pytest.approx(50.0)
    assert float(fit(BIG, rows, 9).events_per_kinst(STALL_FRONTEND, 1_600_000)) == pytest.approx(56.0)


def test_a_throttled_row_counts_at_the_frequency_at_which_it_ran():
    # 1 s asleep in both; then 2e9 cycles in 1 s at 2 GHz, and 3e9 cycles in 2 s at a nominal 3 GHz: half speed
    rows = (profile(2_000_000, 2 * 10**9, 10**9, 2.0), profile(3_000_000, 3 * 10**9, 10**9, 3.0))
    assert running_khz(rows) == (2_000_000, 1_500_000)
    # asleep as long at every frequency: nothing was throttled
    rows = (profile(2_000_000, 2 * 10**9, 10**9, 2.0), profile(3_000_000, 3 * 10**9, 10**9, 2.0))
    assert running_khz(rows) == (2_000_000, 3_000_000)


def test_which_profiles_were_throttled():
    found = {
        (silicon.name, program[1]): round(running_khz(rows)[-1] / rows[-1].khz, 3)
        for silicon in silicon_table()
        for program, rows in profiles_of(silicon.name).items()
        if running_khz(rows)[-1] != rows[-1].khz
    }
    assert found == {
        ("Kryo 470 Gold", "429.mcf"): 0.926,
        ("Kryo 470 Gold", "433.milc"): 0.739,
        ("Kryo 470 Gold", "619.lbm_s"): 0.597,
    }


def test_profiles_are_read_as_the_source_has_them():
    assert sum(len(rows) for silicon in silicon_table() for rows in profiles_of(silicon.name).values()) == 450
    low, middle, high = find_profiles("Kryo 485 Silver", "Dhrystone", "dry")
    assert [one.khz for one in (low, middle, high)] == list(frequencies("Kryo 485 Silver"))
    assert low.counts[0x11] == 3696979642
    assert low.counts[0x08] == 3515433125
    assert low.counts[0x86] == 3722  # EXC_IRQ
    assert low.seconds == (12.3719, 12.336122, 12.403575)
    assert low.source == "Essen-Lin/MTK_phone@1d720761d6af:benchmark_data/pixel4XL(filtered)/dhrystone/dry.csv"
    assert low.per_kinst(0x03) == pytest.approx(0.1985, abs=1e-4)
    assert event_names()[0x03] == "L1D_CACHE_REFILL"


def test_zero_in_one_row_is_a_count_of_zero_and_not_a_gap():
    rows = rows_of((profile(2_000_000, 4, 2, 1.0, {5: 1}), profile(3_000_000, 4, 2, 1.0)))
    assert [one.per_kinst[5] for one in rows] == [500.0, 0.0]


def test_prediction_at_a_measured_frequency_is_the_measurement():
    found = predict("Kryo 485 Silver", "SPECcpu2006", "429.mcf", 1_036_800, 10**9)
    measured = find_profiles("Kryo 485 Silver", "SPECcpu2006", "429.mcf")[1]
    assert found.ipc == pytest.approx(1 / measured.cpi)
    assert found.seconds == pytest.approx(10**9 * measured.cpi / 1_036_800_000)
    counts = dict(found.per_kinst)
    assert counts[0x08] == 1000
    assert counts[0x11] == pytest.approx(1000 * measured.cpi)
    assert set(counts) >= set(measured.counts)


def test_what_is_fitted_over_programs_leaves_a_program_out_on_every_silicon():
    measured = everything()
    mcf = ("SPECcpu2006", "429.mcf")
    assert {one.silicon.name for one in measured if one.program == mcf} == {one.name for one in silicon_table()}
    assert not [one for one in without(measured, mcf) if one.program == mcf]
    assert fit_bend(without(measured, mcf)) != fit_bend(measured)


def test_how_cpi_bends_is_fitted_again():
    assert fit_bend(everything()) == pytest.approx(BEND, rel=0.005)


def test_least_absolute_error_is_not_moved_by_one_stray_point():
    import numpy as np

    x = np.arange(1.0, 10.0)[:, None]
    y = 2 * x[:, 0]
    y[4] = 100
    assert least_absolute(x, y)[0] == pytest.approx(2.0, abs=1e-3)


def test_one_row_alone_is_split_by_what_its_misses_cost():
    # 10 of the one and 20 of the other per 1000 instructions, at 5 and 50 ns: 1.05 ns, at 1 GHz 1.05 of 3 cycles
    assert single_line(row(1.0, 3.0, x17=10.0, x2a=20.0), (5.0, 50.0)) == pytest.approx((1.95, 1.05))
    assert single_line(row(1.0, 1.0, x17=10.0, x2a=20.0), (5.0, 50.0)) == pytest.approx((0.1, 0.9))


def test_crossing_scales_by_the_medians_of_other_programs():
    def pair(name, factor):
        little = Measured(LITTLE, ("s", name), (row(1.0, 2 * factor + 2, x3=30.0), row(2.0, 2 * factor + 4, x3=30.0)))
        return little, Measured(BIG, ("s", name), (row(1.0, factor + 1, x3=10.0), row(2.0, factor + 2, x3=10.0)))

    relation = relate([pair("a", 1.0), pair("b", 2.0), pair("c", 3.0)])
    assert (relation.core_cpi, relation.stall) == pytest.approx((2.0, 2.0), rel=1e-3)
    assert relation.events == {MISSES: 3.0}
    found = cross(relation, (row(1.0, 1.5, x3=5.0), row(2.0, 2.0, x3=6.0)), 3e6)
    assert found.cpi == pytest.approx(2 * 1.0 + 2 * 0.5 * 3, rel=1e-3)
    assert found.per_kinst == {MISSES: 18.0}


def test_little_over_big_ratios_are_those_of_the_source_table():
    """Median ratio over SPEC programs at each core's highest frequency: event_ratio_little_big.toml, Pixel 4 XL.

    The table has ratios of counts, to the Prime core; these are of counts per instruction.
    """
    measured = [one for one in everything() if one.program[0].startswith("SPEC")]
    table = {(one.silicon.name, one.program): one for one in measured}
    pairs = [(one, table["Kryo 485 Prime", one.program]) for one in measured if one.silicon.name == "Kryo 485 Silver"]
    events = relate(pairs).events
    for event, ratio in ((0x01, 4.938), (0x02, 76.67), (0x03, 1.569), (0x04, 0.8359), (0x05, 3.454)):
        assert events[event] == pytest.approx(ratio, rel=4e-3)
    assert 0x06 not in events  # LD_RETIRED counts on LITTLE only


def test_silicon_knows_its_kind():
    assert [silicon.name for silicon in silicon_table() if silicon.in_order] == ["Kryo 485 Silver", "Kryo 470 Silver"]
    assert find_silicon("Kryo 470 Gold").soc == "sm7150"
