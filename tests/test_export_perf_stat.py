"""`hetpmu export perf-stat`: what perf printed in a guest, from its reads, in scenes of two cores by hand.

perf begins at 1 ms, when the boot is over; the LITTLE core has 1 GHz and 6 event counters. Costs are zero. An
instruction of dhrystone takes 1.0464 cycles there.
"""

import dataclasses
import json
import re

import numpy as np
import pytest

from simcore.app.cli import exit_code
from simcore.app.perf_counts import Asked, snapshots
from simcore.app.perf_forms import Plain, Separated, printed
from simcore.app.running import run
from simcore.app.storing import save_result
from simcore.result import Result
from simcore.scenario import AffinityChange, GuestSpec
from simcore.trace import DTYPES
from tests.scenes import MS, guest_scene
from workloads.perf_stat import parse_perf_stat

GUEST = GuestSpec(
    "linux-perf-stat", "dhrystone", boot_ns=MS, quantum_instructions=100_000, sleep_ns=0, perf_events=(0x10,),
    perf_interval_ns=10 * MS,
)  # fmt: skip
NO_INTERVAL = dataclasses.replace(GUEST, perf_interval_ns=0)
HOMES = (AffinityChange(0, 0, 0, (0,)), AffinityChange(0, 0, 1, (1,)))
"""vCPU 0 stays on the LITTLE core, whose PMU backs the VM, vCPU 1 on the big one."""
LITTLE_CPI = 1.0464
ONCE = Asked()


def ran(policy="default", kernel="mainline", guest=GUEST, seconds_ns=35 * MS, **changes):
    changes = {"affinity_changes": HOMES, "vm": {"vcpus": 2}} | changes
    return run(guest_scene(guest, policy, kernel, seconds_ns=seconds_ns, **changes))


@pytest.fixture(scope="module")
def stalled():
    """Return a run of the default policy in which vCPU 1 runs where no counter counts."""
    return ran()


@pytest.fixture(scope="module")
def directory(stalled, tmp_path_factory):
    """Return the result directory of that run."""
    path = tmp_path_factory.mktemp("perf") / "guest"
    path.mkdir()
    save_result(stalled, path)
    return path


def fields(result, asked=ONCE, per_cpu=False):
    """Return the first fields of -x, as [number, event, running, percent] behind time and CPU."""
    text = printed(snapshots(result, 0, asked), Separated(), per_cpu, bool(asked.interval_ns))
    rows = [[field.strip() for field in line.split(",")] for line in text.splitlines()]
    ahead = per_cpu + bool(asked.interval_ns)
    return [(*row[:ahead], *(row[ahead + at] for at in (0, 2, 3, 4))) for row in rows]


# --- what was read ---------------------------------------------------------------------------------------


def test_a_counter_that_stood_still_prints_its_too_small_number(stalled):
    """vCPU 1 executed 20 M cycles a 10 ms; its counter was on all the time, so it is 0 and not `<not counted>`."""
    cycles = [row for row in fields(stalled, per_cpu=True) if row[2] == "cycles"]
    assert cycles == [
        ("CPU0", "30000000", "cycles", "30000000", "100.00"),
        ("CPU1", "0", "cycles", "30000000", "100.00"),
    ]
    assert fields(stalled)[0] == ("30000000", "cycles", "60000000", "100.00")
    assert int(fields(stalled)[1][0]) == pytest.approx(30 * MS / LITTLE_CPI, rel=1e-3)


def test_each_interval_has_what_came_since_the_last(stalled):
    """Three intervals of 10 ms; the end of the run, 34 ms after perf began, ends none."""
    rows = fields(stalled, Asked(10 * MS), per_cpu=True)
    assert [row for row in rows if row[3] == "cycles"] == [
        (f"0.0{tens}0000000", f"CPU{cpu}", "10000000" if cpu == 0 else "0", "cycles", "10000000", "100.00")
        for tens in (1, 2, 3)
        for cpu in (0, 1)
    ]
    once = {row[1]: int(row[0]) for row in fields(stalled)}
    for event, total in once.items():
        assert sum(int(row[2]) for row in rows if row[3] == event) == total


