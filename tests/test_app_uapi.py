"""`hetpmu uapi`: the case tables as sequences, the rules that decide, the states; and the text and JSON of it."""

import json
from dataclasses import replace

import pytest

from pmu import attributes, checks, register_hooks
from pmu.revisions import V6
from simcore.app.cli import exit_code
from simcore.app.uapi_running import Column, as_json, column_row, columns_of
from simcore.app.uapi_text import MAIL, SCREEN, report
from tests.uapi_platforms import EVERY, account, host, path, results

SERIES = ("v6", "v8", "review")
EXCLUSIVE = ("v8", "review")
ALL_SIX = "; ".join(f"has {number}" for number in range(6))
FIXED = "set FIXED_COUNTERS_ONLY"
PREP = "gic; set IRQ 23; set INIT"
PREP_BOTH = "gic; v0 set IRQ 23; v0 set INIT; v1 set IRQ 23; v1 set INIT"
OK3 = [0, 0, 0]
CASES = (
    ("T01", "HOM", ("mainline",), ALL_SIX, [0, 0, 0, 0, 0, "-ENXIO"]),
    ("T02", "HOM", SERIES, "has 5; has 6", [0, "-ENXIO"]),
    ("T03", "HOM", EVERY, "init nopmu; has IRQ; set IRQ 23; get IRQ", [0, "-ENXIO", "-ENODEV", "-ENODEV"]),
    ("T04", "HOM", ("mainline",), f"set 5; {PREP}; set 5", ["-ENXIO", *OK3, "-EBUSY"]),
    ("T05", "HOM user", EVERY, "set IRQ null; get IRQ", ["-EINVAL", "-EINVAL"]),
    ("T06", "HOM", EVERY, "set IRQ null", ["-EFAULT"]),
    (
        "T07", "HOM", EVERY, "set IRQ 15; set IRQ 1020; get IRQ; set IRQ 31; get IRQ",
        ["-EINVAL", "-EINVAL", "-ENXIO", 0, 31],
    ),
    ("T08", "HOM", EVERY, "set IRQ 20; set IRQ 20; set IRQ 21", [0, "-EBUSY", "-EINVAL"]),
    ("T09", "HOM", EVERY, "set IRQ 40; set IRQ 40; set IRQ 41", [0, "-EINVAL", "-EBUSY"]),
    ("T10", "HOM", EVERY, "v0 set IRQ 23; v1 set IRQ 22; v1 set IRQ 23", [0, "-EINVAL", 0]),
    ("T11", "HOM", EVERY, "v0 set IRQ 40; v1 set IRQ 40; v1 set IRQ 41", [0, "-EINVAL", 0]),
    ("T12", "HOM", EVERY, "v0 set IRQ 23; v1 set IRQ 40; v2 set IRQ 23", [0, 0, "-EINVAL"]),
    (
        "T13", "HOM", EVERY, "set INIT; gic; set INIT; set IRQ 23; set INIT; set INIT",
        ["-ENODEV", 0, "-ENXIO", 0, 0, "-EBUSY"],
    ),
    ("T14", "HOM user", EVERY, "set INIT; run cpu=0", [0, "guest"]),
    ("T15", "HOM", EVERY, "gic; set IRQ 23; run cpu=0; set SET_PMU 8", [0, 0, "-EINVAL", 0]),
    (
        "T16", "HOM", EVERY, f"{PREP}; get IRQ; set SET_PMU 8; set FILTER 3:1:deny; set 77",
        [*OK3, 23, "-EBUSY", "-EBUSY", "-EBUSY"],
    ),
    (
        "T17", "HET", EVERY, "set FILTER 0x11:1:2; set FILTER 0xffff:2:allow; set FILTER 0xffff:1:allow",
        ["-EINVAL", "-EINVAL", 0],
    ),
    ("T18", "HOM v3", EVERY, "set FILTER 1023:1:deny; set FILTER 1023:2:deny", [0, "-EINVAL"]),
    (
        "T19", "HET", EVERY, f"{PREP_BOTH}; v0 run cpu=0; v1 set FILTER 3:1:9; v1 set FILTER 3:1:deny",
        [*OK3, 0, 0, "guest", "-EBUSY", "-EBUSY"],
    ),
    (
        "T20", "HET", EVERY,
        f"{PREP}; run; v1 set FILTER 3:1:9; v1 set FILTER 3:1:deny; v1 set SET_PMU 99; v1 set SET_PMU 8",
        [*OK3, "guest", "-EINVAL", "-EBUSY", "-ENXIO", "-EBUSY"],
    ),
    (
        "T21", "HET", ("mainline",),
        "set SET_PMU pmu_b; reg get PMCR; set 4 5; set SET_NR_COUNTERS 4; set SET_NR_COUNTERS 0; reg get PMCR_EL0",
        [0, "0x2000", "-EINVAL", 0, 0, "0x0"],
    ),
    ("T22", "HET", ("mainline",), "set SET_NR_COUNTERS 3; set SET_PMU 8; reg get PMCR", [0, 0, "0x3000"]),
    ("T23", "HET", ("mainline",), "set FILTER 0x11:1:deny; set SET_PMU 8; set SET_PMU 9", [0, 0, "-EBUSY"]),
    (
        "T24", "HET", ("mainline",), "init cpu=5; reg get PMCR; set FILTER 3:1:deny; set SET_PMU 8; set SET_PMU 9",
        [0, "0x2000", 0, "-EBUSY", 0],
    ),
    ("T25", "GAP", ("mainline",), "init cpu=6", ["-ENODEV"]),
    (
        "T26", "HET", ("mainline",), f"{PREP}; run cpu=0; v1 set SET_NR_COUNTERS 2; v0 guest read PMCR",
        [*OK3, "guest", 0, "0x1000"],
    ),
    (
        "T26 documented", "HET", ("mainline+doc",), f"v1 set SET_PMU 8; {PREP}; run; v1 set SET_NR_COUNTERS 2",
        [0, *OK3, "guest", "-EBUSY"],
    ),
    ("T27", "HET", ("mainline",), "set FILTER 0x11:1:allow; set SET_NR_COUNTERS 2", [0, 0]),
    ("T27 documented", "HET", ("mainline+doc",), "set FILTER 0x11:1:allow; set SET_NR_COUNTERS 2", [0, "-EBUSY"]),
    ("T28", "HET", EVERY, f"set SET_PMU 9; {PREP}; run cpu=1; run cpu=4", [0, *OK3, "FAIL_ENTRY", "guest"]),
    (
        "T29", "HET", EVERY, f"set SET_PMU 9; {PREP_BOTH}; v0 run cpu=1; v0 reg set PMCR 0x1000; v0 reg get PMCR",
        [0, *OK3, 0, 0, "FAIL_ENTRY", 0, "0x2000"],
    ),
    ("T33", "HET", SERIES, f"{FIXED}; get FIXED_COUNTERS_ONLY; reg get PMCR", [0, 0, "0x0"]),
    ("T34", "HET", SERIES, "get FIXED_COUNTERS_ONLY", ["-ENXIO"]),
    (
        "T35", "HET", ("v6",), f"{FIXED}; set SET_PMU 9; get FIXED_COUNTERS_ONLY; reg get PMCR",
        [0, 0, "-ENXIO", "0x2000"],
    ),
    (
        "T36", "HET", EXCLUSIVE, f"{FIXED}; set SET_PMU 99; set SET_PMU 9; get FIXED_COUNTERS_ONLY",
        [0, "-ENXIO", "-EBUSY", 0],
    ),
    ("T37", "HET", ("v6",), f"set SET_PMU 9; {FIXED}; {PREP}; run cpu=0", [0, 0, *OK3, "guest"]),
    ("T38", "HET", EXCLUSIVE, f"set SET_PMU 8; {FIXED}", [0, "-EBUSY"]),
    ("T39", "HET", ("v6",), f"set FILTER 0x11:1:deny; {FIXED}", [0, "-EBUSY"]),
    (
        "T40", "HET", ("v6",), f"{FIXED}; set FILTER 0x11:1:deny; {FIXED}; set SET_PMU 8; get 5",
        [0, 0, 0, 0, "-ENXIO"],
    ),
    ("T41", "HET", EXCLUSIVE, f"{FIXED}; set FILTER 1:1:7; set FILTER 1:1:deny", [0, "-EINVAL", "-EBUSY"]),
    ("T42", "HET", ("v6", "v8"), f"{FIXED}; set SET_NR_COUNTERS 0; set SET_NR_COUNTERS 1", [0, 0, "-EINVAL"]),
    ("T43", "HET", ("review",), f"{FIXED}; set SET_NR_COUNTERS null; set SET_NR_COUNTERS 0", [0, "-EFAULT", "-EBUSY"]),
    ("T44", "HET", ("review",), f"set SET_NR_COUNTERS 2; {FIXED}; set SET_PMU 8", [0, "-EBUSY", 0]),
    ("T45", "HET", SERIES, f"{PREP}; run cpu=0; {FIXED}", [*OK3, "guest", "-EBUSY"]),
    ("T46", "GAP", ("v6",), f"{FIXED}; {PREP}; run cpu=5", [0, *OK3, "FAIL_ENTRY"]),
    (
        "T64", "HET", EVERY, "reg get PMCEID0; reg get PMXEVCNTR; reg get PMMIR; reg get PMSWINC",
        ["-ENOENT", "-ENOENT", "-ENOENT", "0x0"],
    ),
    (
        "T65", "HET", EVERY, "reg set PMCR 0x1000; reg get PMCR; reg set PMCR 0x3800; reg get PMCR",
        [0, "0x1000", 0, "0x1000"],
    ),
    ("T66", "HET", EVERY, "reg set PMCNTENSET 5; reg set PMCNTENCLR 5; reg get PMCNTENSET", [0, 0, "0x5"]),
    (
        "T67", "HET", SERIES,
        f"{FIXED}; reg set PMCR 0x1800; reg set PMCNTENSET 0xffffffff; reg get PMCR; reg get PMCNTENSET",
        [0, 0, 0, "0x0", "0x80000000"],
    ),
    (
        "T68", "HET", SERIES, f"{FIXED}; {PREP}; run; guest read PMCEID0; guest read PMCEID1; guest read PMEVCNTR0",
        [0, *OK3, "guest", "0x0", "0x0", "UNDEF"],
    ),
    ("T72", "HET", ("v4",), f"{FIXED}; set SET_PMU 9; reg get PMCR", [0, 0, "0x0"]),
)  # fmt: skip


