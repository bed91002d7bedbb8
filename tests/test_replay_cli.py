"""`hetpmu replay` as users meet it: the table, the JSON, the result directory and bad input."""

import gzip
import json
from pathlib import Path

import pytest

from simcore.app.cli import exit_code
from simcore.app.trace_replay import SCHEMA

TRACES = Path(__file__).parent / "data" / "traces"
REAL = str(TRACES / "rtapp_6cpu.report.txt.gz")
ARGUMENTS = ("replay", REAL, "--threads", "rt-app|task_r20", "--platform", "juno-r0")
BUSY_NS = [58_223_000, 194_002_000, 72_085_000, 8_852_000, 5_567_000, 4_537_375_000]
RAN_NS = [109_969_000, 4_536_479_000]


@pytest.fixture(scope="module")
def kept(tmp_path_factory):
    """Return the directory that a replay of the real trace left."""
    out = tmp_path_factory.mktemp("replay") / "out"
    assert exit_code([*ARGUMENTS, "--policies", "default,fixed-counters-only", "--out", str(out)]) == 0
    return out


@pytest.fixture
def answer(kept):
    return json.loads((kept / "replay.json").read_text())


def test_times_of_the_real_trace_are_exact(answer):
    assert answer["schema"] == SCHEMA
    assert [row["busy_ns"] for row in answer["cpus"]] == BUSY_NS
    assert [row["run_ns"] for row in answer["threads"]] == RAN_NS == [row["guest_ns"] for row in answer["threads"]]
    assert (answer["guest_time"], answer["resolution_ns"], answer["seconds"]) == ("run", 1000, 9.303145)


def test_there_is_a_row_for_each_host_pmu_that_the_lottery_may_draw(answer):
    assert [(row["policy"], row["kernel"], row["init_pmu"]) for row in answer["policies"]] == [
        ("default", "mainline", "armv8_cortex_a57"),
        ("default", "mainline", "armv8_cortex_a53"),
        ("fixed-counters-only", "v8", "armv8_cortex_a57"),
    ]
    big, little, fixed = answer["policies"]
    assert big["stalled_fraction"] + little["stalled_fraction"] == pytest.approx(1)
    assert (fixed["stalled_fraction"], fixed["lost_cycles"], fixed["reloads"]) == (0, 0, 1)
    assert little["calibration_failures"] == 1, "rt-app ran on the big cores alone"
    assert all(row["crashes"] is row["throughput"] is row["energy_j"] is None for row in answer["policies"])


def test_every_policy_is_shown_where_none_is_named(capsys):
    assert exit_code([*ARGUMENTS, "--json", "-"]) == 0
    rows = json.loads(capsys.readouterr().out)["policies"]
    named = {row["policy"]: row for row in rows}
    assert list(named) == [
        "default", "set-pmu:armv8_cortex_a57", "set-pmu:armv8_cortex_a53",
        "set-pmu-unpinned:armv8_cortex_a57", "set-pmu-unpinned:armv8_cortex_a53", "fixed-counters-only",
    ]  # fmt: skip
    on_big = RAN_NS[0] + 48_000
    assert named["set-pmu-unpinned:armv8_cortex_a53"]["outside_ns"] == on_big
    assert named["set-pmu:armv8_cortex_a57"]["outside_ns"] == sum(RAN_NS) - on_big
    assert named["fixed-counters-only"]["outside_ns"] == named["default"]["outside_ns"] == 0


