"""Contenders that start the command line anew each time: what a user waits for. Compiled code is in the cache."""

import os
import subprocess
import sys
from pathlib import Path

from benchmarks.case import Case
from benchmarks.measure import Contender

ROOT = Path(__file__).parents[1]
COMMAND = ("-m", "simcore.app.cli")


def start(*arguments: str) -> Contender:
    """Return starts of a Python of their own with such arguments."""
    environment = os.environ | {"PYTHONPATH": str(ROOT), "HETPMU_COMPILE": "first"}

    def call() -> None:
        subprocess.run([sys.executable, *arguments], env=environment, stdout=subprocess.DEVNULL, check=True)

    return Contender(call, 1)


CASES = (
    Case(
        "help",
        "whole",
        "s",
        lambda: start(*COMMAND, "--help"),
        {"python": lambda: start("-c", "pass")},
        limits={"s": 0.25},
        bounds=("python",),
        time_ratios=True,
    ),
    Case("compare-quick", "whole", "s", lambda: start(*COMMAND, "compare", "--quick"), limits={"s": 2}),
)