@pytest.mark.parametrize(
    "where, kernels, text, expected", [case[1:] for case in CASES], ids=[case[0].replace(" ", "-") for case in CASES]
)
def test_a_case(where, kernels, text, expected):
    name, _, condition = where.partition(" ")
    machine = replace(host(name), pmuver=1) if condition == "v3" else host(name)
    found = account(text, machine, kernels, irqchip="user" if condition == "user" else "gicv3")
    for kernel in kernels:
        assert results(found, kernel) == expected, kernel


def table(capsys, *arguments):
    """Run the command on a made platform and return what it prints."""
    assert exit_code(["uapi", *arguments]) == 0
    return capsys.readouterr().out


def lines_of(text, start):
    """Return the words of the first line that starts so, and whether it is marked."""
    return next(line for line in text.splitlines() if line.strip().startswith(start)).split()


def test_a_case_as_typed(capsys):
    text = table(capsys, "--platform", path("HET"), "set SET_PMU 9; set FIXED_COUNTERS_ONLY; get 5; reg get PMCR")
    assert lines_of(text, "step") == ["step", "mainline", "v6", "v8", "review"]
    assert lines_of(text, "0 init") == ["0", "init", "cpu=0", "0", "0", "0", "0"]
    assert lines_of(text, "1 set") == ["1", "set", "SET_PMU", "9", "0", "0", "0", "0"]
    assert lines_of(text, "*2 set") == ["*2", "set", "FIXED_COUNTERS_ONLY", "-ENXIO", "0", "-EBUSY", "-EBUSY"]
    assert lines_of(text, "*3 get") == ["*3", "get", "5", "-ENXIO", "0", "-ENXIO", "-ENXIO"]
    assert lines_of(text, "*4 reg")[4:] == ["0x2000", "N=4", "0x0", "N=0", "0x2000", "N=4", "0x2000", "N=4"]
    assert "v8, review: -EBUSY  pmu_selected: SET_PMU was done" in text
    assert "v6: N 0, backed by pmu_b, supported_cpus 0-7, fixed counters only, no filter, has not run" in text