def test_longer_intervals_are_sums_of_the_guests(stalled):
    assert fields(stalled, Asked(20 * MS))[0] == ("0.020000000", "20000000", "cycles", "40000000", "100.00")
    assert len(fields(stalled, Asked(20 * MS))) == 3


def test_a_pmu_that_is_chosen_counts_all():
    """Both vCPUs share the LITTLE core, 1 GHz."""
    result = ran("set-pmu:pmu_little", affinity_changes=())
    reads = result.tables["perf_reads"]
    last = reads[(reads["interval"] == 3) & (reads["event"] == 0x11)]
    assert int(fields(result)[0][0]) == last["value"].sum() == pytest.approx(30 * MS, abs=3 * MS)


def test_without_event_bits_every_event_is_refused():
    """fixed-counters-only: PMCEID0_EL0 is 0. perf goes on, and prints that at each interval."""
    result = ran("fixed-counters-only", "v8")
    refused = ("<not supported>", "cycles", "0", "100.00")
    assert fields(result)[0] == refused
    assert [row for row in fields(result, Asked(10 * MS)) if row[2] == "cycles"] == [
        (f"0.0{tens}0000000", *refused) for tens in (1, 2, 3)
    ]
    text = printed(snapshots(result, 0, Asked(clock=True)), Plain())
    assert "             60.00 msec cpu-clock                        #    2.000 CPUs utilized          \n" in text
    assert "       0.030000000 seconds time elapsed\n\n" in text


def test_groups_that_take_turns_are_scaled_and_say_so():
    """Nine events for six counters; each group is on them in every other turn of 4 ms, from 1 ms (boot) on.

    Turns: up to 4 ms the first group, the second to 8, the first to 12 ..; perf reads at 31 ms: 3 + 4 + 4 + 4 = 15 ms
    of 30 each.
    """
    groups = ((0x11, 0x08, 0x10, 0x24, 0x00), (0x1001, 0x1002, 0x1003, 0x1004))
    result = ran(guest=dataclasses.replace(GUEST, perf_groups=groups), vm={"vcpus": 1}, affinity_changes=())
    rows = {row[1]: row for row in fields(result)}
    assert rows["cycles"] == ("30000000", "cycles", "15000000", "50.00")
    assert rows["r1001"][2:] == ("15000000", "50.00")
    text = printed(snapshots(result, 0, ONCE), Plain())
    assert re.search(r"^ +30,000,000 +cycles .*\(50\.00%\)$", text, re.MULTILINE)
    first = {row[2]: row for row in fields(result, Asked(10 * MS)) if row[0] == "0.010000000"}
    assert first["cycles"] == ("0.010000000", "10000000", "cycles", "6000000", "60.00")  # 1 to 4 and 8 to 11 ms


def test_an_event_without_a_turn_is_not_counted_and_keeps_its_enabled_time():
    """On six counters: the first group, then the second, which has no turn before 4 ms; perf reads at 3 ms."""
    guest = dataclasses.replace(
        GUEST, perf_groups=((0x11, 0x08, 0x10, 0x24, 0x00), (0x1001, 0x1002, 0x1003)), perf_interval_ns=2 * MS
    )
    result = ran(guest=guest, vm={"vcpus": 1}, affinity_changes=(), seconds_ns=4 * MS)
    assert {row[0] for row in fields(result)[5:]} == {"<not counted>"}
    assert fields(result)[5] == ("<not counted>", "r1001", "0", "0.00")
    assert "  (0.00%)\n" in printed(snapshots(result, 0, ONCE), Plain())


def test_without_intervals_the_last_report_is_printed():
    """The guest reports at the end of the first quantum, of 0.1046 ms, after 100 ms."""
    result = ran(guest=NO_INTERVAL, vm={"vcpus": 1}, affinity_changes=(), seconds_ns=103 * MS)
    number, _, running, percent = fields(result)[0]
    assert 100 * MS <= int(number) == int(running) <= 100 * MS + 104_640
    assert percent == "100.00"
    assert len(result.tables["perf_reads"]) == 0


