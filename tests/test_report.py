"""`hetpmu report` without a browser: what the page says is what the tables say, and nothing else gets onto it."""

import base64
import hashlib
import html
import json
import re
import shlex
import shutil

import numpy as np
import pytest

from simcore.app.cli import cli, exit_code
from simcore.app.lanes import lanes, run_names
from simcore.app.metrics import rate_windows, rates_mhz, tables_of_vm
from simcore.app.report_blocks import Cell, Code, Line, Notes, Page, Plot, Section, Strip, Strips, Table
from simcore.app.report_page import page_html
from simcore.app.report_rates import SEVERAL, rates_of
from simcore.app.report_words import listed
from simcore.app.sealing import SUMS
from simcore.app.storing import load_runs
from simcore.loader import load_platform
from tests.report_dirs import KINDS, NEVER, PINNED, TRACE, Reader, folder, made, page, read

HOSTILE = """</script><script>alert(1)</script><img src=x onerror=alert(1)>"'&</style>\u2028{{ 7*7 }}"""


def table_lines(kind):
    """Return the cells of all rows of the tables that a command printed, as words."""
    text = (made(kind) / "table.txt").read_text()
    blocks = re.findall(r"^-{20,}\n((?:.+\n)+)", text, re.MULTILINE)
    return [line.split() for block in blocks for line in block.splitlines()]


@pytest.mark.parametrize("kind", ["compare", "run", "replay", "watch"])
def test_every_row_of_the_printed_tables_stands_on_the_page(kind):
    shown = [" ".join(row).split() for rows in read(kind).tables.values() for row in rows]
    printed = table_lines(kind)
    assert len(printed) >= 3
    for line in printed:
        assert line in shown


def test_a_sweep_shows_what_show_prints(capsys):
    assert exit_code(["show", str(made("sweep"))]) == 0
    lines = [line.split() for line in capsys.readouterr().out.splitlines() if re.match(r"\d+ ", line.lstrip())]
    shown = [" ".join(row).split() for rows in read("sweep").tables.values() for row in rows]
    assert len([line for line in lines if line in shown]) >= 8


@pytest.mark.parametrize("kind", KINDS)
def test_the_page_opens_with_the_verdict_and_has_its_parts(kind):
    found = read(kind)
    assert found.text.index("Verdict") < found.text.index("All figures")
    parts = {given["id"] for tag, given in found.tags if tag == "section" and "id" in given}
    everywhere = {"figures", "ledger", "assumptions", "repeat"}
    runs = {"continuity", "crossings", "rates", "clock"}
    assert parts >= everywhere | (runs if kind in ("compare", "run", "replay") else set())
    assert [link for link in found.links if not link.startswith("#")] == []
    assert {link[1:] for link in found.links if link != "#main"} == parts


def test_the_verdict_of_a_comparison_names_its_numbers():
    text = read("compare").text
    row = next(row for row in json.loads((made("compare") / "compare.json").read_text())["policies"] if row["crashes"])
    assert row["policy"] == PINNED, "the scene is one in which it kills"
    assert f"Guests die in 2 of 2 runs (100%, 95 % interval 34-100%) under {PINNED}@mainline." in text
    assert "No guest died under the other two policies, in 2 runs each (95 % interval 0-66%)." in text
    assert "pinning leaves" in text
    assert re.search(r"There were \d+ reloads at \d+ crossings under fixed-counters-only@v8", text)
    assert "The guest is shown none (PMCEID0 and PMCEID1 are 0) under fixed-counters-only@v8." in text


@pytest.mark.parametrize("kind", ["compare", "run", "replay"])
def test_the_points_of_the_plot_are_samples_and_no_sample_is_farther_than_it_says(kind):
    data = json.loads(read(kind).data["plot-data"])
    results = load_runs(made(kind))
    platform = load_platform(results[0].scenario.platform)
    for vcpu, drawn in data["lanes"].items():
        whole = [lane for result in results for lane in lanes(result, platform, int(vcpu))]
        assert len(whole) == len(drawn) == len(data["policies"])
        for lane, shown in zip(whole, drawn, strict=True):
            t_ns = np.cumsum(shown["t"]) * shown["step"]
            places = np.searchsorted(lane.t_ns, t_ns)
            assert (lane.t_ns[places] == t_ns).all()
            for key, values in (("c", lane.counted), ("g", lane.true)):
                assert np.cumsum(shown[key]).tolist() == values[places].tolist()
                away = np.abs(values - np.interp(lane.t_ns, t_ns, np.cumsum(shown[key])))
                assert away.max() <= shown["away"] + 1
            assert [tuple(stall) for stall in shown["off"]] == list(lane.stalls_ns)
            assert shown["crossings"] == lane.crossings_ns.tolist()
            assert (shown["died"], shown["outcome"], shown["shadow_of"]) == (lane.died_ns, lane.outcome, lane.shadow_of)


