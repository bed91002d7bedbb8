"""SimSo 0.8.5 as a peer. It needs SimPy 2 and Python 3.11: it runs in an environment of its own, made on demand.

HETPMU_SIMSO_PYTHON names an interpreter that has SimSo; else the environment lies in the user's cache directory.
"""

import json
import os
import shutil
import subprocess
from pathlib import Path

from benchmarks import engine
from benchmarks.measure import Contender, Unavailable
from benchmarks.worker import Worker
from simcore.kernelcache import cache_home

VERSION = "0.8.5"
VARIABLE = "HETPMU_SIMSO_PYTHON"
PYTHON = "python3.11"
MINUTES = 60.0


def peer(cpus: int, tasks: list[tuple[float, float]], duration_ns: int) -> Contender:
    """Return SimSo on a periodic set: (period, execution time) of each task in milliseconds."""
    question = json.dumps({"cpus": cpus, "duration_ns": duration_ns, "tasks": tasks})
    worker = Worker("SimSo", [interpreter(), "-P", str(Path(__file__).with_name("simso_worker.py")), question])
    also = {engine.EVENTS: int(worker.answer())}
    return Contender(lambda: worker.ask("run"), duration_ns / 1e9, lambda: worker.ask("build"), also, elsewhere=True)


def interpreter() -> str:
    """Return an interpreter that has SimSo, for which an environment may have to be made."""
    given = os.environ.get(VARIABLE)
    if given:
        return checked(given, f"{VARIABLE}={given}")
    home = cache_home(os.environ) / "hetpmu" / f"simso-{VERSION}"
    python = home / "bin" / "python"
    if not python.exists():
        make(home)
    return checked(str(python), str(home))


def make(home: Path) -> None:
    """Make an environment with SimSo; leave nothing where that fails."""
    base = shutil.which(PYTHON)
    if base is None:
        raise Unavailable(f"{PYTHON} is not installed")
    try:
        done([base, "-m", "venv", str(home)])
        done([str(home / "bin" / "python"), "-m", "pip", "install", "--quiet", f"simso=={VERSION}"])
    except Unavailable:
        shutil.rmtree(home, ignore_errors=True)
        raise


def checked(python: str, where: str) -> str:
    """Return an interpreter that can import SimSo."""
    done([python, "-c", "import simso.core"], f"no SimSo in {where}")
    return python


def done(command: list[str], failure: str = "cannot install SimSo") -> None:
    """Run a command to its end."""
    try:
        subprocess.run(command, capture_output=True, text=True, check=True, timeout=5 * MINUTES)
    except (OSError, subprocess.SubprocessError) as error:
        raise Unavailable(failure) from error
