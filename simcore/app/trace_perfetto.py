"""Perfetto traces to events: of the protobuf file only the bundles of ftrace events are read, compact ones included.

The numbers are those of Perfetto's trace/trace_packet.proto and trace/ftrace/*.proto.
"""

import zlib
from collections.abc import Callable, Iterator
from itertools import accumulate
from typing import BinaryIO, Final

from simcore.app.protobuf_wire import Message, WireError, message, number, numbers, parts, text, varint
from simcore.app.schedule import (
    UNKNOWN,
    Event,
    Flaw,
    Frequency,
    Guest,
    Idle,
    Lost,
    Migrate,
    Other,
    Switch,
    Timed,
    Waking,
    idle_state,
    is_runnable,
)
from simcore.app.trace_text import Place, mark
from simcore.errors import InputError

_PACKET: Final = 1
_PACKET_TAG: Final = b"\x0a"
_FTRACE_EVENTS: Final = 1
_COMPRESSED_PACKETS: Final = 50
_BUNDLE_CPU: Final = 1
_BUNDLE_EVENT: Final = 2
_BUNDLE_LOST: Final = 3
_BUNDLE_COMPACT: Final = 4
_INTERNED: Final = 5

_LIMIT: Final = 1 << 32
MAX_PACKET_BYTES: Final = 32 << 20
"""Of one packet, and of what is compressed in one; Perfetto writes packets of up to some hundred KiB."""
FREE_BYTES: Final = 1 << 16
MOST_TIMES: Final = 64
"""How many times larger than compressed a packet may be, beyond FREE_BYTES; events are about ten times."""

Parse = Callable[[Place, Message], Timed]


def is_perfetto(head: bytes) -> bool:
    """Tell whether a file's first bytes are packets of a Perfetto trace, the last of them perhaps cut off."""
    at = 0
    while head[at : at + 1] == _PACKET_TAG:
        try:
            length, at = varint(head, at + 1)
        except WireError:
            return True
        at += length
    return at >= len(head) > 0


class PerfettoTrace:
    """The events of a Perfetto trace, each CPU's in the order of time."""

    form = "Perfetto trace"
    unit = "packet"
    in_order = False
    resolution_ns = 1

    def __init__(self, stream: BinaryIO) -> None:
        """Read nothing yet."""
        self._stream = stream

    def events(self) -> Iterator[Event]:
        """Yield the events bundle by bundle; raise InputError where there are none."""
        bundles = False
        for packet, data in enumerate(_packets(self._stream), 1):
            if data is None:
                yield Flaw(packet, "truncated")
                break
            try:
                for bundle in _bundles(data):
                    bundles = True
                    yield from _events_of_cpu(packet, message(bundle))
            except (WireError, zlib.error):
                yield Flaw(packet, "malformed-event")
        if not bundles:
            raise InputError(
                "no ftrace events in this Perfetto trace",
                valid="a trace with the data source linux.ftrace and the events sched/sched_switch, sched/sched_waking",
            )


def _packets(stream: BinaryIO) -> Iterator[bytes | None]:
    """Yield the packets of a file; None where it ends within one, or goes on with something else."""
    while tag := stream.read(1):
        length = _length(stream) if tag == _PACKET_TAG else None
        data = stream.read(length) if length is not None and length <= MAX_PACKET_BYTES else b""
        if length is None or len(data) < length:
            yield None
            return
        yield data


def _length(stream: BinaryIO) -> int | None:
    data = b""
    while len(data) < 10 and (byte := stream.read(1)):
        data += byte
        if byte[0] < 0x80:
            return varint(data, 0)[0]
    return None


def _bundles(packet: bytes, compressed_within: bool = False) -> Iterator[bytes]:
    """Yield the bundles of ftrace events in a packet and in those compressed within it, which hold no others."""
    fields = message(packet)
    yield from parts(fields, _FTRACE_EVENTS)
    for compressed in () if compressed_within else parts(fields, _COMPRESSED_PACKETS):
        for inner in parts(message(_unpacked(compressed)), _PACKET):
            yield from _bundles(inner, compressed_within=True)


