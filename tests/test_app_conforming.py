"""`hetpmu conformance`: what is counted, the JSON, exit codes, and the account of a case that fails."""

import copy
import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from simcore.app import conforming
from simcore.app.cli import exit_code
from simcore.app.replaying import OPERATIONS, Replay

VECTORS = Path(__file__).parent / "data" / "vectors"
UAPI, REGS, MIGRATE = (str(VECTORS / f"kvm_{name}.json.gz") for name in ("uapi", "regs", "migrate"))


def content(path: str) -> dict[str, Any]:
    with gzip.open(path, "rt", encoding="utf-8") as file:
        found: dict[str, Any] = json.load(file)
    return found


def kept(path: str, *wanted: int) -> dict[str, Any]:
    """Return a file of a few of the kept sequences."""
    found = content(path)
    return found | {"sequences": [found["sequences"][number] for number in wanted]}


def write(path: Path, made: dict[str, Any]) -> str:
    path.write_text(json.dumps(made))
    return str(path)


def step_of(sequence: dict[str, Any], name: str, result: Any = ...) -> int:
    """Return the last step of an operation in a sequence that gives a result under mainline."""
    found = zip(sequence["ops"], sequence["res"]["mainline"], strict=True)
    return max(step for step, (op, got) in enumerate(found) if op[0] == name and result in (..., got))


@pytest.fixture
def corrupted(tmp_path: Path) -> tuple[str, str, int, Any]:
    """Return a file with one wrong result under mainline, its sequence, the step, and the right result."""
    made = kept(MIGRATE, 0, 1)
    sequence = made["sequences"][1]
    right = sequence["res"]["mainline"]
    sequence["res"] = {"mainline": copy.copy(right)}
    step = step_of(sequence, "rd")
    sequence["res"]["mainline"][step] = "0x1234"
    return write(tmp_path / "x.json", made), sequence["id"], step, right[step]


def run(*arguments: str, capsys: Any) -> tuple[int, str, str]:
    code = exit_code(["conformance", *arguments])
    out, err = capsys.readouterr()
    return code, out, err


# Counting


@pytest.mark.parametrize("quirks", ("--quirks", "--no-quirks"))
def test_the_kept_files_pass(quirks: str, capsys: Any):
    code, out, err = run(quirks, UAPI, REGS, MIGRATE, capsys=capsys)
    assert code == 0
    lines = [line.split() for line in out.splitlines()]
    assert lines[0] == ["file", "variant", "cases", "passed", "failed"]
    assert [(Path(line[0]).name, line[1]) for line in lines[1:-1]] == [
        (Path(path).name, variant) for path in (UAPI, REGS, MIGRATE) for variant in ("mainline", "v6", "v8")
    ]
    assert all(line[2] == line[3] and line[4] == "0" for line in lines[1:-1])
    total = str(3 * sum(len(content(path)["sequences"]) for path in (UAPI, REGS, MIGRATE)))
    assert lines[-1] == ["all", total, total, "0"]
    assert err.startswith(f"{total} cases in ")


def test_text_and_json_are_the_same_each_time(corrupted: Any, tmp_path: Path, capsys: Any):
    answers = []
    for number in (0, 1):
        target = tmp_path / f"{number}.json"
        _, out, _ = run(corrupted[0], "--json", str(target), capsys=capsys)
        answers.append((out, target.read_text()))
    assert answers[0] == answers[1]


def test_the_json_of_a_pass(capsys: Any):
    code, out, err = run(UAPI, MIGRATE, "--variant", "v8", "--json", "-", capsys=capsys)
    assert code == 0
    counts = [len(content(path)["sequences"]) for path in (UAPI, MIGRATE)]
    assert json.loads(out) == {
        "schema": "hetpmu-conformance/1",
        "files": [
            {"file": UAPI, "cases": counts[0], "passed": counts[0], "failed": []},
            {"file": MIGRATE, "cases": counts[1], "passed": counts[1], "failed": []},
        ],
    }
    assert "variant" in err


def test_the_json_of_a_failure(corrupted: Any, capsys: Any):
    path, name, step, right = corrupted
    code, out, _ = run(path, "--json", "-", capsys=capsys)
    assert code == 1
    (row,) = json.loads(out)["files"]
    sequence = json.loads(Path(path).read_text())["sequences"][1]
    assert row == {
        "file": path,
        "cases": 4,
        "passed": 3,
        "failed": [
            {
                "case": name,
                "variant": "mainline",
                "step": step,
                "op": sequence["ops"][step],
                "expected": "0x1234",
                "got": right,
            }
        ],
    }


