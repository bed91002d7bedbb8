"""SimSo 0.8.5 as a peer. It needs SimPy 2 and Python 3.11: it runs in an environment of its own, made on demand.

HETPMU_SIMSO_PYTHON names an interpreter that has SimSo; else the environment lies in the user's cache directory.
"""

import atexit
import json
import os
import shutil
import subprocess
from pathlib import Path

from benchmarks import engine
from benchmarks.measure import Contender, Unavailable
from simcore.kernelcache import cache_home

VERSION = "0.8.5"
VARIABLE = "HETPMU_SIMSO_PYTHON"
PYTHON = "python3.11"
MINUTES = 60.0


def peer(cpus: int, tasks: list[tuple[float, float]], duration_ns: int) -> Contender:
    """Return SimSo on a periodic set: (period, execution time) of each task in milliseconds."""
    question = json.dumps({"cpus": cpus, "duration_ns": duration_ns, "tasks": tasks})
    worker = Worker([interpreter(), "-P", str(Path(__file__).with_name("simso_worker.py")), question])
    simulated_s = duration_ns / 1e9
    return Contender(
        lambda: worker.ask("run"), simulated_s, lambda: worker.ask("build"), {engine.EVENTS: worker.events}
    )


class Worker:
    """SimSo in another process, which does what it is asked."""

    def __init__(self, command: list[str]) -> None:
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        atexit.register(self._process.kill)
        self.events = int(self._answer())

    def ask(self, command: str) -> None:
        """Have a command done."""
        assert self._process.stdin
        self._process.stdin.write(f"{command}\n")
        self._process.stdin.flush()
        self._answer()

    def _answer(self) -> str:
        assert self._process.stdout
        answer = self._process.stdout.readline()
        if not answer:
            raise Unavailable(f"SimSo ended with status {self._process.wait()}")
        return answer


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
