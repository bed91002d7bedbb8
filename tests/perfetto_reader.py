"""A Perfetto trace by Perfetto's own generated messages, as plain rows: what the tests compare with tables."""

from collections import defaultdict
from dataclasses import dataclass, field

from perfetto.protos.perfetto.trace import perfetto_trace_pb2 as pb

VALUES = ("int_value", "bool_value", "string_value_iid")


@dataclass
class Slice:
    start_ns: int
    end_ns: int
    track: str
    name: str
    notes: dict
    begins: list
    ends: list


@dataclass
class Trace:
    """`tracks`: path of names by uuid; `ftrace`: (cpu, t_ns, pid, kind, message) in the order of the file."""

    tracks: dict = field(default_factory=dict)
    descriptors: dict = field(default_factory=dict)
    slices: list = field(default_factory=list)
    instants: list = field(default_factory=list)
    counters: dict = field(default_factory=lambda: defaultdict(list))
    ftrace: list = field(default_factory=list)
    processes: dict = field(default_factory=dict)
    threads: dict = field(default_factory=dict)
    cpus: list = field(default_factory=list)
    run: dict = field(default_factory=dict)

    def of(self, kind):
        """Return the ftrace events of a kind."""
        return [event for event in self.ftrace if event[3] == kind]

    def on(self, track, rows=None):
        """Return the slices (or other rows) on a track by its path, in the order of the file."""
        return [row for row in (self.slices if rows is None else rows) if row.track == track]


def read(data):
    """Read the bytes of a file; fail on an event without a track, on slices that overlap, and on packets not known."""
    trace, events = Trace(), []
    open_slices: dict[str, Slice] = {}
    names, notes, texts = {}, {}, {}
    for packet in pb.Trace.FromString(data).packet:
        kind = packet.WhichOneof("data")
        if packet.HasField("interned_data"):
            names = {row.iid: row.name for row in packet.interned_data.event_names}
            notes = {row.iid: row.name for row in packet.interned_data.debug_annotation_names}
            texts = {row.iid: row.str.decode() for row in packet.interned_data.debug_annotation_string_values}
        elif kind == "track_descriptor":
            describe(trace, packet.track_descriptor)
        elif kind == "ftrace_events":
            bundle = packet.ftrace_events
            for event in bundle.event:
                what = event.WhichOneof("event")
                trace.ftrace.append((bundle.cpu, event.timestamp, event.pid, what, getattr(event, what)))
        elif kind == "process_tree":
            trace.processes = {row.pid: list(row.cmdline) for row in packet.process_tree.processes}
            trace.threads = {row.tid: (row.tgid, row.name) for row in packet.process_tree.threads}
        elif kind == "cpu_info":
            trace.cpus = [(cpu.processor, list(cpu.frequencies), cpu.capacity) for cpu in packet.cpu_info.cpus]
        elif kind == "track_event":
            events.append((packet.timestamp, packet.track_event))
        else:
            assert kind in ("trace_uuid", "system_info"), kind
    for t_ns, event in sorted(events, key=lambda row: row[0]):  # at one time in the order of the file, as Perfetto
        take(trace, open_slices, t_ns, event, (names, notes, texts))
    assert not open_slices
    return trace


def describe(trace, found):
    name = found.name or found.process.process_name or f"{found.thread.thread_name}-{found.thread.tid}"
    parent = f"{trace.tracks[found.parent_uuid]}/" if found.parent_uuid else ""
    assert found.uuid not in trace.tracks
    trace.tracks[found.uuid] = parent + name
    trace.descriptors[parent + name] = found


def take(trace, open_slices, t_ns, event, known):
    names, notes, texts = known
    track = trace.tracks[event.track_uuid]
    if event.type == pb.TrackEvent.TYPE_COUNTER:
        value = event.counter_value if event.HasField("counter_value") else event.double_counter_value
        trace.counters[track].append((t_ns, value))
        return
    if event.type == pb.TrackEvent.TYPE_SLICE_END:
        open_slices.pop(track).end_ns = t_ns
        return
    said = {}
    for note in event.debug_annotations:
        value = getattr(note, note.WhichOneof("value"))
        said[notes[note.name_iid]] = texts[value] if note.HasField("string_value_iid") else value
    flows = list(event.flow_ids), list(event.terminating_flow_ids)
    found = Slice(t_ns, t_ns, track, names[event.name_iid], said, *flows)
    if event.type == pb.TrackEvent.TYPE_INSTANT:
        trace.instants.append(found)
        return
    assert event.type == pb.TrackEvent.TYPE_SLICE_BEGIN
    assert track not in open_slices, f"slices overlap on {track}"
    open_slices[track] = found
    trace.slices.append(found)