def _unpacked(compressed: bytes) -> bytes:
    engine = zlib.decompressobj()
    plain = engine.decompress(compressed, min(MAX_PACKET_BYTES, FREE_BYTES + MOST_TIMES * len(compressed)))
    if not engine.eof:
        raise WireError("a compressed packet is cut off, or too large")
    return plain


def _events_of_cpu(packet: int, bundle: Message) -> Iterator[Event]:
    """Yield the events of a bundle in the order of time; one that cannot be read leaves a gap on its CPU."""
    cpu = _small(bundle, _BUNDLE_CPU)
    if number(bundle, _BUNDLE_LOST):
        yield Lost(packet, cpu, 0)
    try:
        found = [_event(packet, cpu, message(event)) for event in parts(bundle, _BUNDLE_EVENT)]
        for data in parts(bundle, _BUNDLE_COMPACT):
            found.extend(_compact(packet, cpu, message(data)))
    except WireError:
        yield Flaw(packet, "malformed-event")
        yield Lost(packet, cpu, 0)
        return
    yield from sorted(found, key=lambda event: event.t_ns)


def _event(packet: int, cpu: int, event: Message) -> Timed:
    place = Place(packet, _time(number(event, 1)), cpu, _small(event, 2), "")
    for key in event:
        if key in _PARSERS:
            return _PARSERS[key](place, message(parts(event, key)[-1]))
    return Other(*place[:4])


def _compact(packet: int, cpu: int, compact: Message) -> Iterator[Timed]:
    """Yield the events of columns: times are differences, names are interned, and who ran before is not said."""
    names = [name.decode("utf-8", "backslashreplace") for name in parts(compact, _INTERNED)]
    for t_ns, state, next_pid, name in _columns(compact, (1, 2, 3, 6), len(names)):
        yield Switch(packet, t_ns, cpu, UNKNOWN, UNKNOWN, "", is_runnable(state), next_pid, names[name])
    for t_ns, pid, target, name in _columns(compact, (7, 8, 9, 11), len(names)):
        yield Waking(packet, t_ns, cpu, UNKNOWN, pid, names[name], target)


def _columns(compact: Message, keys: tuple[int, int, int, int], names: int) -> list[tuple[int, int, int, int]]:
    times, states, pids, name = (numbers(compact, key) for key in keys)
    if not len(times) == len(states) == len(pids) == len(name):
        raise WireError("columns of compact_sched do not fit each other")
    if any(max(column, default=0) >= limit for column, limit in ((pids, _LIMIT), (name, names))):
        raise WireError("a pid or name of compact_sched does not exist")
    return list(zip(map(_time, accumulate(times)), states, pids, name, strict=True))


def _small(fields: Message, key: int) -> int:
    value = number(fields, key)
    if value >= _LIMIT:
        raise WireError(f"field {key} is {value}")
    return value


def _time(t_ns: int) -> int:
    if t_ns >> 63:
        raise WireError(f"{t_ns} ns is no time")
    return t_ns


def _switch(place: Place, fields: Message) -> Timed:
    prev = (_small(fields, 2), text(fields, 1))
    return Switch(*place[:4], *prev, is_runnable(number(fields, 4)), _small(fields, 6), text(fields, 5))


def _waking(place: Place, fields: Message) -> Timed:
    return Waking(*place[:4], _small(fields, 2), text(fields, 1), _small(fields, 5))


def _migrate(place: Place, fields: Message) -> Timed:
    return Migrate(*place[:4], _small(fields, 2), text(fields, 1), _small(fields, 4), _small(fields, 5))


def _frequency(place: Place, fields: Message) -> Timed:
    return Frequency(*place[:4], _small(fields, 2), _small(fields, 1))


def _idle(place: Place, fields: Message) -> Timed:
    return Idle(*place[:4], _small(fields, 2), idle_state(_small(fields, 1)))


def _entry(place: Place, fields: Message) -> Timed:
    return Guest(*place, True)


def _exit(place: Place, fields: Message) -> Timed:
    return Guest(*place, False)


def _print(place: Place, fields: Message) -> Timed:
    return mark(place, text(fields, 2))


_PARSERS: Final[dict[int, Parse]] = {
    3: _print,
    4: _switch,
    11: _frequency,
    13: _idle,
    17: _waking,
    20: _waking,
    114: _waking,
    376: _entry,
    377: _exit,
    491: _migrate,
}
