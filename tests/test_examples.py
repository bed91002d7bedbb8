"""Every example of README and docs/: each command and each block of Python runs, and outputs are those that are shown.

What takes long is shortened (SHORT), what cannot run here is listed with the reason (NOT_RUN); both lists are exact.
"""

import contextlib
import dataclasses
import glob
import io
import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import matplotlib
import pytest
from matplotlib import pyplot

from simcore import loader
from simcore.app.cli import exit_code
from tests import test_measured
from tests.examples import BLOCK, PAGES, ROOT, Example, differs, examples, words

QUICK = ["--seeds", "1", "--seconds", "20ms", "--workers", "1"]
SHORT: dict[str, list[str]] = {
    r"compare .*--sensitivity": [*QUICK, "--policies", "default"],
    r"compare ": QUICK,
    r"uapi --explore 2$": ["--explore", "1"],
    r"sweep ": ["--seeds", "1", "--workers", "1"],
    r"run docs/examples/live": ["--set", "seconds=450ms"],
    r"run docs/examples/overcommit": ["--set", "seconds=20ms"],
    r"run docs/examples/boot.toml .*--out boot$": ["--set", "seconds=150ms"],
    r"run .*schedule=true": ["--set", "seconds=20ms"],
}
"""What is added to commands (without `hetpmu`) that begin so; the first that fits. Studies are cut as well (`cut`)."""
MEASURES = "measures this machine for minutes; tests/test_benchmarks_*.py run the cases"
GUEST_OR_BOARD = "runs on a board or in a guest"
NEXT = "needs the row of the page; tests/test_reviewers_page.py adds it"
NOT_RUN = {
    "hetpmu bench": MEASURES,
    "hetpmu bench --quick": MEASURES,
    "hetpmu bench --quick --band hot": MEASURES,
    "hetpmu bench --band hot,mechanism --json result.json": MEASURES,
    "hetpmu bench --band hot --save before.json": MEASURES,
    "hetpmu bench --band hot --against ../other": MEASURES,
    "hetpmu bench --plot roofline.png": MEASURES,
    "rt-app my.json": GUEST_OR_BOARD,
    "sh collect.sh > board.tar": GUEST_OR_BOARD + "; tests/test_board.py runs the script",
    "cc -O2 -o probe probe.c": GUEST_OR_BOARD + "; tests/test_measured.py builds it",
    "echo 1 > /proc/sys/kernel/perf_user_access": GUEST_OR_BOARD,
    "./probe -c 0 -n 10000 -i 1000 > vcpu0.log": GUEST_OR_BOARD + "; tests/test_measured.py runs it",
    "hetpmu uapi --kernel v8,v12 'set SET_PMU 9; set FIXED_COUNTERS_ONLY'": NEXT,
    "hetpmu compare --policies fixed-counters-only --kernel v8,v12 --guest ticking --scheduler random:1000 --seeds 1 "
    "--seconds 30ms": NEXT,
    "def _reload_if_enabled": NEXT,
    "pandas.read_parquet": "pandas, polars and duckdb are the user's own",
    "import pandas, polars, duckdb": "pandas, polars and duckdb are the user's own",
    "from dask_jobqueue import SLURMCluster": "needs a cluster; tests/test_sweep_dask.py has one of this machine",
    "from dask_kubernetes.operator import KubeCluster": "needs a cluster",
}
"""Commands, and the first words of blocks of Python, that do not run here, and why."""
CODES = {"hetpmu guest run reads --init-cpu 4 --migrate random:2000": 1}
"""Exit codes that are not 0."""
MADE_BEFORE = {
    "demo": "hetpmu compare --out demo",
    "kept": "hetpmu run docs/examples/boot.toml --set schedule=true --out kept",
}
"""What a reader has made before where a page uses a directory of this name and does not make it."""
by_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
_known: dict[str, tuple[int, str]] = {}


@pytest.fixture(autouse=True)
def _drawing_into_memory():
    before = matplotlib.get_backend()
    pyplot.switch_backend("agg")
    yield
    pyplot.switch_backend(before)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Go to a directory with all that the examples take for granted: the repository's own files, and the reader's."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "120")
    whole = loader.load_study_file
    monkeypatch.setattr(loader, "load_study_file", lambda name: cut(whole(name)))
    for name in ("docs", "tests"):
        (tmp_path / name).symlink_to(ROOT / name)
    (tmp_path / "run.json").write_text("".join(map(_counted, range(4))), encoding="utf-8")
    shutil.copy(ROOT / "tests/data/board/virt-a76-linux-6.1.tar.gz", "board.tar")
    _record(tmp_path / "trace.dat", tmp_path / "vcpu0.log")
    return tmp_path


def _counted(number: int) -> str:
    """Return a line of `perf stat -j`: cycles and instructions on the A55 and the A76."""
    event = f"armv8_cortex_a{(55, 76)[number // 2]}/{('cycles', 'instructions')[number % 2]}/"
    row = {"counter-value": f"{(2, 1)[number % 2]}000000000.000000", "event": event, "event-runtime": 1_000_000_000}
    return json.dumps(row | {"unit": "", "pcnt-running": 100.0}) + "\n"


def _record(trace: Path, log: Path) -> None:
    """Write a recording of two vCPU threads, and the log of a probe that ran on the first of them."""
    text = Path(test_measured.trace_of(trace)).read_text(encoding="utf-8")
    trace.write_text(re.sub(r" 100\.(\d{6}:)", r" 259445.\1", text), encoding="utf-8")
    times = range(0, 50_000_000, 1_000_000)
    test_measured.write(log, times, [ns * 2 for ns in times], cpu=0)