def test_a_file_that_is_named_twice_is_replayed_twice(capsys: Any):
    code, out, _ = run(REGS, REGS, "--json", "-", capsys=capsys)
    assert code == 0
    assert [row["file"] for row in json.loads(out)["files"]] == [REGS, REGS]


def test_only_the_first_difference_of_a_case_counts(tmp_path: Path, capsys: Any):
    made = kept(UAPI, 0)
    made["sequences"][0]["res"] = {"mainline": ["-EPERM"] * len(made["sequences"][0]["ops"])}
    _, out, _ = run(write(tmp_path / "x.json", made), "--json", "-", capsys=capsys)
    assert [row["step"] for row in json.loads(out)["files"][0]["failed"]] == [0]


@pytest.mark.parametrize("wrong", (1, "0x0", "ok", "-EBUSY", "UNDEF"))
def test_a_result_of_another_form_is_a_difference(wrong: Any, tmp_path: Path, capsys: Any):
    made = kept(UAPI, 0)
    sequence = made["sequences"][0]
    step = step_of(sequence, "create_vcpu", 0)
    sequence["res"] = {"mainline": sequence["res"]["mainline"]}
    sequence["res"]["mainline"][step] = wrong
    code, out, _ = run(write(tmp_path / "x.json", made), "--json", "-", capsys=capsys)
    assert code == 1
    assert [(row["step"], row["got"]) for row in json.loads(out)["files"][0]["failed"]] == [(step, 0)]


# Variants and quirks


def test_a_file_may_have_some_of_the_variants(tmp_path: Path, capsys: Any):
    made = kept(UAPI, 0, 1)
    first, second = made["sequences"]
    first["res"] = {"mainline": first["res"]["mainline"]}
    second["res"] = {"mainline": second["res"]["mainline"], "v8": second["res"]["v8"]}
    path = write(tmp_path / "x.json", made)
    code, out, _ = run(path, capsys=capsys)
    assert code == 0
    assert [line.split()[1:3] for line in out.splitlines()[1:]] == [["mainline", "2"], ["v8", "1"], ["3", "3"]]
    code, out, _ = run(path, "--variant", "v8", capsys=capsys)
    assert out.splitlines()[-1].split() == ["all", "1", "1", "0"]
    code, out, err = run(path, "--variant", "v6", capsys=capsys)
    assert (code, out) == (2, "")
    assert err == f"hetpmu: {path}: no results of variant 'v6'\nvalid: mainline, v8, all\n"


def test_a_variant_that_one_of_the_files_lacks_stops_all(tmp_path: Path, monkeypatch: Any, capsys: Any):
    made = kept(UAPI, 0)
    made["sequences"][0]["res"] = {"mainline": made["sequences"][0]["res"]["mainline"]}
    monkeypatch.setattr(Replay, "step", None)
    assert run(REGS, write(tmp_path / "x.json", made), "--variant", "v6", capsys=capsys)[0] == 2


def test_an_unknown_variant_has_near_matches(capsys: Any):
    code, _, err = run(UAPI, "--variant", "main", capsys=capsys)
    assert code == 2
    assert err == "hetpmu: --variant: unknown variant 'main'\nvalid: did you mean mainline?\n"


@pytest.mark.parametrize("variant", ("v4", "review"))
def test_results_of_every_revision_can_be_checked(variant: str, tmp_path: Path, capsys: Any):
    """Where they do as v6 and v8 do, the recorded results of those hold."""
    made = kept(REGS, 0, 1, 2)
    for sequence in made["sequences"]:
        like = sequence["res"]["v6" if variant == "v4" else "v8"]
        sequence["res"] = {variant: sequence["res"]["mainline"] if like == "=" else like}
    code, out, _ = run(write(tmp_path / "x.json", made), capsys=capsys)
    assert code == 0
    assert variant in out


def test_quirks_are_those_of_the_recording(capsys: Any, tmp_path: Path):
    """Without the patches the recorded results fail under --no-quirks; as if recorded, the patched ones fail with."""
    made = content(MIGRATE)
    made["sequences"] = [row for row in made["sequences"] if "period_quirk" in row]
    patches = {row["id"]: row.pop("period_quirk") for row in made["sequences"]}
    path = write(tmp_path / "x.json", made)
    assert run(path, "--variant", "mainline", capsys=capsys)[0] == 0
    code, out, _ = run(path, "--no-quirks", "--variant", "mainline", "--json", "-", capsys=capsys)
    assert code == 1
    failed = json.loads(out)["files"][0]["failed"]
    assert {row["case"] for row in failed} == {name for name, patch in patches.items() if patch.get("mainline")}
    for row in failed:
        patch = patches[row["case"]]["mainline"]
        assert row["step"] == min(map(int, patch))
        assert row["got"] == patch[str(row["step"])]


