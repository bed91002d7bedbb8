"""Columns of protocol buffers against Google's own code: the same bytes, whatever the values."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from perfetto.protos.perfetto.trace import perfetto_trace_pb2 as pb

from benchmarks import exporting
from simcore.app import protobuf_columns as wire

INT64 = st.integers(-(2**63), 2**63 - 1)
ROW = st.tuples(INT64, st.integers(0, 2**64 - 1), st.floats(), st.text(max_size=4), st.booleans())


@settings(max_examples=30)
@given(st.lists(ROW, min_size=1, max_size=9))
def test_every_kind_of_field_is_written_as_by_protobuf(rows):
    whole, unsigned, real, text, there = (list(column) for column in zip(*rows, strict=True))
    flags = np.array(there)
    note = [
        *wire.number(4, np.array(whole, np.int64)),
        *wire.double(5, np.array(real)),
        *wire.text(10, sorted(set(text)), np.array([sorted(set(text)).index(value) for value in text])),
    ]
    event = [
        *wire.nested(4, note, flags),
        *wire.number(11, np.array(unsigned, np.uint64), flags),
        *wire.fixed64(47, np.array(unsigned, np.uint64)),
    ]
    expected = b""
    for number, positive, value, name, has in rows:
        message = pb.TrackEvent(flow_ids=[positive])
        if has:
            message.track_uuid = positive
            message.debug_annotations.add(int_value=number, name=name).double_value = value
            message.debug_annotations[0].int_value = number
        expected += serialised(message, number, value, has)
    assert wire.flat(wire.nested(1, event)) == expected


def serialised(message, number, value, has):
    """Return a message of a trace; a note has two values here, which a message of Perfetto's cannot have."""
    if has:
        note = message.debug_annotations.pop()
        name = pb.DebugAnnotation(name=note.name).SerializeToString()
        both = pb.DebugAnnotation(int_value=number).SerializeToString()
        both += pb.DebugAnnotation(double_value=value).SerializeToString() + name
        body = wire.enclosed(4, both) + message.SerializeToString()
    else:
        body = message.SerializeToString()
    return wire.enclosed(1, body)


def test_rows_spread_over_others_leave_these_empty():
    message = wire.spread(wire.number(1, np.array([7, 300])), np.array([3, 1]), 4)
    assert wire.sizes(message).tolist() == [0, 3, 0, 2]
    assert wire.flat(message) == b"\x08\xac\x02\x08\x07"


@pytest.mark.parametrize("values", [1, 70_000])
def test_the_benchmark_s_contenders_write_the_same(values):
    assert exporting.columns(values).call() == exporting.messages(values).call()
