"""`import perf-stat`: what perf prints in its formats, the rates that follow, and what is refused, in three lines."""

import json
import re
from pathlib import Path

import pytest

from simcore.app.cli import exit_code
from simcore.app.importing_counts import PerfOptions
from simcore.app.importing_perf import import_perf
from simcore.errors import InputError
from simcore.loader import load_platform, validate_file
from workloads.catalog import load_workload
from workloads.perf_events import event_number, parse_event
from workloads.perf_stat import parse_perf_stat

PERF = Path(__file__).parent / "data" / "perf"
POSTED = json.loads((PERF / "index.json").read_text())
A76, A55 = "armv8_cortex_a76", "armv8_cortex_a55"
RK3588 = load_platform("rk3588")


@pytest.fixture
def write(tmp_path):
    """Return a function that writes the lines of a file of perf stat and returns its path."""

    def written(*lines, name="run.csv"):
        path = tmp_path / name
        path.write_text("\n".join(lines) + "\n")
        return path

    return written


def rates_of(*files, **options):
    """Return the rates by core type, and the notes."""
    workload, notes = import_perf(files, PerfOptions(**{"platform": "rk3588", **options}))
    return {row.core: row for row in workload.rates}, notes


def counts(text, separator=None):
    return [
        (count.event.pmu, count.event.name, count.event.levels, count.value, count.running_percent, count.running_ns)
        for count in parse_perf_stat(text, "f", separator)
    ]


@pytest.mark.parametrize("name", POSTED)
def test_posted_outputs_of_real_machines(name, tmp_path, capsys):
    """The instructions per cycle of the index were worked out from the posted figures alone."""
    posted, out = POSTED[name], tmp_path / "w.toml"
    command = ["import", "perf-stat", str(PERF / name), "--platform", posted["platform"], *posted["options"]]
    code = exit_code([*command, "-o", str(out)])
    shown = capsys.readouterr()
    if not posted["ipc"]:
        assert (code, out.exists()) == (2, False)
        assert len(shown.err.splitlines()) <= 3
        return
    assert code == 0
    assert validate_file(str(out)) == "workload"
    rates, _ = rates_of(PERF / name, **options_of(posted))
    assert {core: round(1 / row.core_cpi, 6) for core, row in rates.items()} == posted["ipc"]


def options_of(posted):
    words = iter(posted["options"])
    pairs = list(zip(words, words, strict=True))
    return {
        "platform": posted["platform"],
        "ignore": tuple(value for option, value in pairs if option == "--ignore"),
        "cores": dict(value.split("=") for option, value in pairs if option == "--core"),
    }


def test_posted_outputs_are_of_both_formats_and_nearly_all_can_be_used():
    assert {Path(name).suffix for name in POSTED} == {".json", ".csv"}
    assert sum(bool(posted["ipc"]) for posted in POSTED.values()) == 87
    assert len(POSTED) == 94


CYCLES = (A76, "cycles", "", 1200.0, 75.0, 900.0)
JSON_ROW = (
    '{{{}"counter-value" : "1200.000000", "unit" : "", "event" : "armv8_cortex_a76/cycles/", "event-runtime" : 900, '
    '"pcnt-running" : 75.00, "metric-value" : -nan, "metric-unit" : "GHz"}}'
)


