"""An rt-app file as a user sees it after `import rt-app`: what each thread asks for, and a scenario that runs it."""

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from scheduler.rtapp_threads import check_threads
from simcore.app.columns import duration, table
from simcore.app.storing import replaced_file
from simcore.errors import InputError
from simcore.loader import load_platform
from simcore.scenario import RTAPP
from simcore.scenario_build import is_file
from workloads.guest_rtapp import check_vcpus
from workloads.rtapp_file import RtApp, RtPhase, RtTask
from workloads.rtapp_parsing import load_rtapp

Row = dict[str, Any]
FOR_EVER_SECONDS = 2
"""Simulated time of a scenario for a file that never ends, as by default."""


def import_rtapp(path: Path, platform: str, guest: bool, ignore: Sequence[str]) -> tuple[RtApp, Row]:
    """Read and check a file for a platform; return it and what `--json` says about it."""
    app = load_rtapp(str(path), ignore)
    cpus = len(load_platform(platform).cpus)
    if guest:
        check_vcpus(app, len(app.threads), "cpus" in ignore, str(path))
    else:
        check_threads(app, str(path), cpus)
    answer = {
        "schema": "hetpmu-import-rt-app/1",
        "file": str(path),
        "platform": platform,
        "runs_on": "guest" if guest else "host",
        "ignored": list(ignore),
        "duration_ns": app.duration_ns,
        "calibration_cpu": app.calibration_cpu,
        "threads": [_thread(number, task) for number, task in enumerate(app.threads)],
    }
    return app, answer


def _thread(number: int, task: RtTask) -> Row:
    return {
        "thread": number,
        "name": task.name,
        "policy": task.sched.policy,
        "priority": task.sched.nice if task.sched.priority is None else task.sched.priority,
        "cpus": task.cpus,
        "delay_ns": task.delay_ns,
        "loop": task.loop,
        "phases": [_phase(phase) for phase in task.phases],
    }


def _phase(phase: RtPhase) -> Row:
    return {
        "name": phase.name,
        "loop": phase.loop,
        "cpus": phase.cpus,
        "events": [event.kind for event in phase.events],
        "run_ns": sum(event.ns for event in phase.events if event.kind in ("run", "runtime")),
        "sleep_ns": sum(event.ns for event in phase.events if event.kind == "sleep"),
        "period_ns": sum(event.ns for event in phase.events if event.kind == "timer"),
    }


def text_of(answer: Row) -> str:
    """Return the threads and phases as a table."""
    rows = [
        (
            f"{thread['thread']} {thread['name']}",
            f"{thread['policy']} {thread['priority']}",
            _times(thread["loop"]),
            phase["name"],
            _times(phase["loop"]),
            *(duration(phase[key]) if phase[key] else "-" for key in ("run_ns", "sleep_ns", "period_ns")),
            " ".join(dict.fromkeys(phase["events"])),
        )
        for thread in answer["threads"]
        for phase in thread["phases"]
    ]
    head = ("thread", "policy", "loop", "phase", "times", "run", "sleep", "timer", "events")
    lasts = "no end" if answer["duration_ns"] is None else duration(answer["duration_ns"])
    where = "in a guest" if answer["runs_on"] == "guest" else "on the host"
    title = f"{answer['file']}: {len(answer['threads'])} threads {where}, {lasts}"
    return f"{title}\n{table(head, rows)}"


def _times(loop: int) -> str:
    return "for ever" if loop < 0 else str(loop)


@dataclass(frozen=True, slots=True)
class Beside:
    """How a scenario in a folder names the files that it needs, which have to lie there or below."""

    folder: Path
    copies: dict[str, Path] = field(default_factory=dict)
    """Name in the folder -> the file elsewhere that has to be copied to it."""

    def name(self, file: str) -> str:
        """Return the name of a file as seen from the folder, that of a copy where it lies outside."""
        if Path(file).resolve().is_relative_to(self.folder.resolve()):
            return os.path.relpath(file, self.folder)
        name = Path(file).name
        self.copies[name] = Path(file)
        return name

    def platform(self, platform: str) -> str:
        """Return the name of a platform as it is, or that of its file."""
        if not is_file(platform):
            return platform
        name = self.name(platform)
        return name if is_file(name) else f"./{name}"

    def copy(self) -> None:
        """Make the copies; raises InputError for another file of that name."""
        for name, source in self.copies.items():
            target, content = self.folder / name, source.read_bytes()
            if target.exists() and target.read_bytes() != content:
                raise InputError(
                    f"there is another {name} beside the scenario", str(target), f"it has to have a copy of {source}",
                    "another directory for -o",
                )  # fmt: skip
            with replaced_file(target) as temporary:
                temporary.write_bytes(content)


def scenario_of(answer: Row, beside: Beside) -> str:
    """Return a scenario file, to be kept in a folder, that runs the threads on the host or in a guest."""
    file, platform = beside.name(answer["file"]), beside.platform(answer["platform"])
    ignored = json.dumps(answer["ignored"])
    seconds = FOR_EVER_SECONDS if answer["duration_ns"] is None else answer["duration_ns"] // 1_000_000_000
    head = [
        "# written by hetpmu import rt-app",
        *(f"# beside this file has to lie a copy of {source}" for source in beside.copies.values()),
        'format = "hetpmu-scenario/1"',
        f"platform = {json.dumps(platform)}",
        f'seconds = "{seconds}s"',
        "",
    ]
    if answer["runs_on"] == "host":
        body = ["[rtapp]", f"file = {json.dumps(file)}", f"ignore = {ignored}"]
    else:
        body = [
            "[[vms]]",
            f"vcpus = {len(answer['threads'])}",
            "[vms.guest]",
            f"name = {json.dumps(f'{RTAPP}:{file}')}",
            f"rtapp_ignore = {ignored}",
        ]
    return "\n".join([*head, *body, ""])
