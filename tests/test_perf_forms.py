"""The forms of `perf stat`, character by character as a real perf 6.1 printed them (tests/data/perf_stat/README.md)."""

import json
import os
import random
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from simcore.app.perf_forms import Form, Json, Plain, Separated, printed
from simcore.app.perf_rows import Count, Event, Snapshot
from tests.perf_record_file import CONFIG, write_perf_data

DATA = Path(__file__).parent / "data" / "perf_stat"
CASES = {case["name"]: case for case in json.loads((DATA / "cases.json").read_text())}
FORMS: dict[str, Form] = {
    "": Plain(),
    "--no-big-num": Plain(big_num=False),
    "-x,": Separated(),
    "-x;": Separated(";"),
    "-x \\t": Separated("\t"),
    "-j": Json(),
}
MS = 1_000_000


def recordings(name):
    """Return what was printed by command: options, and the text."""
    parts = re.split(r"^\$ perf stat ?(.*)\n", (DATA / f"{name}.txt").read_text(), flags=re.MULTILINE)
    return list(zip(parts[1::2], parts[2::2], strict=True))


def snapshot_of(case):
    events = [Event(name, name if name in CONFIG else None) for name in case["counts"]]
    counts = [[Count(*count) for count in by_cpu] for by_cpu in case["counts"].values()]
    return Snapshot(case["stamp_ns"], case["stamp_ns"], events, counts)


def form_of(options):
    return FORMS[re.sub(r"-a ?|-A ?|-I 10 ?", "", options).strip()]


@pytest.mark.parametrize("name, options, expected", [
    (name, options, text) for name in CASES for options, text in recordings(name)
])  # fmt: skip
def test_text_is_what_perf_printed(name, options, expected):
    case = CASES[name]
    assert printed([snapshot_of(case)], form_of(options), "-A" in options, bool(case["interval_ms"])) == expected


@pytest.mark.parametrize("options, expected", recordings("not_supported"))
def test_refused_events_are_printed_as_perf_did(options, expected):
    stamps = sorted({int(s) * 10**9 + int(ns) for s, ns in re.findall(r"(\d+)\.(\d{9})", expected)}) or [0]
    none = [[Count()] * 2] * 2
    events = [Event(name, name, supported=False) for name in ("cycles", "instructions")]
    shots = [Snapshot(stamp, stamp, events, none) for stamp in stamps]
    assert printed(shots, form_of(options), "-A" in options, "-I" in options) == expected


@pytest.mark.parametrize("options, expected", recordings("clock"))
def test_utilisation_is_of_the_interval_as_it_was_asked_for(options, expected):
    """In the recording the times come from its own counts; the metric must follow."""
    rows = [json.loads(line) for line in expected.splitlines()]
    stamps = sorted({row["interval"] for row in rows})
    shots = []
    for stamp in stamps:
        mine = [row for row in rows if row["interval"] == stamp]
        counts = [Count(round(float(row["counter-value"]) * MS), *[row["event-runtime"]] * 2) for row in mine]
        shots.append(Snapshot(round(stamp * 1e9), 10 * MS, [Event("cpu-clock", "cpu-clock")], [counts]))
    assert printed(shots, Json(), "-A" in options, intervals=True) == expected


def test_the_head_comes_again_at_each_25th_interval():
    """As with one event a real perf has it in lines 1 and 27."""
    shots = [Snapshot(n * 10 * MS, 10 * MS, [Event("cycles", "cycles")], [[Count(1, 2, 2)]]) for n in range(1, 52)]
    lines = printed(shots, Plain(), intervals=True).splitlines()
    assert [n for n, line in enumerate(lines, 1) if line.startswith("#")] == [1, 27, 53]


def test_the_hint_follows_an_event_that_never_had_a_counter_and_no_other():
    def hinted(count, supported=True):
        shot = Snapshot(1, 1, [Event("cycles", "cycles", supported)], [[count]])
        return "Try disabling the NMI watchdog" in printed([shot], Plain(hint=True))

    assert hinted(Count(0, 5, 0))
    assert not hinted(Count(0, 5, 5))
    assert not hinted(Count(), supported=False)
    assert "NMI" not in printed([Snapshot(1, 1, [Event("cycles")], [[Count(0, 5, 0)]])], Plain())


def test_every_line_of_json_is_an_object():
    for name in CASES:
        for per_cpu in (False, True):
            for line in printed([snapshot_of(CASES[name])], Json(), per_cpu).splitlines():
                assert {"metric-value", "metric-unit"} <= set(json.loads(line))


@pytest.mark.parametrize("name", CASES)
def test_fields_are_as_many_as_perfs_own_check_of_its_output_wants(name):
    """tools/perf/tests/shell/stat+csv_output.sh and lib/perf_json_output_lint.py: 6 separators, 7 with -I or -A."""
    case = CASES[name]
    intervals = bool(case["interval_ms"])
    for per_cpu in (False, True):
        separators = 6 + per_cpu + intervals
        for form in (Separated(), Json()):
            lines = printed([snapshot_of(case)], form, per_cpu, intervals).splitlines()
            counts = [line for line in lines if "stalled cycles per insn" not in line]
            assert {line.count(",") for line in counts} == {separators}


def random_case(draw, number):
    """Make counts up: any mix of events, times and numbers below 2^55, beyond which perf's own arithmetic wraps."""
    names = draw.sample([*CONFIG, "l1d_cache_refill"], draw.randint(1, 10))
    interval_ms = draw.choice([0, 20])
    if interval_ms:
        names = [name for name in names if name != "cpu-clock"] or ["cycles"]  # report has no time for it
    cpus = draw.choice([1, 2])
    counts: dict[str, list[list[int]]] = {}
    for name in names:
        for _ in range(cpus):
            enabled = draw.choice([10**8, draw.randrange(1, 10**10)])
            running = draw.choice([enabled, enabled, 0, draw.randrange(enabled + 1)])
            value = draw.choice([0, 1, draw.randrange(10**6), draw.randrange(1 << 55)]) if running else 0
            if name == "cpu-clock":
                value = running = enabled
            counts.setdefault(name, []).append([value, enabled, running])
    stamp_ns = draw.choice([20_000_300, draw.randrange(1, 10**12)])
    return {
        "name": f"random {number}",
        "cpus": cpus,
        "stamp_ns": stamp_ns,
        "interval_ms": interval_ms,
        "counts": counts,
    }


def real_perf():
    """Return the perf of this machine if it is of the version that is followed."""
    perf = shutil.which("perf")
    version = subprocess.run([perf, "--version"], capture_output=True, text=True).stdout if perf else ""
    return perf if version.startswith("perf version 6.1") else None


@pytest.mark.skipif(real_perf() is None, reason="no perf 6.1 here")
@pytest.mark.parametrize("seed", range(3))
def test_a_real_perf_prints_the_same_of_random_counts(seed, tmp_path):
    case = random_case(random.Random(seed), seed)
    write_perf_data(tmp_path / "perf.data", case)
    for options in (["--no-big-num"], ["-x,"], ["-j"]):  # the locale of thousands may be missing
        for per_cpu in ([], ["-A"]):
            found = subprocess.run(
                ["perf", "stat", *options, "report", *per_cpu, "-i", tmp_path / "perf.data"],
                env=os.environ | {"LC_ALL": "C"},
                capture_output=True,
                text=True,
            )
            expected, form = found.stdout + found.stderr, FORMS["".join(options)]
            assert printed([snapshot_of(case)], form, bool(per_cpu), bool(case["interval_ms"])) == expected