def test_a_counter_that_was_never_enabled_has_no_share():
    rows = next(rows for caption, rows in read(NEVER).tables.items() if caption.startswith("All lanes"))
    place = rows[0].index("counted")
    assert {row[place] for row in rows[1:]} == {"never enabled"}
    lanes_drawn = json.loads(read(NEVER).data["plot-data"])["lanes"].values()
    assert not any(lane["enabled"] for known in lanes_drawn for lane in known)
    assert all(
        lane["enabled"] for known in json.loads(read("run").data["plot-data"])["lanes"].values() for lane in known
    )


def test_guest_none_is_named_as_a_name():
    text = read(NEVER).text
    assert "One run of guest none on rk3588" in text
    assert "rk3588: guest none running 429.mcf" in text
    assert "One run of a windows guest on rk3588" in read("run").text


def test_a_watch_speaks_of_nothing_that_it_does_not_show():
    text = read("watch").text
    assert "PMCCNTR_EL0 over time" in text
    assert "true cycles" not in text
    assert "within 0 cycles." in text
    assert text.count("ade by hetpmu") == 1
    heads = read("watch").tables["What the cycle counter shows under each policy"][0]
    assert len(set(heads)) == len(heads)
    assert {"cycles lost", "share lost"} <= set(heads)


def test_a_replay_assumes_the_costs_behind_its_figures():
    tables = read("replay").tables
    rows = {row[0]: row[1] for row in tables["Parameters without a source, of those that a replay uses"][1:]}
    assert rows["costs.event_create"] == "8us"
    assert "vms.0.guest.boot" not in rows
    backing = {row[1] for row in tables["What the guest would have seen on this schedule"][1:]}
    assert set(rows["vms.0.init_placement"].split(", ")) == backing
    assert len(backing) > 1
    assert not [caption for caption in tables if caption.startswith("Constants")]


def test_a_run_with_a_shadow_says_whose_its_figures_are():
    assert "the shadow fixed-counters-only@v8 is in the plot alone" in read("run").text


def test_points_of_a_sweep_are_not_called_policies():
    heads = read("sweep").tables["Energy and throughput"][0]
    assert heads[:2] == ["point", "policy, hz, scheduler"]


@pytest.mark.parametrize("kind", KINDS)
def test_no_column_of_a_table_stands_there_twice(kind):
    for caption, rows in read(kind).tables.items():
        assert rows[0][0] == "from \\ to" or len(set(rows[0])) == len(rows[0]), caption


def test_the_bars_of_the_ledger_are_those_of_the_answer():
    rows = json.loads((made("compare") / "compare.json").read_text())["policies"]
    drawn = r'class="ledger-(\w+)" x="[\d.]+%" y="2" width="([\d.]+)%"[^<]*<title>[^:]*: (\d+) '
    bars = re.findall(drawn, page("compare").read_text())
    shown = [(name, int(cycles), float(width)) for name, width, cycles in bars]
    expected = [
        (name, cycles, round(100 * cycles / sum(row["ledger"].values()), 3))
        for row in rows
        for name, cycles in row["ledger"].items()
        if cycles
    ]
    assert shown == expected


def test_the_moves_of_the_matrices_are_those_of_the_runs():
    tables = {caption: rows for caption, rows in read("compare").tables.items() if rows[0][0] == "from \\ to"}
    results = load_runs(made("compare"))
    assert len(tables) == len(results)
    clusters = (range(4), range(4, 8))  # RK3588: CPU 0 to 3 are A55, 4 to 7 A76
    one_way = []
    for name, result, (caption, rows) in zip(run_names(results), results, tables.items(), strict=True):
        table = result.tables["migrations"]
        moves = list(zip(table["from_cpu"].tolist(), table["to_cpu"].tolist(), strict=True))
        expected = [[sum(a in left and b in reached for a, b in moves) for reached in clusters] for left in clusters]
        assert [[int(cell) for cell in row[1:]] for row in rows[1:]] == expected
        assert caption.startswith(f"{name}: {len(moves)} move")
        one_way.append(expected[0][1] != expected[1][0])
    assert any(one_way), "the scene tells the two ways apart"


