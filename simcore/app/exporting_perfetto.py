"""A run of a result directory as a Perfetto trace: host and guests in one timeline, time 0 being simulated 0."""

import gzip
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import numpy as np

from scheduler import choice
from simcore import __version__
from simcore.app.columns import without_folder
from simcore.app.exporting_ftrace import host_threads
from simcore.app.ftrace_events import History
from simcore.app.lanes import policy_names
from simcore.app.perfetto_events import INT, TEXT, Names, Note, Slices, encoded
from simcore.app.perfetto_guest import guest_events
from simcore.app.perfetto_host import bundles, processes, system
from simcore.app.perfetto_pmu import pmu_events
from simcore.app.perfetto_protos import packet
from simcore.app.perfetto_runs import run_events
from simcore.app.perfetto_scene import Scene, tables_of
from simcore.app.perfetto_tracks import Tracks, describe
from simcore.app.showing import Run
from simcore.loader import load_platform
from simcore.result import Result

GZIP_LEVEL: Final = 1


def trace_of(result: Result, digest: str) -> Iterator[bytes]:
    """Give the packets of a run's trace, some at a time; equal results, of which `digest` is one, give equal bytes.

    Raises InputError without the extra `trace`.
    """
    platform = load_platform(result.scenario.platform)
    threads, tracks, names = host_threads(result, len(platform.cpus)), Tracks(), Names()
    scene = Scene(result, tables_of(result), platform, describe(tracks, result, platform, threads), tracks, names)
    events = [_about(scene, digest), *run_events(scene), *guest_events(scene), *pmu_events(scene)]
    yield _uuid(digest)
    yield from system(result.scenario.hz, platform)
    yield processes(threads)
    yield from tracks.packets
    yield from bundles(History(scene.tables, threads, platform, scene.end_ns), threads)
    yield names.packet()
    yield from map(encoded, events)


def missing(result: Result) -> list[str]:
    """Return what a run did not record and its trace lacks, each with the option of its command that records it."""
    scenario = result.scenario
    replayed = choice.name_of(scenario.scheduler) == choice.REPLAY
    wanted = {
        f"the host ({'--trace' if replayed else '--set trace=true'})": scenario.trace,
        f"phases ({'--schedule' if replayed else '--set schedule=true'})": scenario.schedule,
        "counters (--sample 1ms)": scenario.sample_ns > 0,
    }
    return [what for what, there in wanted.items() if not there]


def write_trace(run: Run, path: Path) -> None:
    """Write the trace of a run as a file, compressed where its name ends in .gz; raises OSError and as `trace_of`."""
    packets = trace_of(run.result, str(run.meta["digest"]))
    with path.open("wb") as file:
        if path.suffix != ".gz":
            file.writelines(packets)
            return
        with gzip.GzipFile("", "wb", GZIP_LEVEL, file, mtime=0) as compressed:
            for some in packets:
                compressed.write(some)


def _about(scene: Scene, digest: str) -> Slices:
    """Return the slice of the whole run, which says what was simulated."""
    result, names = scene.result, scene.names
    scenario = result.scenario
    texts = {
        "hetpmu": __version__,
        "platform": scene.platform.name,
        "scheduler": scenario.scheduler,
        "governor": scenario.governor,
        "digest": digest,
        **{f"VM {vm}": _vm_in_words(result, vm) for vm in range(len(scenario.vms))},
    }
    notes = [Note(names.note(key), TEXT, names.texts([text])) for key, text in texts.items()]
    notes.append(Note(names.note("seed"), INT, np.array([scenario.seed])))
    track, name = np.array([scene.tracks.run]), names.names(["hetpmu run"])
    return Slices(np.array([0]), np.array([scene.end_ns]), track, name, tuple(notes))


def _vm_in_words(result: Result, vm: int) -> str:
    spec, policies = result.scenario.vms[vm], ", ".join(policy_names(result, vm))
    guest, workload = without_folder(spec.guest.name), without_folder(spec.guest.workload)
    return f"{guest}, {workload}, {spec.vcpus} vCPUs, {spec.vmm}: {policies}"


def _uuid(digest: str) -> bytes:
    """Return the packet by which Perfetto tells traces apart: a number of the result's digest."""
    high, low = (int.from_bytes(bytes.fromhex(digest)[place : place + 8], "big", signed=True) for place in (0, 8))
    return packet(trace_uuid={"msb": high, "lsb": low})
