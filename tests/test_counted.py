"""What the cycle counter has counted so far, at each sample: exact, and free of what a guest writes to the counter."""

import numpy as np
import pytest

from pmu.kernel import CYCLE_SLOT
from simcore.app.exporting_perfetto import trace_of
from simcore.app.lanes import lanes
from simcore.app.metrics import rates_mhz
from simcore.app.report_rates import BINS, rate_pictures, rates_of
from simcore.app.running import run
from simcore.app.watching import watch
from simcore.loader import load_platform
from simcore.scenario import GuestSpec, Scenario, VmSpec
from tests.perfetto_reader import read
from tests.scenes import CYCLES_ON, DUO, MS, SpinUntil, Stage, WriteReg, scene

FORWARD = 1 << 60
SHADOWS = ("default@v8", "fixed-counters-only@v8", "scaled-time@what-if")
RECORDER = Scenario(
    vms=(
        VmSpec(GuestSpec("linux-perf-record", boot_ns=5 * MS), vcpus=1, policy="set-pmu:armv8_cortex_a76", kernel="v8"),
    ),
    seconds_ns=60 * MS,
    sample_ns=MS,
)


@pytest.fixture
def stage(monkeypatch):
    return Stage(monkeypatch)


def rewriting(cpu):
    """Set the running cycle counter forward and back, 0.3 ms apart."""
    yield from CYCLES_ON
    for turn in range(1, 1 << 10):
        yield SpinUntil(0, turn * 300_001)
        yield WriteReg("PMCCNTR_EL0", FORWARD * (turn % 8) + turn)


def rewritten(stage, seconds_ns=60 * MS):
    """Run it on the LITTLE core at 1 GHz with shadows."""
    vm = {"cpus": (0,), "shadows": SHADOWS}
    return stage.run(scene("set-pmu:pmu_little", "v8", vm=vm, seconds_ns=seconds_ns, schedule=True), rewriting)


def of_cycles(result):
    """Return vCPU, policy and what the ledger has counted of each cycle counter."""
    ledger = result.tables["ledger"]
    return ledger[ledger["slot"] == CYCLE_SLOT][["vcpu", "policy", "counted"]].tolist()


def test_each_policy_has_counted_what_the_ledger_says_in_the_end_and_one_cycle_a_ns_until_then(stage):
    result = rewritten(stage)
    assert len(of_cycles(result)) == 4
    for vcpu, policy, counted in of_cycles(result):
        rows = result.tables["samples"]
        rows = rows[(rows["vcpu"] == vcpu) & (rows["policy"] == policy)]
        assert rows["counted"].tolist() == rows["guest_ns"].tolist()
        assert rows["counted"][-1] == counted == result.scenario.seconds_ns
        assert rows["pmccntr"].max() > FORWARD


@pytest.mark.parametrize("policy", SHADOWS)
def test_watch_gives_it_too(stage, policy):
    result = rewritten(stage, 5 * MS)
    shadow = result.tables["samples"][result.tables["samples"]["policy"] == 1 + SHADOWS.index(policy)]
    assert watch(result, [policy], MS).samples["counted"].tolist() == shadow["counted"].tolist()


def test_rates_and_lanes_take_no_write_for_cycles(stage):
    """A counter that is set to 2^60 made a histogram of so many bins."""
    result, platform = rewritten(stage), load_platform(DUO)
    assert set(rates_mhz(result.tables["samples"])) == {1000.0}
    rates = rates_of(result, "a", platform)
    assert set(rates.by_core) == {"little"}
    pictures = rate_pictures([rates], platform)
    assert pictures is not None
    assert len(pictures.pictures[0].shapes) == 1
    for lane in lanes(result, platform, 0)[:2]:
        assert lane.counted.tolist() == lane.true.tolist()
        assert set(lane.rate_mhz.tolist()) == {1000.0}


def test_a_guest_that_samples_by_the_cycle_counter_has_it_in_its_trace():
    """`perf record` writes the counter at every overflow, which is most of what it shows."""
    result = run(RECORDER)
    [(_, _, counted)] = of_cycles(result)
    rows = result.tables["samples"]
    assert np.count_nonzero(rows["pmccntr"][1:] < rows["pmccntr"][:-1]) > 10
    assert counted > 10 * MS
    counters = read(b"".join(trace_of(result, result.digest()))).counters
    [track] = (path for path in counters if path.endswith("/Counted cycles"))
    assert counters[track][-1][1] == rows["counted"][-1] == counted
    [rates] = (path for path in counters if path.endswith("/PMCCNTR_EL0 rate"))
    in_mhz = sorted(rate for _, rate in counters[rates])
    assert 1000 < in_mhz[len(in_mhz) // 2] < 2500


@pytest.mark.parametrize("jump", [1 << 60, 1 << 63])
def test_a_jump_of_any_size_has_as_many_bins_as_others(stage, jump):
    """Nothing counts that fast, but a mailed result may say so."""
    result, platform = rewritten(stage), load_platform(DUO)
    result.tables["samples"]["counted"][result.tables["samples"]["t_ns"] > 30 * MS] += np.uint64(jump)
    pictures = rate_pictures([rates_of(result, "a", platform)], platform)
    assert pictures is not None
    [picture] = pictures.pictures
    assert len(picture.shapes) == 2
    assert min(shape.width for shape in picture.shapes) > picture.plot[2] / (BINS + 2)