def test_a_replay_tells_its_seats_apart_and_shows_its_one_schedule_once(tmp_path, monkeypatch):
    """`default` is drawn: two seats of it have one policy and one kernel."""
    monkeypatch.setattr("simcore.app.trace_replay.draw", lambda *_: None)
    given = ["replay", str(TRACE), "--threads", "KVM", "--platform", "rk3588", "--policies", "default,default@v8"]
    assert exit_code([*given, "--out", str(tmp_path / "out")]) == 0
    assert exit_code(["report", str(tmp_path / "out"), "-o", str(tmp_path / "page.html")]) == 0
    tables = Reader((tmp_path / "page.html").read_text()).tables
    seats = [f"default@{kernel}, armv8_cortex_a{core}" for kernel in ("mainline", "v8") for core in (55, 76)]
    [matrix] = (caption for caption, rows in tables.items() if rows[0][0] == "from \\ to")
    assert matrix.startswith(f"{listed(seats)}: ")
    assert run_names(load_runs(tmp_path / "out")) == seats


def test_rates_are_those_of_the_table_sorted_by_core_type():
    [result] = load_runs(made("run"))
    platform = load_platform("rk3588")
    found = rates_of(result, "", platform).by_core
    samples = tables_of_vm(result, 0)["samples"]
    assert sorted(rate for rates in found.values() for rate in rates) == sorted(rates_mhz(samples))
    expected: dict[str, list[float]] = {}
    for window in rate_windows(samples):
        rows = result.tables["segments"]
        rows = rows[(rows["vcpu"] == window.vcpu) & (rows["end_ns"] > window.end_ns - 10_000_000)]
        names = {platform.core(cpu).name for cpu in rows["cpu"][rows["start_ns"] < window.end_ns].tolist()}
        if len(names) == 1:
            expected.setdefault(names.pop(), []).append(window.mhz)
    for name, rates in found.items():
        if name != SEVERAL:
            assert set(rates) <= set(expected[name]), "a window on one core type executed there only"


def test_the_run_is_repeated_by_what_the_page_gives(tmp_path, monkeypatch):
    codes = re.findall(r"<pre[^>]*>(.*?)</pre>", page("run").read_text(), re.DOTALL)
    scenario, command = map(html.unescape, codes)
    (tmp_path / "scenario.toml").write_text(scenario)
    monkeypatch.chdir(tmp_path)
    assert exit_code(shlex.split(command)[1:]) == 0
    assert json.loads((tmp_path / "result" / "meta.json").read_text())["digest"] in read("run").text


def test_the_command_lines_of_the_pages_are_accepted():
    for kind in KINDS:
        command = html.unescape(re.findall(r"<pre[^>]*>(hetpmu .*?)</pre>", page(kind).read_text())[0])
        words = shlex.split(command)
        assert words[:2] == ["hetpmu", kind]
        cli.commands[kind].make_context(kind, words[2:])


@pytest.mark.parametrize("kind", KINDS)
def test_one_directory_gives_one_page(kind, tmp_path):
    for name in ("one.html", "two.html"):
        assert exit_code(["report", str(made(kind)), "-o", str(tmp_path / name)]) == 0
    assert (tmp_path / "one.html").read_bytes() == (tmp_path / "two.html").read_bytes() == page(kind).read_bytes()
    assert page(kind).stat().st_size < 1_000_000
    for text in (page(kind).read_text(), read(kind).text):  # a name may be broken in the one, in tags in the other
        assert str(folder()) not in text
        assert str(TRACE.parent) not in text