@pytest.mark.parametrize(
    "line, separator, expected",
    [
        (JSON_ROW.format(""), None, CYCLES),
        (JSON_ROW.format('"interval" : 1.000123, "cpu" : "5", '), None, CYCLES),
        (JSON_ROW.format('"core" : "S0-D0-C1", "aggregate-number" : 1, '), None, CYCLES),
        ('{"counter-value" : "1200", "event" : "cycles:u"}', None, (None, "cycles", "u", 1200.0, None, None)),
        ("1200,,armv8_cortex_a76/cycles/,900,75.00,2.1,GHz", None, CYCLES),
        ("1200;;armv8_cortex_a76/cycles/;900;75.00;;", None, CYCLES),
        ("1200|armv8_cortex_a76/cycles/", None, (A76, "cycles", "", 1200.0, None, None)),
        ("1200\t\tarmv8_cortex_a76/cycles/\t0.31%\t900\t75.00", None, CYCLES),
        ("1200::armv8_cortex_a76/cycles/:900:75.00", ":", CYCLES),
        ("1200::::armv8_cortex_a76/cycles/u::900::75.00", "::", (A76, "cycles", "u", 1200.0, 75.0, 900.0)),
        ("     1.000123,1200,,armv8_cortex_a76/cycles/,900,75.00", None, CYCLES),
        ("     1.000123,S0-D0-C2,1,1200,,armv8_cortex_a76/cycles/,900,75.00", None, CYCLES),
        ("S0-D0,4,1200,,armv8_cortex_a76/cycles/,900,75.00", None, CYCLES),
        ("CPU5,1200,,armv8_cortex_a76/cycles/,900,75.00", None, CYCLES),
        ("bash-1234,1200,,armv8_cortex_a76/cycles/,900,75.00", None, CYCLES),
        ("1200,,armv8_cortex_a76/cycles/,/user.slice,900,75.00", None, CYCLES),
        ("1200,,cycles [armv8_cortex_a76],900,75.00", None, CYCLES),
        ("1200,,armv8_cortex_a76/event=0x11,name=cyc/P,900,75.00", None, (A76, "r11", "", 1200.0, 75.0, 900.0)),
        ("1200,,r0011:k,900,75.00", None, (None, "r0011", "k", 1200.0, 75.0, 900.0)),
        ("<not counted>,,armv8_cortex_a76/cycles/,0,0.00", None, (A76, "cycles", "", None, 0.0, 0.0)),
        ("<not supported>,,armv8_cortex_a76/cycles/,0,100.00,,", None, (A76, "cycles", "", None, 100.0, 0.0)),
        ("12.50,msec,task-clock,12500000,100.00,0.9,CPUs utilized", None,
         (None, "task-clock", "", 12.5, 100.0, 12500000.0)),
    ],
)  # fmt: skip
def test_a_row_of_each_layout(line, separator, expected):
    text = f"# started on Sat Nov 28\n\n{line}\n"
    assert counts(text, separator) == [expected]


def test_metric_rows_and_the_summary_behind_intervals_are_skipped():
    text = (
        "1.0,10,,cycles:u,5,100.00\n1.0,,,,,,0.50,insn per cycle\n2.0,20,,cycles:u,5,100.00\nsummary,30,,cycles:u,9,9.0"
    )
    assert [count[3] for count in counts(text)] == [10, 20]
    assert [count[3] for count in counts('{"counter-value" : "3", "event" : "cycles"}\n{"metric-value" : 1.5}\n')] == [
        3
    ]


@pytest.mark.parametrize(
    "text, number",
    [
        ("cycles", 0x11), ("cpu-cycles:u", 0x11), ("instructions", 0x08), ("branch-misses", 0x10),
        ("LLC-load-misses", 0x37), ("branches", 0x21), ("stall_backend", 0x24),
        ("armv8_cortex_a76/br_mis_pred/", 0x10), ("r1b", 0x1B),
        ("armv8_cortex_a76/config=17/", 0x11), ("L1-dcache-load-misses", 0x03), ("no_such_event", None),
    ],
)  # fmt: skip
def test_names_of_events(text, number):
    event = parse_event(text)
    assert event is not None
    assert event_number(event.name, RK3588.core_named("cortex-a76")) == number


def test_branches_are_what_the_core_type_can_count():
    a53 = load_platform("juno-r0").core_named("cortex-a53")
    a57 = load_platform("juno-r0").core_named("cortex-a57")
    assert event_number("branches", a53) == 0x0C
    assert event_number("branches", a57) is None


