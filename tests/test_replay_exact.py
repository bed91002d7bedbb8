"""A replay against a few lines of unbounded arithmetic: times, cycles and counters are those of the recording."""

import os
import subprocess
import sys
import tempfile
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pmu.kernel import CYCLE_SLOT
from simcore.app.trace_replay import replay
from simcore.loader import load_platform

ROOT = Path(__file__).parents[1]
EXAMPLES = 40
REAL = "tests/data/traces/rtapp_6cpu.report.txt.gz"
PLATFORM = "rk3399"
NCPUS, VCPUS, OTHERS = 6, 2, 3
START_NS = 7_000_000_123
KHZ = (408_000, 600_000, 1_416_000, 777_777)


class Event(NamedTuple):
    """What happens `wait` ns after the event before."""

    wait: int
    cpu: int
    pid: int
    kind: str
    khz: int


EVENTS = st.lists(
    st.builds(
        Event,
        st.one_of(st.just(0), st.integers(1, 2_000), st.integers(1, 6_000_000)),
        st.integers(0, NCPUS - 1),
        st.integers(0, VCPUS + OTHERS),
        st.sampled_from(("switch", "switch", "switch", "guest", "khz")),
        st.sampled_from(KHZ),
    ),
    min_size=12,
    max_size=60,
)


class Recorded:
    """A schedule as it is written to a trace, and what it amounts to; times are those of the trace."""

    def __init__(self, events, kvm):
        self.kvm = kvm
        self.lines, self.runs, self.guests, self.steps = [], [], [], []
        self.now = START_NS
        self.running = dict.fromkeys(range(NCPUS), (0, START_NS))
        self.entered: dict[int, int] = {}
        self.last_khz: dict[int, int] = {}
        for cpu in range(NCPUS):
            self.line(cpu, "sched_switch", f"swapper/{cpu}:0 [120] R ==> swapper/{cpu}:0 [120]")
        for event in events:
            self.now += event.wait
            getattr(self, event.kind)(event)
        self.now += 5
        for cpu in range(NCPUS):
            self.switch(Event(0, cpu, 0, "switch", 0))
        self.end_ns = self.now

    def line(self, cpu, name, text):
        pid = self.running[cpu][0]
        time = f"{self.now // 10**9}.{self.now % 10**9:09d}"
        self.lines.append(f"{self.name(pid, cpu)}-{pid} [{cpu:03d}] {time}: {name}: {text}")

    @staticmethod
    def name(pid, cpu):
        return f"swapper/{cpu}" if pid == 0 else f"vcpu{pid}" if pid <= VCPUS else f"other{pid}"

    def leave(self, cpu):
        if cpu in self.entered:
            self.guests.append((self.entered.pop(cpu), self.now, cpu, self.running[cpu][0]))
            self.line(cpu, "kvm_exit", "TRAP")

    def switch(self, event):
        prev, since = self.running[event.cpu]
        if event.pid == prev or (event.pid and any(event.pid == pid for pid, _ in self.running.values())):
            return
        self.leave(event.cpu)
        if prev:
            self.runs.append((since, self.now, event.cpu, prev))
        text = f"{self.name(prev, event.cpu)}:{prev} [120] S ==> {self.name(event.pid, event.cpu)}:{event.pid} [120]"
        self.line(event.cpu, "sched_switch", text)
        self.running[event.cpu] = (event.pid, self.now)

    def guest(self, event):
        if not self.kvm or not 1 <= self.running[event.cpu][0] <= VCPUS:
            return
        if event.cpu in self.entered:
            self.leave(event.cpu)
        else:
            self.entered[event.cpu] = self.now
            self.line(event.cpu, "kvm_entry", "PC: 0x0")

    def khz(self, event):
        if self.last_khz.get(event.cpu) != event.khz:  # the reader leaves repetitions of a CPU out
            self.steps.append((self.now, event.cpu, event.khz))
        self.last_khz[event.cpu] = event.khz
        self.line(event.cpu, "cpu_frequency", f"state={event.khz} cpu_id={event.cpu}")

    @property
    def guest_times(self):
        return self.guests if self.guests else [run for run in self.runs if run[3] <= VCPUS]

    def cycles_at(self, domain, t_ns):
        """Return the whole cycles of a perf domain from the start of the trace to a time."""
        khz, since, total = domain.max_khz, START_NS, 0
        for at, cpu, after in sorted(self.steps, key=lambda step: step[:2]):
            if cpu in domain.cpus and at <= t_ns:
                total += khz * (at - since)
                khz, since = after, at
        return (total + khz * (t_ns - since)) // 10**6

    def written(self):
        return "\n".join(self.lines) + "\n"