# Bad input


def test_every_file_is_checked_before_the_first_replay(tmp_path: Path, monkeypatch: Any, capsys: Any):
    made = kept(REGS, 0)
    made["sequences"][0]["ops"][-1] = ["rd", 0, "PMFOO_EL0", 1]
    monkeypatch.setattr(Replay, "step", None)
    target = tmp_path / "answer.json"
    path = write(tmp_path / "x.json", made)
    code, out, err = run(UAPI, path, "--json", str(target), capsys=capsys)
    assert (code, out, target.exists()) == (2, "", False)
    name = made["sequences"][0]["id"]
    step = len(made["sequences"][0]["ops"]) - 1
    place = f"{path}: sequence \"{name}\", ops, step {step}, argument 'reg' of 'rd'"
    assert err.startswith(f"hetpmu: {place}: unknown register 'PMFOO_EL0'\nvalid: ")
    assert len(err.splitlines()) <= 3


def test_a_truncated_file_is_bad_input(tmp_path: Path, capsys: Any):
    path = tmp_path / "x.json.gz"
    path.write_bytes(Path(UAPI).read_bytes()[:-100])
    code, out, err = run(str(path), capsys=capsys)
    assert (code, out) == (2, "")
    assert "damaged gzip file" in err


@pytest.mark.parametrize("arguments", ((), (UAPI, "--show", "-1"), (UAPI, "--variant"), ("nowhere.json.gz",)))
def test_wrong_usage_is_exit_two(arguments: tuple[str, ...], capsys: Any):
    code, out, err = run(*arguments, capsys=capsys)
    assert (code, out) == (2, "")
    assert 1 <= len(err.splitlines()) <= 3


SCHEDULER = tuple(str(VECTORS / f"sched_{part}.json.gz") for part in conforming.SCHEDULER_PARTS)


def test_scheduler_files_have_no_variants(capsys: Any):
    code, out, _ = run(*SCHEDULER, "--variant", "v8", "--no-quirks", "--json", "-", capsys=capsys)
    assert code == 0
    rows = json.loads(out)["files"]
    assert [row["passed"] for row in rows] == [row["cases"] for row in rows]
    assert all(row["cases"] > 10 for row in rows)


@pytest.mark.parametrize("path", SCHEDULER)
def test_a_wrong_result_of_the_scheduler_is_shown(path: str, tmp_path: Path, capsys: Any):
    made = content(path)
    vector = made["vectors"][0]
    number = _spoil(vector.get("result") or vector.get("log") or [row.get("result", row) for row in vector["steps"]])
    code, out, _ = run(write(tmp_path / "x.json", made), "--json", str(tmp_path / "answer"), capsys=capsys)
    assert code == 1
    assert f"{vector['id']} of part {made['part']}" in out
    (failed,) = json.loads((tmp_path / "answer").read_text())["files"][0]["failed"]
    assert (failed["case"], failed["variant"]) == (vector["id"], None)
    assert str(number) in json.dumps(failed["expected"])


def _spoil(value: Any) -> int:
    """Add one to the last number in a recorded result; return what it is now."""
    places = range(len(value)) if isinstance(value, list) else list(value)
    for place in reversed(places):
        inner = value[place]
        if isinstance(inner, int) and not isinstance(inner, bool):
            value[place] = inner + 1
            return inner + 1
        if isinstance(inner, list | dict) and inner:
            return _spoil(inner)
    raise AssertionError("no number")


def test_a_bug_of_ours_names_the_case(monkeypatch: Any, capsys: Any):
    def broken(*arguments: Any) -> Any:
        raise ZeroDivisionError

    monkeypatch.setattr(Replay, "step", broken)
    code, _, err = run(UAPI, capsys=capsys)
    assert code == 4
    assert f"in {content(UAPI)['sequences'][0]['id']!r} under mainline, step 0: ['create_vcpu']" in err


# The account


def test_the_account_shows_how_it_came_to_the_difference(corrupted: Any, capsys: Any):
    path, name, step, right = corrupted
    code, out, _ = run(path, capsys=capsys)
    assert code == 1
    assert f"{name} under mainline: step {step} differs" in out
    assert "expected  0x1234" in out
    assert f"got       {right}" in out
    sequence = json.loads(Path(path).read_text())["sequences"][1]
    before = range(step - 12, step)
    shown = [line.split() for line in out.partition(" steps before\n")[2].splitlines()[:12]]
    assert [words[:2] for words in shown] == [[str(number), sequence["ops"][number][0]] for number in before]
    results = [sequence["res"]["mainline"][number] for number in before]
    assert [words[-1] for words in shown] == [str(result).split()[-1] for result in results]
    assert out.count("\n\n") == 4  # between the table, the host, the steps, the state and the counters
    assert f"... {step - 12} steps before" in out
    assert max(map(len, out.splitlines())) <= 120