def test_apples_events_have_the_numbers_that_kvm_gives_them():
    core = load_platform("apple-m1").core_named("apple-firestorm")
    names = ("inst_all", "core_active_cycle", "inst_branch", "branch_mispred_nonspec", "branch_cond_mispred_nonspec")
    assert [event_number(name, core) for name in names] == [0x08, 0x11, 0x21, 0x22, None]


def test_rates_of_several_pmus_with_their_sources(write):
    path = write(
        f"3000,,{A76}/cycles/,1500,60.00", f"6000,,{A76}/instructions/,1500,60.00", f"12,,{A76}/branch-misses/,1500,60",
        f"4000,,{A55}/cycles/,2500,40.00", f"2000,,{A55}/instructions/,2500,40",
        f"<not counted>,,{A55}/branch-misses/,0,0",
        "5.0,msec,task-clock,5000000,100.00", "0,,page-faults,5000000,100.00",
    )  # fmt: skip
    rates, notes = rates_of(path)
    assert (rates["cortex-a76"].core_cpi, rates["cortex-a55"].core_cpi) == (0.5, 2.0)
    assert rates["cortex-a76"].events == {"0x0010": 2.0}
    assert rates["cortex-a55"].events == {}
    assert [row.source for row in rates["cortex-a76"].counts] == [f"{path}:{line}" for line in (2, 3, 1)]
    assert [row.running_percent for row in rates["cortex-a55"].counts] == [40.0, 40.0]
    assert rates["cortex-a76"].stall_source.startswith("assumed")
    assert f"{path}: <not counted> {A55}/branch-misses/" in notes


def test_intervals_and_cpus_add_up(write):
    """CPU 2 is a Cortex-A55, CPU 6 a Cortex-A76: without the name of a host PMU the CPU says which core type it was."""
    rows = [
        f"{t}.0,CPU{cpu},{value},,{event}"
        for t in (1, 2)
        for cpu, scale in ((2, 1), (6, 10))
        for event, value in (("cycles", 200 * scale), ("instructions", 100 * t * scale * scale))
    ]
    rates, _ = rates_of(write(*rows))
    assert rates["cortex-a55"].core_cpi == pytest.approx(400 / 300)
    assert rates["cortex-a76"].core_cpi == pytest.approx(4000 / 30000)
    assert rates["cortex-a55"].counts[0].source.endswith("run.csv:2 to 6, 2 rows")


def test_files_are_pooled_each_by_its_own_instructions(write):
    """The second run has no instructions: as many as its cycles and the CPI of the first say."""
    stride, stalls = PERF / "rk3588-a76-stride.csv", PERF / "rk3588-a76-stride-stalls.json"
    if not stride.exists():
        stride = stride.with_suffix(".json")
    rates, notes = rates_of(stride, stalls)
    cpi = 45157063927 / 10002762164
    assert rates["cortex-a76"].core_cpi == pytest.approx(cpi)
    assert rates["cortex-a76"].events["0x0024"] == pytest.approx(1000 * 37845044034 / (44847565198 / cpi))
    assert any("from its cycles and the CPI of others" in note for note in notes)
    path = write(f"10,,{A76}/cycles/", f"10,,{A76}/instructions/", f"5,,{A76}/br_mis_pred/")
    other = write(f"90,,{A76}/cycles/", f"90,,{A76}/instructions/", f"5,,{A76}/br_mis_pred/", name="b.csv")
    assert rates_of(path, other)[0]["cortex-a76"].events == {"0x0010": 100.0}


def test_user_space_counts_are_used_where_there_are_no_others(write):
    user = write(f"300,,{A76}/cycles/u", f"600,,{A76}/instructions/u")
    assert rates_of(user)[0]["cortex-a76"].core_cpi == 0.5
    assert "user space only was counted (:u)" in rates_of(user)[1]
    mixed = write(*(f"{n},,{A76}/{e}/{m}" for m, n in (("u", 500), ("", 900)) for e, n in (("cycles", n), ("r8", 600))))
    rates, notes = rates_of(mixed)
    assert rates["cortex-a76"].core_cpi == 1.5
    assert notes == [f"left out, counted at other levels than the rest: {A76}/cycles/u, {A76}/r8/u"]


