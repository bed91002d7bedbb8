"""`hetpmu replay --measured`: a log over the simulated counter; logs are made from a replay, and changed by hand."""

import json
import shutil
import subprocess
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from simcore.app.cli import exit_code
from simcore.app.measured_curve import curve
from simcore.app.measured_log import COLUMNS, read_log
from simcore.app.measuring import overlay
from simcore.app.trace_replay import replay
from simcore.errors import InputError

PLATFORM, THREADS, HZ = "rk3588", "KVM", 24_000_000
A55, A76 = "armv8_cortex_a55", "armv8_cortex_a76"
POLICIES = ("default", f"set-pmu-unpinned:{A76}", "fixed-counters-only")
ON_A55, ON_A76, FIXED = 0, 1, 3
"""Rows of these policies: default by the host PMU drawn, and the last one."""
PROBE = Path(__file__).resolve().parents[1] / "simcore" / "data" / "probe.c"
START_S = "100.000000000"
RUNS = ((0, 5, 60, 0), (0, 60, 120, 4), (0, 125, 200, 1), (1, 10.007, 190.003, 6))
"""vCPU, from and to in ms, CPU: vCPU 0 is 60 ms on an A76 and else on A55s; vCPU 1 stays on an A76."""
VCPU = 0


def trace_of(path):
    """Write the schedule of RUNS as trace-cmd reports it, with a frequency of each cluster that changes once."""
    rows: list[tuple[float, int, str]] = [
        (0, 7, f"cpu_frequency:        state={khz} cpu_id={cpu}") for cpu, khz in ((0, 1_008_000), (4, 1_200_000))
    ]
    rows += [
        (0, 7, "cpu_frequency:        state=2399999 cpu_id=6"),
        (90, 7, "cpu_frequency:        state=2016000 cpu_id=4"),
    ]
    for vcpu, start, end, cpu in RUNS:
        thread, idle = f"CPU {vcpu}/KVM:{100 + vcpu} [120]", f"swapper/{cpu}:0 [120]"
        rows.append((start, cpu, f"sched_switch:         {idle} R ==> {thread}"))
        rows.append((end, cpu, f"sched_switch:         {thread} S ==> {idle}"))
    rows.append((200, 7, "cpu_idle:             state=0 cpu_id=7"))
    lines = [f"          <idle>-0     [{cpu:03}]   {100 + ms / 1000:.6f}: {text}" for ms, cpu, text in sorted(rows)]
    path.write_text("\n".join(["cpus=8", *lines]) + "\n")
    return str(path)


@pytest.fixture(scope="module")
def trace(tmp_path_factory):
    return trace_of(tmp_path_factory.mktemp("trace") / "report.txt")


@pytest.fixture(scope="module")
def arguments(trace):
    policies = "default,fixed-counters-only"
    return ["replay", trace, "--threads", THREADS, "--platform", PLATFORM, "--policies", policies]


@pytest.fixture(scope="module")
def replayed(trace):
    """Return a replay with samples of each millisecond."""
    return replay(trace, THREADS, PLATFORM, policies=POLICIES, fine=True)


def samples(found, row, vcpu=VCPU):
    """Return (ns, cycles counted) at each sample of the row with this number."""
    table = found.results[row].tables["samples"]
    own = table[table["vcpu"] == vcpu]
    return own["t_ns"].tolist(), (own["pmccntr"] - own["pmccntr"][0]).tolist()


def write(path, times, cycles, *, base=10**15, cpu=VCPU, changes=None, **head):
    """Write a log of the probe: ns and counter at each sample; `changes` maps a row to other fields by name."""
    head = {
        "cntfrq_hz": HZ,
        "source": "rdpmc",
        "levels": "all",
        "interval_us": 1000,
        "columns": " ".join(COLUMNS),
    } | head
    lines = ["# hetpmu-probe 1", *(f"# {key} {value}" for key, value in head.items())]
    for number, (t_ns, value) in enumerate(zip(times, cycles, strict=True)):
        ticks = base + t_ns * HZ // 10**9
        row = dict(zip(COLUMNS, (number, cpu, ticks, ticks, value + 7, "-", 3, 5_000 + t_ns), strict=True))
        lines.append(" ".join(str(field) for field in (row | (changes or {}).get(number, {})).values()))
    path.write_text("\n".join(lines) + "\n")
    return path


