"""Draws: fixed values (results must never change with a library or machine), distribution, independence of the key."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simcore.draws import below, draw, exponential_ns, log2_fixed

FIXED_DRAWS = [9434021535497143469, 12553754670377723126, 11217210780444685632]
FIXED_BELOW = [1, 1, 3, 6, 1, 3, 5, 0, 2, 6, 6, 5]
FIXED_EXPONENTIAL = [2863149, 1195395, 125661]


def test_fixed_values():
    assert [draw(1, "vm", "placement", index) for index in range(3)] == FIXED_DRAWS
    assert [below(8, 1, 2, 3, index) for index in range(12)] == FIXED_BELOW
    assert [exponential_ns(1_000_000, 7, "vcpu", "sleep", index) for index in range(3)] == FIXED_EXPONENTIAL


def test_each_part_of_the_key_matters():
    keys: list[tuple[int, int | str, int | str, int]] = [
        (1, 2, 3, 4),
        (2, 1, 3, 4),
        (1, 3, 2, 4),
        (1, 2, 4, 3),
        (0, 2, 3, 4),
        (1, "2", 3, 4),
        (1, 2, "3", 4),
    ]
    keys += [(1 << 64, 2, 3, 4), (-1, 2, 3, 4), (-1 << 64, 2, 3, 4), (1, 2, 3, 4 + (1 << 64))]
    assert len({draw(*key) for key in keys}) == len(keys)


def test_neighbouring_keys_share_no_bits():
    pairs = [(draw(seed, 0, 0, 0), draw(seed + 1, 0, 0, 0)) for seed in range(4000)]
    for bit in range(64):
        same = sum((a ^ b) >> bit & 1 == 0 for a, b in pairs)
        assert abs(same - 2000) < 5 * math.sqrt(1000)


def test_below_is_uniform():
    n, limit = 30_000, 10
    counts = [0] * limit
    for index in range(n):
        counts[below(limit, 3, "a", "b", index)] += 1
    chi2 = sum((count - n / limit) ** 2 / (n / limit) for count in counts)
    assert chi2 < 33.7  # 9 degrees of freedom, p = 1e-4


def test_exponential_has_its_mean_median_and_tail():
    n, mean = 20_000, 1_000_000
    values = sorted(exponential_ns(mean, 5, "a", "b", index) for index in range(n))
    assert abs(sum(values) / n - mean) < 5 * mean / math.sqrt(n)
    assert abs(values[n // 2] - mean * math.log(2)) < 5 * mean / math.sqrt(n)
    above = sum(value > 3 * mean for value in values) / n
    assert abs(above - math.exp(-3)) < 0.006


@given(st.integers(1, (1 << 64) - 1))
def test_log2_agrees_with_floating_point(value):
    assert abs(log2_fixed(value) / (1 << 40) - math.log2(value)) < 1e-9


@given(st.integers(0, 1 << 70), st.integers(1, 1 << 80), st.text(), st.integers())
def test_ranges(seed, limit, owner, index):
    assert 0 <= below(limit, seed, owner, "x", index) < limit
    assert exponential_ns(1, seed, owner, "x", index) >= 1


def test_impossible_limits_are_bugs():
    with pytest.raises(ValueError, match="limit must be positive"):
        below(0, 1, 2, 3)
    with pytest.raises(ValueError, match="must not be negative"):
        exponential_ns(-1, 1, 2, 3)
