"""The comparison with a baseline: no alarm without a change, an alarm for a slowdown beyond noise. Nothing is timed.

Measurements are drawn: a machine whose speed drifts between two results and from round to round, for the case
and the references alike, and noise of each contender's own.
"""

import random
from itertools import permutations
from math import comb, exp

import pytest

from benchmarks import baseline
from benchmarks.shift import arrangements, shift, skipped_pairs

TRIALS = 300
ROUNDS = {"least": 5, "quick": 11, "full": 31}


def result(rng, speed=1.0, rounds=15, noise=0.03, drift=0.3, kinds=("arithmetic", "memory")):
    """Draw the row of a case that is so fast on a machine that may be slower or faster by ``drift``.

    Each result has, for good, addresses of its own (1.5 %); one round in ten meets a busy neighbour.
    """
    machine = exp(rng.uniform(-drift, drift)) * 1e6
    layout = exp(rng.gauss(0, 0.015))
    found: dict[str, list[float]] = {name: [] for name in ("ours", *kinds)}
    for _ in range(rounds):
        spell = exp(rng.gauss(0, 0.05)) * (0.6 if rng.random() < 0.1 else 1.0)
        for name, values in found.items():
            own = speed * layout if name == "ours" else 1.0
            values.append(machine * spell * own * exp(rng.gauss(0, noise)))
    ours = found.pop("ours")
    return {"name": "case", "unit": "things/s", "rounds": {"ours": ours, "references": found}}


def alarms(speed, rounds, noise=0.03):
    """Return in how many of the trials a case of that relative speed counts as slower."""
    rng = random.Random(1)

    def one():
        then = result(rng, rounds=rounds, noise=noise)
        again = lambda name: result(rng, speed, rounds, noise)  # noqa: E731
        return baseline.compare([again("case")], {"case": then}, again)[0]["slower"]

    return sum(one() for _ in range(TRIALS))


@pytest.mark.parametrize("rounds", ROUNDS.values(), ids=ROUNDS)
@pytest.mark.parametrize("speed", [1.0, 1.3])
def test_without_a_slowdown_there_is_no_alarm(speed, rounds):
    assert alarms(speed, rounds) <= TRIALS / 100


@pytest.mark.parametrize("rounds", ROUNDS.values(), ids=ROUNDS)
def test_noise_of_ten_percent_alone_is_no_alarm(rounds):
    assert alarms(1.0, rounds, noise=0.1) <= TRIALS / 100


@pytest.mark.parametrize("rounds, speed", [("full", 0.85), ("quick", 0.85), ("least", 0.75)])
def test_a_slowdown_is_found(rounds, speed):
    assert alarms(speed, ROUNDS[rounds]) >= 0.95 * TRIALS


def test_what_slows_one_kind_of_work_only_is_no_alarm():
    """A machine whose memory is slower than it was: a case that copies memory is as fast as its reference."""
    rng = random.Random(2)
    then, now = result(rng), result(rng)
    now["rounds"]["ours"] = [value * 0.5 for value in now["rounds"]["ours"]]
    assert baseline.verdict(now, then)["slower"]
    now["rounds"]["references"]["memory"] = [value * 0.5 for value in now["rounds"]["references"]["memory"]]
    found = baseline.verdict(now, then)
    assert not found["slower"]
    assert found["reference"] == "memory"


def test_a_case_that_seems_slower_is_measured_anew_and_the_best_counts():
    rng = random.Random(3)
    then = result(rng)
    measured = []

    def again(name):
        measured.append(name)
        return result(rng, 0.7 if len(measured) < 2 else 1.0)

    assert not baseline.compare([result(rng, 0.7)], {"case": then}, again)[0]["slower"]
    assert measured == ["case", "case"]


def test_the_verdict_has_the_speed_and_its_interval():
    rng = random.Random(4)
    found = baseline.verdict(result(rng, 2.0, drift=1.0), result(rng))
    assert found["low"] < found["speed"] < found["high"]
    assert found["speed"] == pytest.approx(2.0, rel=0.1)


def test_a_time_is_judged_like_a_throughput():
    """Rounds are throughputs whatever the unit of the case."""
    rng = random.Random(5)
    then, now = result(rng) | {"unit": "s"}, result(rng, 0.5) | {"unit": "s"}
    assert baseline.verdict(now, then)["slower"]


def test_only_cases_of_one_unit_are_compared():
    rng = random.Random(6)
    assert baseline.compare([result(rng)], {"case": result(rng) | {"unit": "s"}}, result) == []
    assert baseline.compare([{"name": "worst", "unit": "things/s"}], {"worst": result(rng)}, result) == []


def test_a_case_without_a_reference_in_common_is_not_compared():
    rng = random.Random(8)
    assert baseline.compare([result(rng)], {"case": result(rng, kinds=("other",))}, result) == []


@pytest.mark.parametrize("m, n", [(1, 1), (2, 3), (3, 3), (4, 2)])
def test_arrangements_are_those_counted_one_by_one(m, n):
    counted = [0] * (m * n + 1)
    for order in set(permutations("m" * m + "n" * n)):
        counted[sum(a == "m" and b == "n" for i, b in enumerate(order) for a in order[i:])] += 1
    assert list(arrangements(m, n)) == counted


@pytest.mark.parametrize("m, n, skip", [(1, 1, 0), (3, 3, 0), (5, 5, 2), (10, 10, 23), (15, 15, 64)])
def test_skipped_pairs_are_those_of_the_tables(m, n, skip):
    """The critical values of Mann and Whitney's U, two-sided at 5 %."""
    assert skipped_pairs(m, n) == skip
    if skip:
        assert sum(arrangements(m, n)[: skip + 1]) <= 0.025 * comb(m + n, m) < sum(arrangements(m, n)[: skip + 2])


def test_the_shift_of_equal_samples_is_one():
    found = shift([1.0, 2.0, 3.0, 4.0, 5.0], [5.0, 4.0, 3.0, 2.0, 1.0])
    assert found.ratio == 1.0
    assert found.low < 1 < found.high
