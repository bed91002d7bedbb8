"""The files of rt-app: their lenient JSON, what each key means, and what is refused, by name."""

import json
import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simcore.app.cli import exit_code
from simcore.errors import InputError
from workloads.rtapp_json import Members, loads
from workloads.rtapp_parsing import load_rtapp, parse

RTAPP = Path(__file__).parent / "data" / "rtapp"
US = 1000
S = 1_000_000_000

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=8) | st.sampled_from(
    ["/* no comment */", "// nor this", 'a"b', ",]", ",}", "\\"]
)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=12,
)
BLANKS = st.sampled_from(["", " ", "\n", '/* , ] } " */', '// " } ,\n', "\t/**/ /***/"])


def plain(value):
    """Return a parsed value with objects as dicts."""
    if isinstance(value, Members):
        return {key: plain(item) for key, item in value}
    return [plain(item) for item in value] if isinstance(value, list) else value


def lenient(value, draw):
    """Write a value as JSON with comments between all tokens, and commas behind the last member or element."""

    def listed(items, left, right):
        comma = draw(st.sampled_from(["", ","])) if items else ""
        return left + (draw(BLANKS) + ",").join(items) + draw(BLANKS) + comma + draw(BLANKS) + right

    if isinstance(value, dict):
        pairs = [json.dumps(key) + draw(BLANKS) + ":" + lenient(item, draw) for key, item in value.items()]
        return draw(BLANKS) + listed(pairs, "{", "}")
    if isinstance(value, list):
        return draw(BLANKS) + listed([lenient(item, draw) for item in value], "[", "]")
    return draw(BLANKS) + json.dumps(value)


@settings(max_examples=150, deadline=None)
@given(VALUES)
def test_valid_json_means_the_same(value):
    for text in (json.dumps(value), json.dumps(value, indent=2)):
        assert plain(loads(text, "f")) == json.loads(text)


@settings(max_examples=150, deadline=None)
@given(VALUES, st.data())
def test_comments_and_trailing_commas_mean_nothing(value, data):
    assert plain(loads(lenient(value, data.draw), "f")) == value


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(["run", "sleep", "lock"]), st.integers()), max_size=8))
def test_keys_that_occur_twice_keep_their_order(pairs):
    text = "{" + ",".join(f"{json.dumps(key)}: {value}" for key, value in pairs) + "}"
    assert list(loads(text, "f")) == pairs


def test_an_error_has_its_line_and_column_though_comments_are_gone():
    with pytest.raises(InputError, match=r"f: line 3 column 8: broken JSON"):
        loads('{ /* a\n comment */ "a": 1,\n "b" : x }', "f")


def kinds(phase):
    return [event.kind for event in phase.events]


def test_the_real_mp3_file():
    app = load_rtapp(str(RTAPP / "mp3-short.json"))
    tick, out, _, decoder, _ = app.tasks
    assert (app.duration_ns, app.calibration_cpu) == (6 * S, 0)
    assert [task.name for task in app.threads] == ["AudioTick", "AudioOut", "AudioTrack", "mp3.decoder", "OMXCall"]
    assert [task.sched.nice for task in app.tasks] == [-19, -19, -16, -2, -2]
    assert (tick.loop, [phase.loop for phase in tick.phases], tick.cpus) == (-1, [1, 4], (0,))
    assert [(event.kind, event.ref, event.ns) for event in out.phases[0].events] == [
        ("run", "", 275 * US), ("resume", "AudioTrack", 0), ("run", "", 4725 * US), ("suspend", "AudioOut", 0),
    ]  # fmt: skip
    assert kinds(decoder.phases[0]) == ["suspend", "run", "lock", "signal", "wait", "unlock", "run"]


def test_the_real_file_with_a_phase_twice_has_both_in_order():
    app = load_rtapp(str(RTAPP / "spreading-tasks.json"))
    assert app.duration_ns == 60 * S
    phases = app.tasks[1].phases
    assert [(phase.name, phase.loop, phase.events[0].ns) for phase in phases] == [
        ("light1", 900, 1000 * US), ("heavy1", 600, 7000 * US), ("light2", 300, 1000 * US), ("heavy11", 600, 7000 * US),
    ]  # fmt: skip


def one(body, settings_text='{"duration": 1}'):
    return parse(f'{{"tasks": {{"t": {{{body}}}}}, "global": {settings_text}}}', "f")