def test_a_pmu_that_hardly_ran_is_left_out_and_little_running_is_noted(write):
    path = write(
        f"300,,{A76}/cycles/,1,99.9", f"600,,{A76}/instructions/,1,99.9", f"9,,{A76}/stall_backend/,1,5.0",
        f"300,,{A55}/cycles/,1,0.12", f"600,,{A55}/instructions/,1,0.12",
    )  # fmt: skip
    rates, notes = rates_of(path)
    assert list(rates) == ["cortex-a76"]
    assert "cortex-a55 is left out: it ran for 0.12 % of the time (--min-running)" in notes
    assert "cortex-a76: perf scaled counts that ran for only 5 % of the time" in notes
    assert set(rates_of(path, min_running=0.1)[0]) == {"cortex-a76", "cortex-a55"}


def timed(write):
    """Return a file of a counter that ran for half of the time: 1.2 G of 2.4 G cycles in 0.6 s, so at 2 GHz."""
    return write(f"2400000000,,{A76}/cycles/,600000000,50.00", f"1200000000,,{A76}/instructions/,600000000,50.00")


def test_the_frequency_is_cycles_over_the_time_that_the_counter_ran(write):
    row = rates_of(timed(write))[0]["cortex-a76"]
    assert (row.freq_khz, row.core_cpi, row.stall_ns_per_inst) == (2_000_000, 2.0, 0.0)
    assert rates_of(timed(write), freq_khz={"": 1_500_000})[0]["cortex-a76"].freq_khz == 1_500_000
    assert rates_of(timed(write), freq_khz={"cortex-a76": 1_500_000})[0]["cortex-a76"].freq_khz == 1_500_000


def test_without_times_the_task_clock_gives_the_frequency_of_every_pmu():
    """Posted from an Apple M2 with 65 and 35 % of the time on the two kinds of cores: 157.7 and 116.8 G in 48.7 s."""
    (path,) = PERF.glob("m2-zk-prover.*")
    rates, _ = rates_of(path, platform="apple-m2-pro")
    assert rates["apple-avalanche"].freq_khz == round(157719433369 / 48716.57)
    assert rates["apple-blizzard"].freq_khz == round(116774204295 / 48716.57)
    assert rates["apple-blizzard"].freq_source == "cycles over task-clock"


def test_a_frequency_that_the_core_cannot_have_is_not_believed(write):
    path = write(f"2400,,{A76}/cycles/,600000000,50.00", f"1200,,{A76}/instructions/,600000000,50.00")
    rates, notes = rates_of(path)
    assert rates["cortex-a76"].freq_khz is None
    assert any("lies outside 1200000 to 2400000 kHz" in note for note in notes)


def test_the_stall_share_of_a_preset(write):
    like = load_workload("429.mcf", RK3588.core_types).phases[0].on("cortex-a76")
    row = rates_of(timed(write), stall_like="429.mcf")[0]["cortex-a76"]
    share = float(like.stall_ns_per_inst * 2 / like.cpi(2_000_000))
    assert row.stall_ns_per_inst == pytest.approx(2.0 * share / 2)
    assert row.core_cpi + 2 * row.stall_ns_per_inst == pytest.approx(2.0)
    assert row.stall_source.startswith("assumed")


def test_other_core_types_are_estimated_on_request_only(write):
    path = write(f"3000,,{A76}/cycles/", f"1000,,{A76}/instructions/", f"7,,{A76}/br_mis_pred/")
    assert list(rates_of(path)[0]) == ["cortex-a76"]
    rates, _ = rates_of(path, others_like="429.mcf", freq_khz={"": 2_000_000})
    preset = load_workload("429.mcf", RK3588.core_types).phases[0]
    scale = 3.0 / float(preset.on("cortex-a76").cpi(2_000_000))
    assert rates["cortex-a55"].core_cpi == pytest.approx(preset.on("cortex-a55").core_cpi * scale)
    assert rates["cortex-a55"].events == rates["cortex-a76"].events == {"0x0010": 7.0}
    assert rates["cortex-a55"].estimate.startswith("assumed")