def tiny(ops: list[Any], results: list[Any]) -> dict[str, Any]:
    pmus = [
        {"type": 8, "cpus": [0, 1], "n": 6, "ceid0": "0x0", "ceid1": "0x0"},
        {"type": 9, "cpus": [2], "n": 4, "ceid0": "0x0", "ceid1": "0x0"},
    ]
    plat = {"ncpus": 4, "host_pmuver": 6, "el0_32": 0, "impdef": 0, "pmus": pmus}
    vm = {"gic": 1, "nr_spis": 64, "el2": 0, "el3": 1}
    sequence = {"id": "t0", "plat": plat, "vm": vm, "ops": ops, "res": {"v6": results}}
    return {"header": {"schema": "hetpmu-vectors/1"}, "sequences": [sequence]}


PREPARED = [
    ["create_vcpu"], ["gic_init"], ["vcpu_init", 0, 0, 1],
    ["set_attr", 0, 0, "IRQ", 23], ["set_attr", 0, 0, "INIT", None], ["run", 0, 1],
]  # fmt: skip
READY = [0, 0, 0, 0, 0, "guest"]


def test_the_account_shows_the_state(tmp_path: Path, capsys: Any):
    ops = [
        *PREPARED,
        ["wr", 0, "PMCNTENCLR_EL0", "0xffffffff", 1],
        ["wr", 0, "PMEVTYPER2_EL0", "0x8", 1],
        ["wr", 0, "PMEVCNTR2_EL0", "0x10", 1],
        ["wr", 0, "PMCNTENSET_EL0", "0x4", 1],
        ["wr", 0, "PMCR_EL0", "0x1", 1],
        ["adv", 0, 100, {"0x8": 5}, 1],
        ["rd", 0, "PMEVCNTR2_EL0", 1],
    ]
    path = write(tmp_path / "x.json", tiny(ops, [*READY, *["ok"] * 6, "0x16"]))
    _, out, _ = run(path, capsys=capsys)
    for part in (
        "host: 4 CPUs, PMUVer 6 (guests get up to 6), no AArch32 at EL0",
        "PMUs: type 8 on CPU 0-1 with N 6; type 9 on CPU 2 with N 4",
        "VM: vGICv3 with 64 SPIs, ID registers show EL3; with period quirks",
        'adv v0 cycles=100 {"0x8": 5} EL1',
        ">  12 rd v0 PMEVCNTR2_EL0 EL1\n      expected  0x16\n      got       0x15",
        "N 6, backed by the PMU of type 8, supported_cpus 0-3, PMUVer 6, not fixed, no filter, has run",
        "v0: initialised, PMU created (INIT), IRQ 23, in the guest on CPU 1 at EL1;",
        "PMCR 0x3041 (E LC N=6), PMCNTENSET 0x4",
    ):
        assert part in out
    assert [line.split() for line in out.rstrip().splitlines()[-3:]] == [
        ["counter", "value", "type", "enabled", "int", "ovs", "event", "now", "overflow", "in"],
        ["PMEVCNTR2", "0x15", "0x8", "yes", "yes", "yes", "yes", "counted", "0xffffffeb"],
        ["PMCCNTR", "0x1de7ec7edbadc0de", "0x0", "no", "yes", "yes", "no", "disabled", "-"],
    ]


def test_the_account_names_the_rule_that_decided(tmp_path: Path, capsys: Any):
    ops = [*PREPARED, ["set_attr", 0, 0, "FILTER", [17, 1, 1]]]
    _, out, _ = run(write(tmp_path / "x.json", tiny(ops, [*READY, 0])), capsys=capsys)
    assert "got       -EBUSY\n      decided by already_created: INIT was done on this vCPU.\n" in out
    ops = [*PREPARED[:4], ["set_attr", 0, 0, "IRQ", 24], ["rd", 0, "PMCR_EL0", 1]]
    _, out, _ = run(write(tmp_path / "y.json", tiny(ops, [*READY[:4], "-EINVAL", "UNDEF"])), capsys=capsys)
    assert "got       NOTRUN" in out
    assert "decided by" not in out