def test_a_file_has_one_step_a_line(capsys, tmp_path):
    file = tmp_path / "sequence"
    file.write_text("# T38\nset SET_PMU 8 # the default one\n\nset FIXED_COUNTERS_ONLY; has 6\n")
    typed = table(capsys, "--platform", path("HET"), "set SET_PMU 8; set FIXED_COUNTERS_ONLY; has 6")
    assert table(capsys, "--platform", path("HET"), str(file)) == typed


@pytest.mark.parametrize("irqchip, expected", (("gicv3", "-ENODEV"), ("gicv5", "-ENODEV"), ("user", 0)))
def test_the_irqchip(capsys, irqchip, expected):
    text = table(capsys, "--platform", path("HET"), "--irqchip", irqchip, "set INIT; gic; set INIT; run")
    ready = {"gicv3": "-ENXIO", "gicv5": "0", "user": "-EBUSY"}[irqchip]
    assert lines_of(text, "1 set")[3:] == [str(expected)] * 4
    assert lines_of(text, "2 gic")[2:] == (["-ENXIO"] if irqchip == "user" else ["0"]) * 4
    assert lines_of(text, "3 set")[3:] == [ready] * 4
    assert lines_of(text, "4 run")[3:] == ["-EINVAL" if irqchip == "gicv3" else "guest"] * 4