def replayed(recorded, **options):
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as file:
        file.write(recorded.written())
        file.flush()
        return replay(file.name, "^vcpu", PLATFORM, **options)


def total(rows):
    return sum(end - start for start, end, *_ in rows)


SIGHTS = {"kvm time", "run time", "crossing", "off its PMU", "frequency in a run", "no length", "others", "reload"}


def test_a_replay_is_what_was_recorded():
    """Fails unless the examples together saw all of SIGHTS."""
    seen: set[str] = set()

    @settings(max_examples=EXAMPLES)
    @given(events=EVENTS, kvm=st.booleans())
    def check(events, kvm):
        seen.update(checked(Recorded(events, kvm)))

    check()
    assert seen == SIGHTS


def checked(recorded):
    """Compare a replay with what was recorded; return what there was to see."""
    pids = sorted({pid for _, _, _, pid in recorded.runs if pid <= VCPUS})
    if not pids or not total(recorded.runs):
        return set()
    found = replayed(recorded)
    answer, platform = found.as_json(), load_platform(PLATFORM)
    assert [row["busy_ns"] for row in answer["cpus"]] == [
        total(run for run in recorded.runs if run[2] == cpu) for cpu in range(NCPUS)
    ]
    assert [row["run_ns"] for row in answer["threads"]] == [
        total(run for run in recorded.runs if run[3] == pid) for pid in pids
    ]
    guests = [[row for row in recorded.guest_times if row[3] == pid and row[0] < row[1]] for pid in pids]
    assert [row["guest_ns"] for row in answer["threads"]] == [total(rows) for rows in guests]
    assert answer["guest_time"] == ("kvm" if recorded.guests else "run")
    domains = [platform.perf_domains[cpu.perf_domain] for cpu in platform.cpus]
    cycles = [
        sum(
            recorded.cycles_at(domains[cpu], end) - recorded.cycles_at(domains[cpu], start)
            for start, end, cpu, _ in rows
        )
        for rows in guests
    ]
    assert found.results[0].tables["vcpus"]["guest_cycles"].tolist() == cycles
    moves = [
        sum(one[2] != other[2] for one, other in pairwise(runs))
        for runs in ([run for run in recorded.runs if run[3] == pid] for pid in pids)
    ]
    assert [row["migrations"] for row in answer["threads"]] == moves
    assert_laws(found, guests, cycles, platform)
    return sights(recorded, answer, guests)


def sights(recorded, answer, guests):
    """Return which of SIGHTS a recording has."""
    runs = [run for run in recorded.runs if run[3] <= VCPUS]
    fixed, first = answer["policies"][-1], answer["policies"][0]
    shown = {
        "kvm time" if recorded.guests else "run time": any(guests),
        "crossing": fixed["crossings"] > 0,
        "off its PMU": bool(first["lost_cycles"]),
        "frequency in a run": any(start < at < end for at, _, _ in recorded.steps for start, end, _, _ in runs),
        "no length": any(start == end for start, end, _, _ in runs),
        "others": len(recorded.runs) > len(runs),
        "reload": fixed["reloads"] > 0,
    }
    return {name for name, there in shown.items() if there}