def test_the_table_fits_wherever_the_trace_lies(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    far = Path("a-folder-with-a-long-name") / "and-another-one-in-it" / "rtapp_6cpu.report.txt.gz"
    far.parent.mkdir(parents=True)
    far.symlink_to(REAL)
    assert exit_code(["replay", str(far), *ARGUMENTS[2:], "--policies", "default"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith(f"{far}: ")
    assert max(map(len, lines)) <= 120


def test_the_table_says_what_was_found(kept):
    lines = (kept / "table.txt").read_text().splitlines()
    for kind in ("no-kvm-events", "running-at-end", "no-first-frequency", "not-an-opp", "domain-disagrees"):
        assert any(line.startswith(f"{kind}: ") for line in lines)
    assert any(line.startswith("   1 task_r20_5-60-6984   4.54s   4.54s") for line in lines)


def test_what_is_kept_can_be_drawn_again(kept, tmp_path):
    assert {path.name for path in kept.iterdir()} == {
        "SHA256SUMS", "continuity.png", "continuity.svg", "replay.json", "runs", "table.txt",
    }  # fmt: skip
    assert exit_code(["plot", str(kept), "--vcpu", "0", "--policies", "all", "-o", str(tmp_path / "p.svg")]) == 0
    assert (tmp_path / "p.svg").stat().st_size > 10_000


def test_a_kept_replay_is_replaced_only_by_force(kept):
    again = [*ARGUMENTS, "--policies", "fixed-counters-only", "--out", str(kept)]
    assert exit_code(again) == 2


@pytest.mark.parametrize(
    "changes, told",
    [
        ({"--threads": "no such thread"}, "task_r20_5-60 (4536.479 ms), rt-app"),
        ({"--threads": "("}, "no regular expression"),
        ({"--platform": "juno"}, "juno-r0"),
        ({"--policies": "fixed"}, "fixed-counters-only"),
        ({"--policies": "fixed-counters-only@mainline"}, "fixed-counters-only@v8"),
        ({"--workload": "429"}, "429.mcf"),
        ({"--vcpu": "2"}, "0 to 1"),
        ({"--align": "clock"}, "--align goes with --measured"),
        ({"--measured": ""}, "this is a directory"),
        ({"TRACE": "no such file"}, "No such file"),
        ({"TRACE": __file__}, "trace-cmd report"),
    ],
)
def test_bad_input_is_told_in_three_lines(changes, told, capsys):
    options = {"--threads": "rt-app|task_r20", "--platform": "juno-r0"} | changes
    trace = options.pop("TRACE", REAL)
    assert exit_code(["replay", trace, *(word for pair in options.items() for word in pair)]) == 2
    text = capsys.readouterr().err
    assert told in text
    assert len(text.splitlines()) <= 3


@pytest.mark.parametrize("form", ("perf_sched.txt", "report_classic.txt", "compact.perfetto-trace"))
def test_forms_of_trace_give_one_answer_and_a_picture_however_short(form, tmp_path, capsys):
    """91 us with KVM events: guest time is what lies between entries and exits."""
    out = tmp_path / "out"
    options = ("--threads", "KVM", "--platform", "rk3588", "--policies", "default", "--out", str(out))
    assert exit_code(["replay", str(TRACES / form), *options]) == 0
    assert max(map(len, capsys.readouterr().out.splitlines()[:-1])) <= 120
    answer = json.loads((out / "replay.json").read_text())
    assert answer["guest_time"] == "kvm"
    assert [(row["run_ns"], row["guest_ns"]) for row in answer["threads"]] == [(65_000, 37_000), (55_000, 30_000)]
    assert (out / "continuity.png").stat().st_size > 10_000


def test_a_trace_without_length_is_refused(tmp_path, capsys):
    path = tmp_path / "short.txt"
    path.write_text(gzip.decompress(Path(REAL).read_bytes()).decode().splitlines()[1] + "\n")
    assert exit_code(["replay", str(path), "--threads", ".", "--platform", "juno-r0"]) == 2
    assert len(capsys.readouterr().err.splitlines()) <= 3


def test_ten_names_are_listed_where_no_thread_matches(capsys):
    assert exit_code(["replay", REAL, "--threads", "CPU [0-9]+/KVM", "--platform", "juno-r0"]) == 2
    assert capsys.readouterr().err.splitlines()[-1].count(" ms)") == 10


def test_a_platform_that_was_not_recorded_is_doubted(kept, capsys):
    asked = ["--threads", "rt-app|task_r20", "--platform", "rk3588", "--policies", "fixed-counters-only"]
    assert exit_code(["replay", REAL, *asked]) == 0
    assert capsys.readouterr().out.startswith("WARNING: this was probably not recorded on rk3588: CPUs of one perf")
    assert "WARNING" not in (kept / "table.txt").read_text()


def test_a_board_on_which_no_guest_has_a_pmu_is_refused_with_policies_and_without(capsys):
    for policies in ([], ["--policies", "fixed-counters-only"]):
        assert (
            exit_code(
                ["replay", str(TRACES / "report_classic.txt"), "--threads", "KVM", "--platform", "sm8750", *policies]
            )
            == 2
        )
        assert capsys.readouterr().err.splitlines()[0].endswith("no PMU policy applies to sm8750")