def test_documented_columns(capsys):
    sequence = "set SET_NR_COUNTERS 2"
    both = table(capsys, "--platform", path("HET"), "--kernel", "v8,v8+doc", sequence)
    assert lines_of(both, "step") == ["step", "v8", "v8+doc"]
    assert lines_of(both, "*1")[-2:] == ["0", "-EINVAL"]
    only = table(capsys, "--platform", path("HET"), "--kernel", "v8", "--set-nr-counters", "documented", sequence)
    assert lines_of(only, "step") == ["step", "v8+doc"]
    assert lines_of(only, "1 set")[-1] == "-EINVAL"


@pytest.mark.parametrize(
    "text, kernel, rule",
    (
        ("set SET_PMU 8; set FIXED_COUNTERS_ONLY", "v8", attributes.pmu_selected),
        ("set SET_PMU 8; set FIXED_COUNTERS_ONLY", "v6", attributes.fix_on_union),
        ("set FIXED_COUNTERS_ONLY", "mainline", attributes.unknown_attribute),
        ("get FIXED_COUNTERS_ONLY", "v8", attributes.not_fixed),
        ("set FIXED_COUNTERS_ONLY; get FIXED_COUNTERS_ONLY", "v8", attributes.nothing),
        ("set IRQ 23; get IRQ", "v8", attributes.interrupt_number),
        ("init nopmu; set IRQ 23", "v8", checks.no_feature),
        ("init cpu=0 nopmu; v1 init", "v8", checks.features_differ),
        ("run", "v8", checks.vgic_not_initialised),
        ("gic; run", "v8", checks.pmu_not_created),
        ("reg get PMMIR", "v8", checks.not_a_one_reg),
        ("reg get PMCR", "v8", register_hooks.get_pmcr),
        ("reg set PMCR 0", "v8", register_hooks.set_pmcr),
        (f"{PREP}; run; guest read PMEVCNTR7", "v8", register_hooks.read_counter),
        (f"{PREP}; run; guest write PMSWINC 1", "v8", register_hooks.write_swinc),
    ),
)
def test_the_rule_is_the_function_that_decided(text, kernel, rule):
    found = account(text, kernels=(kernel,)).rows[-1].outcomes[kernel].rule
    assert (found.function, found.file) == (rule.__name__, f"{rule.__module__.replace('.', '/')}.py")
    assert found.text == rule.__doc__.splitlines()[0].rstrip(".")


@pytest.mark.parametrize(
    "text, where, kernel, said",
    (
        ("init cpu=5", "HET", "v8", "default PMU pmu_b, the first in probe order that covers CPU 5"),
        (f"set SET_PMU 9; {PREP}; run cpu=1", "HET", "v8", "CPU 1 is not in supported_cpus 4-7"),
        (f"{FIXED}; {PREP}; run cpu=5", "GAP", "v6", "CPU 5 is not in supported_cpus 0-3"),
        (f"{FIXED}; {PREP}; run cpu=5", "GAP", "v8", "no event of this VM counts on CPU 5"),
        (f"{FIXED}; {PREP}; run cpu=5", "HET", "v8", "entered on CPU 5; supported_cpus 0-7"),
        ("guest read PMCR", "HET", "v8", "the vCPU is not in the guest"),
        (f"{PREP}; run; reg get PMCR; guest read PMCR", "HET", "v8", "the vCPU is not in the guest"),
        (f"{PREP}; run; guest read PMSWINC", "HET", "v8", "PMSWINC_EL0 cannot be read"),
        ("init nopmu; gic; run; guest read PMCR", "HET", "v8", "the VM lacks the PMU_V3 feature"),
        (f"{PREP}; run; guest read PMICNTR", "HET", "v8", "the VM does not show PMICNTR_EL0"),
    ),
)
def test_where_no_function_decides_the_text_says_what_did(text, where, kernel, said):
    rule = account(text, where, (kernel,)).rows[-1].outcomes[kernel].rule
    assert (rule.function, said in rule.text) == ("", True)