def test_what_import_writes_runs_and_validates(write, tmp_path, capsys):
    out = tmp_path / "mine.toml"
    command = ["import", "perf-stat", str(timed(write)), "--others-like", "429.mcf", "--name", "mine", "-o", str(out)]
    assert exit_code([*command, "--json", str(tmp_path / "a.json")]) == 0
    assert max(map(len, capsys.readouterr().out.splitlines())) <= 120
    assert json.loads((tmp_path / "a.json").read_text())["workload"]["name"] == "mine"
    assert exit_code(["validate", str(out)]) == 0
    short = ["--guest", "none", "--vcpus", "1", "--seconds", "5ms", "--seeds", "1", "--workers", "1"]
    assert exit_code(["compare", "--workload", str(out), *short, "--policies", "default"]) == 0
    scenario = tmp_path / "s.toml"
    scenario.write_text(
        'format = "hetpmu-scenario/1"\nseconds = "5ms"\n[[vms]]\nvcpus = 1\n'
        '[vms.guest]\nname = "none"\nworkload = "mine.toml"\n'
    )
    assert exit_code(["run", str(scenario)]) == 0
    assert exit_code(["validate", "--schema", "workload"]) == 0


@pytest.mark.parametrize("output", [(), ("-o", "-")])
def test_without_o_or_with_a_dash_the_file_goes_to_stdout(write, tmp_path, monkeypatch, output, capsys):
    path = timed(write)
    monkeypatch.chdir(tmp_path)
    assert exit_code(["import", "perf-stat", str(path), *output]) == 0
    assert not Path("-").exists()
    shown = capsys.readouterr()
    assert 'format = "hetpmu-workload/1"' in shown.out
    assert "core type" in shown.err


GOOD = (f"10,,{A76}/cycles/", f"10,,{A76}/instructions/")
MALFORMED = [
    ((), "no row"),
    (("# only a comment",), "no row"),
    (("hello world",), "no row of perf stat.*-x SEP"),
    ((" Performance counter stats for 'ls':", "  10  cycles"), "perf's table for people"),
    (('{"counter-value" : "1", "event" : ',), "run.csv:1: broken JSON"),
    (("[1, 2]",), "not a JSON object"),
    (('{"a" : 1}',), "neither a count nor a metric"),
    (('{"metric-value" : 1.0}',), "no count in this file"),
    (('{"counter-value" : 5, "event" : "cycles"}',), "no text 'counter-value'"),
    (('{"counter-value" : "5"}',), "no text 'event'"),
    (('{"counter-value" : "many", "event" : "cycles"}',), "'many' is not a count"),
    (('{"counter-value" : "5", "event" : "cycles", "pcnt-running" : "all"}',), "'all' is not a number"),
    (('{"counter-value" : "5", "event" : "a b c"}',), "'a b c' is not the name of an event"),
    ((f"5,,{A76}/cyc\0les/",), "is not the name of an event"),
    (('{"counter-value" : "-5", "event" : "cycles"}',), "-5 is negative"),
    (("5,,cycles,100,250.00",), "250.0 is not a percentage"),
    ((*GOOD, "what is this"), "run.csv:3: not a row of perf stat"),
    (("5,,cycles,100,100.00",), "which core type counted this.*--core, one of cortex-a55, cortex-a76"),
    (("CPU9,5,,cycles",), "no CPU 9 on rk3588"),
    (("5,,armv8_cortex_a72/cycles/",), f"no host PMU 'armv8_cortex_a72' on rk3588.*{A55}.*--core"),
    ((*GOOD, f"5,,{A76}/br_mis_pret/"), "'br_mis_pret' has no PMUv3 number.*did you mean br_mis_pred.*--ignore"),
    ((f"5,,{A76}/cycles/",), "no core type with both cycles and instructions"),
    ((f"<not counted>,,{A76}/cycles/", f"<not counted>,,{A76}/instructions/"), "no core type with both.*<not counted>"),
    ((f"5,,{A76}/cycles/", f"0,,{A76}/instructions/"), "no instruction was counted"),
    ((f"1,,{A76}/cycles/", f"1000000,,{A76}/instructions/"), "core_cpi: 1e-06 is not valid here"),
    ((*GOOD, f"99999999,,{A76}/br_mis_pred/"), "events.0x0010: 9999999900.0 is not valid here"),
    (("5,,page-faults", "3.0,msec,task-clock"), "no core type with both cycles and instructions"),
]


