"""`python -m tests.soak`: draw scenarios, check every law on each, minimise what fails, report what was exercised."""

import argparse
import sys
import time
from pathlib import Path

from simcore import kernelcache

kernelcache.key_cache_directory()

from tests.soak.examining import Verdict, examine  # noqa: E402
from tests.soak.program import install  # noqa: E402
from tests.soak.reporting import Report  # noqa: E402
from tests.soak.shrinking import keep_failure  # noqa: E402


def main() -> int:
    """Run the soak that the command line asks for; 1 where a law was broken or never exercised."""
    options = _options()
    install()
    report = Report(options.seed)
    limit = time.perf_counter() + 60 * options.minutes
    for index in range(options.first, options.first + options.count):
        if options.minutes and time.perf_counter() > limit:
            break
        verdict = examine(options.seed, index)
        report.take(verdict)
        if verdict.law:
            _tell(options, verdict)
        if options.progress and (index + 1) % options.progress == 0:
            print(report.line(), flush=True)
    print(report.text())
    return report.status


def _tell(options: argparse.Namespace, verdict: Verdict) -> None:
    print(f"scenario {verdict.index} breaks {verdict.law}: {verdict.how}", flush=True)
    if options.failures:
        options.failures.mkdir(parents=True, exist_ok=True)
        print(f"written: {keep_failure(options.failures, options.seed, verdict)}", flush=True)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description=__doc__)
    parser.add_argument("--count", type=int, default=1000, help="how many scenarios (1000)")
    parser.add_argument("--seed", type=int, default=1, help="seed of the soak (1)")
    parser.add_argument("--first", type=int, default=0, help="number of the first scenario (0)")
    parser.add_argument("--minutes", type=float, default=0, help="stop after so long (0: when all are done)")
    parser.add_argument("--progress", type=int, default=100, help="a line each so many scenarios (100; 0: none)")
    parser.add_argument("--failures", type=Path, help="directory for minimised scenarios that broke a law")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
