"""Whether a command simulates compiled or as plain Python, decided before anything imports numba.

The same functions run either way, with equal results. Until all kernels are compiled, once after an installation, what
is small runs plain, which ends before the compiler would; a process in the background compiles meanwhile.
"""

import os
import subprocess
import sys
from collections.abc import MutableMapping
from pathlib import Path

from simcore import kernelcache
from simcore.scenario import Scenario

VARIABLE = "HETPMU_COMPILE"
FIRST = "first"
SMALL_NS = 32_000_000_000
"""Simulated time of threads up to which plain is faster: some 0.2 s of a core a second (0.9 s when a guest samples),
where compiling takes a minute."""
NOTE = "first runs: simulated as plain Python, with the same results, while the kernels are compiled in the background"


def choose_tier(scenario: Scenario, runs: int) -> str:
    """Choose for ``runs`` runs of about this scenario; return what to tell the user, nothing if compiled code runs."""
    return choose(os.environ, scenario, runs)


def choose(environ: MutableMapping[str, str], scenario: Scenario, runs: int) -> str:
    """Choose, and set numba's variable in ``environ`` for plain Python; too late once numba is imported."""
    if environ.get(VARIABLE) == FIRST or environ.get(kernelcache.PLAIN) or "numba" in sys.modules:
        return ""
    if thread_ns(scenario) * runs > SMALL_NS:
        return ""
    cache = kernelcache.choose(environ, kernelcache.ROOT)
    if kernelcache.is_complete(cache) or not kernelcache.is_keyed(cache):
        return ""
    if not kernelcache.is_locked(cache):
        compile_in_background(environ)
    environ[kernelcache.PLAIN] = "1"
    return NOTE


def thread_ns(scenario: Scenario) -> int:
    """Return the simulated time of all threads of a run."""
    return scenario.seconds_ns * (sum(vm.vcpus for vm in scenario.vms) + len(scenario.background))


def compile_in_background(environ: MutableMapping[str, str]) -> None:
    """Start the process that compiles everything; it outlives this one."""
    paths = [str(kernelcache.ROOT), environ.get("PYTHONPATH", "")]
    subprocess.Popen(
        [sys.executable, "-P", "-m", "simcore.app.compiling"],
        env={**environ, "PYTHONPATH": os.pathsep.join(filter(None, paths))},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        cwd=Path(sys.executable).parent,
    )