@pytest.mark.parametrize("lines, expected", MALFORMED, ids=range(len(MALFORMED)))
def test_a_malformed_file_is_refused_in_three_lines(lines, expected, write, tmp_path, capsys):
    out = tmp_path / "w.toml"
    refused(["import", "perf-stat", str(write(*lines)), "-o", str(out)], expected, capsys)
    assert not out.exists()


@pytest.mark.parametrize(
    "options, expected",
    [
        (["--core", "cortex-a77"], "unknown core type 'cortex-a77'"),
        (["--platform", "rk3577"], "unknown platform 'rk3577'"),
        (["--freq-khz", "2GHz"], "'2GHz' is no frequency in kHz"),
        (
            ["--stall-like", "429.mcf"],
            "--stall-like: the frequency of cortex-a76 is not known.*--freq-khz cortex-a76=KHZ",
        ),
        (["--stall-like", "429.mcg", "--freq-khz", "2000000"], "unknown workload '429.mcg'"),
        (["--others-like", "429.mcg"], "unknown workload '429.mcg'"),
        (["--name", "a b"], "import perf-stat: name: 'a b' is not valid here"),
    ],
)
def test_an_option_that_makes_no_sense_is_refused_in_three_lines(options, expected, write, capsys):
    refused(["import", "perf-stat", str(write(*GOOD)), *options], expected, capsys)


def refused(command, expected, capsys):
    assert exit_code(command) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    assert len(shown.err.splitlines()) <= 3
    assert re.search(expected, shown.err.replace("\n", " ")), shown.err


RATES = '[[rates]]\ncore = "cortex-a76"\ncore_cpi = 1.0\nstall_ns_per_inst = 0.0\nstall_source = "assumed"\n'
HEAD = 'format = "hetpmu-workload/1"\nname = "w"\ntitle = "t"\n'


@pytest.mark.parametrize(
    "text, expected",
    [
        (HEAD, "rates: this key is missing"),
        (HEAD + RATES + RATES, "a core type has rates twice"),
        (HEAD + RATES.replace("1.0", "0.05"), "core_cpi: 0.05 is not valid here"),
        (HEAD + RATES + "[rates.events]\nmisses = 1.0\n", "misses"),
        (HEAD + RATES + "[rates.events]\n0x0010 = -1.0\n", "0x0010: -1.0 is not valid here"),
        (HEAD + RATES.replace("core_cpi", "cpi"), "cpi: unknown key.*core_cpi"),
        (HEAD + "level = 2\n" + RATES, "level: 2 is not valid here"),
        (HEAD.replace("workload/1", "workload/2") + RATES, "the format is missing or unknown"),
    ],
)
def test_a_malformed_workload_file_is_refused(text, expected, tmp_path, capsys):
    path = tmp_path / "w.toml"
    path.write_text(text)
    refused(["validate", str(path)], expected, capsys)


def test_a_workload_file_without_a_core_type_of_the_platform_says_what_to_do(tmp_path):
    path = tmp_path / "w.toml"
    path.write_text(HEAD + RATES)
    with pytest.raises(InputError, match="no rates for core type 'cortex-a55'"):
        load_workload(str(path), RK3588.core_types)
    apple = load_platform("apple-m1").core_named("apple-firestorm")
    assert load_workload(str(path), (apple,)).phases[0].on(apple.id).core_cpi == 1.0 / apple.relative_ipc
