"""The loaders as functions of one input, each as far as the command goes before it simulates anything."""

import contextlib
import json
import os
import shutil
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

from simcore.errors import InputError
from simcore.scenario import Scenario
from tests.fuzz.trees import NO_TREE, TAR

MOST_POINTS = 20
"""Points of a study of which the scenario is made; a command makes all of them, in the time that it takes."""
PLATFORM = "rk3588"


@cache
def scratch() -> Path:
    """Return a folder of this process, in memory where there is such a file system."""
    place = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    folder = Path(tempfile.mkdtemp(prefix="hetpmu-fuzz-", dir=place))
    import atexit

    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def by_path(read: Callable[[str], Any], suffix: str) -> Callable[[bytes], Any]:
    """Return the reader of a file as one of bytes."""

    def reading(data: bytes) -> Any:
        path = scratch() / f"input{suffix}"
        path.write_bytes(data)
        return read(str(path))

    return reading


def by_directory(read: Callable[[Path], Any]) -> Callable[[bytes], Any]:
    """Return the reader of a directory as one of the bytes of a tar file with what is in it."""

    def reading(data: bytes) -> Any:
        folder = scratch() / "directory"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        for name, content in files_of(data).items():
            path = folder / name
            if len(name) < 200 and path.resolve().is_relative_to(folder):
                with contextlib.suppress(OSError, ValueError):
                    path.parent.mkdir(parents=True, exist_ok=True)
                    path.write_bytes(content)
        return read(folder)

    return reading


def files_of(data: bytes) -> dict[str, bytes]:
    """Return the files in a tar file, none where it is none."""
    with contextlib.suppress(*NO_TREE):
        found: dict[str, bytes] = TAR.load(data)
        return found
    return {}


def text(data: bytes) -> str:
    """Return bytes as Python gives an argument of the command line to a program."""
    return data.decode("utf-8", "surrogateescape").replace("\0", "")


# --- files of hetpmu ------------------------------------------------------------------------------------


def scenario(path: str) -> Any:
    """Load a scenario and check it as `run` does before it runs."""
    from simcore.loader import load_scenario

    return runnable(load_scenario(path))


def runnable(found: Scenario) -> Scenario:
    """Check a scenario as `run` does before it runs."""
    from simcore.app.checking import checked

    return checked(found)


def study(path: str) -> Any:
    """Load a study and make the scenarios of its first points."""
    from simcore.loader import load_study_file
    from simcore.study_build import scenario_of

    found = load_study_file(path)
    assert found.columns
    return [scenario_of(found, point) for point in range(min(found.points, MOST_POINTS))]


def soc(path: str) -> Any:
    """Load a platform and explain it."""
    from simcore.app.explain_text import explanation
    from simcore.app.explaining import explain_platform, platform_row
    from simcore.loader import load_platform

    found = load_platform(path)
    platform_row(found)
    return explanation(explain_platform(found))


def core(path: str) -> Any:
    """Load a core type."""
    from simcore.loader import validate_core_file

    return validate_core_file(path)


def workload(path: str) -> Any:
    """Load a workload for a platform."""
    from simcore.loader import load_platform
    from workloads.catalog import load_workload

    return load_workload(path, load_platform(PLATFORM).core_types)


def anything(path: str) -> Any:
    """Check a file of any kind."""
    from simcore.loader import validate_file

    return validate_file(path)


# --- recordings and files of other tools ----------------------------------------------------------------


def rtapp(path: str) -> Any:
    """Import an rt-app file for the host, and for a guest."""
    from simcore.app.importing_rtapp import Beside, import_rtapp, scenario_of, text_of

    made = []
    for guest in (False, True):
        with contextlib.suppress(InputError) if guest else contextlib.nullcontext():
            _, answer = import_rtapp(Path(path), PLATFORM, guest, ())
            made.append((text_of(answer), scenario_of(answer, Beside(scratch()))))
    return made