def assert_laws(found, guests, cycles, platform):
    """Counters miss what is executed off their PMU, and nothing else; under fixed-counters-only they miss nothing."""
    for seat, row, result in zip(found.seats, found.rows, found.results, strict=True):
        ledger = result.tables["ledger"]
        sums = sum(ledger[name] for name in ledger.dtype.names[4:])
        assert (ledger["events"] == sums).all()
        assert ledger["events"][ledger["slot"] == CYCLE_SLOT].tolist() == cycles
        covered = set(platform.pmu_named(row["init_pmu"]).cpus)
        on = [sum(end - start for start, end, cpu, _ in rows if cpu in covered) for rows in guests]
        vpmus = result.tables["vpmus"]
        if seat.pair.policy == "fixed-counters-only":
            assert vpmus["stalled_ns"].sum() == 0 == row["lost_cycles"]
            assert row["zero_deltas"] == (0 if any(guests) else None)
            assert vpmus["enabled_ns"].tolist() == [total(rows) for rows in guests]
        else:
            assert (vpmus["enabled_ns"] - vpmus["stalled_ns"]).tolist() == on
            assert vpmus["reloads"].sum() == 0
        outside = sum(end - start for rows in guests for start, end, cpu, _ in rows if cpu not in seat.allowed)
        assert row["outside_ns"] == outside


def test_frequencies_that_are_no_opp_are_replayed_as_recorded():
    found = replay(REAL, "task_r20", "juno-r0", policies=("fixed-counters-only",))
    assert found.as_json()["cpus"][5]["busy_ns_by_khz"] == {"450000": 1_076_240_000, "700000": 2_000_026_000,
                                                           "850000": 1_461_109_000}  # fmt: skip
    kinds = {row["kind"]: row for row in found.as_json()["findings"]}
    assert kinds["not-an-opp"]["count"] == 2
    assert found.rows[0]["energy_j"] is None


def test_a_run_without_length_between_runs_of_others_is_a_migration_and_no_time():
    """vcpu1 runs on CPU 0, at one instant on CPU 4 between two others, and on CPU 0 again."""
    steps = [(0, 0, 1), (10, 4, 3), (20, 0, 0), (0, 4, 1), (0, 4, 4), (0, 0, 1), (30, 0, 0), (5, 4, 0)]
    recorded = Recorded([Event(wait, cpu, pid, "switch", 0) for wait, cpu, pid in steps], kvm=False)
    answer = replayed(recorded, policies=("fixed-counters-only",)).as_json()
    assert (answer["threads"][0]["run_ns"], answer["threads"][0]["migrations"]) == (60, 2)
    assert answer["cpus"][4]["busy_ns"] == 20 + 35


def test_a_thread_on_two_cpus_keeps_both_busy_and_runs_once(tmp_path):
    lines = [
        "a-0 [000] 1.000000000: sched_switch: swapper/0:0 [120] R ==> vcpu1:1 [120]",
        "a-0 [001] 1.000000100: sched_switch: swapper/1:0 [120] R ==> vcpu1:1 [120]",
        "a-1 [000] 1.000000300: sched_switch: vcpu1:1 [120] S ==> swapper/0:0 [120]",
        "a-1 [001] 1.000000700: sched_switch: vcpu1:1 [120] S ==> swapper/1:0 [120]",
    ]
    path = tmp_path / "two.txt"
    path.write_text("\n".join(lines) + "\n")
    answer = replay(str(path), "vcpu1", PLATFORM, policies=("fixed-counters-only",)).as_json()
    assert [row["busy_ns"] for row in answer["cpus"][:2]] == [300, 600]
    assert answer["threads"][0]["run_ns"] == 700
    assert {row["kind"]: row["amount"] for row in answer["findings"]}["on-two-cpus"] == 200


def test_more_policies_and_finer_samples_change_no_figure():
    few = replay(REAL, "rt-app", "juno-r0", policies=("fixed-counters-only",))
    many = replay(REAL, "rt-app", "juno-r0", policies=("default", "fixed-counters-only"), fine=True)
    assert few.rows[0] == many.rows[-1]
    assert few.results[0].digest(frozenset({"samples"})) == many.results[-1].digest(frozenset({"samples"}))


DIGESTS = f"""
from simcore.app.trace_replay import replay
for result in replay({REAL!r}, "rt-app|task_r20", "juno-r0", kernels=("v6", "v8")).results:
    print(result.digest())
"""


@pytest.mark.slow
def test_plain_and_compiled_replays_are_equal_bit_for_bit():
    def digests(off):
        environment = {**os.environ, "NUMBA_DISABLE_JIT": off}
        return subprocess.run(
            [sys.executable, "-c", DIGESTS], cwd=ROOT, env=environment, capture_output=True, text=True, check=True
        ).stdout

    assert digests("1") == digests("0") != ""
