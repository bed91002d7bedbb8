"""Many runs of real code: images x policies x kernels x plans of migrations x seeds, swept into one dataset."""

import tempfile
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from pmu.host import PMUVER_V3, Host
from pmu.policies import all_that_apply
from simcore.app.code_running import Question, policy_of
from simcore.app.interrupting import Interruption
from simcore.app.study_data import StudyData, Table, load_study
from simcore.app.sweep_failures import failed_runs
from simcore.app.sweep_guests import KEYS, study_of_images
from simcore.app.sweeping import Watch, sweep
from simcore.errors import InputError
from simcore.loader import load_platform
from simcore.run_columns import CATEGORIES
from simcore.study import Study

SCHEMA: Final = "hetpmu-guest-matrix/1"
_VERDICTS: Final = {"PASS": "passes", "FAIL": "fails", "SKIP": "skips"}
_SUMS: Final = (
    "well", "instructions", "migrations", "crossings", "refused_moves", "stalls", "stalled_ns", "reloads",
    "event_creations", "fail_entries",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Wish:
    """What to multiply; no ``policies``: all that apply; no ``kernels``: that of each policy."""

    images: tuple[str, ...]
    policies: tuple[str, ...]
    kernels: tuple[str, ...]
    plans: tuple[str, ...]
    seeds: range


@dataclass(frozen=True, slots=True)
class Work:
    """How the runs are done; without ``out`` the dataset lives no longer than the answer."""

    out: Path | None = None
    workers: int | None = None
    retry: bool = False
    many: bool = False
    watch: Watch | None = None
    stop: Interruption | None = None


def judge(question: Question, wish: Wish, work: Work) -> dict[str, Any]:
    """Run what is missing of the matrix, and return the answer over all that is there."""
    host = Host.from_platform(load_platform(question.platform), unknown_pmuver=PMUVER_V3)
    policies = wish.policies or tuple(all_that_apply(host))
    if not policies:
        raise InputError("KVM offers no vPMU on this platform", question.platform)
    pairs = tuple(dict.fromkeys(pair for policy in policies for pair in _pairs(policy, wish.kernels, host)))
    study = study_of_images(question, _once(wish.images), pairs, _once(wish.plans), wish.seeds)
    if work.out is not None:
        return _swept(study, work.out, work)
    with tempfile.TemporaryDirectory(prefix="hetpmu-guest-") as folder:
        return _swept(study, Path(folder), work) | {"directory": None}


def _once(names: Sequence[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(names))


def _swept(study: Study, directory: Path, work: Work) -> dict[str, Any]:
    done = sweep(
        study, directory, workers=work.workers, retry=work.retry, many=work.many, watch=work.watch, stop=work.stop
    )
    return matrix_answer(load_study(directory), directory) | {"interrupted": done.interrupted}


def _pairs(policy: str, kernels: Sequence[str], host: Host) -> list[tuple[str, str]]:
    """Return the policy with each kernel that has it (a suffix wins); raise InputError where none has."""
    named, _, suffix = policy.partition("@")
    if suffix or not kernels:
        return [(named, policy_of(policy, "", host).kernel)]
    found, refusal = [], None
    for kernel in kernels:
        try:
            found.append((named, policy_of(named, kernel, host).kernel))
        except InputError as error:
            refusal = error
    if not found and refusal is not None:
        raise refusal
    return found


# The answer


def matrix_answer(data: StudyData, directory: Path) -> dict[str, Any]:
    """Return what is known of a matrix: a row for each combination but the seeds, over which it counts."""
    study = data.study
    failed: dict[int, int] = defaultdict(int)
    for point, _ in failed_runs(directory / "failures"):
        failed[point] += 1
    rows = [_row(point.values, data.at(point.number), failed[point.number]) for point in data.points]
    finished = sum(row["runs"] for row in rows)
    return {
        "schema": SCHEMA,
        "directory": str(directory),
        "platform": study.base["platform"],
        "seeds": list(study.seeds),
        "runs": {"planned": study.runs, "finished": finished, "failed": sum(failed.values())},
        "interrupted": finished + sum(failed.values()) < study.runs,
        "rows": rows,
    }


def _row(values: dict[str, Any], runs: Table, failed: int) -> dict[str, Any]:
    bad = runs[runs["well"] == 0]
    first = {"seed": int(bad["seed"][0]), "why": str(bad["first_failure"][0])} if len(bad) else None
    return {
        **{key: values[key] for key in KEYS},
        "image_digest": str(runs["image_digest"][0]) if len(runs) else None,
        "runs": len(runs),
        "failed": failed,
        **{name: int(sum(runs[name].tolist())) for name in _SUMS},
        "longest_stall_ns": int(max(runs["longest_stall_ns"].tolist(), default=0)),
        "verdicts": {word: int(sum(runs[name].tolist())) for word, name in _VERDICTS.items()},
        "ledger": {name: int(sum(runs[name].tolist())) for name in CATEGORIES},
        "outcomes": dict(Counter(runs["ended"].tolist())),
        "first_failure": first,
    }
