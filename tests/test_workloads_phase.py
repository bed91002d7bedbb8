"""Phases: exact quantisation of CPI, instructions and events."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simcore.errors import InputError
from workloads.phase import CPU_CYCLES, INST_RETIRED, Q32, TIME_EVENTS, Phase, PhaseRates, time_rate_q32

ONE = 1 << 32


def phase(core_cpi=1.5, stall=0.5, events=(), slopes=()):
    return Phase("p", 0, (PhaseRates("little", core_cpi, stall, events, slopes),))


def test_hand_computed_rates():
    # at 1 GHz: CPI = 1.5 + 0.5 = 2, so half an instruction a cycle; 80 misses per 1000 instructions = 0.04 a cycle
    it = phase(events=((0x03, 80.0),))
    assert it.cpi_q32("little", 1_000_000) == 2 * ONE
    assert it.quantise("little", 1_000_000, (CPU_CYCLES, INST_RETIRED, 0x03, 0x10)) == (
        ONE, ONE // 2, round(Fraction(4 * ONE, 100)), 0,
    )  # fmt: skip


def test_software_events_have_no_rate():
    assert phase(events=((0x00, 5.0), (0x1E, 5.0))).quantise("little", 1_000_000, (0x00, 0x1E)) == (0, 0)


def test_cycle_event_grows_with_frequency_and_stops_at_one_a_cycle():
    it = phase(events=((0x24, 200.0),), slopes=((0x24, 600.0),))
    at = {khz: it.quantise("little", khz, (0x24,))[0] for khz in (1_000_000, 2_000_000, 100_000_000)}
    assert at[1_000_000] == round(Fraction(8, 10) * ONE // 2)  # 800 per 1000 instructions at CPI 2
    assert at[2_000_000] == round(Fraction(14, 10) * (ONE * 2 // 5))  # 1400 at CPI 2.5
    assert at[100_000_000] == ONE


def test_falling_event_stops_at_zero():
    assert phase(events=((0x23, 1.0),), slopes=((0x23, -1.0),)).quantise("little", 2_000_000, (0x23,)) == (0,)


@pytest.mark.parametrize("cntfrq_hz, rate", [(1_000_000_000, ONE), (250_000_000, ONE // 4)])
def test_time_events_are_per_nanosecond(cntfrq_hz, rate):
    assert time_rate_q32(cntfrq_hz) == rate
    assert phase().quantise("little", 600_000, tuple(TIME_EVENTS), cntfrq_hz) == (rate,)


def test_unknown_core_and_impossible_rates_are_refused():
    with pytest.raises(InputError, match="no rates for core type 'big'"):
        phase().quantise("big", 1_000_000, ())
    with pytest.raises(InputError, match="below 1/16"):
        phase(core_cpi=0.01, stall=0.0).ipc_q32("little", 1_000_000)
    with pytest.raises(InputError, match="times a cycle"):
        phase(events=((0x04, 40_000.0),)).quantise("little", 1_000_000, (0x04,))


cpis = st.floats(0.1, 50)
stalls = st.floats(0, 20)
khzs = st.integers(100_000, 5_000_000)


@given(cpis, stalls, khzs, khzs)
def test_a_higher_clock_never_lowers_cpi_nor_the_speed(core_cpi, stall, a, b):
    low, high = sorted((a, b))
    it = phase(core_cpi, stall)
    assert it.cpi_q32("little", low) <= it.cpi_q32("little", high)
    assert it.ipc_q32("little", low) * low <= (it.ipc_q32("little", high) + 1) * high


@given(cpis, stalls, khzs)
def test_quantised_cpi_is_the_nearest_q32(core_cpi, stall, khz):
    exact = Fraction(core_cpi) + Fraction(stall) * khz / 1_000_000
    cpi = phase(core_cpi, stall).cpi_q32("little", khz)
    assert abs(cpi - exact * Q32) <= Fraction(1, 2)
    assert 0 <= Fraction(1 << 64, cpi) - phase(core_cpi, stall).ipc_q32("little", khz) < 1


@given(cpis, stalls, khzs, st.floats(0, 1500))
def test_events_per_instruction_are_conserved_within_one_ulp(core_cpi, stall, khz, per_kinst):
    it = phase(core_cpi, stall, ((0x04, per_kinst),))
    ipc, rate = it.quantise("little", khz, (INST_RETIRED, 0x04))
    assert abs(rate - Fraction(per_kinst) / 1000 * ipc) <= 1
