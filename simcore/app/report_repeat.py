"""What it takes to repeat what a report shows: the scenario or study as a file, the command line, versions, digests."""

import dataclasses
import re
import shlex
from collections.abc import Mapping, Sequence
from typing import Any

from simcore.app.columns import Row, without_folder
from simcore.app.report_blocks import Block, Code, Notes, Table
from simcore.app.report_names import near
from simcore.app.report_tables import plain_table
from simcore.app.report_words import listed
from simcore.app.scenario_files import FOLDER
from simcore.app.scenario_toml import beside, scenario_toml, study_toml
from simcore.app.showing import Run
from simcore.app.storing import PLATFORM
from simcore.scenario import THEN, Scenario, VmSpec
from simcore.scenario_build import is_file
from simcore.study import Study

FILE, STUDY_FILE, OUT = "scenario.toml", "study.toml", "result"


def comparison_repeat(answer: Row, runs: Sequence[Run]) -> list[Block | None]:
    """Return how to make a comparison again: its scenario is that of a run, with the policy left open."""
    seeds = answer["seeds"]
    policies = ",".join(f"{row['policy']}@{row['kernel']}".partition(THEN)[0] for row in answer["policies"])
    words = ["hetpmu", "compare", FILE, "--policies", policies, "--seeds", str(len(seeds)), "--seed", str(seeds[0])]
    words += ["--sensitivity"] if "sensitivity" in answer else []
    if not runs:
        return [Notes(("No run was kept here, and with it no scenario: the comparison was interrupted.",))]
    first, *others = runs[0].result.scenario.vms
    open_vm = dataclasses.replace(first, policy=VmSpec().policy, kernel=VmSpec().kernel)
    whole = dataclasses.replace(runs[0].result.scenario, vms=(open_vm, *others), seed=seeds[0])
    return [*_scenario(dataclasses.replace(whole, sample_ns=Scenario().sample_ns)), _command(words), *_kept(runs)]


def run_repeat(runs: Sequence[Run]) -> list[Block | None]:
    """Return how to make a run again."""
    words = ["hetpmu", "run", FILE, "--out", OUT]
    return [*_scenario(runs[0].result.scenario), _command(words), *_kept(runs)]


def replay_repeat(answer: Row, runs: Sequence[Run]) -> list[Block | None]:
    """Return how to replay the trace again; its threads are named as they were found, by name and pid."""
    threads = "|".join(re.escape(f"{row['comm']}-{row['pid']}") for row in answer["threads"])
    policies = ",".join(dict.fromkeys(f"{row['policy']}@{row['kernel']}" for row in answer["policies"]))
    trace, platform, workload = (without_folder(answer[key]) for key in ("trace", "platform", "workload"))
    words = ["hetpmu", "replay", trace, "--threads", f"^({threads})$", "--platform", platform]
    words += ["--workload", workload, "--policies", policies, "--seed", str(answer["seeds"][0])]
    words += _overlaid(answer["measured"])
    kept = runs[0].result.scenario if runs else Scenario()
    words += [option for option, given in (("--schedule", kept.schedule), ("--trace", kept.trace)) if given]
    return [_command([*words, "--out", OUT]), _here(_replayed_files(answer)), *_kept(runs)]


def _replayed_files(answer: Row) -> list[str]:
    """Name the files that a replay reads."""
    files = [answer["trace"], *(answer[key] for key in ("platform", "workload") if is_file(answer[key]))]
    files += [answer["measured"]["log"]] if answer["measured"] else []
    return [without_folder(name) for name in files]


def _overlaid(measured: Row | None) -> list[str]:
    """Return the options that lay the measured log over a replay again."""
    if not measured:
        return []
    log = without_folder(measured["log"])
    return ["--measured", log, "--align", measured["align"], "--vcpu", str(measured["vcpu"])]


def watch_repeat(answer: Row) -> list[Block | None]:
    """Return how to look at the kept schedule again."""
    policies = ",".join(dict.fromkeys(f"{row['policy']}@{row['kernel']}" for row in answer["policies"]))
    directory = without_folder(answer["directory"])
    words = ["hetpmu", "watch", directory, "--policies", policies]
    words += ["--step", f"{answer['step_ns']}ns"] if answer["step_ns"] else []
    return [_command(words), _here([directory])]


def sweep_repeat(study: Study, identity: Mapping[str, Any], names: Mapping[str, str]) -> list[Block | None]:
    """Return how to run a study again; `names` are those of its files on the page."""
    rows = [("hetpmu", identity["version"]), ("digest of the study", identity["digest"])]
    rows += sorted((names[file], digest) for file, digest in identity["files"].items())
    axes = tuple(dataclasses.replace(axis, rows=near(axis.rows, names)) for axis in study.axes)
    return [
        Code(STUDY_FILE, study_toml(dataclasses.replace(study, base=near(study.base, names), axes=axes))),
        _command(["hetpmu", "sweep", STUDY_FILE, "--out", f"sweep-{study.name}"]),
        plain_table("Version and digests", ("what", "value"), 2, rows),
    ]


def _scenario(scenario: Scenario) -> list[Block | None]:
    """Return the scenario as a file, and what must lie beside it."""
    moved, names = beside(scenario)
    kept = f"each run of the result directory keeps copies of them, all but {PLATFORM} in {FOLDER}/"
    note = Notes((f"Beside it must lie {listed(names)}; {kept}.",)) if names else None
    return [Code(FILE, scenario_toml(moved)), note]


def _here(names: Sequence[str]) -> Notes:
    """Say what must lie where the command line is entered."""
    return Notes((f"Where it is entered must lie {listed(names)}.",))


def _command(words: Sequence[str]) -> Code:
    return Code("Command line", shlex.join(words))


def _kept(runs: Sequence[Run]) -> list[Table | None]:
    """Return the digests of the runs that are kept, and the versions that made them."""
    digests = [(run.name, run.meta["seed"], run.meta["digest"], run.meta["platform_digest"] or "-") for run in runs]
    versions = runs[0].meta["versions"].items() if runs else ()
    heads = ("run", "seed", "digest of its tables", "digest of its platform's file")
    return [
        plain_table("Runs that are kept; equal digests are equal tables", heads, 4, digests),
        plain_table("Versions", ("what", "version"), 2, versions),
    ]
