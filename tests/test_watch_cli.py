"""`hetpmu watch` as users type it: on directories of `run` and `replay`, the table, the JSON, the files, bad input."""

import json
from pathlib import Path

import numpy as np
import pytest

from simcore.app.cli import exit_code
from simcore.app.parquet import column_metadata, read_table
from simcore.app.storing import load_runs
from tests.test_watching_replays import by_hand

TESTS = Path(__file__).parent
BOOT = str(TESTS.parent / "docs" / "examples" / "boot.toml")
SHORT = ("--set", "seconds=40ms", "--set", "vms.0.shadows=[]")
SEEN = ("--policies", "default@v6,fixed-counters-only,scaled-time")
BIG, LITTLE = "armv8_cortex_a72", "armv8_cortex_a53"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Return a folder with a run that kept its schedule, `run`, and that run with shadows, `shadowed`."""
    folder = tmp_path_factory.mktemp("watch")
    run = ("run", BOOT, *SHORT)
    assert exit_code([*run, "--set", "schedule=true", "--out", str(folder / "run")]) == 0
    shadows = 'vms.0.shadows=["default@v6", "fixed-counters-only@v8", "scaled-time@what-if"]'
    assert exit_code([*run, "--set", shadows, "--out", str(folder / "shadowed")]) == 0
    return folder


@pytest.fixture(scope="module")
def replayed(tmp_path_factory):
    """Return the directory of a replay that kept its schedule, and beside it the trace."""
    folder = tmp_path_factory.mktemp("replayed")
    (folder / "trace.txt").write_text(by_hand().written())
    arguments = ("replay", str(folder / "trace.txt"), "--threads", "^vcpu", "--platform", "rk3399")
    assert exit_code([*arguments, "--policies", "composite", "--schedule", "--out", str(folder / "replay")]) == 0
    return folder / "replay"


def answer_of(capsys, *arguments):
    capsys.readouterr()
    assert exit_code(["watch", *map(str, arguments), "--json", "-"]) == 0
    return json.loads(capsys.readouterr().out)


def complaint_of(capsys, *arguments):
    capsys.readouterr()
    assert exit_code(["watch", *map(str, arguments)]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert 0 < len(lines) <= 3
    return "\n".join(lines)


def test_what_it_keeps_equals_the_shadows_of_the_run(folder, tmp_path, capsys):
    out = tmp_path / "seen"
    assert exit_code(["watch", str(folder / "run"), *SEEN, "--step", "1ms", "--out", str(out)]) == 0
    shown = capsys.readouterr().out
    assert f"{(out / 'table.txt').read_text()}written: {out}/\n" in shown.replace("\n\nwritten", "\nwritten")
    shadowed = load_runs(folder / "shadowed")[0].tables
    for name in ("ledger", "interrupts", "samples"):
        seen, truth = read_table(out / "tables" / f"{name}.parquet"), shadowed[name]
        truth = truth[truth["policy"] > 0]
        assert len(seen) == len(truth)
        for column in [name for name in seen.dtype.names or () if name != "policy"]:
            assert np.array_equal(seen[column], truth[column]), (name, column)
        assert np.array_equal(seen["policy"] + 1, truth["policy"])
    assert len(read_table(out / "tables" / "samples.parquet")) == 41 * 4 * 3
    assert column_metadata(out / "tables" / "ledger.parquet")["counted"]["unit"] == "events"


def test_the_rows_are_sums_of_the_ledger(folder, capsys):
    answer = answer_of(capsys, folder / "run", *SEEN)
    assert {key: answer[key] for key in ("schema", "kind", "platform", "vcpus", "seconds", "seeds")} == {
        "schema": "hetpmu-watch/1", "kind": "run", "platform": "rk3588", "vcpus": 4, "seconds": 0.04, "seeds": [4],
    }  # fmt: skip
    ledger = load_runs(folder / "shadowed")[0].tables["ledger"]
    ledger = ledger[ledger["slot"] == 31]
    stalled, fixed, timed = answer["policies"]
    for number, row in enumerate((stalled, fixed), 1):
        rows = ledger[ledger["policy"] == number]
        assert row["cycles"] == rows["events"].sum()
        assert row["ledger"] == {name: rows[name].sum() for name in ledger.dtype.names[4:]}
    assert stalled["lost_cycles"] == stalled["ledger"]["off_pmu"] > 0 == fixed["lost_cycles"]
    assert (timed["policy"], timed["ledger"], timed["lost_cycles"]) == ("scaled-time", None, None)


def test_a_replay_has_a_row_for_each_host_pmu_that_the_lottery_may_draw(replayed, tmp_path, capsys):
    seen = ("--policies", "default,fixed-counters-only")
    rows = answer_of(capsys, replayed, *seen)["policies"]
    little, big = 1_373_520, 622_761
    assert [(row["policy"], row["init_pmu"], row["ledger"]["counted"], row["lost_cycles"]) for row in rows] == [
        ("default", LITTLE, little, big),
        ("default", BIG, big, little),
        ("fixed-counters-only", LITTLE, little + big, 0),
    ]
    out = tmp_path / "seen"
    assert exit_code(["watch", str(replayed), *seen, "--out", str(out)]) == 0
    cycles = read_table(out / "tables" / "ledger.parquet")
    cycles = cycles[cycles["slot"] == 31]
    assert cycles[["vcpu", "policy", "counted"]].tolist() == [(0, 0, little), (0, 1, big), (0, 2, little + big)]
    assert not (out / "tables" / "samples.parquet").exists()


def test_every_policy_is_shown_where_none_is_named_and_it_fits(replayed, capsys):
    capsys.readouterr()
    assert exit_code(["watch", str(replayed)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= 120
    assert sum(line.startswith("set-pmu-unpinned:armv8_cortex_a53@mainline") for line in lines) == 2
    assert not any(line.startswith("default-pinned") for line in lines)


def test_what_it_kept_is_shown_and_replaced_on_request_only(folder, tmp_path, capsys):
    out = tmp_path / "seen"
    command = ["watch", str(folder / "run"), "--policies", "fixed-counters-only", "--out", str(out)]
    assert exit_code(command) == 0
    assert exit_code(["show", str(out)]) == 0
    assert f"{out}: a watch\n" in (shown := capsys.readouterr().out)
    assert (out / "table.txt").read_text().rstrip() in shown
    assert exit_code(command) == 2
    assert exit_code([*command, "--force"]) == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["seen"]


def test_a_run_of_a_comparison_has_no_schedule_of_the_others(folder, tmp_path, capsys):
    for number in (1, 2):
        (tmp_path / "runs").mkdir(exist_ok=True)
        (tmp_path / "runs" / f"0{number}-x").symlink_to(folder / "run")
    assert "several runs" in complaint_of(capsys, tmp_path)
    assert answer_of(capsys, tmp_path / "runs" / "01-x", "--policies", "default")["kind"] == "run"


@pytest.mark.parametrize(
    "name, more, says",
    [
        ("shadowed", (), "replay --schedule"),
        ("nowhere", (), "no such result directory"),
        ("run", ("--policies", "nonsense"), "nonsense"),
        ("run", ("--policies", "composite@v6"), "composite@v6"),
        ("run", ("--step", "1ms"), "--step goes with --out"),
        ("run", ("--step", "0s", "--out", "x"), "zero"),
    ],
)
def test_what_is_wrong_is_said_in_three_lines(folder, capsys, name, more, says):
    assert says in complaint_of(capsys, folder / name, *more)


def test_too_fine_a_step_writes_nothing(folder, tmp_path, capsys):
    out = tmp_path / "seen"
    assert "MiB" in complaint_of(capsys, folder / "run", "--step", "1ns", "--out", out)
    assert list(tmp_path.iterdir()) == []


def test_a_replay_keeps_its_schedule_in_a_directory_only(capsys):
    arguments = ["replay", "trace.txt", "--threads", "x", "--platform", "rk3399", "--schedule"]
    assert exit_code(arguments) == 2
    assert "--schedule goes with --out" in capsys.readouterr().err


def test_show_knows_what_watch_kept(folder, tmp_path, capsys):
    assert exit_code(["watch", str(folder / "run"), *SEEN, "--out", str(tmp_path / "seen")]) == 0
    capsys.readouterr()
    assert exit_code(["show", str(tmp_path / "seen")]) == 0
    ledger = read_table(tmp_path / "seen" / "tables" / "ledger.parquet")
    assert f"ledger ({len(ledger)} rows)" in capsys.readouterr().out
    assert exit_code(["show", str(tmp_path / "seen"), "--table", "ledger", "--json", "-"]) == 0
    rows = json.loads(capsys.readouterr().out)["rows"]
    assert [row["counted"] for row in rows] == ledger["counted"].tolist()
    assert exit_code(["show", str(tmp_path / "seen"), "--table", "ledger", "--head", "1"]) == 0
    assert f"seen: ledger, 1 of {len(ledger)} rows" in capsys.readouterr().out
    assert exit_code(["show", str(tmp_path / "seen"), "--table", "nope"]) == 2
