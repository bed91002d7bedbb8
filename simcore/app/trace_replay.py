"""A recorded schedule replayed: what each PMU policy would have shown to the guest, as rows and as one JSON object."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from scheduler.host import never
from simcore.app.aggregating import Row, compare_row
from simcore.app.measured_log import read_log
from simcore.app.measuring import FIRST, Overlay, overlay, placed
from simcore.app.metrics import run_metrics
from simcore.app.picturing import PICTURES, draw
from simcore.app.plotting_measured import MEASURED_PICTURES, draw_measured
from simcore.app.running import MAX_SECONDS_NS
from simcore.app.schedule import AMOUNTS, FINDINGS, Finding, Schedule
from simcore.app.storing import TEXT, make_run_folder, save_result, write_json
from simcore.app.trace_machine import ReplayMachine, Seat, scenario_of, seats
from simcore.app.trace_reading import read_schedule
from simcore.app.trace_results import calibrations, results_of
from simcore.app.trace_steps import REPLAY_AMOUNTS, REPLAY_FINDINGS, Recording, prepare
from simcore.errors import InputError
from simcore.loader import load_platform
from simcore.platform import Platform
from simcore.result import Result
from workloads.catalog import load_workload

SCHEMA = "hetpmu-replay/1"
SAMPLE_NS, FINE_SAMPLE_NS = 10_000_000, 1_000_000
FINE_UP_TO_NS = 10_000_000_000
FEWEST_SAMPLES = 20
SAMPLE_BYTES = 1 << 30
MAX_VCPUS = 512
NO_MEANING = ("runs", "crashes", "crash_probability", "throughput", "fail_entries", "crossings_by")
"""Figures of `compare` that a recording cannot have."""


@dataclass(frozen=True, slots=True)
class Measured:
    """A log of the probe, how its time becomes the trace's (`simcore.app.measuring`), and its vCPU if not the log's."""

    log: str
    align: str = FIRST
    vcpu: int | None = None


@dataclass(frozen=True, slots=True)
class Replay:
    """A finished replay: a Result and a row of figures for each policy."""

    recording: Recording
    seats: tuple[Seat, ...]
    results: tuple[Result, ...]
    rows: tuple[Row, ...]
    left_out: tuple[str, ...]
    ran_ns: tuple[int, ...]
    """How long each vCPU's thread ran."""
    busy: tuple[dict[int, int], ...]
    """Busy ns of each CPU by frequency in kHz."""
    measured: Overlay | None = None
    """A real log laid over it."""

    def as_json(self) -> dict[str, Any]:
        """Give the object that `replay --json` writes."""
        schedule, scenario = self.recording.schedule, self.results[0].scenario
        return {
            "schema": SCHEMA,
            "trace": schedule.path,
            "form": schedule.form,
            "resolution_ns": schedule.resolution_ns,
            "start_ns": schedule.start_ns,
            "platform": scenario.platform,
            "workload": scenario.vms[0].guest.workload,
            "vcpus": scenario.vms[0].vcpus,
            "seconds": scenario.seconds_ns / 1e9,
            "seeds": [scenario.seed],
            "guest_time": schedule.guest_time,
            "events": schedule.events,
            "threads": self._threads(),
            "cpus": self._cpus(),
            "findings": [_finding(found, schedule.unit) for found in (*schedule.findings, *self.recording.findings)],
            "policies": list(self.rows),
            "measured": self.measured and self.measured.as_json(),
        }

    def _threads(self) -> list[Row]:
        tables = self.results[0].tables
        vcpus, moves = tables["vcpus"], tables["migrations"]
        return [
            {
                "vcpu": number,
                "pid": thread.pid,
                "comm": thread.comm,
                "run_ns": self.ran_ns[number],
                "guest_ns": int(vcpus["guest_ns"][number]),
                "wait_ns": int((thread.runs[:, 0] - thread.ready_ns).sum()),
                "runs": len(thread.runs),
                "migrations": int(np.count_nonzero(moves["vcpu"] == number)),
                "crossings": int(moves["crossing"][moves["vcpu"] == number].sum()),
            }
            for number, thread in enumerate(self.recording.schedule.threads)
        ]

    def _cpus(self) -> list[Row]:
        platform = self.recording.platform
        return [
            {
                "cpu": cpu.number,
                "core": platform.core(cpu.number).name,
                "busy_ns": sum(busy.values()),
                "unknown_ns": int((recorded.unknown[:, 1] - recorded.unknown[:, 0]).sum()),
                "busy_ns_by_khz": {str(khz): ns for khz, ns in busy.items()},
            }
            for cpu, busy, recorded in zip(platform.cpus, self.busy, self.recording.schedule.cpus, strict=True)
        ]


