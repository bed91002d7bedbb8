"""Contenders around exports: a kept run as a Perfetto trace, and packets of one by columns or message by message.

Without the extra `trace` they are skipped.
"""

import atexit
import tempfile
from pathlib import Path

import numpy as np

from benchmarks.case import Case
from benchmarks.measure import Contender, Unavailable
from simcore.app import perfetto_protos
from simcore.app.export_runs import first_run
from simcore.app.exporting_perfetto import write_trace
from simcore.app.perfetto_events import Counters, encoded
from simcore.app.running import run
from simcore.app.storing import save_result
from simcore.errors import InputError
from simcore.scenario import GuestSpec, Scenario, VmSpec

SECONDS_NS = 2_000_000_000
VALUES = 20_000
EXPORTED = Scenario(
    vms=(
        VmSpec(
            GuestSpec("linux-perf-stat"),
            vcpus=8,
            shadows=("fixed-counters-only@v8", "default@v6", "set-pmu-unpinned:armv8_cortex_a55@v8"),
        ),
    ),
    seconds_ns=SECONDS_NS,
    seed=4,
    sample_ns=1_000_000,
    schedule=True,
    trace=True,
)
"""Eight vCPUs and four policies on RK3588, with all that a trace shows and a sample each millisecond."""


def exported(scenario: Scenario = EXPORTED) -> Contender:
    """Return `hetpmu export perfetto` of a kept run, from the directory to the file, in simulated seconds."""
    _need_messages()
    folder = tempfile.TemporaryDirectory()
    atexit.register(folder.cleanup)
    kept, trace = Path(folder.name) / "kept", Path(folder.name) / "kept.pftrace"
    kept.mkdir()
    save_result(run(scenario), kept)
    return Contender(lambda: write_trace(first_run(kept, None), trace), scenario.seconds_ns / 1e9)


def columns(values: int = VALUES) -> Contender:
    """Return the packets of a counter's values as the product writes them, all at once."""
    _need_messages()
    t_ns, track, value = counted(values)
    return Contender(lambda: encoded(Counters(t_ns, track, value)), values)


def messages(values: int = VALUES) -> Contender:
    """Return the same packets through the generated classes, value by value (protobuf's C implementation)."""
    _need_messages()
    t_ns, track, value = (column.tolist() for column in counted(values))
    return Contender(lambda: built(t_ns, track, value), values)


def counted(values: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return times, tracks and values like those of cycle counters."""
    place = np.arange(values)
    return place * 1_000_000, place % 300 + 1, place * 2_016_000


def built(t_ns: list[int], track: list[int], value: list[int]) -> bytes:
    """Return the packets of values of counters, made of Perfetto's messages."""
    trace = perfetto_protos.messages().Trace()
    kind = perfetto_protos.code("TrackEvent.TYPE_COUNTER")
    for at, uuid, number in zip(t_ns, track, value, strict=True):
        packet = trace.packet.add()
        packet.timestamp = at
        packet.trusted_packet_sequence_id = 1
        event = packet.track_event
        event.type, event.track_uuid, event.counter_value = kind, uuid, number
    data: bytes = trace.SerializeToString()
    return data


def _need_messages() -> None:
    try:
        perfetto_protos.messages()
    except InputError as error:
        raise Unavailable(str(error)) from None


CASES = (Case("perfetto-packets", "mechanism", "packets/s", columns, {"protobuf": messages}),)
WHOLE_CASES = (Case("export-perfetto", "whole", "exported s/s", exported, targets={"exported s/s": 2}),)