def laid(path, found, align=START_S, vcpu=None):
    """Lay a log over a replay and return the object `measured`."""
    return overlay(read_log(str(path)), align, vcpu, found.recording, found.seats, found.results).as_json()


# --- the curve ------------------------------------------------------------------------------------------


def test_the_curve_is_the_simulated_counter_at_every_sample(replayed):
    for row, result in enumerate(replayed.results):
        for vcpu in (0, 1):
            times, cycles = samples(replayed, row, vcpu)
            stalls = result.tables["stalls"]
            own = stalls[stalls["vcpu"] == vcpu]
            holes = np.column_stack((own["start_ns"], own["end_ns"]))
            assert curve(replayed.recording, vcpu, holes).at(np.array(times)).tolist() == cycles


# --- overlays -------------------------------------------------------------------------------------------

LITTLE, BIG = 130 * 1_008_000, 30 * 1_200_000 + 30 * 2_016_000
"""Cycles that vCPU 0 executes on A55s and on the A76, by hand: ms times kHz."""
MS = 1_000_000


@pytest.mark.parametrize("row", [ON_A55, ON_A76, FIXED])
def test_a_log_made_from_the_simulation_overlays_it_exactly(tmp_path, replayed, row):
    times, cycles = samples(replayed, row)
    found = laid(write(tmp_path / "log", times, cycles), replayed)
    mine = found["policies"][row]
    assert (mine["error_cycles"], mine["distance_cycles"], mine["worst_error_cycles"]) == (0, 0, 0)
    assert (mine["stalls_measured_only"], mine["stalls_simulated_only"]) == (0, 0)
    assert mine["policy"] in found["closest"]
    assert found["counted_cycles"] == cycles[-1] == {ON_A55: LITTLE, ON_A76: BIG, FIXED: LITTLE + BIG}[row]
    assert (found["true_cycles"], found["compared"], found["seconds"]) == (LITTLE + BIG, 200, 0.2)
    assert found["left_out"] == {"outside_trace": 0, "switched": 0, "went_back": 0}


def test_a_log_that_counts_on_tells_the_default_policy_from_the_proposed_one(tmp_path, replayed):
    times, cycles = samples(replayed, FIXED)
    found = laid(write(tmp_path / "log", times, cycles), replayed)
    assert found["closest"] == ["fixed-counters-only@v8"]
    on_a55, on_a76, unpinned, fixed = found["policies"]
    assert on_a55["error_cycles"] == on_a55["worst_error_cycles"] == on_a55["lost_simulated"] == BIG
    assert on_a55["stretches"] == [{"start_ns": 60 * MS, "end_ns": 120 * MS, "seen": "simulated"}]
    assert on_a76["error_cycles"] == LITTLE
    assert on_a76["stretches"] == [
        {"start_ns": 5 * MS, "end_ns": 60 * MS, "seen": "simulated"},
        {"start_ns": 125 * MS, "end_ns": 200 * MS, "seen": "simulated"},
    ]
    assert unpinned["counted_cycles"] == on_a76["counted_cycles"]
    assert (fixed["stretches"], fixed["lost_measured"], fixed["error_ppm"]) == ([], 0, 0)


