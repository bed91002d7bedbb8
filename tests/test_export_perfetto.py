"""`hetpmu export perfetto`, read with Perfetto's own messages: every row of the run's tables is where it belongs."""

import dataclasses
import itertools

import numpy as np
import pytest
from perfetto.protos.perfetto.trace import perfetto_trace_pb2 as pb

from pmu.kernel import CYCLE_SLOT, NO_HOST_COUNTER, OFF_PMU
from scheduler.kernel_state import CAUSE_NAMES
from simcore.app.exporting_perfetto import trace_of
from simcore.app.perfetto_pmu import stall_reasons
from simcore.app.trace_reading import read_schedule
from simcore.loader import load_platform
from simcore.table_history import HISTORY
from simcore.trace import table_of
from tests.perfetto_reader import read
from tests.perfetto_scene import DIES, END, MS, run_with_rare_things

VCPUS = ["VM 0 (windows)/CPU 0/KVM-1001", "VM 0 (windows)/CPU 1/KVM-1002"]
VCPUS += ["VM 1 (linux-perf-stat)/CPU 0/KVM-2001", "VM 1 (linux-perf-stat)/CPU 1/KVM-2002"]
POLICIES = (("default@mainline (real)", "fixed-counters-only@v8 (shadow)"), ("default@mainline (real)",))
EXITS = {1: "KVM: interrupt or other thread", 2: "KVM: WFI", 3: "KVM: register access"}


@pytest.fixture(scope="module")
def result():
    """Return a run with rare things beside what happened."""
    return run_with_rare_things()


@pytest.fixture(scope="module")
def data(result):
    """Return the bytes of its trace."""
    return b"".join(trace_of(result, result.digest()))


@pytest.fixture(scope="module")
def trace(data):
    """Return its trace."""
    return read(data)


def in_order(table):
    return table[np.argsort(table["order"])]


def per_cpu(rows):
    """Return events in the order of time, those of one pCPU as in the file."""
    return sorted(rows, key=lambda row: (row[0], row[1]))


@pytest.fixture(scope="module")
def ties(result):
    """Return the times at which a thread leaves a pCPU and comes to another within one nanosecond."""
    rows, leaves, comes = in_order(result.tables["switches"]), set(), set()
    before: dict[int, int] = {}
    for t_ns, cpu, task, *_ in rows.tolist():
        leaves.add((t_ns, before.get(cpu, -1), cpu))
        comes.add((t_ns, task, cpu))
        before[cpu] = task
    return {
        t
        for t, task, cpu in comes
        if task >= 0 and any((t, task, other) in leaves for other in range(8) if other != cpu)
    }


def same(found, expected, ties):
    """Tell whether rows (pCPU, time, ..) are those expected, in this order, or 1 ns later where threads move."""
    assert [(cpu, *rest) for cpu, _, *rest in found] == [(cpu, *rest) for cpu, _, *rest in expected]
    late = {(other, own - other) for (_, own, *_), (_, other, *_) in zip(found, expected, strict=True) if own != other}
    return late <= {(t_ns, 1) for t_ns in ties}


def pmu(vcpu, policy):
    """Return the path of the tracks of a policy."""
    return f"{VCPUS[vcpu]}/PMU: {POLICIES[vcpu // 2][policy]}"


