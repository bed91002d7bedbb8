"""Fuzz the loaders: `python -m tests.fuzz --target all --count 3000`; docs/robustness.md says what is promised."""

import argparse
import multiprocessing
import sys
from pathlib import Path
from typing import Any

from tests.fuzz.engine import Failure, Report, campaign, keep
from tests.fuzz.guard import FAILED, judge
from tests.fuzz.targets import TARGETS

WALL_S = 300
"""Without a sign of life for so long, the process of a target is ended and its input kept."""


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--target", default="all", help=f"all, or some of {', '.join(TARGETS)}")
    parser.add_argument("--count", type=int, default=3000, help="inputs a target  [3000]")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--minutes", type=float, help="end a target after so long")
    parser.add_argument("--plain", action="store_true", help="do not look for inputs that reach new lines")
    parser.add_argument("--atheris", action="store_true", help="let atheris choose the inputs (if it is installed)")
    parser.add_argument("--input", type=Path, help="give this file to the target and say how that ends")
    parser.add_argument("--failures", type=Path, default=Path("fuzz-failures"), help="where failing inputs are kept")
    return parser.parse_args()


def main() -> int:
    """Run the campaigns; 1 where something failed."""
    asked = _arguments()
    names = list(TARGETS) if asked.target == "all" else asked.target.split(",")
    unknown = [name for name in names if name not in TARGETS]
    if unknown:
        print(f"no target {unknown[0]!r}; there are {', '.join(TARGETS)}", file=sys.stderr)
        return 2
    if asked.input is not None:
        return _once(names[0], asked.input)
    failed = 0
    for name in names:
        failed += _apart(name, asked)
    return 1 if failed else 0


def _once(name: str, path: Path) -> int:
    outcome = judge(TARGETS[name].read, path.read_bytes())
    print(f"{outcome.kind}: {outcome.what}\n{outcome.detail}".rstrip())
    print(f"{outcome.cpu_s:.3f} s, {outcome.peak_bytes >> 20} MiB")
    return int(outcome.kind == FAILED)


def _apart(name: str, asked: argparse.Namespace) -> int:
    """Run a campaign in a process of its own: what kills it, or never returns, is a failure of its last input."""
    asked.failures.mkdir(parents=True, exist_ok=True)
    last = asked.failures / f".{name}.last"
    ours, theirs = multiprocessing.Pipe(duplex=False)
    process = multiprocessing.get_context("fork").Process(target=_work, args=(name, asked, last, theirs))
    process.start()
    theirs.close()
    report = _await(process, ours, last)
    if report is None:
        what = f"the process ended with {process.exitcode}" if process.exitcode else "no sign of life"
        report = Report(name, failures=[Failure(name, what, "", last.read_bytes() if last.exists() else b"")])
    last.unlink(missing_ok=True)
    print(report.row(), flush=True)
    for failure in report.failures:
        print(f"    {failure.what}: {keep(failure, asked.failures)}", flush=True)
    return len(report.failures)


def _await(process: Any, ours: Any, last: Path) -> Report | None:
    seen = 0
    while True:
        if ours.poll(WALL_S):
            try:
                found: Report = ours.recv()
            except EOFError:
                process.join()
                return None
            process.join()
            return found
        now = last.stat().st_mtime_ns if last.exists() else 0
        if now == seen:
            process.kill()
            process.join()
            return None
        seen = now


def _work(name: str, asked: argparse.Namespace, last: Path, pipe: Any) -> None:
    target, seed, count = TARGETS[name], asked.seed, asked.count
    if asked.atheris:
        from tests.fuzz.with_atheris import campaign as endless

        endless(target, seed, count, last.write_bytes, pipe.send)
    pipe.send(campaign(target, seed, count, guided=not asked.plain, minutes=asked.minutes, before=last.write_bytes))


if __name__ == "__main__":
    sys.exit(main())
