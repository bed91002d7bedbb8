"""The same targets and changes, with atheris (libFuzzer) choosing the inputs by the branches they take.

It is no dependency: `pip install atheris` into an environment of one's own.
"""

import os
import random
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import atheris

from tests.fuzz.engine import Failure, Report, count_in, minimised
from tests.fuzz.guard import FAILED, judge
from tests.fuzz.mutate import BIG_BYTES, Known
from tests.fuzz.table import Target


def campaign(
    target: Target, seed: int, count: int, before: Callable[[bytes], object], finish: Callable[[Report], None]
) -> None:
    """Give a target so many inputs and end the process: libFuzzer does not return."""
    report, started, seen = Report(target.name), time.monotonic(), set()
    seeds = target.seeds()

    def one(data: bytes) -> None:
        before(data)
        outcome = judge(target.read, data)
        count_in(report, outcome)
        if outcome.kind == FAILED and outcome.what not in seen:
            seen.add(outcome.what)
            report.failures.append(Failure(target.name, outcome.what, outcome.detail, minimised(target, data, outcome)))
        if report.inputs >= count:
            report.seconds = time.monotonic() - started
            finish(report)
            os._exit(0)

    def change(data: bytes, most: int, number: int) -> bytes:
        made = target.changed(random.Random(number), data or seeds[number % len(seeds)], Known(target.tokens(), seeds))
        return made[:most]

    for data in seeds:
        one(data)
    folder = Path(tempfile.mkdtemp())
    for number, data in enumerate(seeds):
        (folder / str(number)).write_bytes(data)
    atheris.instrument_all()
    options = [f"-max_len={BIG_BYTES}", f"-seed={seed}", "-rss_limit_mb=0", "-timeout=600", "-print_final_stats=0"]
    atheris.Setup([sys.argv[0], *options, str(folder)], one, custom_mutator=change)
    atheris.Fuzz()
