"""Times from and to text: exact, with units, and refused when they are not times."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simcore.errors import InputError
from simcore.units import MAX_NS, format_time_ns, parse_time_ns


@pytest.mark.parametrize(
    ("text", "expected_ns"),
    [
        ("2s", 2_000_000_000),
        ("10ms", 10_000_000),
        ("100us", 100_000),
        ("5ns", 5),
        ("0.2s", 200_000_000),
        ("0.1", 100_000_000),
        ("3", 3_000_000_000),
        (".5us", 500),
        ("1.s", 1_000_000_000),
        (" 7 ms ", 7_000_000),
        ("+1ms", 1_000_000),
        ("0", 0),
        (2, 2_000_000_000),
        (0.2, 200_000_000),
        ("1000000000", MAX_NS),
    ],
)
def test_times_are_exact(text, expected_ns):
    assert parse_time_ns(text) == expected_ns


@pytest.mark.parametrize(
    ("text", "fragment"),
    [
        ("", "is not a time"),
        ("ms", "is not a time"),
        ("1e3", "is not a time"),
        ("nan", "is not a time"),
        ("1 2", "is not a time"),
        ("\u0661s", "is not a time"),
        ("1" * 80, "is not a time"),
        ("1min", "unknown unit 'min'"),
        ("1S", "unknown unit 'S'"),
        ("0.5ns", "not a whole number of nanoseconds"),
        ("-1s", "negative"),
        ("1000000001", "too long"),
    ],
)
def test_what_is_not_a_time_is_refused(text, fragment):
    with pytest.raises(InputError) as caught:
        parse_time_ns(text, "--seconds")
    assert str(caught.value).startswith("--seconds: ")
    assert fragment in str(caught.value)
    assert "valid: " in str(caught.value)


@pytest.mark.parametrize(
    ("value_ns", "text"),
    [
        (0, "0ns"),
        (1, "1ns"),
        (1_500, "1.5us"),
        (1_000_000, "1ms"),
        (1_234_567, "1234.567us"),
        (2_000_000_000, "2s"),
        (100_000_000_000, "100s"),
        (-1_500_000, "-1.5ms"),
    ],
)
def test_times_as_text(value_ns, text):
    assert format_time_ns(value_ns) == text


@given(st.integers(0, MAX_NS))
def test_text_leads_back_to_the_same_time(value_ns):
    assert parse_time_ns(format_time_ns(value_ns)) == value_ns
