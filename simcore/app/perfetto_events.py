"""Track events of Perfetto as columns: slices, instants and counters, their annotations and flows, as bytes."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from simcore.app import protobuf_columns as wire
from simcore.app.perfetto_protos import code, key, packet

Ints = NDArray[np.int64]
Flags = NDArray[np.bool_]

INT, BOOL, TEXT = "int_value", "bool_value", "string_value_iid"
_SEQUENCE: Final = 1


class Names:
    """Texts that stand once in a trace; events say their number, from 1 on."""

    def __init__(self) -> None:
        self._names: dict[str, int] = {}
        self._notes: dict[str, int] = {}
        self._texts: dict[str, int] = {}

    def name(self, text: str) -> int:
        """Return the number of an event's name."""
        return self._names.setdefault(text, len(self._names) + 1)

    def note(self, text: str) -> int:
        """Return the number of an annotation's name."""
        return self._notes.setdefault(text, len(self._notes) + 1)

    def text(self, text: str) -> int:
        """Return the number of an annotation that is text."""
        return self._texts.setdefault(text, len(self._texts) + 1)

    def names(self, texts: Sequence[str]) -> Ints:
        """Return the numbers of names."""
        return np.array([self.name(text) for text in texts], np.int64)

    def texts(self, texts: Sequence[str]) -> Ints:
        """Return the numbers of texts."""
        return np.array([self.text(text) for text in texts], np.int64)

    def packet(self) -> bytes:
        """Return the packet with which the sequence of events begins."""
        interned = {
            "event_names": [{"iid": number, "name": text} for text, number in self._names.items()],
            "debug_annotation_names": [{"iid": number, "name": text} for text, number in self._notes.items()],
            "debug_annotation_string_values": [
                {"iid": number, "str": text.encode()} for text, number in self._texts.items()
            ],
        }
        cleared = code("TracePacket.SEQ_INCREMENTAL_STATE_CLEARED")
        return packet(trusted_packet_sequence_id=_SEQUENCE, sequence_flags=cleared, interned_data=interned)


@dataclass(frozen=True, slots=True)
class Note:
    """An annotation: its name, the kind of its values, and the rows that have it (None: all)."""

    name: int
    kind: str
    values: Ints
    there: Flags | None = None

    def taken(self, rows: Ints) -> "Note":
        """Return the annotation of these rows."""
        return Note(self.name, self.kind, self.values[rows], None if self.there is None else self.there[rows])


@dataclass(frozen=True, slots=True)
class Flow:
    """Ids of arrows, one a row, and the rows that have one."""

    ids: Ints
    there: Flags

    def taken(self, rows: Ints) -> "Flow":
        """Return the arrows of these rows."""
        return Flow(self.ids[rows], self.there[rows])


@dataclass(frozen=True, slots=True)
class Slices:
    """Slices, those of one track in the order of time and without overlap; `begins` and `ends` are flows there."""

    start_ns: Ints
    end_ns: Ints
    track: Ints
    name: Ints
    notes: tuple[Note, ...] = ()
    begins: Flow | None = None
    ends: Flow | None = None

    def taken(self, rows: Ints) -> "Slices":
        """Return these slices, in this order."""
        start, end, track, name = (column[rows] for column in (self.start_ns, self.end_ns, self.track, self.name))
        begins, ends = (flow and flow.taken(rows) for flow in (self.begins, self.ends))
        return Slices(start, end, track, name, tuple(note.taken(rows) for note in self.notes), begins, ends)


@dataclass(frozen=True, slots=True)
class Instants:
    """What takes no time."""

    t_ns: Ints
    track: Ints
    name: Ints
    notes: tuple[Note, ...] = ()


@dataclass(frozen=True, slots=True)
class Counters:
    """Values of counters from a time on: whole numbers, of whose 64 bits int64 is made, or float."""

    t_ns: Ints
    track: Ints
    value: NDArray[Any]


Events = Slices | Instants | Counters


def encoded(events: Events) -> bytes:
    """Return the packets of events, in the order of their rows."""
    if isinstance(events, Counters):
        return _packets(events.t_ns, _counters(events), _INDEPENDENT)
    if isinstance(events, Instants):
        rows = np.arange(len(events.t_ns))
        kind = np.full(len(rows), code("TrackEvent.TYPE_INSTANT"))
        return _packets(events.t_ns, _named(events, rows, kind, None), _NAMED)
    return _slices(events)


_INDEPENDENT: Final = 0
_NAMED: Final = 2
"""Sequence flags of packets that need no names, and of those that do (SEQ_NEEDS_INCREMENTAL_STATE)."""


def _slices(slices: Slices) -> bytes:
    """Return begin and end of each slice, one after the other."""
    rows = np.repeat(np.arange(len(slices.start_ns)), 2)
    begin = np.tile([True, False], len(slices.start_ns))
    t_ns = np.where(begin, slices.start_ns[rows], slices.end_ns[rows])
    kind = np.where(begin, code("TrackEvent.TYPE_SLICE_BEGIN"), code("TrackEvent.TYPE_SLICE_END"))
    event = _named(slices, rows, kind, begin)
    for flow, field in ((slices.begins, "flow_ids"), (slices.ends, "terminating_flow_ids")):
        if flow is not None:
            event += wire.fixed64(key(f"TrackEvent.{field}"), flow.ids[rows], begin & flow.there[rows])
    return _packets(t_ns, event, _NAMED)


def _named(events: Slices | Instants, rows: Ints, kind: Ints, there: Flags | None) -> wire.Message:
    """Return the fields of events with names; those that are not `there` lack names and notes."""
    event: wire.Message = []
    for note in events.notes:
        having = _both(there, None if note.there is None else note.there[rows])
        event += wire.nested(key("TrackEvent.debug_annotations"), _note(note, rows), having)
    event += wire.number(key("TrackEvent.type"), kind)
    event += wire.number(key("TrackEvent.name_iid"), events.name[rows], there)
    return event + wire.number(key("TrackEvent.track_uuid"), events.track[rows])


def _note(note: Note, rows: Ints) -> wire.Message:
    name = wire.number(key("DebugAnnotation.name_iid"), np.full(len(rows), note.name))
    return name + wire.number(key(f"DebugAnnotation.{note.kind}"), note.values[rows])


def _both(one: Flags | None, other: Flags | None) -> Flags | None:
    if one is None or other is None:
        return one if other is None else other
    return one & other


def _counters(counters: Counters) -> wire.Message:
    kind = np.full(len(counters.t_ns), code("TrackEvent.TYPE_COUNTER"))
    event = wire.number(key("TrackEvent.type"), kind) + wire.number(key("TrackEvent.track_uuid"), counters.track)
    if counters.value.dtype == np.float64:
        return event + wire.double(key("TrackEvent.double_counter_value"), counters.value)
    return event + wire.number(key("TrackEvent.counter_value"), counters.value)


def _packets(t_ns: Ints, event: wire.Message, flags: int) -> bytes:
    if not len(t_ns):
        return b""
    fields = wire.number(key("TracePacket.timestamp"), t_ns)
    fields += wire.number(key("TracePacket.trusted_packet_sequence_id"), np.full(len(t_ns), _SEQUENCE))
    fields += wire.nested(key("TracePacket.track_event"), event)
    if flags:
        fields += wire.number(key("TracePacket.sequence_flags"), np.full(len(t_ns), flags))
    return wire.flat(wire.nested(key("Trace.packet"), fields))
