"""First runs: small ones as plain Python while the kernels are compiled in the background, all others compiled."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from simcore import kernelcache
from simcore.app import tier
from simcore.app.cli import DONE, exit_code
from simcore.scenario import BackgroundTask, Scenario, VmSpec

ROOT = Path(kernelcache.__file__).parents[1]
SMALL = Scenario(seconds_ns=1_000_000_000, vms=(VmSpec(vcpus=2),), background=())


@pytest.fixture
def started(monkeypatch):
    """Let nothing have imported numba yet; the background processes that would start."""
    monkeypatch.delitem(sys.modules, "numba", raising=False)
    started: list[dict[str, str]] = []
    monkeypatch.setattr(tier, "compile_in_background", started.append)
    return started


@pytest.fixture
def environ(tmp_path):
    return {"XDG_CACHE_HOME": str(tmp_path)}


def cache_of(environ):
    return kernelcache.choose(environ, kernelcache.ROOT)


def is_plain(environ, scenario=SMALL, runs=1):
    told = tier.choose(environ, scenario, runs)
    assert told == (tier.NOTE if environ.get("NUMBA_DISABLE_JIT") else "")
    return bool(told)


def test_a_small_run_on_an_empty_cache_is_plain_while_everything_is_compiled(environ, started):
    assert is_plain(environ)
    assert len(started) == 1


def test_a_run_that_takes_longer_than_compiling_is_compiled(environ, started):
    assert is_plain(dict(environ), runs=16)
    assert not is_plain(environ, runs=17)


def test_threads_of_all_vms_and_of_the_host_count(environ, started):
    busy = Scenario(seconds_ns=SMALL.seconds_ns, vms=(VmSpec(vcpus=2), VmSpec(vcpus=5)), background=(BackgroundTask(),))
    assert is_plain(dict(environ), busy, 4)
    assert not is_plain(environ, busy, 5)


def test_once_all_kernels_are_in_the_cache_everything_is_compiled(environ, started):
    kernelcache.note_complete(cache_of(environ))
    assert not is_plain(environ)
    assert started == []


def test_one_background_process_is_enough(environ, started):
    with kernelcache.locked(cache_of(environ)) as alone:
        assert alone
        assert is_plain(environ)
    assert started == []


@pytest.mark.parametrize(
    "settings",
    [{"HETPMU_COMPILE": "first"}, {"NUMBA_CACHE_DIR": "/of/the/user"}],
    ids=["who wants compiled runs", "whose cache has no key"],
)
def test_who_is_not_asked(environ, started, settings):
    assert not is_plain(environ | settings)
    assert started == []


def test_plain_python_by_the_users_wish_needs_no_compiler(environ, started):
    environ["NUMBA_DISABLE_JIT"] = "1"
    assert tier.choose(environ, SMALL, 1) == ""
    assert started == []


def test_it_is_too_late_once_numba_is_imported(environ, started, monkeypatch):
    monkeypatch.setitem(sys.modules, "numba", os)
    assert not is_plain(environ)


def test_a_cache_that_cannot_be_kept_is_not_filled(environ, started, tmp_path):
    (tmp_path / "file").touch()
    assert not is_plain({"XDG_CACHE_HOME": str(tmp_path / "file")})
    assert started == []


def pid_of_compiler(cache):
    """Wait for the process in the background, and return its id."""
    lock = cache / kernelcache.LOCK
    for _ in range(600):
        if lock.exists() and (text := lock.read_text()).endswith("\n"):
            return int(text)
        time.sleep(0.1)
    raise TimeoutError(str(cache))


def test_the_first_comparison_gives_the_answer_of_all_others(tmp_path, capsys):
    command = ["compare", "--seconds", "20ms", "--seeds", "1", "--policies", "default", "--json", "-"]
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("NUMBA_", "HETPMU_"))}
    first = subprocess.run(
        [sys.executable, "-m", "simcore.app.cli", *command], cwd=ROOT, env=kept | {"XDG_CACHE_HOME": str(tmp_path)},
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    os.killpg(pid_of_compiler(next((tmp_path / "hetpmu").iterdir())), signal.SIGTERM)
    assert tier.NOTE in first.stderr
    assert exit_code(command) == DONE
    assert json.loads(first.stdout) == json.loads(capsys.readouterr().out)