def test_a_stall_is_said_only_where_there_is_one():
    rows = account(f"{PREP}; run cpu=0; run cpu=5", "HET", ("mainline",)).rows
    assert ["counts" in row.outcomes["mainline"].rule.text for row in rows[-2:]] == [False, True]


def test_an_implied_init_is_step_0_and_is_left_out_where_an_init_comes_first():
    assert [(row.number, row.implied) for row in account("gic; init").rows] == [(0, True), (1, False), (2, False)]
    assert [(row.number, row.implied) for row in account("init; gic").rows] == [(1, False), (2, False)]
    assert account("v1 init; v0 has IRQ; v0 run").rows[-1].outcomes["v8"].rule.function == "not_initialised"


def test_a_failing_implied_init_shows():
    nothing = replace(host("HOM"), pmuver=0)
    row = account("v1 has IRQ", nothing, ("v8",)).rows[0]
    assert (row.outcomes["v8"].result, row.outcomes["v8"].rule.function) == ("-EINVAL", "feature_not_available")


def test_the_state_says_what_became_of_the_vm():
    state = account(f"set FILTER 0x11:1:deny; set FILTER 3:2:deny; set SET_NR_COUNTERS 2; {PREP}; run").states["v8"]
    assert state == {
        "nr_counters": 2,
        "backing_pmu": "pmu_a",
        "supported_cpus": list(range(8)),
        "fixed_counters_only": False,
        "filter": {"action": "deny", "ranges": [[3, 2], [0x11, 1]]},
        "ran": True,
    }
    assert account("set FILTER 0:0:allow").states["mainline"]["filter"] == {"action": "allow", "ranges": []}
    assert account("gic").states["mainline"]["fixed_counters_only"] is None


def answer(text, kernels=EVERY, where="HET"):
    found = account(text, where, kernels)
    vcpus = 2 if "v1" in text else 1
    return as_json("het", host(where), columns_of(kernels), vcpus, "gicv3", found)


def test_a_filter_in_words():
    assert "filter denies 0x3-0x4 0x11," in report(answer("set FILTER 0x11:1:deny; set FILTER 3:2:deny"), SCREEN)
    assert "filter allows 0x11 only," in report(answer("set FILTER 0x11:1:allow"), SCREEN)
    assert "filter allows nothing," in report(answer("set FILTER 0:0:allow"), SCREEN)
    assert "filter denies nothing," in report(answer("set FILTER 0:0:deny"), SCREEN)


LONG = (
    f"v1 set SET_PMU 8; v0 {FIXED}; gic; v0 set IRQ 23; v0 set INIT; v0 run cpu=4; v0 guest read PMCCNTR; "
    "v0 guest write PMCNTENSET 0x8000000000000000; v0 reg set PMCCNTR 0xffffffffffffffff; v0 reg get PMCCNTR"
)


@pytest.mark.parametrize("style, width", ((SCREEN, 118), (MAIL, 76)))
@pytest.mark.parametrize("kernels", (EVERY, ("mainline", "v4", "v6", "v8", "review"), ("v8+doc",)))
def test_no_line_is_too_long_and_no_word_is_lost(style, width, kernels):
    found = answer(LONG, kernels)
    text = report(found, style)
    assert max(map(len, text.splitlines())) <= width
    assert text.isascii()
    assert "0x1de7ec7edbadc0de" in text or kernels == ("v8+doc",)
    rows = [line for line in text.split("What decided")[0].splitlines() if line.lstrip(" *").startswith("7 ")]
    outcomes = {"NOTRUN", "[a]", "[b]", "0x1de7ec7edbadc0de"}
    cells = [cell for line in rows for cell in line.split() if cell in outcomes]
    assert len(cells) == len(kernels)
    assert " ".join(text.split()).count("0xffffffffffffffff") >= 1


def test_a_long_value_in_a_mail_stands_below_under_its_letter():
    text = report(answer(LONG), MAIL)
    row = next(line for line in text.splitlines() if "guest read PMCCNTR" in line)
    letter = row.split()[-1] if row.split()[-1].startswith("[") else next(w for w in row.split() if w.startswith("["))
    note = next(line for line in text.splitlines() if "0x1de7ec7edbadc0de" in line)
    assert note.split()[0] == letter