def test_a_stall_that_is_put_into_the_log_is_found(tmp_path, replayed):
    times, cycles = samples(replayed, FIXED)
    gone = 10 * 1_008_000
    changed = [value if n < 30 else cycles[30] if n < 40 else value - gone for n, value in enumerate(cycles)]
    fixed = laid(write(tmp_path / "log", times, changed), replayed)["policies"][FIXED]
    assert fixed["stretches"] == [{"start_ns": 30 * MS, "end_ns": 40 * MS, "seen": "measured"}]
    assert fixed["error_cycles"] == fixed["worst_error_cycles"] == -gone
    assert fixed["lost_measured"] == fixed["distance_cycles"] == gone
    assert (fixed["stalls_measured_only"], fixed["stalls_both"]) == (1, 0)


def test_stalls_that_overlap_are_in_both(tmp_path, replayed):
    """The log begins to count 20 ms late after the vCPU has come back to the PMU's cores, and loses 5 ms elsewhere."""
    times, cycles = samples(replayed, ON_A55)
    gain = [after - before for before, after in pairwise(cycles)]
    late = [0 if 125 <= n < 145 or 20 <= n < 25 else value for n, value in enumerate(gain)]
    row = laid(write(tmp_path / "log", times, np.cumsum([0, *late]).tolist()), replayed)["policies"][ON_A55]
    assert row["stretches"] == [
        {"start_ns": 20 * MS, "end_ns": 25 * MS, "seen": "measured"},
        {"start_ns": 60 * MS, "end_ns": 120 * MS, "seen": "both"},
        {"start_ns": 125 * MS, "end_ns": 145 * MS, "seen": "measured"},
    ]
    assert row["stalled_ns"] == {"both": 60 * MS, "measured": 25 * MS, "simulated": 0}
    assert (row["stalls_both"], row["stalls_measured_only"], row["stalls_simulated_only"]) == (1, 1, 0)
    assert row["error_cycles"] == -25 * 1_008_000
    assert row["lost_measured"] == BIG + 25 * 1_008_000


@pytest.mark.parametrize("percent, stalled", [(40, True), (49, True), (60, False), (90, False)])
def test_an_interval_is_stalled_if_less_than_half_of_it_is_counted(tmp_path, replayed, percent, stalled):
    times, cycles = samples(replayed, FIXED)
    lost = 1_008_000 * (100 - percent) // 100
    changed = [value - (lost if n > 30 else 0) for n, value in enumerate(cycles)]
    fixed = laid(write(tmp_path / "log", times, changed), replayed)["policies"][FIXED]
    assert (fixed["stalls_measured_only"], fixed["error_cycles"]) == (int(stalled), -lost)


def test_a_coarse_log_overlays_as_well(tmp_path, replayed):
    times, cycles = samples(replayed, ON_A55)
    found = laid(write(tmp_path / "log", times[::7], cycles[::7]), replayed)["policies"][ON_A55]
    assert (found["distance_cycles"], found["stalls_both"]) == (0, 1)


# --- alignment, and what is left out --------------------------------------------------------------------


def test_the_first_sample_is_the_first_guest_time_if_nothing_else_is_said(tmp_path, replayed):
    times, cycles = samples(replayed, FIXED)
    path = write(tmp_path / "log", [t_ns - 5 * MS for t_ns in times[5:]], cycles[5:])
    found = laid(path, replayed, "first")
    assert (found["start_ns"], found["policies"][FIXED]["distance_cycles"]) == (5 * MS, 0)


def test_the_monotonic_clock_aligns_a_log_of_the_same_clock(tmp_path, replayed):
    times, cycles = samples(replayed, FIXED)
    changes = {n: {"mono_ns": 100_000_000_000 + t_ns} for n, t_ns in enumerate(times[50:])}
    changes[3]["mono_ns"] += 500_000
    found = laid(write(tmp_path / "log", times[50:], cycles[50:], changes=changes), replayed, "clock")
    assert (found["start_ns"], found["policies"][FIXED]["distance_cycles"]) == (50 * MS, 0), "one sample was held up"


def test_samples_outside_of_the_trace_are_left_out(tmp_path, replayed):
    times, cycles = samples(replayed, FIXED)
    found = laid(write(tmp_path / "log", times, cycles), replayed, "100.05")
    assert found["left_out"]["outside_trace"] == 50
    assert (found["start_ns"], found["compared"]) == (50 * MS, 150)