def cut(study):
    """Return a study of one seed, two values of each axis and short runs."""
    axes = tuple(dataclasses.replace(axis, rows=axis.rows[:2]) for axis in study.axes)
    return dataclasses.replace(study, base=study.base | {"seconds": "20ms"}, axes=axes, stop=None)


def typed(command: str) -> str:
    """Return a command as SHORT has it: without `hetpmu`."""
    return command.removeprefix("hetpmu ")


def added(command: str) -> list[str]:
    """Return what shortens a command."""
    return next((more for start, more in SHORT.items() if re.match(start, typed(command))), [])


def ran(command: str) -> tuple[int, str]:
    """Run a hetpmu command and return its exit code and output; one that writes nothing runs once for all pages."""
    if command in _known:
        return _known[command]
    arguments, target = words(command)
    expanded = [found for each in arguments for found in (sorted(glob.glob(each)) if "*" in each else ()) or (each,)]
    printed, said = io.StringIO(), io.StringIO()
    before = set(Path().iterdir())
    with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(said):
        code = exit_code([*expanded, *added(command)])
    if target:
        Path(target).write_text(printed.getvalue(), encoding="utf-8")
    answer = code, "" if target else printed.getvalue()
    assert code == CODES.get(command, 0), f"{command}: exit {code}\n{said.getvalue()}"
    if set(Path().iterdir()) == before and "-o" not in arguments and "--out" not in arguments:
        _known[command] = answer
    return answer


def faults(example: Example) -> Iterator[str]:
    """Run a block, and yield what of its output is not what the page shows."""
    ours = [command for command in example.commands if command not in NOT_RUN]
    strangers = [command for command in ours if not command.startswith("hetpmu ")]
    yield from (f"{example.name}: neither ours nor in NOT_RUN: {command}" for command in strangers)
    printed = "".join(ran(command)[1] for command in ours if command not in strangers)
    whole = len(ours) == len(example.commands) and not any(map(added, ours))
    if example.output and whole and (fault := differs(example.output, printed)):
        yield f"{example.name}: {fault}"


def make_before(commands: list[str]) -> None:
    """Make the directories that commands use and do not make."""
    used = [words(command)[0] for command in commands if command.startswith("hetpmu ")]
    for name, maker in MADE_BEFORE.items():
        if any(name in each for each in used) and not any(["--out", name] == pair for pair in _pairs(used)):
            ran(maker)


def _pairs(used: list[list[str]]) -> Iterator[list[str]]:
    return (arguments[place : place + 2] for arguments in used for place in range(len(arguments)))


def python_blocks(page: Path) -> list[str]:
    """Return the blocks of Python of a page; those with prompts are doctests (tests/test_api.py)."""
    return [body for language, body in BLOCK.findall(page.read_text(encoding="utf-8")) if language == "python"]


def runs(code: str) -> bool:
    """Tell whether a block of Python runs here."""
    return not any(code.startswith(start) for start in NOT_RUN)


@by_page
def test_the_examples_of_a_page(page, folder):
    make_before([command for example in examples(page) for command in example.commands])
    found = [fault for example in examples(page) for fault in faults(example)]
    assert found == [], "\n".join(found)
    for code in filter(runs, python_blocks(page)):
        exec(compile(code, page.name, "exec"), {"__name__": "example"})


def test_the_lists_are_exact():
    commands = {command for page in PAGES for example in examples(page) for command in example.commands}
    code = [block for page in PAGES for block in python_blocks(page)]
    listed = {entry for entry in NOT_RUN if entry in commands or any(block.startswith(entry) for block in code)}
    assert listed == NOT_RUN.keys()
    assert CODES.keys() <= commands
    assert [start for start in SHORT if not any(re.match(start, typed(command)) for command in commands)] == []


def test_there_are_examples():
    found = [example for page in PAGES for example in examples(page)]
    assert sum(len(example.commands) for example in found) > 90
    assert sum(bool(example.output) for example in found) > 10


@pytest.mark.parametrize(
    "shown, printed, fault",
    [
        ("a\nb\n", "a\nb\n", ""),
        ("a\n[...]\nd\n", "a\nb\nc\nd\n", ""),
        ("a\n...\n", "a\nb\n", ""),
        ("[...]\nb\n[...]\n", "a\nb\nc\n", ""),
        ("a\nc\n", "a\nb\nc\n", "not printed here: a\nc"),
        ("b\n[...]\n", "a\nb\n", "not printed here: b"),
        ("[...]\nc\n[...]\nb\n", "a\nb\nc\n", "not printed here: b"),
        ("a\n", "a\nb\n", "more: \nb\n"),
    ],
)
def test_an_output_is_compared_but_for_what_is_left_out(shown, printed, fault):
    assert differs(shown, printed) == fault


def test_a_block_is_read_as_a_reader_types_it():
    page = ROOT / "docs" / "tutorial.md"
    example = next(each for each in examples(page) if "replay" in each.commands[0])
    arguments, target = words(example.commands[0])
    assert arguments[:4] == ["replay", "tests/data/traces/rtapp_6cpu.report.txt.gz", "--threads", "rt-app|task_r20"]
    assert target == ""
    assert example.output
    assert words("hetpmu probe > probe.c") == (["probe"], "probe.c")
    assert words("hetpmu compare --json - | jq '.policies'") == (["compare", "--json", "-"], "")