def pairs():
    return [(vcpu, policy) for vcpu in range(4) for policy in range(len(POLICIES[vcpu // 2]))]


def test_the_bytes_are_those_that_perfetto_s_own_code_writes(data, result):
    assert pb.Trace.FromString(data).SerializeToString() == data
    assert b"".join(trace_of(result, result.digest())) == data


def test_every_context_switch_is_one_of_its_pcpu(trace, result, ties):
    rows = in_order(result.tables["switches"])
    pids = dict(enumerate([1001, 1002, 2001, 2002, *range(3000, 3004), 2000, 2004]))
    pids[-1], expected = 0, []
    before: dict[int, int] = {}
    for t_ns, cpu, task, state, _ in rows.tolist():
        expected.append((cpu, t_ns, before.get(cpu, 0), {0: 0, 1: 1, -1: 0}[state], pids[task]))
        before[cpu] = pids[task]
    found = trace.of("sched_switch")
    assert same([(cpu, t, m.prev_pid, m.prev_state, m.next_pid) for cpu, t, _, _, m in found], per_cpu(expected), ties)
    assert all(pid == message.prev_pid for _, _, pid, _, message in found)
    comms = {pid: name for pid, (_, name) in trace.threads.items()}
    for cpu, _, _, _, message in found:
        idle = f"swapper/{cpu}"
        assert message.next_comm == comms.get(message.next_pid, idle)
        assert message.prev_comm == comms.get(message.prev_pid, idle)
    assert len(found) > 100


def test_a_thread_leaves_a_pcpu_before_it_comes_to_another(trace, ties):
    assert len(ties) > 2
    left: dict[int, tuple[int, int]] = {}
    for cpu, t_ns, _, _, message in sorted(trace.of("sched_switch"), key=lambda row: row[1]):
        since, other = left.get(message.next_pid, (-1, cpu))
        assert message.next_pid == 0 or other == cpu or since < t_ns
        left[message.prev_pid] = t_ns, cpu


def test_wakeups_moves_guest_entries_and_frequencies_are_events_too(trace, result, ties):
    entries = in_order(result.tables["entries"])
    for enter, kind in ((1, "kvm_entry"), (0, "kvm_exit")):
        rows = entries[entries["enter"] == enter]
        assert same([row[:2] for row in trace.of(kind)], per_cpu(zip(rows["cpu"], rows["t_ns"], strict=True)), ties)
    assert {(m.ret, m.esr_ec) for *_, m in trace.of("kvm_exit")} == {(0, 0), (2, 0x01), (2, 0x18)}
    wakings = in_order(result.tables["wakings"])
    old, new = (wakings[wakings["new"] == value] for value in (0, 1))
    for kind, rows in (("sched_waking", old), ("sched_wakeup_new", new)):
        expected = per_cpu(zip(rows["by_cpu"], rows["t_ns"], strict=True))
        assert same([row[:2] for row in trace.of(kind)], expected, ties)
    moves = in_order(result.tables["moves"])
    found = sorted((m.orig_cpu, t, m.dest_cpu, m.pid) for _, t, _, _, m in trace.of("sched_migrate_task"))
    pids = [1001, 1002, 2001, 2002, *range(3000, 3004), 2000, 2004]
    expected = sorted((a, t, b, pids[task]) for t, task, a, b, *_ in moves.tolist())
    assert same(found, expected, ties)
    assert moves.size
    for domain in load_platform("rk3588").perf_domains:
        steps = result.tables["frequencies"]
        steps = steps[steps["cpu"] == domain.cpus[0]]
        told = [*zip(steps["t_ns"].tolist(), steps["khz"].tolist(), strict=True)]
        told.append((END, told[-1][1]))
        for cpu in domain.cpus:
            steps_found = [(at, t, m.state) for at, t, _, _, m in trace.of("cpu_frequency") if at == m.cpu_id == cpu]
            assert same(steps_found, [(cpu, *step) for step in told], ties)


def test_a_replay_of_the_trace_has_the_same_schedule(data, result, ties, tmp_path):
    (tmp_path / "run.pftrace").write_bytes(data)
    schedule = read_schedule(str(tmp_path / "run.pftrace"), "CPU [0-9]+/KVM", 8)
    switches = in_order(result.tables["switches"])
    for vcpu, thread in enumerate(schedule.threads):
        expected = []
        for cpu in range(8):
            rows = switches[switches["cpu"] == cpu]
            ends = [*rows["t_ns"][1:].tolist(), END]
            expected += [
                (start, end, cpu)
                for (start, task), end in zip(rows[["t_ns", "task"]].tolist(), ends, strict=True)
                if task == vcpu and end > start
            ]
        runs = [(start, end, cpu) for start, end, cpu in thread.runs.tolist() if end > start]
        for place in (0, 1):
            assert same(
                [(run[2], run[place]) for run in runs], [(run[2], run[place]) for run in sorted(expected)], ties
            )
    assert {found.kind for found in schedule.findings} <= {"running-at-end"}


def carried(values, times):
    """Return what a counter shows at each time: its last value up to then."""
    place = np.searchsorted([t for t, _ in values], times, "right") - 1
    return [values[at][1] for at in place]


@pytest.mark.parametrize("vcpu, policy", pairs())
def test_counters_show_what_was_sampled(trace, result, vcpu, policy):
    samples = result.tables["samples"]
    rows = samples[(samples["vcpu"] == vcpu) & (samples["policy"] == policy)]
    group = pmu(vcpu, policy)
    assert carried(trace.counters[f"{group}/PMCCNTR_EL0"], rows["t_ns"]) == rows["pmccntr"].view(np.int64).tolist()
    executed = trace.counters[f"{VCPUS[vcpu]}/Executed cycles"]
    assert carried(executed, rows["t_ns"]) == rows["guest_cycles"].tolist()
    ledger = result.tables["ledger"]
    used = ledger[(ledger["vcpu"] == vcpu) & (ledger["policy"] == policy) & (ledger["events"] > 0)]["slot"].tolist()
    tracks = [path for path in trace.counters if path.startswith(f"{group}/PMEVCNTR")]
    assert len(tracks) == len(used) - 1
    for slot in used[:-1]:
        (track,) = (path for path in tracks if path.startswith(f"{group}/PMEVCNTR{slot}_EL0"))
        assert carried(trace.counters[track], rows["t_ns"]) == rows["counters"][:, slot].view(np.int64).tolist()


def test_event_counters_have_the_name_of_their_event_and_all_counters_their_unit(trace):
    assert f"{pmu(2, 0)}/PMEVCNTR0_EL0 INST_RETIRED" in trace.counters
    units = {path.rsplit("/", 1)[1].split(" ")[0]: trace.descriptors[path].counter.unit_name for path in trace.counters}
    assert {units["PMEVCNTR0_EL0"], units["Counted"], units["Executed"]} == {"events", "cycles"}
    assert trace.descriptors[f"{pmu(0, 0)}/PMCCNTR_EL0 rate"].counter.unit_name == "MHz"


@pytest.mark.parametrize("vcpu, policy", pairs())
def test_the_rate_is_counted_cycles_over_guest_time_and_the_sum_is_what_was_counted(trace, result, vcpu, policy):
    samples = result.tables["samples"]
    rows = samples[(samples["vcpu"] == vcpu) & (samples["policy"] == policy)]
    rates = {}
    for one, other in itertools.pairwise(rows):
        gained = int(other["counted"] - one["counted"])
        spent = int(other["guest_ns"] - one["guest_ns"])
        if spent >= MS / 10 and 1 not in (one["category"], other["category"]):
            rates[int(one["t_ns"])] = 1000 * gained / spent
    assert dict(trace.counters.get(f"{pmu(vcpu, policy)}/PMCCNTR_EL0 rate", [])) == rates
    assert carried(trace.counters[f"{pmu(vcpu, policy)}/Counted cycles"], rows["t_ns"]) == rows["counted"].tolist()
    assert policy == 0 or 0.0 not in rates.values()


def test_stalls_are_slices_with_their_reason_beside_those_of_other_policies(trace, result):
    rows = result.tables["stalls"]
    assert len(rows)
    found = [row for row in trace.slices if row.track.endswith("/PMCCNTR_EL0 stalls")]
    expected = [
        (pmu(vcpu, policy) + "/PMCCNTR_EL0 stalls", start, end, guest)
        for start, end, vcpu, policy, guest in rows.tolist()
    ]
    assert sorted((row.track, row.start_ns, row.end_ns, row.notes["guest_ns"]) for row in found) == sorted(expected)
    assert {row.name for row in found} == {"off-PMU"}


def test_the_reason_of_a_stall_is_that_of_the_ledger_or_of_the_samples_within():
    ledger = np.zeros(3, [("vcpu", int), ("policy", int), ("slot", int), ("off_pmu", int), ("no_host_counter", int)])
    ledger["vcpu"], ledger["slot"] = [0, 1, 2], CYCLE_SLOT
    ledger["off_pmu"], ledger["no_host_counter"] = [5, 0, 5], [0, 5, 5]
    stalls = np.zeros(5, [("start_ns", int), ("end_ns", int), ("vcpu", int), ("policy", int)])
    stalls["vcpu"], stalls["start_ns"], stalls["end_ns"] = [0, 1, 2, 2, 2], [0, 0, 0, 20, 40], [9, 9, 9, 30, 50]
    samples = np.zeros(4, [("t_ns", int), ("vcpu", int), ("policy", int), ("category", int)])
    samples["vcpu"], samples["t_ns"] = 2, [5, 9, 20, 25]
    samples["category"] = [NO_HOST_COUNTER, OFF_PMU, OFF_PMU, NO_HOST_COUNTER]
    assert stall_reasons(ledger, samples, stalls).tolist() == [1, 2, 2, 0, 0]


@pytest.mark.parametrize("vcpu", range(4))
def test_a_vcpu_is_in_its_guest_from_each_entry_to_the_exit_and_in_kvm_until_the_next(trace, result, vcpu):
    rows = in_order(result.tables["entries"])
    rows = rows[rows["vcpu"] == vcpu]
    ends = [*rows["t_ns"][1:].tolist(), END if vcpu < 2 else DIES]
    expected = [
        (start, max(start, end), "guest" if enter else EXITS[reason])
        for (start, enter, reason), end in zip(rows[["t_ns", "enter", "reason"]].tolist(), ends, strict=True)
    ]
    assert [(row.start_ns, row.end_ns, row.name) for row in trace.on(VCPUS[vcpu])] == expected


def test_phases_and_levels_cover_what_was_executed(trace, result):
    rows = result.tables["segments"]
    for vcpu in range(4):
        own = rows[rows["vcpu"] == vcpu]
        executed = int((own["end_ns"] - own["start_ns"]).sum())
        phases = trace.on(f"{VCPUS[vcpu]}/Phase of the guest")
        levels = trace.on(f"{VCPUS[vcpu]}/Exception level")
        for slices in (phases, levels):
            assert sum(row.end_ns - row.start_ns for row in slices) == executed
        assert {row.name for row in phases} <= {"kernel", "429.mcf"}
        kernel = [(row.start_ns, row.end_ns) for row in phases if row.name == "kernel"]
        assert [(row.start_ns, row.end_ns) for row in levels if row.name == "EL1"] == kernel


def test_flows_lead_from_the_slice_on_the_old_pcpu_to_that_on_the_new(trace, result):
    switches = in_order(result.tables["switches"])
    runs = [row for row in trace.slices if row.track.startswith("vCPUs on pCPUs/")]
    began = switches[(switches["task"] >= 0) & (switches["task"] < 4)]
    names = ["VM 0 vCPU 0", "VM 0 vCPU 1", "VM 1 vCPU 0", "VM 1 vCPU 1"]
    assert sorted((row.start_ns, row.name) for row in runs) == sorted(
        (t, names[task]) for t, task in began[["t_ns", "task"]].tolist()
    )
    sources = {flow: row for row in runs for flow in row.begins}
    arrived = 0
    for vcpu, name in enumerate(names):
        own = sorted((row for row in runs if row.name == name), key=lambda row: row.start_ns)
        assert not own[0].ends
        for before, row in itertools.pairwise(own):
            moved = before.track != row.track
            assert len(row.ends) == len(before.begins) == moved
            if moved:
                assert sources[row.ends[0]] is before
                check_arrival(result, vcpu, before, row)
                arrived += 1
    assert arrived > 20


def check_arrival(result, vcpu, before, row):
    rows = result.tables["migrations"]
    last = rows[(rows["vcpu"] == vcpu) & (rows["t_ns"] <= row.start_ns)][-1]
    old, new = (int(slice_.track.split("pCPU ")[1].split(" ")[0]) for slice_ in (before, row))
    assert last["to_cpu"] == new
    little = {0, 1, 2, 3}
    crossing = (old in little) != (new in little)
    assert row.notes == {"from pCPU": old, "crossing": crossing, "cause": CAUSE_NAMES[last["cause"]]}


def test_what_takes_no_time_is_an_instant(trace, result):
    moves = [(r.start_ns, r.track, r.notes["from pCPU"], r.notes["to pCPU"], r.notes["cause"], r.notes["crossing"])
             for r in trace.instants if r.track.endswith("/Migrations")]  # fmt: skip
    assert sorted(moves) == sorted(
        (t, f"{VCPUS[v]}/Migrations", a, b, CAUSE_NAMES[c], bool(x))
        for t, v, a, b, c, x in result.tables["migrations"].tolist()
    )
    overflows = [(row.start_ns, row.track, row.name) for row in trace.instants if row.track.endswith("Overflows")]
    assert overflows == [
        (7 * MS, f"{pmu(2, 0)}/Overflows", "PMEVCNTR3_EL0"), (9 * MS, f"{pmu(0, 1)}/Overflows", "PMCCNTR_EL0")
    ]  # fmt: skip
    reports = [(r.start_ns, r.track, r.name, r.notes["value"]) for r in trace.instants if r.track.endswith("reports")]
    assert reports == [(t, f"{VCPUS[v]}/Guest reports", k, x) for t, v, k, x in result.tables["reports"].tolist()]
    (death,) = trace.on("VM 1 (linux-perf-stat)", trace.instants)
    assert (death.start_ns, death.notes) == (DIES, {"outcome": "division by zero"})
    (live,) = trace.on("VM 1 (linux-perf-stat)")
    assert (live.start_ns, live.end_ns, live.notes) == (3 * MS, 4 * MS, {"policy": "set-pmu@v8"})


def test_the_host_s_work_for_a_pmu_is_told_when_it_happens_and_adds_up(trace, result):
    work = {pair: dict.fromkeys(("reloads", "other_reloads", "creations", "releases"), 0) for pair in pairs()}
    for vcpu, policy in pairs():
        for row in trace.on(f"{pmu(vcpu, policy)}/Host events", trace.instants):
            for name, number in row.notes.items():
                work[vcpu, policy][name] += number
    for row in result.tables["vpmus"]:
        if (pair := (int(row["vcpu"]), int(row["policy"]))) in work:
            expected = [row[name] for name in ("reloads", "other_reloads", "event_creations", "event_releases")]
            assert list(work[pair].values()) == expected
    crossings = [row for row in trace.instants if row.name == "reload by vcpu_load"]
    assert crossings
    assert all(row.start_ns in result.tables["loads"]["t_ns"] for row in crossings)


def test_processes_threads_pcpus_and_the_run_are_named(trace, result):
    assert trace.processes == {1000: [], 2000: [], **{3000 + n: [f"background/{n}"] for n in range(4)}}
    assert trace.threads[2000] == (2000, "qemu-system-aar")
    assert trace.threads[2004] == (2000, "IO iothread0")
    assert [cpu[0] for cpu in trace.cpus] == ["Arm Cortex-A55"] * 4 + ["Arm Cortex-A76"] * 4
    assert trace.cpus[7][1:] == ([opp.khz for opp in load_platform("rk3588").perf_domains[2].opps], 1024)
    (about,) = trace.on("Simulation")
    assert (about.start_ns, about.end_ns) == (0, END)
    assert about.notes["seed"] == 4
    assert about.notes["digest"] == result.digest()
    assert about.notes["VM 1"] == "linux-perf-stat, 429.mcf, 2 vCPUs, qemu: default@mainline"


def test_tracks_keep_their_order_and_say_what_they_are(trace):
    ranks: dict[int, list[int]] = {}
    for path, found in trace.descriptors.items():
        ranks.setdefault(found.parent_uuid, []).append(found.sibling_order_rank)
        assert found.child_ordering == pb.TrackDescriptor.EXPLICIT
        assert found.description or found.HasField("process"), path
    assert all(rank == list(range(len(rank))) for rank in ranks.values())


def switched(result, *rows):
    """Return the switches that a trace shows of a run whose host did nothing else than these: ns, pCPU, thread."""
    columns = [np.array(column) for column in zip(*((*row, 0, place) for place, row in enumerate(rows)), strict=True)]
    tables = {name: result.tables[name][:0] for name in HISTORY} | {"switches": table_of("switches", columns)}
    made = dataclasses.replace(result, tables={**result.tables, **tables})
    found = read(b"".join(trace_of(made, made.digest()))).of("sched_switch")
    return sorted((t_ns, cpu, message.prev_pid, message.next_pid) for cpu, t_ns, _, _, message in found)


def test_a_thread_that_goes_on_and_on_within_a_nanosecond_is_in_one_place_at_a_time(result):
    """It goes from pCPU 0 to 1, 2 and 3; each says that it leaves after the next one says that it comes."""
    rows = [(5, 0, 0), (9, 1, 0), (9, 0, -1), (9, 2, 0), (9, 1, -1), (9, 3, 0), (9, 2, -1)]
    assert switched(result, *rows) == [
        (5, 0, 0, 1001), (9, 0, 1001, 0), (10, 1, 0, 1001), (10, 1, 1001, 0), (11, 2, 0, 1001), (11, 2, 1001, 0),
        (12, 3, 0, 1001),
    ]  # fmt: skip


def test_threads_that_push_one_another_within_a_nanosecond_come_after_they_have_left(result):
    """Thread 0 takes the place of 1 on pCPU 1, which takes that of 2 on pCPU 2, which goes to pCPU 3."""
    rows = [(5, 0, 0), (5, 1, 1), (5, 2, 2), (9, 0, -1), (9, 1, 0), (9, 2, 1), (9, 3, 2)]
    assert switched(result, *rows)[3:] == [
        (9, 0, 1001, 0), (10, 1, 1002, 1001), (11, 2, 2001, 1002), (12, 3, 0, 2001),
    ]  # fmt: skip


def test_what_is_told_later_is_not_told_after_what_follows(result):
    """Thread 1 leaves pCPU 1 at 9 ns, which is told as 10 ns, and comes to pCPU 2 at 10 ns."""
    rows = [(5, 0, 0), (5, 1, 1), (9, 0, -1), (9, 1, 0), (10, 2, 1)]
    assert switched(result, *rows)[2:] == [(9, 0, 1001, 0), (10, 1, 1002, 1001), (11, 2, 0, 1002)]
