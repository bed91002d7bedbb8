"""A perf.data as `perf stat record` writes it, of any counts: so that a real perf prints what a test expects.

Layout: tools/perf/Documentation/perf.data-file-format.txt, tools/lib/perf/include/perf/event.h.
"""

import struct
from collections.abc import Sequence
from pathlib import Path

HARDWARE, SOFTWARE, RAW, CLOCK = 0, 1, 4, "cpu-clock"
GENERIC = (
    "cycles", "instructions", "cache-references", "cache-misses", "branches", "branch-misses", "bus-cycles",
    "stalled-cycles-frontend", "stalled-cycles-backend",
)  # fmt: skip
CONFIG = {name: (HARDWARE, number) for number, name in enumerate(GENERIC)} | {CLOCK: (SOFTWARE, 0)}
THREAD_MAP, CPU_MAP, STAT_CONFIG, STAT, STAT_ROUND, EVENT_UPDATE = 73, 74, 75, 76, 77, 78
CMDLINE, EVENT_DESC = 11, 12
ATTR_SIZE, HEADER_SIZE = 128, 104
ONE_INTERVAL, AT_THE_END = 0, 1

Case = dict  # name, cpus, stamp_ns, interval_ms, counts {event: [value, enabled, running] of each CPU}


def write_perf_data(path: Path, case: Case) -> None:
    """Write the file that stands for a case."""
    events, cpus = list(case["counts"]), case["cpus"]
    ids = [[100 + event * cpus + cpu for cpu in range(cpus)] for event in range(len(events))]
    id_bytes = b"".join(_u64(*row) for row in ids)
    attrs = b"".join(
        _attr(name) + _u64(HEADER_SIZE + 8 * number * cpus, 8 * cpus) for number, name in enumerate(events)
    )
    records = b"".join(_records(case, ids))
    features = [_strings(["system wide"]), _descriptions(events, ids)]
    attrs_at = HEADER_SIZE + len(id_bytes)
    data_at = attrs_at + len(attrs)
    header = b"PERFILE2" + _u64(HEADER_SIZE, ATTR_SIZE + 16, attrs_at, len(attrs), data_at, len(records), 0, 0)
    header += _u64(1 << CMDLINE | 1 << EVENT_DESC, 0, 0, 0)
    places, at = b"", data_at + len(records) + 16 * len(features)
    for feature in features:
        places += _u64(at, len(feature))
        at += len(feature)
    path.write_bytes(header + id_bytes + attrs + records + places + b"".join(features))


def _records(case: Case, ids: list[list[int]]):
    for name, (first, *_) in zip(case["counts"], ids, strict=True):
        if name == CLOCK:
            yield _record(EVENT_UPDATE, _u64(0, first) + b"msec".ljust(8, b"\0"))
            yield _record(EVENT_UPDATE, _u64(1, first) + struct.pack("<d", 1e-6))
    yield _record(THREAD_MAP, _u64(1, (1 << 64) - 1) + bytes(16))
    yield _record(CPU_MAP, struct.pack("<HBBHH", 2, 0, 0, 0, case["cpus"] - 1))
    yield _record(STAT_CONFIG, _u64(3, 0, 1, 1, case["interval_ms"], 2, 1))
    for row, by_cpu in zip(ids, case["counts"].values(), strict=True):
        for cpu, (number, count) in enumerate(zip(row, by_cpu, strict=True)):
            yield _record(STAT, _u64(number) + struct.pack("<II", cpu, 0) + _u64(*count))
    yield _record(STAT_ROUND, _u64(ONE_INTERVAL if case["interval_ms"] else AT_THE_END, case["stamp_ns"]))


def _attr(name: str) -> bytes:
    kind, config = CONFIG.get(name, (RAW, 0x10))
    return struct.pack("<IIQQQQQ", kind, ATTR_SIZE, config, 0, 0x10000, 3, 0x100003).ljust(ATTR_SIZE, b"\0")


def _record(kind: int, body: bytes) -> bytes:
    return struct.pack("<IHH", kind, 0, 8 + len(body)) + body


def _u64(*values: int) -> bytes:
    return struct.pack(f"<{len(values)}Q", *values)


def _string(text: str) -> bytes:
    size = (len(text) // 64 + 1) * 64
    return struct.pack("<I", size) + text.encode().ljust(size, b"\0")


def _strings(texts: Sequence[str]) -> bytes:
    return struct.pack("<I", len(texts)) + b"".join(map(_string, texts))


def _descriptions(events: Sequence[str], ids: list[list[int]]) -> bytes:
    found = struct.pack("<II", len(events), ATTR_SIZE)
    for name, row in zip(events, ids, strict=True):
        found += _attr(name) + struct.pack("<I", len(row)) + _string(name) + _u64(*row)
    return found