@pytest.mark.parametrize(
    "body, task_loop, phase_loop",
    [
        ('"run": 1', -1, 1),
        ('"run": 1, "loop": 5', 1, 5),
        ('"run": 1, "loop": -1', 1, -1),
        ('"loop": 3, "phases": {"p": {"run": 1}}', 3, 1),
        ('"phases": {"p": {"run": 1, "loop": 7}}', -1, 7),
    ],
)
def test_loops_are_those_of_rt_app(body, task_loop, phase_loop):
    task = one(body).tasks[0]
    assert (task.loop, task.phases[0].loop) == (task_loop, phase_loop)


def test_an_event_is_known_by_how_its_key_begins():
    body = '"run0": 1, "runtime1": 2, "sleep2": 3, "lock_a": "m", "unlock_a": "m", "suspend": "", "resume9": "x"'
    events = one(body).tasks[0].phases[0].events
    assert [event.kind for event in events] == ["run", "runtime", "sleep", "lock", "unlock", "suspend", "resume"]
    assert [event.ns for event in events[:3]] == [1 * US, 2 * US, 3 * US]
    assert events[5].ref == "t"


def test_a_timer_is_absolute_wherever_one_use_of_it_is():
    app = parse(
        '{"tasks": {"a": {"timer": {"ref": "x", "period": 1}}, '
        '"b": {"timer": {"ref": "x", "period": 1, "mode": "absolute"}, "timer1": {"ref": "unique", "period": 2}}, '
        '"c": {"timer": {"ref": "unique", "period": 2, "mode": "absolute"}}}}',
        "f",
    )
    assert [event.absolute for task in app.tasks for event in task.events()] == [True, True, False, True]


@pytest.mark.parametrize(
    "body, expected",
    [
        ('"run": 1', ("other", None, 0)),
        ('"run": 1, "priority": -5', ("other", None, -5)),
        ('"run": 1, "policy": "SCHED_IDLE"', ("idle", None, 0)),
        ('"run": 1, "policy": "SCHED_FIFO"', ("fifo", 10, 0)),
        ('"run": 1, "policy": "SCHED_RR", "priority": 7', ("rr", 7, 0)),
    ],
)
def test_a_priority_is_the_nice_value_of_a_fair_thread(body, expected):
    sched = one(body).tasks[0].sched
    assert (sched.policy, sched.priority, sched.nice) == expected


def test_clamps_and_calibration():
    app = one('"run": 1, "util_min": 300, "util_max": -1', '{"calibration": 50, "default_policy": "SCHED_FIFO"}')
    sched = app.tasks[0].sched
    assert (sched.policy, sched.uclamp_min, sched.uclamp_max) == ("fifo", 300, None)
    assert (app.calibration_cpu, app.duration_ns) == (None, None)


def test_settings_about_logs_change_nothing():
    one('"run": 1', '{"logdir": "./", "ftrace": "none", "lock_pages": true, "pi_enabled": false, "frag": 1}')