def test_plain_output_of_the_command(capsys, monkeypatch):
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    monkeypatch.delenv("NO_COLOR", raising=False)
    text = table(capsys, "--platform", path("HET"), "--plain", LONG)
    assert text.isascii()
    assert max(map(len, text.splitlines())) <= 76
    assert "\x1b" not in text


def test_colour_marks_differences_and_changes_nothing_else():
    plain, colour = (report(answer(LONG), replace(SCREEN, colour=wanted)) for wanted in (False, True))
    marked = [line for line in colour.splitlines() if "\x1b[33m" in line]
    assert marked
    assert all("*" in line or ":" in line or line.startswith("\x1b[1m\x1b[33m    ") for line in marked)
    for code in ("\x1b[1m", "\x1b[33m", "\x1b[0m"):
        colour = colour.replace(code, "")
    assert colour == plain


def test_the_json_says_what_the_text_says(capsys):
    sequence = "set SET_PMU 9; set FIXED_COUNTERS_ONLY"
    arguments = ["--platform", path("HET"), "--kernel", "v8,v8+doc,v6", sequence, "--json", "-"]
    assert exit_code(["uapi", *arguments]) == 0
    printed = capsys.readouterr()
    found = json.loads(printed.out)
    assert printed.err.rstrip("\n") == report(found, SCREEN).rstrip("\n")
    assert list(found) == [
        "schema", "platform", "pmuver", "host_pmus", "vcpus", "irqchip", "columns", "steps", "state", "explore",
    ]  # fmt: skip
    assert (found["schema"], found["vcpus"], found["irqchip"], found["explore"]) == ("hetpmu-uapi/1", 1, "gicv3", None)
    assert found["columns"][1] == {"name": "v8+doc", "kernel": "v8", "set_nr_counters": "documented"}
    step = found["steps"][2]
    assert (step["step"], step["text"], step["implied"], step["differs"]) == (2, sequence[15:].strip(), False, True)
    assert step["results"] == {"v8": "-EBUSY", "v8+doc": "-EBUSY", "v6": 0}
    assert step["rules"]["v8"] == {
        "text": "SET_PMU was done", "function": "pmu_selected", "file": "pmu/attributes.py",
    }  # fmt: skip
    assert exit_code(["uapi", *arguments]) == 0
    assert capsys.readouterr() == printed


def test_json_to_a_file(capsys, tmp_path):
    table(capsys, "--platform", path("HET"), "has 6", "--json", str(tmp_path / "answer.json"))
    assert json.loads((tmp_path / "answer.json").read_text())["steps"][1]["results"]["v8"] == "-ENXIO"
    assert exit_code(["uapi", "has NONE", "--json", str(tmp_path / "other.json")]) == 2
    assert [file.name for file in tmp_path.iterdir()] == ["answer.json"]


@pytest.mark.parametrize(
    "arguments, said",
    (
        ([], "name a sequence"),
        (["--kernel", "v7", "gic"], "unknown kernel revision 'v7'"),
        (["--kernel", "v8+docs", "gic"], "unknown kernel revision 'v8+docs'"),
        (["--irqchip", "gicv2", "gic"], "gicv2"),
        (["--platform", "rk3589", "gic"], "did you mean rk3588"),
        (["--vcpus", "2", "v2 has IRQ"], "the VM has no vCPU 2"),
        (["run cpu=8"], "the platform has no CPU 8"),
        (["--explore", "0"], "--explore"),
        (["no-such-file.txt"], "neither a file nor a step"),
    ),
)
def test_bad_input_is_refused_in_three_lines(capsys, arguments, said):
    assert exit_code(["uapi", *arguments]) == 2
    printed = capsys.readouterr()
    assert said in printed.err
    assert printed.out == ""
    assert len(printed.err.splitlines()) <= 3


def test_help_has_examples(capsys):
    assert "hetpmu uapi '" in table(capsys, "--help").partition("Examples")[2]


def test_a_revision_is_a_row_and_may_have_any_name():
    later = Column("v12", replace(V6, name="v12"))
    assert column_row(later) == {"name": "v12", "kernel": "v12", "set_nr_counters": "implemented"}
    assert not any(row.differs for row in account("set 5; set SET_PMU 9", kernels=(columns_of(("v6",))[0], later)).rows)
