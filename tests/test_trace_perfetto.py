"""Perfetto traces as bytes: what the wire format allows is read; what is broken is counted and costs its bundle."""

import zlib
from io import BytesIO

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simcore.app.protobuf_wire import WireError, message, number, numbers, parts, text, varint
from simcore.app.schedule import UNKNOWN, Flaw, Frequency, Lost, Other, Switch, Waking
from simcore.app.trace_perfetto import PerfettoTrace, is_perfetto
from simcore.errors import InputError


def encoded(value):
    """Return a number as a varint."""
    value &= (1 << 64) - 1
    data = b""
    while value >= 0x80:
        data += bytes((value & 0x7F | 0x80,))
        value >>= 7
    return data + bytes((value,))


def field(key, value):
    """Return a field: a number, or bytes or text with their length."""
    if isinstance(value, int):
        return encoded(key << 3) + encoded(value)
    value = value.encode() if isinstance(value, str) else value
    return encoded(key << 3 | 2) + encoded(len(value)) + value


def packed(key, values):
    return field(key, b"".join(map(encoded, values)))


def event(t_ns, pid, key, *fields):
    return field(2, field(1, t_ns) + field(2, pid) + field(key, b"".join(fields)))


def switch(t_ns, prev_pid, next_pid, state=1):
    texts = (field(1, f"prev{prev_pid}"), field(5, f"next{next_pid}"))
    return event(t_ns, prev_pid, 4, *texts, field(2, prev_pid), field(4, state), field(6, next_pid))


def packet(*bundles):
    return field(1, b"".join(field(1, bundle) for bundle in bundles))


def events_of(data):
    return list(PerfettoTrace(BytesIO(data)).events())


@given(st.integers(0, 2**64 - 1))
def test_a_number_of_any_size_is_read_back(value):
    data = encoded(value)
    assert varint(data + b"\x01", 0) == (value, len(data))


def test_fields_of_all_known_wire_types_are_passed_over_or_read():
    fields = message(field(1, 5) + b"\x11" + bytes(8) + b"\x1d" + bytes(4) + field(4, "name") + field(1, 6))
    assert fields == {1: [5, 6], 2: [bytes(8)], 3: [bytes(4)], 4: [b"name"]}
    assert (number(fields, 1), number(fields, 9), text(fields, 4), text(fields, 9)) == (6, 0, "name", "")


def test_repeated_numbers_are_read_packed_and_one_by_one():
    assert numbers(message(packed(1, [3, 300]) + field(1, 7)), 1) == [3, 300, 7]


@pytest.mark.parametrize("data", (b"\x0b", b"\x08", b"\x0a\x05abc", b"\x09\x00", b"\x08" + b"\xff" * 10 + b"\x01"))
def test_bytes_that_are_no_message(data):
    with pytest.raises(WireError):
        message(data)


def test_a_field_of_another_type_is_no_number_or_text():
    with pytest.raises(WireError):
        number(message(field(1, "text")), 1)
    with pytest.raises(WireError):
        parts(message(field(1, 5)), 1)


def test_events_of_a_bundle_come_in_the_order_of_time_with_their_cpu():
    bundle = field(1, 3) + switch(20, 7, 0) + switch(10, 0, 7, state=0)
    assert events_of(packet(bundle)) == [
        Switch(1, 10, 3, 0, 0, "prev0", True, 7, "next7"),
        Switch(1, 20, 3, 7, 7, "prev7", False, 0, "next0"),
    ]


def test_a_preempted_threads_state_has_bits_above_those_of_the_state():
    (found,) = events_of(packet(switch(10, 7, 8, state=0x100)))
    assert found.runnable


def test_an_event_that_is_not_used_still_has_its_time():
    assert events_of(packet(event(10, 7, 36, field(1, 5)))) == [Other(1, 10, 0, 7)]