def test_reports_of_refused_events_last_until_the_run_ends():
    result = ran("fixed-counters-only", "v8", guest=NO_INTERVAL, seconds_ns=5 * MS)
    assert fields(result)[0] == ("<not supported>", "cycles", "0", "100.00")
    assert "0.004000000 seconds time elapsed" in printed(snapshots(result, 0, ONCE), Plain())


@pytest.mark.parametrize("read, enabled, running", [(0, 9, 4), (1, 9, 4), (7, 9, 4), (10**12 + 1, 10**9, 10**9 - 7)])
def test_what_was_read_is_found_again_in_a_scaled_report(stalled, read, enabled, running):
    reports = [(0, 0, f"perf:{event}", -1) for event in ("instructions", "br_mis_pred")]
    reports += [(0, 0, "perf:cycles", read * enabled // running)]
    reports += [(0, 0, "perf:cycles:enabled", enabled), (0, 0, "perf:cycles:running", running)]
    result = with_table(stalled, "reports", reports, guest=NO_INTERVAL)
    assert snapshots(result, 0, ONCE)[0].counts[0][0].value == read


# --- CPUs that read late -----------------------------------------------------------------------------------


def with_table(result, name, rows, guest=GUEST):
    scenario = dataclasses.replace(result.scenario, vms=(dataclasses.replace(result.scenario.vms[0], guest=guest),))
    table = np.array(rows, np.dtype(DTYPES[name]))
    return Result(scenario, {**result.tables, name: table}, result.summary)


def read(vcpu, interval, value, perf_ms=None):
    """Make a row of cycles; all time is running time."""
    at = (interval * 10 if perf_ms is None else perf_ms) * MS
    return (0, vcpu, at, interval, 0x11, value, at, at)


def test_perf_waits_for_the_last_cpu(stalled):
    result = with_table(stalled, "perf_reads", [read(0, 1, 5), read(1, 1, 7), read(0, 2, 9)])
    assert [row[1] for row in fields(result, Asked(10 * MS)) if row[2] == "cycles"] == ["12"]


def test_what_a_cpu_read_too_late_belongs_to_the_next_interval(stalled):
    """vCPU 1 comes 2 ms late to the second interval, and misses the third."""
    rows = [read(0, 1, 1), read(1, 1, 10), read(0, 2, 2), read(1, 2, 20, 22), read(0, 3, 3), read(0, 4, 4)]
    result = with_table(stalled, "perf_reads", [*rows, read(1, 4, 40)])
    cycles = [row[:3] for row in fields(result, Asked(10 * MS), per_cpu=True) if row[3] == "cycles"]
    assert [(at[:5], cpu, value) for at, cpu, value in cycles] == [
        ("0.010", "CPU0", "1"), ("0.010", "CPU1", "10"),
        ("0.020", "CPU0", "1"), ("0.020", "CPU1", "10"),
        ("0.030", "CPU0", "1"), ("0.030", "CPU1", "<not counted>"),
        ("0.040", "CPU0", "1"), ("0.040", "CPU1", "20"),
    ]  # fmt: skip


def test_an_interval_at_whose_end_no_cpu_ran_is_not_printed(stalled):
    result = with_table(stalled, "perf_reads", [read(0, 1, 1), read(1, 1, 1), read(0, 3, 5, 31), read(1, 3, 5, 33)])
    cycles = [row for row in fields(result, Asked(10 * MS)) if row[2] == "cycles"]
    assert [(row[0], row[1]) for row in cycles] == [("0.010000000", "2"), ("0.031000000", "8")]


# --- the command -----------------------------------------------------------------------------------------


def exported(capsys, *arguments):
    assert exit_code(["export", "perf-stat", *map(str, arguments)]) == 0
    return capsys.readouterr().out


def test_the_command_prints_the_form_that_is_asked_for(directory, capsys):
    assert exported(capsys, directory).splitlines()[3] == (
        "        30,000,000      cycles                                                             "
    )
    assert exported(capsys, directory, "--no-big-num").splitlines()[3].startswith("          30000000      cycles")
    assert exported(capsys, directory, "-x\\t", "-A").splitlines()[1] == "CPU1\t0\t\tcycles\t30000000\t100.00\t\t"
    row = json.loads(exported(capsys, directory, "-j", "-I", "30", "--per-cpu").splitlines()[0])
    assert row == {
        "interval": 0.03, "cpu": "0", "counter-value": "30000000.000000", "unit": "", "event": "cycles",
        "event-runtime": 30000000, "pcnt-running": 100.0, "metric-value": 0.0, "metric-unit": "Ghz",
    }  # fmt: skip


def test_generic_names_and_the_clock_bring_perfs_metrics(directory, capsys):
    """30 M cycles in 60 ms of two CPUs' time are 0.5 GHz."""
    text = exported(capsys, directory, "--generic", "--cpu-clock", "--no-big-num")
    assert re.search(r"60\.00 msec cpu-clock +# +2\.000 CPUs utilized", text)
    assert re.search(r"30000000 +cycles +# +0\.500 GHz", text)
    assert re.search(r"\d branch-misses|\d +branch-misses", text)
    assert "br_mis_pred" in exported(capsys, directory)


@pytest.mark.parametrize("branches, pmceid0, pmceid1", [(0x21, 0, 1 << 1), (0x21, 1 << 12, 1 << 1), (0x0C, 1 << 12, 0)])
def test_a_share_of_branches_takes_their_generic_names(stalled, branches, pmceid0, pmceid1):
    """3 misses of 60 branches in 2 * 10 ms; without BR_RETIRED perf's branches are PC_WRITE_RETIRED."""
    rows = [(0, vcpu, 10 * MS, 1, event, value, 10 * MS, 10 * MS) for vcpu, event, value in (
        (0, 0x10, 1), (0, branches, 20), (1, 0x10, 2), (1, branches, 40),
    )]  # fmt: skip
    guest = dataclasses.replace(GUEST, perf_events=(0x10, branches))
    result = with_table(stalled, "perf_reads", rows, guest=guest)
    guests = [(0, "alive", -1, "pmu_little", 6, pmceid0, pmceid1)]
    result = with_table(result, "guests", guests, guest=guest)
    text = printed(snapshots(result, 0, Asked(generic=True, clock=True)), Separated())
    assert "\n3,,branch-misses,20000000,100.00,5.00,of all branches\n" in text
    assert "\n60,,branches,20000000,100.00,3.000,K/sec\n" in text
    assert "3,,br_mis_pred,20000000,100.00,," in printed(snapshots(result, 0, ONCE), Separated())


def test_a_file_is_written_instead(directory, tmp_path, capsys):
    said = exported(capsys, directory, "-x,", "-o", tmp_path / "counts.csv")
    assert said == f"written: {tmp_path / 'counts.csv'}\n"
    assert (tmp_path / "counts.csv").read_text() == exported(capsys, directory, "-x,")
    again = ["export", "perf-stat", str(directory), "-o", str(tmp_path / "counts.csv")]
    assert exit_code(again) == 2
    assert "--force" in capsys.readouterr().err
    assert exit_code([*again, "--force"]) == 0
    assert exit_code([*again[:-1], str(directory / "meta.json"), "--force"]) == 2
    assert "lies in what is read" in capsys.readouterr().err


@pytest.mark.parametrize("options", [("-j",), ("-x,",), ("-x;", "-A"), ("-j", "-I", "10", "-A"), ("-x,", "-I", "10")])
def test_the_importer_finds_the_rates_that_the_guest_saw(directory, tmp_path, capsys, options):
    """Cycles and instructions come from vCPU 0 alone; both that and the sum over intervals lead back to dhrystone's."""
    (tmp_path / "counts").write_text(exported(capsys, directory, *options))
    counts = parse_perf_stat((tmp_path / "counts").read_text(), "counts")
    assert sum(count.value or 0 for count in counts if count.event.name == "cycles") == 30 * MS
    command = ["import", "perf-stat", str(tmp_path / "counts"), "--core", "cortex-a55", "--json", "-"]
    if "-A" not in options:  # there CPU numbers would be taken for the host's
        assert exit_code(command) == 0
        rates = json.loads(capsys.readouterr().out)["workload"]["rates"][0]
        assert rates["core_cpi"] == pytest.approx(LITTLE_CPI, rel=1e-3)
        executed = {row["event"]: int(row["total"]) for row in ran_events(directory) if row["vcpu"] == 0}
        assert rates["events"]["0x0010"] == pytest.approx(1000 * executed[0x10] / executed[0x08], rel=1e-2)


def ran_events(directory):
    from simcore.app.storing import load_result

    return load_result(directory).tables["events"]


@pytest.mark.parametrize("options, message", [
    (["-I", "15"], "no multiple of vms.0.guest.perf_interval\nvalid: 10 ms times N"),
    (["--vm", "1"], "there is no VM 1"),
    (["--run", "02-default"], "unknown run '02-default'"),
    (["-j", "-x,"], "-j and -x exclude each other"),
    (["-I", "0"], "0 is not in the range x>=1"),
    (["-I", "40"], "perf read nothing in this run"),
    (["-x", ""], "an empty separator"),
])  # fmt: skip
def test_what_cannot_be_printed_is_said(directory, capsys, options, message):
    assert exit_code(["export", "perf-stat", str(directory), *options]) == 2
    said = capsys.readouterr().err
    assert message in said
    assert len(said.splitlines()) <= 3


def test_a_guest_without_perf_and_a_run_without_intervals_say_what_makes_them(tmp_path, capsys):
    once = dataclasses.replace(NO_INTERVAL, perf_events=(0x21,))  # which is refused: a report, but not of a count
    for name, guest in (("none", GuestSpec("none", boot_ns=MS)), ("once", once)):
        (tmp_path / name).mkdir()
        save_result(ran(guest=guest, vm={"vcpus": 1}, affinity_changes=(), seconds_ns=5 * MS), tmp_path / name)
    assert exit_code(["export", "perf-stat", str(tmp_path / "none")]) == 2
    assert "no perf stat ran in this guest (none)" in capsys.readouterr().err
    assert exit_code(["export", "perf-stat", str(tmp_path / "none"), "--vm", "0"]) == 2
    assert "valid: a run whose guest is linux-perf-stat" in capsys.readouterr().err
    assert exit_code(["export", "perf-stat", str(tmp_path / "once"), "-I", "10"]) == 2
    assert "run it again with --set vms.0.guest.perf_interval=10ms" in capsys.readouterr().err
    assert exit_code(["export", "perf-stat", str(tmp_path / "once")]) == 2
    said = capsys.readouterr().err
    assert "perf read nothing in this run" in said
    assert "valid: a run of 100ms and more beyond the boot" in said


@pytest.mark.parametrize("every_ns, least", [(10 * MS, "10ms"), (200 * MS, "100ms")])
def test_how_long_a_run_must_be_depends_on_what_perf_reads_first(tmp_path, capsys, every_ns, least):
    guest = dataclasses.replace(NO_INTERVAL, perf_interval_ns=every_ns)
    save_result(ran(guest=guest, vm={"vcpus": 1}, affinity_changes=(), seconds_ns=1000), tmp_path)
    assert exit_code(["export", "perf-stat", str(tmp_path)]) == 2
    assert f"valid: a run of {least} and more beyond the boot" in capsys.readouterr().err


def test_one_of_several_runs_is_named(stalled, tmp_path, capsys):
    for name in ("01-default@mainline", "02-set-pmu-pmu_little@mainline"):
        (tmp_path / "runs" / name).mkdir(parents=True)
        save_result(stalled, tmp_path / "runs" / name)
    (tmp_path / "compare.json").write_text("{}")
    assert exit_code(["export", "perf-stat", str(tmp_path)]) == 2
    assert "--run 01-default@mainline or 02-set-pmu-pmu_little@mainline" in capsys.readouterr().err
    assert "cycles" in exported(capsys, tmp_path, "--run", "runs/01-default@mainline")