MALFORMED = {
    "": "line 1 column 1: broken JSON",
    "[]": r"\[\] is not valid here.*an object",
    "{}": "no object `tasks`",
    '{"tasks": [1]}': r"tasks: \[1\] is not valid here",
    '{"tasks": {}}': "tasks: no thread to run",
    '{"tasks": {"t": 1}}': "tasks.t: 1 is not valid here",
    '{"tasks": {"t": {}}}': "tasks.t: phase 't' has no events",
    '{"tasks": {"t": {"phases": {}}}}': "tasks.t: no phase",
    '{"tasks": {"t": {"phases": {"p": {"loop": 2}}}}}': "tasks.t.phases.p: phase 'p' has no events",
    '{"tasks": {"t": {"run": 1}}, "tusks": 1}': "tusks: unknown key 'tusks'.*did you mean tasks",
    '{"tasks": {"t": {"run": -1}}}': "tasks.t.run: -1 is not valid here.*a whole number from 0",
    '{"tasks": {"t": {"run": 1.5}}}': "tasks.t.run: 1.5 is not valid here",
    '{"tasks": {"t": {"run": "10"}}}': "tasks.t.run: '10' is not valid here",
    '{"tasks": {"t": {"run": true}}}': "tasks.t.run: True is not valid here",
    '{"tasks": {"t": {"run": NaN}}}': "NaN is no JSON number",
    '{"tasks": {"t": {"run": 1, "loop": 1, "loop": 2}}}': "tasks.t.loop: this key occurs twice",
    '{"tasks": {"t": {"run": 1, "loop": 0}}}': "tasks.t.loop: 0 is not valid here",
    '{"tasks": {"t": {"run": 1, "lop": 1}}}': "tasks.t.lop: unknown key 'lop'.*or --ignore lop",
    '{"tasks": {"t": {"run": 1, "cpus": []}}}': r"tasks.t.cpus: \[\] is not valid here",
    '{"tasks": {"t": {"run": 1, "cpus": [-1]}}}': "tasks.t.cpus: -1 is not valid here",
    '{"tasks": {"t": {"run": 1, "instance": -2}}}': "tasks.t.instance: -2 is not valid here",
    '{"tasks": {"t": {"run": 1, "instance": 0}}}': "tasks: no thread to run",
    '{"tasks": {"t": {"run": 1, "instance": 400}, "u": {"run": 1, "instance": 400}}}': "too many threads",
    '{"tasks": {"t": {"run": 1, "priority": 20}}}': "tasks.t.priority: 20 is not valid here.*-20 to 19",
    '{"tasks": {"t": {"run": 1, "util_min": 500, "util_max": 300}}}': "uclamp_min 500 is above uclamp_max 300",
    '{"tasks": {"t": {"run": 1, "policy": "SCHED_NONE"}}}': "tasks.t.policy: 'SCHED_NONE' is not valid here",
    '{"tasks": {"t": {"run": 1, "policy": "SCHED_DEADLINE"}}}': "SCHED_DEADLINE is not supported",
    '{"tasks": {"t": {"run": 1, "dl-runtime": 5}}}': "tasks.t.dl-runtime: dl-runtime is not supported",
    '{"tasks": {"t": {"mem": 5}}}': "tasks.t.mem: mem is not supported.*--ignore mem",
    '{"tasks": {"t": {"iorun1": 5}}}': "tasks.t.iorun1: iorun is not supported",
    '{"tasks": {"t": {"yield": ""}}}': "yield is not supported",
    '{"tasks": {"t": {"fork": "u"}}}': "fork is not supported",
    '{"tasks": {"t": {"run": 1, "taskgroup": "/a"}}}': "taskgroup is not supported",
    '{"tasks": {"t": {"run": 1, "nodes_membind": [0]}}}': "nodes_membind is not supported",
    '{"tasks": {"t": {"timer": {"ref": "x"}}}}': "tasks.t.timer: .* an object with ref, period",
    '{"tasks": {"t": {"timer": {"ref": "x", "period": 1, "mode": "best"}}}}': "'best' is not valid here",
    '{"tasks": {"t": {"wait": "q"}}}': "tasks.t.wait: 'q' is not valid here",
    '{"tasks": {"t": {"wait": {"ref": "q", "ref": "q", "mutex": "m"}}}}': "an object with ref, mutex",
    '{"tasks": {"t": {"phases": {"p": {"run": 1, "policy": "SCHED_FIFO"}}}}}': "policy of a phase is not supported",
    '{"tasks": {"t": {"run": 1}}, "global": {"calibration": "GPU0"}}': "calibration: 'GPU0' is not valid here",
    '{"tasks": {"t": {"run": 1}}, "global": {"duration": "6"}}': "global.duration: '6' is not valid here",
    '{"tasks": {"t": {"run": 1}}, "global": {"pi_enabled": true}}': "pi_enabled is not supported",
    '{"tasks": {"t": {"run": 1}}, "resources": 5}': "resources: 5 is not valid here",
    '{"tasks": {"t": {"run": 1}} /* open': "broken JSON",
    '{"tasks": ' + "[" * 100_000: "nested too deeply",
}


@pytest.mark.parametrize("text, expected", MALFORMED.items(), ids=range(len(MALFORMED)))
def test_a_malformed_file_is_refused_in_three_lines(text, expected, tmp_path, capsys):
    path = tmp_path / "app.json"
    path.write_text(text)
    out = tmp_path / "out.toml"
    assert exit_code(["import", "rt-app", str(path), "-o", str(out)]) == 2
    shown = capsys.readouterr().err
    assert len(shown.splitlines()) <= 3
    assert str(path) in shown
    assert re.search(expected, shown.replace("\n", " ")), shown
    assert not out.exists()


