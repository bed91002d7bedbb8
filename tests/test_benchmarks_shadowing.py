"""The cases of several policies over one schedule: what is compared does the same work, and ratios are of times."""

import pytest

from benchmarks import shadowing
from benchmarks.shadowing import CASES
from pmu import kernel_policies as kp


@pytest.fixture
def few(monkeypatch):
    monkeypatch.setattr(shadowing, "SEGMENTS", 300)


def test_a_pass_can_be_repeated_and_takes_every_policy_to_the_end(few):
    contender = shadowing.policies(2)
    for _ in range(2):
        assert contender.setup is not None
        contender.setup()
        contender.call()
    assert contender.work == 300


def test_a_schedule_has_no_gaps_and_crosses(few):
    segments = shadowing.schedule()
    assert (segments[1:, kp.FROM] == segments[:-1, kp.TO]).all()
    assert set(segments[:, kp.SETTING]) == {0, 1}


@pytest.mark.parametrize("name, peer, most", [("multi4", "single", 1.6), ("shadow3", "run", 1.1)])
def test_the_ratios_are_time_over_time_and_have_an_upper_bound(name, peer, most):
    (case,) = (case for case in CASES if case.name == name)
    assert (set(case.peers), dict(case.limits), case.time_ratios) == ({peer}, {peer: most}, True)