@pytest.mark.parametrize("kind", KINDS)
def test_the_policy_of_the_page_allows_its_own_script_and_style_only(kind):
    found = read(kind)
    metas = {
        given.get("http-equiv"): given["content"] for tag, given in found.tags if tag == "meta" and "content" in given
    }
    policy = str(metas["Content-Security-Policy"])
    for name in ("script", "style"):
        [text] = re.findall(rf"<{name}>(.*?)</{name}>", page(kind).read_text(), re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert f"{name}-src 'sha256-{digest}'" in policy
    assert policy.startswith("default-src 'none'; ")
    assert not [given for _, given in found.tags if "style" in given or any(name.startswith("on") for name in given)]


def test_no_text_is_more_than_text():
    cell = Cell(HOSTILE)
    blocks = (
        Table(HOSTILE, (HOSTILE,), (True,), (Line((cell,)),)), Notes((HOSTILE,)), Code(HOSTILE, HOSTILE),
        Strips(HOSTILE, (Strip(HOSTILE, HOSTILE, ()),), ((0, HOSTILE),), (("dot", HOSTILE),), HOSTILE),
    )  # fmt: skip
    plot = Plot({"policies": [HOSTILE]}, ((HOSTILE, True),), (0,), 0, ((HOSTILE, HOSTILE),), (), (("dot", HOSTILE),))
    section = Section("figures", HOSTILE, HOSTILE, (*blocks, plot))
    found = page_html(Page(HOSTILE, (HOSTILE,), ((HOSTILE, HOSTILE),), (section,), (HOSTILE,)))
    seen = Reader(found)
    assert not [tag for tag, _ in seen.tags if tag == "img"]
    assert sum(tag == "script" for tag, _ in seen.tags) == 2, "its own, and the data of the plot"
    assert json.loads(seen.data["plot-data"]) == {"policies": [HOSTILE]}
    assert seen.text.count("<script>alert(1)</script>") >= 14
    assert "49" not in seen.text


def test_names_of_a_stranger_stay_texts(tmp_path):
    """A mailed directory: its digests can be left away, so anything may stand there."""
    out = tmp_path / "</script><b>"
    shutil.copytree(made("compare"), out)
    (out / SUMS).unlink()
    answer = json.loads((out / "compare.json").read_text())
    for row in answer["policies"]:
        row["policy"] = HOSTILE + "@"
    answer["guest"] = answer["platform"] = HOSTILE
    (out / "compare.json").write_text(json.dumps(answer))
    (out / "table.txt").write_text(HOSTILE + "\n\n")
    assert exit_code(["report", str(out), "-o", str(tmp_path / "page.html")]) == 0
    seen = Reader((tmp_path / "page.html").read_text())
    assert not [tag for tag, _ in seen.tags if tag in ("img", "b")]
    assert sum(tag == "script" for tag, _ in seen.tags) == 2, "its own, and the data of the plot"
    assert HOSTILE.partition("\u2028")[0] in "".join(seen.texts)


@pytest.mark.parametrize(
    "change", [{"policies": None}, {"policies": [{}]}, {"policies": [{"runs": 1}]}, {"seeds": 3}], ids=str
)
def test_a_damaged_answer_is_refused(change, tmp_path, capsys):
    out = tmp_path / "damaged"
    shutil.copytree(made("compare"), out)
    (out / SUMS).unlink()
    answer = json.loads((out / "compare.json").read_text())
    (out / "compare.json").write_text(json.dumps(answer | change))
    assert exit_code(["report", str(out), "-o", str(tmp_path / "page.html")]) == 2
    assert len(capsys.readouterr().err.splitlines()) <= 3
    assert not (tmp_path / "page.html").exists()


def test_what_has_no_report_is_refused(tmp_path, capsys):
    (tmp_path / "empty").mkdir()
    (tmp_path / "validation").mkdir()
    (tmp_path / "validation" / "validation.json").write_text("{}")
    for place, told in (("empty", "no result"), ("validation", "no report of a validation"), ("gone", "no such")):
        assert exit_code(["report", str(tmp_path / place), "-o", str(tmp_path / "page.html")]) == 2
        message = capsys.readouterr().err
        assert told in message
        assert len(message.splitlines()) <= 3
    (tmp_path / "mine.txt").write_text("mine")
    assert exit_code(["report", str(made("run")), "-o", str(tmp_path / "mine.txt")]) == 2
    assert "--force" in capsys.readouterr().err
    assert (tmp_path / "mine.txt").read_text() == "mine"
    assert exit_code(["report", str(made("run")), "-o", str(tmp_path / "mine.txt"), "--force"]) == 0
    assert exit_code(["report", str(made("run")), "-o", str(tmp_path)]) == 2
    assert exit_code(["report", str(made("run"))]) == 2
    assert not (tmp_path / "page.html").exists()
