"""Contenders that replay what was recorded: KVM's answers, and a schedule. The recordings lie in a checkout only."""

from pathlib import Path
from typing import Any

from benchmarks.case import Case
from benchmarks.measure import Contender, Unavailable
from simcore.app import conforming
from simcore.app.trace_replay import replay

DATA = Path(__file__).parents[1] / "tests" / "data"
SEQUENCES = ("kvm_uapi", "kvm_regs", "kvm_migrate")
TRACE = "traces/rtapp_6cpu.report.txt.gz"
THREADS = "rt-app|task_r20"
PLATFORM = "juno-r0"


def recording(name: str) -> str:
    """Return the path of a recording."""
    path = DATA / name
    if not path.is_file():
        raise Unavailable(f"{path.name} is in a checkout of hetpmu only")
    return str(path)


def conformance() -> Contender:
    """Return the replay of every recorded sequence of KVM calls under every revision; files are read before."""
    files = [conforming.read(recording(f"vectors/{name}.json.gz")) for name in SEQUENCES]
    cases = [case for file in files for plan in file.cases().values() for case in plan]
    return Contender(lambda: [case.mismatch() for case in cases], len(cases))


def schedule() -> Contender:
    """Return `hetpmu replay` of a trace under every policy, from the file to the result."""
    trace = recording(TRACE)
    ended_ns: Any = [result.summary["ended_ns"] for result in replay(trace, THREADS, PLATFORM).results]
    traced_s = max(ended_ns) / 1e9
    return Contender(lambda: replay(trace, THREADS, PLATFORM), traced_s)


CASES = (Case("conformance", "mechanism", "sequences/s", conformance),)
WHOLE_CASES = (Case("replay", "whole", "traced s/s", schedule),)