def replay(
    trace: str,
    threads: str,
    platform: str,
    *,
    policies: Sequence[str] = (),
    kernels: Sequence[str] = (),
    workload: str = "429.mcf",
    seed: int = 1,
    fine: bool = False,
    stopped: Callable[[], bool] = never,
    measured: Measured | None = None,
    schedule: bool = False,
    history: bool = False,
) -> Replay:
    """Replay the threads of a trace that a regular expression finds as the vCPUs of one VM.

    With no policy named, all are shown that do not only pin. `fine`: sample as densely as pictures want it.
    `measured` is a real log to lay over it. `schedule` keeps what `simcore.app.watching.watch` needs in each result,
    `history` what exports need (the scenario key `trace`).
    """
    log = read_log(measured.log) if measured else None
    board = load_platform(platform)
    chosen, left_out = seats(board, policies, kernels)
    load_workload(workload, board.core_types)
    recording = prepare(_checked(read_schedule(trace, threads, len(board.cpus))), board)
    sample_ns = _sample_ns(recording, len(chosen), fine)
    if measured and log:
        placed(log, measured.align, measured.vcpu, recording)
    scenario = scenario_of(recording, chosen, platform, workload, seed, sample_ns, schedule, history)
    machine = ReplayMachine(scenario, recording, chosen, stopped)
    machine.run()
    results = results_of(machine)
    return Replay(
        recording=recording,
        seats=tuple(chosen),
        results=tuple(results),
        rows=tuple(_row(recording, seat, result) for seat, result in zip(chosen, results, strict=True)),
        left_out=tuple(left_out),
        ran_ns=tuple(machine.host.ran_ns[: len(machine.host.vcpus)].tolist()),
        busy=_busy(machine.host.state.busy, recording.platform),
        measured=overlay(log, measured.align, measured.vcpu, recording, chosen, results) if measured and log else None,
    )


def _checked(schedule: Schedule) -> Schedule:
    """Give the schedule back, or raise InputError for what cannot be replayed."""
    length_ns = schedule.end_ns - schedule.start_ns
    if not 0 < length_ns <= MAX_SECONDS_NS:
        longest = f"above 0 and up to {MAX_SECONDS_NS // 10**9} s"
        raise InputError(f"a trace of {length_ns / 1e9:.6f} s", where=schedule.path, valid=longest)
    if len(schedule.threads) > MAX_VCPUS:
        raise InputError(
            f"{len(schedule.threads)} threads match", where="--threads", valid=f"at most {MAX_VCPUS}, a VM's vCPUs"
        )
    return schedule


def _sample_ns(recording: Recording, policies: int, fine: bool) -> int:
    """Choose the distance of samples: 10 ms; finer for a picture of a short trace, wider where memory would not do."""
    step = FINE_SAMPLE_NS if fine and recording.seconds_ns <= FINE_UP_TO_NS else SAMPLE_NS
    while fine and step > 1 and recording.seconds_ns < FEWEST_SAMPLES * step:
        step //= 10
    bytes_each = len(recording.schedule.threads) * (policies + 1) * 32 * 8
    while recording.seconds_ns // step * bytes_each > SAMPLE_BYTES:
        step *= 10
    return step


def _row(recording: Recording, seat: Seat, result: Result) -> Row:
    row = compare_row(seat.pair.policy, seat.pair.kernel, [run_metrics(result)], None)
    return {
        **row,
        **dict.fromkeys(NO_MEANING),
        "init_pmu": str(result.tables["guests"]["init_pmu"][0]),
        **calibrations(result),
        "outside_ns": _outside_ns(recording, seat),
    }


def _outside_ns(recording: Recording, seat: Seat) -> int:
    """Return the guest time on pCPUs on which the policy would not have let the VM run."""
    total = 0
    for guest in recording.guests:
        outside = ~np.isin(guest[:, 2], sorted(seat.allowed))
        total += int((guest[outside, 1] - guest[outside, 0]).sum())
    return total


def _busy(busy: Any, platform: Platform) -> tuple[dict[int, int], ...]:
    opps = [platform.perf_domains[cpu.perf_domain].opps for cpu in platform.cpus]
    return tuple(
        {opp.khz: int(busy[number, place]) for place, opp in enumerate(rows) if busy[number, place]}
        for number, rows in enumerate(opps)
    )


def _finding(finding: Finding, unit: str) -> Row:
    return {
        "kind": finding.kind,
        "count": finding.count,
        "amount": finding.amount,
        "amount_unit": (AMOUNTS | REPLAY_AMOUNTS).get(finding.kind),
        "where": unit,
        "first": list(finding.lines),
        "meaning": (FINDINGS | REPLAY_FINDINGS)[finding.kind],
    }


def keep(found: Replay, text: str, directory: Path, vcpu: int | None) -> None:
    """Fill a result directory: the answer, the table, a run for each policy, and the picture."""
    write_json(directory / "replay.json", found.as_json())
    (directory / TEXT).write_text(text, encoding="utf-8")
    for number, (seat, result) in enumerate(zip(found.seats, found.results, strict=True), 1):
        save_result(result, make_run_folder(directory, number, seat.pair.label))
    for name in PICTURES:
        draw(found.results, directory / name, vcpu, ())
    if found.measured is not None:
        for name in MEASURED_PICTURES:
            draw_measured(found.measured, found.recording.platform.name, directory / name)
