"""What guests found: from the reports of vCPUs to a figure of a policy, and the block of the table."""

import json
import shutil

import pytest

from simcore.app import columns, found_text, tables
from simcore.app.aggregating import compare_row, run_answer
from simcore.app.cli import exit_code
from simcore.app.finding import FoundBlock, guest_findings
from simcore.scenario import GuestSpec
from tests.app_samples import figures
from tests.scenes import MS, Report, Stage, scene
from workloads import guests
from workloads.findings import Finding, check_findings

WORDS = {-1: "<not supported>", -2: "<not counted>"}


def finding(name="n", **changes):
    return Finding(**{"name": name, "key": name, "heading": ("", name), "meaning": "what it means", **changes})


@pytest.mark.parametrize(
    "vcpus, runs, expected",
    [("sum", "sum", 21), ("max", "sum", 9), ("sum", "max", 15), ("min", "median", 2.5), ("max", "min", 3)],
)
def test_vcpus_are_combined_before_runs(vcpus, runs, expected):
    rows = [{"n": (1, 2, 3)}, {"n": (4, 5, 6)}]
    assert guest_findings([finding(vcpus=vcpus, runs=runs)], rows) == {"n": expected}


def test_a_ratio_is_that_of_the_sums_or_of_each_run():
    rows: list[dict[str, tuple[int, ...]]] = [
        {"n": (1, 1), "m": (4, 4)},
        {"n": (3,), "m": (4,)},
        {"n": (1,), "m": (0,)},
        {"n": (9,)},
    ]
    assert guest_findings([finding(per="m")], rows) == {"n": 5 / 12}
    assert guest_findings([finding(per="m", runs="median")], rows) == {"n": 0.5}


def test_words_count_only_where_there_is_no_number():
    counted = finding(words=WORDS)
    assert guest_findings([counted], [{"n": (-1, -1)}, {"n": (-2,)}]) == {"n": "<not supported>"}
    assert guest_findings([counted], [{"n": (-1, 7)}, {"n": (-2,)}]) == {"n": 7}
    assert guest_findings([counted], [{}]) == {"n": None}
    assert guest_findings([counted], []) == {"n": None}


def test_a_guest_without_findings_has_none_rather_than_an_empty_object():
    assert guest_findings([], [{}]) is None
    assert compare_row("default", "mainline", [figures()], None)["guest_findings"] is None


@pytest.mark.parametrize("wrong", [{"vcpus": "mean"}, {"runs": "last"}, {"unit": "s"}])
def test_a_table_of_findings_is_checked(wrong):
    with pytest.raises(ValueError, match="n"):
        check_findings([finding(**wrong)])
    with pytest.raises(ValueError, match="one name"):
        check_findings([finding(), finding()])


@pytest.mark.parametrize("name", guests.GUESTS)
def test_every_guest_declares_a_table_that_holds(name):
    found = guests.findings_of(GuestSpec(name=name))
    assert all(one.meaning and any(one.heading) for one in found)
    assert all(len(one.key) <= 32 for one in found)  # what the table `reports` holds


def test_the_last_report_of_each_vcpu_counts(monkeypatch):
    def script(cpu):
        for value in (1, 5, 3):
            yield Report("n", value + 10 * cpu.vcpu)
        yield Report("other", 7)

    monkeypatch.setitem(guests.FINDINGS, "scripted", lambda spec: [finding(), finding("most", key="n", vcpus="max")])
    result = Stage(monkeypatch).run(scene(vm={"vcpus": 2}, seconds_ns=MS), script)
    assert run_answer(result)["policies"][0]["guest_findings"] == {"n": 16, "most": 13}


def block(number, **values):
    columns = tuple(finding(f"finding{index:02}", unit="ns" if index == 1 else "") for index in range(number))
    row = compare_row("set-pmu-unpinned:armv8_cortex_a76", "mainline", [figures()], None)
    row["guest_findings"] = {column.name: 1_500_000 for column in columns} | values
    return FoundBlock("some-guest", columns, (row, row | {"guest_findings": None}))


