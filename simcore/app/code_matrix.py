"""Many runs of real code as a table of verdicts: images x policies x kernels x plans of migrations x seeds."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from pmu.host import PMUVER_V3, Host
from pmu.policies import all_that_apply
from simcore.app.code_engine import need_engine
from simcore.app.code_images import read_image
from simcore.app.code_plan import parse_plan
from simcore.app.code_running import Question, answer, code_run, policy_of
from simcore.app.interrupting import Interruption
from simcore.app.pool import each_finished
from simcore.errors import InputError
from simcore.loader import load_platform

SCHEMA: Final = "hetpmu-guest-matrix/1"
_KEY: Final = ("image", "policy", "kernel", "migrate")
_NAMES: Final = 3
"""So many columns hold names."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What to multiply; no ``policies``: all that apply; no ``kernels``: that of each policy."""

    images: tuple[str, ...]
    policies: tuple[str, ...]
    kernels: tuple[str, ...]
    plans: tuple[str, ...]
    seeds: tuple[int, ...]


def judge(
    question: Question, wish: Wish, workers: int, stop: Interruption, progress: Callable[[int, int], None]
) -> dict[str, Any]:
    """Run everything; return a row for each combination but the seeds, over which it counts."""
    need_engine()
    tasks = _tasks(question, wish)
    rows: dict[tuple[str, ...], dict[str, Any]] = {_key(task): _empty(task) for task in tasks}
    done: dict[int, Mapping[str, Any]] = {}
    for index, found in each_finished(_run, tasks, workers, stop):
        done[index] = found
        progress(len(done), len(tasks))
    for index in sorted(done):
        _add(rows[_key(tasks[index])], tasks[index].seed, done[index])
    return {
        "schema": SCHEMA,
        "platform": question.platform,
        "seeds": list(wish.seeds),
        "interrupted": len(done) < len(tasks),
        "rows": list(rows.values()),
    }


def _tasks(question: Question, wish: Wish) -> list[Question]:
    """Return every run, after a look at all that can be wrong."""
    host = Host.from_platform(load_platform(question.platform), unknown_pmuver=PMUVER_V3)
    policies = wish.policies or all_that_apply(host)
    if not policies:
        raise InputError("KVM offers no vPMU on this platform", question.platform)
    for image in wish.images:
        read_image(image)
    for plan in wish.plans:
        parse_plan(plan, host.ncpus)
    pairs = [pair for policy in policies for pair in _pairs(policy, wish.kernels, host)]
    tasks = [
        replace(question, image=image, policy=policy, kernel=kernel, migrate=plan, seed=seed)
        for image in wish.images
        for policy, kernel in pairs
        for plan in wish.plans
        for seed in wish.seeds
    ]
    code_run(tasks[0])
    return tasks


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


def _run(question: Question) -> Mapping[str, Any]:
    found = answer(question)
    vcpus = found["vcpus"]
    return {
        "outcome": found["outcome"],
        "where": found["where"],
        "well": found["well"],
        "verdicts": found["verdicts"],
        "console": found["console"],
        "migrations": sum(row["migrations"] for row in vcpus),
        "crossings": sum(row["crossings"] for row in vcpus),
    }


def _key(task: Question) -> tuple[str, ...]:
    return tuple(getattr(task, name) for name in _KEY)


def _empty(task: Question) -> dict[str, Any]:
    counts = {"PASS": 0, "FAIL": 0, "SKIP": 0}
    sums = {"runs": 0, "well": 0, "migrations": 0, "crossings": 0, "verdicts": counts, "outcomes": {}}
    return dict(zip(_KEY, _key(task), strict=True)) | sums | {"first_failure": None}


def _add(row: dict[str, Any], seed: int, found: Mapping[str, Any]) -> None:
    row["runs"] += 1
    for name in ("well", "migrations", "crossings"):
        row[name] += found[name]
    for word, count in found["verdicts"].items():
        row["verdicts"][word] += count
    row["outcomes"][found["outcome"]] = row["outcomes"].get(found["outcome"], 0) + 1
    if not found["well"] and row["first_failure"] is None:
        row["first_failure"] = {"seed": seed, "why": _why(found)}


def _why(found: Mapping[str, Any]) -> str:
    lines = [line.strip() for line in found["console"].splitlines() if line.lstrip().startswith("FAIL")]
    if lines and not found["where"]:
        return str(lines[0])
    return str(found["where"] or found["outcome"])


# Text


def table(found: Mapping[str, Any]) -> str:
    """Return the matrix as text: a line for each combination, then the words of each kind of failure."""
    head = ("image", "policy", "migrations", "well", "PASS", "FAIL", "SKIP", "crossings")
    rows = [head, *(_cells(row) for row in found["rows"])]
    widths = [max(len(row[n]) for row in rows) for n in range(len(head))]
    lines = ["  ".join(map(_justified, row, widths, range(len(head)))).rstrip() for row in rows]
    lines.append(
        f"{len(found['seeds'])} seeds from {found['seeds'][0]} on {found['platform']}; well: runs that ended well"
    )
    lines += _failures(found["rows"])
    if found["interrupted"]:
        lines.append("interrupted: the rows count the runs that were finished")
    return "\n".join(lines)


def _justified(cell: str, width: int, column: int) -> str:
    return cell.ljust(width) if column < _NAMES else cell.rjust(width)


def _failures(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Say once for each image and reason where it came first."""
    seen: dict[tuple[str, str], str] = {}
    for row in rows:
        failure = row["first_failure"]
        if failure is not None:
            where = f"{row['policy']}@{row['kernel']}, {row['migrate']}, seed {failure['seed']}"
            seen.setdefault((_short(row), failure["why"]), where)
    return [f"  {image}: {why} (first: {where})" for (image, why), where in seen.items()]


def _short(row: Mapping[str, Any]) -> str:
    return str(row["image"]).rsplit("/", 1)[-1]


def _cells(row: Mapping[str, Any]) -> tuple[str, ...]:
    return (
        _short(row),
        f"{row['policy']}@{row['kernel']}",
        row["migrate"],
        f"{row['well']}/{row['runs']}",
        *(str(row["verdicts"][word]) for word in ("PASS", "FAIL", "SKIP")),
        str(row["crossings"]),
    )