def perf_stat(path: str) -> Any:
    """Import the counts of perf stat."""
    from simcore.app.importing_counts import PerfOptions
    from simcore.app.importing_perf import import_perf
    from simcore.app.importing_text import summary, workload_text

    made, notes = import_perf([Path(path)], PerfOptions(PLATFORM, cores={"": "cortex-a76"}, others_like="429.mcf"))
    return workload_text(made, "test", notes), summary(made, notes)


def trace(path: str) -> Any:
    """Read a trace and make it ready for the replay."""
    from simcore.app.trace_reading import read_schedule
    from simcore.app.trace_steps import prepare
    from simcore.loader import load_platform

    board = load_platform("mt8173")
    return prepare(read_schedule(path, "CPU|vcpu|rt|task|7", len(board.cpus)), board)


def probe(path: str) -> Any:
    """Read a log of the probe."""
    from simcore.app.measured_log import read_log

    return read_log(path)


def board(path: str) -> Any:
    """Make a platform of a copy of sysfs."""
    from simcore.app.boarding import board_file, summary

    found = board_file(path)
    return summary(found), found.as_json()


def board_directory(folder: Path) -> Any:
    """Make a platform of a copy of sysfs that is a directory."""
    return board(str(folder))


def vectors(path: str) -> Any:
    """Read and replay recorded sequences."""
    from simcore.app.conforming import run_files

    return run_files([path])


def baseline(path: str) -> Any:
    """Read a saved benchmark."""
    from benchmarks.baseline import load

    return load(Path(path))


# --- sequences of calls --------------------------------------------------------------------------------


@cache
def host() -> Any:
    """Return the host of sequences."""
    from pmu.host import PMUVER_V3, Host
    from simcore.loader import load_platform

    return Host.from_platform(load_platform(PLATFORM), unknown_pmuver=PMUVER_V3)


def uapi(path: str) -> Any:
    """Run a sequence of calls of a file under two revisions."""
    from simcore.app.uapi_parsing import read_sequence
    from simcore.app.uapi_running import as_json, columns_of, run_steps, vcpus_of
    from simcore.app.uapi_text import MAIL, report

    board, columns = host(), columns_of(("v8", "review"))
    steps = read_sequence(path, board, 8)
    count = vcpus_of(steps)
    answer = as_json(PLATFORM, board, columns, count, "gicv3", run_steps(board, columns, steps, count))
    return report(answer, MAIL)


# --- directories, tables, images ------------------------------------------------------------------------


def result(folder: Path) -> Any:
    """Show what is in a result directory."""
    from simcore.app.show_text import contents_text, rows_text
    from simcore.app.showing import contents

    _with_digests(folder / "meta.json")
    found = contents(folder)
    found.as_json(None, None)
    return contents_text(found), rows_text(found, "vcpus", 3)


def _with_digests(meta: Path) -> None:
    """Make the digest of a head right, as a stranger could: it says nothing about what the head says."""
    from simcore.app.storing import about_digest

    with contextlib.suppress(*NO_TREE):
        found = json.loads(meta.read_bytes())
        found["about_digest"] = about_digest(found)
        meta.write_text(json.dumps(found), encoding="utf-8")


def sweep(folder: Path) -> Any:
    """Show what a sweep has found, and go on with it up to the first run."""
    from simcore.app.study_data import load_study
    from simcore.app.study_sources import rows_of
    from simcore.app.sweep_directory import is_sweep
    from simcore.app.sweep_failures import Failures
    from simcore.app.sweep_files import SweepFiles
    from simcore.app.sweep_state import SweepState
    from simcore.app.sweep_text import answer_of, answer_text, costs_text

    if not is_sweep(folder):
        return None
    data = load_study(folder)
    made = answer_text(answer_of(data, folder)), costs_text(data), rows_of(folder)
    files = SweepFiles(folder, data.study)
    files.prepare()
    return made, SweepState(files, Failures(files.failures, data.study)).next_run()


def table(path: str) -> Any:
    """Read a Parquet file."""
    from simcore.app.parquet import read_table

    return read_table(Path(path))


def image(path: str) -> Any:
    """Read an image of real code."""
    from simcore.app.code_images import read_image
    from simcore.app.code_loader import parse_image

    return parse_image(read_image(path), path, 64 << 20)