def test_a_log_that_does_not_overlap_is_refused(tmp_path, replayed):
    times, cycles = samples(replayed, FIXED)
    with pytest.raises(InputError, match="does not overlap the trace") as error:
        laid(write(tmp_path / "log", times, cycles), replayed, "1.5")
    assert "the log, aligned, is from 1.500000 s to 1.700000 s" in str(error.value)
    assert "the trace from 100.000000 s to 100.200000 s" in str(error.value)


def test_intervals_in_which_the_probe_was_switched_are_left_out(tmp_path, replayed):
    times, cycles = samples(replayed, FIXED)
    late = {n: {"switches": 4} for n in range(30, len(times))}
    changed = [value - (1_008_000 if n >= 30 else 0) for n, value in enumerate(cycles)]
    found = laid(write(tmp_path / "log", times, changed, changes=late), replayed)
    assert (found["left_out"]["switched"], found["policies"][FIXED]["error_cycles"]) == (1, 0)
    raw = laid(write(tmp_path / "log", times, changed, changes=late, source="raw"), replayed)
    assert raw["policies"][FIXED]["error_cycles"] == -1_008_000, "the register itself belongs to no thread"


def test_a_counter_that_goes_back_is_said_and_left_out(tmp_path, replayed):
    times, cycles = samples(replayed, FIXED)
    changed = [value if n < 30 else value - cycles[30] for n, value in enumerate(cycles)]
    found = laid(write(tmp_path / "log", times, changed), replayed)
    assert (found["left_out"]["went_back"], found["policies"][FIXED]["distance_cycles"]) == (1, 0)


def test_a_counter_that_wraps_goes_on(tmp_path, replayed):
    times, cycles = samples(replayed, FIXED)
    start = (1 << 64) - cycles[100]
    changes = {n: {"cycles": (start + value) % (1 << 64)} for n, value in enumerate(cycles)}
    found = laid(write(tmp_path / "log", times, cycles, changes=changes), replayed)
    assert (found["left_out"]["went_back"], found["policies"][FIXED]["distance_cycles"]) == (0, 0)


