"""The command lines of report pages, run again: a replay of some of many threads of the same names."""

import html
import json
import re
import shlex
from pathlib import Path

import pytest

from simcore.app.cli import exit_code
from simcore.app.storing import load_runs
from tests.test_measured import MS, START_S, write

PIDS = (1001, 1002, 2001, 2002)


def recorded(path):
    """Write a recording of two VMs, whose threads have the same names, with a sign of regular expressions in them."""
    rows = []
    for number, pid in enumerate(PIDS):
        thread, idle = f"CPU {number % 2}/KVM+:{pid} [120]", f"swapper/{number}:0 [120]"
        rows.append((number * MS, number, f"sched_switch:         {idle} R ==> {thread}"))
        rows.append(((40 + number) * MS, number, f"sched_switch:         {thread} S ==> {idle}"))
    lines = [f"          <idle>-0     [{cpu:03}]   {100 + ns / 1e9:.6f}: {text}" for ns, cpu, text in sorted(rows)]
    path.write_text("\n".join(["cpus=8", *lines]) + "\n")
    return path


def replayed(*given):
    """Replay in this folder and return the command line on the page about it."""
    first = ["--threads", "[+]-100[12]", "--platform", "rk3588", "--policies", "default,default@v8", "--out", "first"]
    assert exit_code(["replay", "trace.txt", *first, *given]) == 0
    assert exit_code(["report", "first", "-o", "page.html", "--force"]) == 0
    [command] = re.findall(r"<pre[^>]*>(hetpmu .*?)</pre>", Path("page.html").read_text())
    return shlex.split(html.unescape(command))


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """Work where the recording is, and draw nothing."""
    for name in ("draw", "draw_measured"):
        monkeypatch.setattr(f"simcore.app.trace_replay.{name}", lambda *_: None)
    monkeypatch.chdir(tmp_path)
    recorded(tmp_path / "trace.txt")


@pytest.mark.parametrize("options", [(), ("--schedule", "--trace")])
def test_the_command_of_a_replay_finds_the_same_threads_and_gives_the_same_results(options):
    words = replayed(*options)
    assert exit_code(words[1:]) == 0
    one, two = (load_runs(Path(name)) for name in ("first", "result"))
    assert len(one) == 4
    assert [run.digest() for run in one] == [run.digest() for run in two]


def test_the_command_of_a_replay_lays_the_same_log_over_it(tmp_path):
    write(tmp_path / "vcpu.log", range(0, 40 * MS, MS), range(0, 40_000, 1000), cpu=7)
    words = replayed("--measured", "vcpu.log", "--align", START_S, "--vcpu", "1")
    assert exit_code(words[1:]) == 0
    one, two = (json.loads((tmp_path / name / "replay.json").read_text()) for name in ("first", "result"))
    assert one["measured"]["vcpu"] == 1
    assert one["measured"] == two["measured"]