def test_a_wide_table_is_broken_into_blocks_that_fit():
    lines = found_text.found_lines(block(12))
    assert lines[1] == "What the guest found (some-guest)"
    assert max(map(len, lines)) <= columns.WIDTH
    heads = [line.split()[1:] for line in lines if line.startswith("policy@kernel")]
    assert len(heads) == 2
    assert [*heads[0], *heads[1]] == [f"finding{index:02}" for index in range(12)]
    assert sum(line.startswith("set-pmu-unpinned") for line in lines) == 4


def test_a_finding_is_shown_in_its_unit_and_a_word_as_it_stands():
    lines = found_text.found_lines(block(3, finding02="<not supported>"))
    assert lines[4].split()[1:] == ["1.5M", "1.5ms", "<not", "supported>"]
    assert lines[5].split()[1:] == ["-", "-", "-"]
    assert lines[-1] == "finding00, finding01, finding02: what it means."


def test_a_share_below_the_whole_stands_in_brackets_without_a_column_of_its_own():
    columns = (finding("n", aside="m"), finding("m", unit="share"))
    rows = [
        {"policy": name, "kernel": "k", "guest_findings": {"n": 7, "m": share}}
        for name, share in (("a", 1.0), ("b", 0.625), ("c", None))
    ]
    lines = found_text.found_lines(FoundBlock("some-guest", check_findings(columns), tuple(rows)))
    assert [line.split() for line in lines[2:3] + lines[4:7]] == [
        ["policy@kernel", "n"], ["a@k", "7"], ["b@k", "7", "(62.5%)"], ["c@k", "7"],
    ]  # fmt: skip
    for wrong in (finding(aside="other"), finding(aside="n")):
        with pytest.raises(ValueError, match="brackets"):
            check_findings([wrong])


def test_a_comparison_shows_the_blocks_before_its_legend():
    plain = tables.comparison_text(["head"], block(1).rows, None, found=[block(1)])
    assert plain.index("some-guest") < plain.index(tables.LEGEND[0])
    assert "\x1b" not in plain


DUO = "tests/data/platforms/duo.toml"


@pytest.fixture
def one_vcpu(tmp_path):
    path = tmp_path / "one.toml"
    guest = 'guest = { name = "self-test", workload = "dhrystone", boot = "1ms" }'
    shutil.copy(DUO, tmp_path)
    path.write_text(
        f'format = "hetpmu-scenario/1"\nplatform = "duo.toml"\nseconds = "10ms"\n[[vms]]\nvcpus = 1\n{guest}\n'
    )
    return str(path)


def test_compare_tells_what_the_guest_found(one_vcpu, capsys, tmp_path):
    kept = tmp_path / "found.json"
    policies = ("--policies", "set-pmu:pmu_little,default-pinned:pmu_big,fixed-counters-only")
    assert exit_code(["compare", one_vcpu, *policies, "--seeds", "1", "--workers", "1", "--json", str(kept)]) == 0
    shown = capsys.readouterr().out.partition("What the guest found (self-test)")[2]
    rows = [line.split() for line in shown.splitlines() if "@" in line]
    assert rows[1][:4] == ["set-pmu:pmu_little@mainline", "7", "1", "2"]
    assert rows[3][:4] == ["fixed-counters-only@v8", "2", "0", "8"]
    found = {row["policy"]: row["guest_findings"] for row in json.loads(kept.read_text())["policies"]}
    assert found["set-pmu:pmu_little"]["passed"] == 7
    assert found["fixed-counters-only"]["sw-incr"] == "skip"


def test_a_run_tells_it_too_and_a_guest_without_findings_says_nothing(one_vcpu, capsys):
    assert exit_code(["run", one_vcpu, "--set", "vms.0.policy=set-pmu:pmu_big"]) == 0
    assert "What the guest found (self-test)" in capsys.readouterr().out
    assert exit_code(["run", one_vcpu, "--set", "vms.0.guest.name=none"]) == 0
    assert "What the guest found" not in capsys.readouterr().out