def test_the_account_shows_what_a_disabled_counter_holds(tmp_path: Path, capsys: Any):
    ops = [*PREPARED, ["wr", 0, "PMCNTENCLR_EL0", "0xffffffff", 1], ["wr", 0, "PMEVTYPER5_EL0", "0x11", 1]]
    _, out, _ = run(write(tmp_path / "x.json", tiny(ops, [*READY, "ok", "UNDEF"])), capsys=capsys)
    assert [line.split()[:4] for line in out.rstrip().splitlines()[-2:]] == [
        ["PMEVCNTR5", "0xdbadc0de", "0x11", "no"],
        ["PMCCNTR", "0x1de7ec7edbadc0de", "0x0", "no"],
    ]


def test_an_account_of_a_vm_without_vcpu_or_feature(tmp_path: Path, capsys: Any):
    for ops, results, parts in (
        ([["run", 5, 0]], ["guest"], ["got       NOVCPU", "backed by no host PMU", "no PMU feature"]),
        ([["create_vcpu"], ["vm"]], [0, [6, [0], 8]], ["got       [0, [0, 1, 2, 3], -1]", "v0: not initialised"]),
        ([["create_vcpu"], ["vcpu_init", 0, 0, 0]], [0, 7], ["got       0", "v0: initialised", "no PMU feature"]),
        ([["create_vcpu"], ["get_reg", 0, "PMCR_EL0"]], [0, "0x0"], ["got       -ENOEXEC", "PMU not created, no IRQ"]),
    ):
        code, out, _ = run(write(tmp_path / "x.json", tiny(ops, results)), capsys=capsys)
        assert code == 1
        assert "registers of" not in out
        assert [part for part in parts if part not in out] == []


def test_a_patched_result_is_shown_with_the_recorded_one(tmp_path: Path, capsys: Any):
    made = tiny([["create_vcpu"], ["gic_init"]], [0, "-ENXIO"])
    made["sequences"][0]["period_quirk"] = {"v6": {"1": "-EPERM"}}
    _, out, _ = run(write(tmp_path / "x.json", made), "--no-quirks", capsys=capsys)
    assert "expected  -EPERM  (period_quirk; the kernel gives -ENXIO)" in out
    assert "without period quirks" in out


@pytest.mark.parametrize(
    "show, accounts, last",
    (
        (0, 0, "5 failed; --show N shows more of them"),
        (2, 2, "and 3 more failed; --show N shows more of them"),
        (5, 5, ""),
        (9, 5, ""),
    ),
)
def test_show_limits_the_accounts(show: int, accounts: int, last: str, tmp_path: Path, capsys: Any):
    made = kept(UAPI, 0, 1, 2, 3, 4)
    for sequence in made["sequences"]:
        sequence["res"] = {"mainline": ["-EPERM", *sequence["res"]["mainline"][1:]]}
    code, out, _ = run(write(tmp_path / "x.json", made), "--show", str(show), capsys=capsys)
    assert code == 1
    assert out.count(" differs (") == accounts
    assert not last or out.rstrip().splitlines()[-1] == last
    assert ("failed; --show" in out) == bool(last)


def test_the_page_shows_what_is_printed(tmp_path: Path, monkeypatch: Any, capsys: Any):
    text = (VECTORS.parent / "derived_sequences.json").read_text()
    head, _, tail = text.rpartition('"0x80000003"')
    (tmp_path / "changed.json").write_text(f'{head}"0x80000007"{tail}')
    page = (Path(__file__).parents[1] / "docs" / "conformance.md").read_text()
    block = page.partition("\n```\nbitmaps-beyond-n")[2].partition("\n```\n")[0]
    monkeypatch.chdir(tmp_path)
    _, out, _ = run("changed.json", "--variant", "mainline", capsys=capsys)
    assert block
    for part in f"bitmaps-beyond-n{block}".split("\n[...]\n"):
        assert part in out


def test_the_page_lists_every_operation():
    page = (Path(__file__).parents[1] / "docs" / "conformance.md").read_text()
    rows = page.partition("| Operation |")[2].partition("\n\n")[0].splitlines()[2:]
    assert [row.split("`")[1] for row in rows] == list(OPERATIONS)


def test_an_account_of_every_kept_sequence_fits_the_screen(tmp_path: Path, capsys: Any):
    """Whatever the state is, it can be shown: each sequence is made to fail at its last step."""
    for path in (UAPI, REGS, MIGRATE):
        made = content(path)
        for sequence in made["sequences"]:
            sequence["res"] = {"mainline": [*sequence["res"]["mainline"][:-1], "-EPERM"]}
        code, out, _ = run(write(tmp_path / ("x" * 100 + ".json"), made), "--show", "1000", capsys=capsys)
        assert code == 1
        assert out.count(" differs (") == len(made["sequences"])
        assert max(map(len, out.splitlines())) <= 120