def test_validate_checks_files_of_rt_app(tmp_path, capsys):
    bad = tmp_path / "bad.json"
    bad.write_text('{"tasks": {"t": {"mem": 5}}}')
    assert exit_code(["validate", str(RTAPP / "mp3-short.json"), str(bad)]) == 2
    shown = capsys.readouterr()
    assert shown.out == f"{RTAPP / 'mp3-short.json'}: a valid rt-app file\n"
    assert "bad.json: tasks.t.mem: mem is not supported" in shown.err


def test_what_is_ignored_by_name_is_left_out(tmp_path, capsys):
    path = tmp_path / "app.json"
    path.write_text('{"tasks": {"t": {"mem": 5, "run": 1, "iorun0": 2, "policy": "SCHED_DEADLINE", "dl-runtime": 3}}}')
    ignore = "mem,iorun,SCHED_DEADLINE,dl-runtime"
    assert exit_code(["import", "rt-app", str(path), "--ignore", ignore, "--json", "-"]) == 0
    threads = json.loads(capsys.readouterr().out)["threads"]
    assert [thread["phases"][0]["events"] for thread in threads] == [["run"]]
    assert threads[0]["policy"] == "other"


@pytest.mark.parametrize("file", ["mp3-short.json", "spreading-tasks.json"])
@pytest.mark.parametrize("guest", [False, True])
def test_the_scenario_that_import_writes_is_valid_and_finds_the_file(file, guest, tmp_path, capsys):
    out = tmp_path / "s.toml"
    assert exit_code(["import", "rt-app", str(RTAPP / file), "-o", str(out), *(["--guest"] if guest else [])]) == 0
    assert max(map(len, capsys.readouterr().out.splitlines())) <= 120
    assert exit_code(["validate", str(out)]) == 0
    assert exit_code(["run", str(out), "--set", "seconds=1ms", "--set", "platform=juno-r0"]) == 0


@pytest.mark.parametrize("name", ["board.toml", "board"])
def test_the_scenario_that_import_writes_elsewhere_finds_the_platform(name, tmp_path, monkeypatch):
    board = Path(__file__).resolve().parents[1] / "docs" / "examples" / "board.toml"
    (tmp_path / name).write_text(board.read_text())
    (tmp_path / "app.json").write_text('{"tasks": {"a": {"run": 100}}}')
    (tmp_path / "kept").mkdir()
    monkeypatch.chdir(tmp_path)
    for out in ("kept/x.toml", "x.toml"):
        assert exit_code(["import", "rt-app", "app.json", "--platform", f"./{name}", "-o", out]) == 0
        assert exit_code(["run", out, "--set", "seconds=2ms", "--set", "vms.0.vcpus=1"]) == 0


def test_no_other_file_is_overwritten_by_a_copy(tmp_path, capsys):
    (tmp_path / "app.json").write_text('{"tasks": {"a": {"run": 100}}}')
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept" / "app.json").write_text("mine")
    assert exit_code(["import", "rt-app", str(tmp_path / "app.json"), "-o", str(tmp_path / "kept" / "x.toml")]) == 2
    assert "another app.json" in capsys.readouterr().err
    assert [path.read_text() for path in (tmp_path / "kept").iterdir()] == ["mine"]


@pytest.mark.parametrize("name", ["a\nb: sched_switch", "nul\0", "\x1b[2J", "\x85", "\u2028", "\ud800"])
def test_a_name_that_cannot_stand_in_a_line_is_refused(name):
    events = {"run": 1000}
    for tasks in ({name: events}, {"a": {"phases": {name: events}}}):
        with pytest.raises(InputError, match="a name with characters that are no text") as caught:
            parse(json.dumps({"tasks": tasks}), "app.json")
        assert str(caught.value).isascii()
    with pytest.raises(InputError, match="none of them a control character"):
        parse(json.dumps({"tasks": {"a": {"suspend": name}}}), "app.json")


def test_a_name_of_any_letters_is_taken():
    name = "Gr\u00fc\u00dfe \u4f60\u597d \U0001f600"
    assert parse(json.dumps({"tasks": {name: {"run": 1000}}}), "app.json").tasks[0].name == name