def test_a_wrong_alignment_and_another_timer_are_noticed(tmp_path, replayed):
    times, cycles = samples(replayed, FIXED)
    path = write(tmp_path / "log", times, cycles, levels="el0", source="cntvct")
    text = " ".join(laid(path, replayed, "99.96")["notes"])
    assert "of the measured cycles are where the trace has the vCPU outside its guest" in text
    assert "stands still at EL1" in text
    assert "CNTVCT_EL0 for the counter" in text
    other = write(path, [t_ns // 2 for t_ns in times], cycles, cntfrq_hz=2 * HZ)
    assert "CNTFRQ_EL0 is 48000000 in the log, 24000000 on the platform" in " ".join(laid(other, replayed)["notes"])


# --- the command ----------------------------------------------------------------------------------------


def test_the_block_fits_with_every_policy(tmp_path, capsys, replayed, arguments):
    times, cycles = samples(replayed, ON_A55)
    path = write(tmp_path / "vcpu0.log", times, cycles)
    assert exit_code([*arguments[:-2], "--measured", str(path), "--align", START_S]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= 120
    block = lines[next(n for n, line in enumerate(lines) if line.startswith("The counter as measured")) :]
    assert sum("@mainline" in line for line in block) == 7


@pytest.mark.slow
def test_the_command_shows_the_block_writes_the_json_and_draws(tmp_path, capsys, replayed, arguments):
    times, cycles = samples(replayed, FIXED)
    path, out = write(tmp_path / "vcpu0.log", times, cycles), tmp_path / "seen"
    assert exit_code([*arguments, "--measured", str(path), "--align", START_S, "--out", str(out)]) == 0
    shown = capsys.readouterr().out
    assert "(rdpmc) over vCPU 0" in shown
    assert "closest: fixed-counters-only@v8" in shown
    answer = json.loads((out / "replay.json").read_text())
    assert answer["measured"]["policies"][2]["error_cycles"] == 0
    assert (out / "measured.png").read_bytes().startswith(b"\x89PNG")
    assert (out / "measured.svg").exists()


def test_a_log_of_a_cpu_without_vcpu_asks_for_one(tmp_path, capsys, replayed, arguments):
    times, cycles = samples(replayed, FIXED)
    path = str(write(tmp_path / "log", times, cycles, cpu=5))
    assert exit_code([*arguments, "--measured", path, "--align", START_S]) == 2
    told = capsys.readouterr().err
    assert "there is no vCPU 5" in told
    assert "its samples are of CPU 5 of the guest" in told
    assert exit_code([*arguments, "--measured", path, "--align", START_S, "--vcpu", "0", "--json", "-"]) == 0
    assert json.loads(capsys.readouterr().out)["measured"]["vcpu"] == 0


@pytest.mark.parametrize("align", ["soon", "1.0000000001", "-3", ""])
def test_an_alignment_that_is_none_is_refused(tmp_path, capsys, replayed, arguments, align):
    times, cycles = samples(replayed, FIXED)
    path = str(write(tmp_path / "log", times, cycles))
    assert exit_code([*arguments, "--measured", path, "--align", align]) == 2
    assert "does not align a log" in capsys.readouterr().err


HEAD = "# hetpmu-probe 1\n# cntfrq_hz 24000000\n# source read\n# levels all\n# interval_us 10\n"
FULL = f"{HEAD}# columns {' '.join(COLUMNS)}\n"
ROWS = "0 1 100 101 5 - 0 9\n1 1 200 201 6 - 0 10\n"


@pytest.mark.parametrize(
    "text, line, message",
    [
        ("", 1, "no log of the probe"),
        ("seq,cpu\n", 1, "no log of the probe"),
        ("# hetpmu-probe 2\n", 1, "no log of the probe"),
        (HEAD + ROWS, 5, "the head lacks columns"),
        (HEAD + "# colour red\n", 6, "unknown key 'colour'"),
        (FULL.replace("24000000", "fast"), 2, "'fast' is no frequency"),
        (FULL.replace("24000000", "0"), 2, "'0' is no frequency"),
        (FULL.replace("source read", "source guess"), 3, "source 'guess' is not known"),
        (FULL.replace("levels all", "levels el2"), 4, "levels 'el2' is not known"),
        (FULL.replace("after ", ""), 6, "columns"),
        (FULL, 6, "0 samples"),
        (FULL + "0 1 100 101 5 - 0 9\n", 7, "1 samples"),
        (FULL + ROWS + "2 1 300\n", 9, "3 fields"),
        (FULL + ROWS + "2 1 300 301 x - 0 11\n", 9, "cycles 'x' is no number"),
        (FULL + ROWS + "2 1 300 301 -5 - 0 11\n", 9, "cycles '-5' is no number"),
        (FULL + ROWS + f"2 1 300 301 {1 << 64} - 0 11\n", 9, "is no number"),
        (FULL + ROWS + "3 1 300 301 7 - 0 11\n", 9, "seq does not follow"),
        (FULL + ROWS + "2 0 300 301 7 - 0 11\n", 9, "another CPU"),
        (FULL + ROWS + "2 1 200 301 7 - 0 11\n", 9, "cntvct is not above"),
        (FULL + ROWS + "2 1 300 299 7 - 0 11\n", 9, "after is below cntvct"),
    ],
)
def test_a_malformed_log_is_refused_by_its_line(tmp_path, text, line, message):
    path = tmp_path / "log"
    path.write_text(text)
    with pytest.raises(InputError) as error:
        read_log(str(path))
    assert f"{path}:{line}: " in str(error.value)
    assert message in str(error.value)
    assert len(str(error.value).splitlines()) <= 3


def test_a_log_that_is_no_text_or_not_there_is_refused(tmp_path):
    (tmp_path / "log").write_bytes(b"# hetpmu-probe 1\n\xff")
    for name, message in (("log", "byte 17 is not ASCII"), ("none", "cannot read the file")):
        with pytest.raises(InputError, match=message):
            read_log(str(tmp_path / name))


# --- the probe ------------------------------------------------------------------------------------------


def test_the_probe_is_printed_as_it_is_shipped(capsys):
    assert exit_code(["probe"]) == 0
    assert capsys.readouterr().out == PROBE.read_text()


@pytest.mark.parametrize("source, cpu, switches", [("rdpmc", 1, 3), ("read", 2, 0)])
def test_what_the_probe_wrote_under_linux_is_a_log(source, cpu, switches):
    """Logged under Linux 6.1 on an emulated machine whose PMCCNTR_EL0 runs at 1 GHz: tests/data/board.

    Cycles are lost where the thread was switched, and nowhere else.
    """
    log = read_log(str(Path(__file__).parent / "data" / "board" / f"probe-{source}.log"))
    assert (log.cpu, log.source, log.levels, log.cntfrq_hz) == (cpu, source, "all", 62_500_000)
    mhz = 1000 * log.gains[1:] / np.diff(log.ns)
    switched = np.diff(log.switches) != 0
    assert np.count_nonzero(switched) == switches
    assert np.median(np.abs(mhz[~switched] - 1000)) < 10
    if source == "rdpmc":
        assert (np.abs(mhz[~switched] - 1000) < 20).all()
    assert (mhz[switched] < 800).all()


@pytest.fixture(scope="module")
def probe(tmp_path_factory):
    """Return the probe compiled for arm64, without a warning."""
    compiler = shutil.which("aarch64-linux-gnu-gcc")
    if compiler is None:
        pytest.skip("no aarch64-linux-gnu-gcc")
    program = tmp_path_factory.mktemp("probe") / "probe"
    flags = ["-std=gnu11", "-O2", "-Wall", "-Wextra", "-Wconversion", "-Werror", "-static"]
    subprocess.run([compiler, *flags, "-o", program, PROBE], check=True)
    return program


def run_probe(program, *arguments):
    emulator = shutil.which("qemu-aarch64-static") or shutil.which("qemu-aarch64")
    if emulator is None:
        pytest.skip("no qemu-aarch64")
    return subprocess.run([emulator, program, *arguments], capture_output=True, text=True, check=False)


def test_what_the_probe_writes_is_a_log(tmp_path, probe):
    ran = run_probe(probe, "-s", "cntvct", "-n", "50", "-i", "200")
    assert ran.returncode == 0, ran.stderr
    (tmp_path / "log").write_text(ran.stdout)
    log = read_log(str(tmp_path / "log"))
    assert (log.cpu, len(log.ns), log.source) == (0, 50, "cntvct")
    assert all(later - sooner > 0 for sooner, later in pairwise(log.ns.tolist()))
    assert (log.gains[1:] > 0).all()


@pytest.mark.parametrize("source, message", [("auto", "no cycles event"), ("raw", "PMCCNTR_EL0 traps at EL0")])
def test_without_a_counter_the_probe_says_so(probe, source, message):
    """User-mode emulation has neither perf events nor PMCCNTR_EL0."""
    ran = run_probe(probe, "-s", source, "-n", "5")
    assert (ran.returncode, ran.stdout) == (2, "")
    assert message in ran.stderr


@pytest.mark.parametrize("arguments", [("-n", "1"), ("-n", "x"), ("-s", "guess"), ("-i", "0"), ("-z",), ("-c", "1023")])
def test_the_probe_refuses_what_makes_no_sense(probe, arguments):
    ran = run_probe(probe, *arguments)
    assert (ran.returncode, ran.stdout) == (2, "")
    assert ran.stderr