def test_a_print_may_be_a_frequency():
    bundle = event(10, 7, 3, field(2, "cpu_frequency: state=600000 cpu_id=1\n")) + event(11, 7, 3, field(2, "B|7|x"))
    assert events_of(packet(bundle)) == [Frequency(1, 10, 0, 7, 1, 600_000), Other(1, 11, 0, 7)]


@pytest.mark.parametrize("key", (17, 20, 114))
def test_all_wakeups_are_read(key):
    bundle = event(10, 5, key, field(1, "vcpu"), field(2, 7), field(5, 1))
    assert events_of(packet(bundle)) == [Waking(1, 10, 0, 5, 7, "vcpu", 1)]


def compact(*, times=(100, 5), pids=(7, 0), names=(0, 1), table=("vcpu", "swapper/0")):
    columns = packed(1, times) + packed(2, (0, 1)) + packed(3, pids) + packed(4, (120, 120)) + packed(6, names)
    wakings = packed(7, (90,)) + packed(8, (7,)) + packed(9, (1,)) + packed(10, (120,)) + packed(11, (0,))
    return field(4, b"".join(field(5, name) for name in table) + columns + wakings)


def test_compact_events_have_time_differences_and_interned_names():
    assert events_of(packet(field(1, 2) + compact())) == [
        Waking(1, 90, 2, UNKNOWN, 7, "vcpu", 1),
        Switch(1, 100, 2, UNKNOWN, UNKNOWN, "", True, 7, "vcpu"),
        Switch(1, 105, 2, UNKNOWN, UNKNOWN, "", False, 0, "swapper/0"),
    ]


@pytest.mark.parametrize(
    "bundle",
    (
        compact(times=(100,)),
        compact(names=(0, 2)),
        compact(pids=(7, -1)),
        compact(times=(100, 2**63)),
        switch(2**63, 7, 8),
        switch(10, -1, 8),
        event(10, 7, 4, b"\x0b"),
        event(10, 7, 11, field(2, 2**32)),
    ),
)
def test_a_bundle_that_is_broken_leaves_a_gap_on_its_cpu_and_the_next_is_read(bundle):
    assert events_of(packet(field(1, 1) + bundle) + packet(switch(10, 7, 8))) == [
        Flaw(1, "malformed-event"),
        Lost(1, 1, 0),
        Switch(2, 10, 0, 7, 7, "prev7", False, 8, "next8"),
    ]


def test_lost_events_stand_before_those_of_their_bundle():
    assert events_of(packet(field(1, 1) + field(3, 1) + switch(10, 7, 8)))[0] == Lost(1, 1, 0)


def test_packets_may_be_compressed():
    plain = packet(switch(10, 7, 8))
    assert events_of(field(1, field(50, zlib.compress(plain)))) == events_of(plain)


@pytest.mark.parametrize(
    "data", (field(50, b"no deflate stream"), field(50, zlib.compress(b"\x0b")), b"\x0b", field(1, 5))
)
def test_a_packet_that_is_broken_is_counted_and_the_next_is_read(data):
    first, second = events_of(field(1, data) + packet(switch(10, 7, 8)))
    assert first == Flaw(1, "malformed-event")
    assert second.line == 2


@pytest.mark.parametrize("rest", (b"\x0a", b"\x0a\x80", b"\x0a\x05ab", b"\x12\x00"))
def test_a_file_that_ends_within_a_packet_is_read_up_to_there(rest):
    first, last = events_of(packet(switch(10, 7, 8)) + rest)
    assert (first.line, last) == (1, Flaw(2, "truncated"))


def test_a_trace_without_ftrace_events_is_refused():
    with pytest.raises(InputError, match="no ftrace events"):
        events_of(field(1, field(8, 100)))


@pytest.mark.parametrize(
    "head, expected",
    (
        (packet(b"") * 2, True),
        (field(1, bytes(9000))[:4096], True),
        (packet(b"") + b"\x0a", True),
        (packet(b"") + b"\x12", False),
        (b"\x12\x00", False),
        (b"", False),
    ),
)
def test_packets_are_told_from_other_bytes(head, expected):
    assert is_perfetto(head) is expected
