"""Perfetto's track events of vCPUs on pCPUs: a slice each time one runs, with arrows from pCPU to pCPU; migrations."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from scheduler.kernel_state import CAUSE_NAMES
from simcore.app.perfetto_events import BOOL, INT, TEXT, Events, Flow, Instants, Note, Slices
from simcore.app.perfetto_scene import TIME_BITS, Ints, Scene, Table, joined


@dataclass(frozen=True, slots=True)
class Runs:
    """When each vCPU ran where, vCPU by vCPU in the order of time; `moved`: on another pCPU than before."""

    start_ns: Ints
    end_ns: Ints
    vcpu: Ints
    cpu: Ints
    moved: NDArray[np.bool_]


def run_events(scene: Scene) -> Iterator[Events]:
    """Give the slices on pCPUs, and the migrations."""
    yield _slices(scene, runs_of(scene))
    yield _migrations(scene)


def runs_of(scene: Scene) -> Runs:
    """Return the runs of vCPUs by the context switches; without them the stretches that were executed."""
    switches = scene.table("switches")
    found = _switched(scene, switches) if len(switches) else _executed(scene)
    place = np.lexsort((found[0], found[2]))
    start, end, vcpu, cpu = (column[place] for column in found)
    moved = (cpu != np.roll(cpu, 1)) & (vcpu == np.roll(vcpu, 1))
    moved[:1] = False
    return Runs(start, end, vcpu, cpu, moved)


def _switched(scene: Scene, rows: Table) -> tuple[Ints, Ints, Ints, Ints]:
    rows = rows[np.lexsort((rows["order"], rows["cpu"]))]
    last = np.append(rows["cpu"][1:] != rows["cpu"][:-1], True)
    end = np.where(last, scene.end_ns, np.append(rows["t_ns"][1:], 0))
    guests = (rows["task"] >= 0) & (rows["task"] < len(scene.tracks.vcpus))
    return rows["t_ns"][guests], end[guests], rows["task"][guests], rows["cpu"][guests]


def _executed(scene: Scene) -> tuple[Ints, Ints, Ints, Ints]:
    start, end, vcpu, cpu = joined(scene.table("segments"), scene.table("segments")["cpu"])
    return start, end, vcpu, cpu.astype(np.int64)


def _slices(scene: Scene, runs: Runs) -> Slices:
    """Return a slice a run on the track of its pCPU; a flow leads from the last slice on the old one to the new."""
    names = scene.names.names([vcpu_name(scene, number) for number in range(len(scene.tracks.vcpus))])
    flow: Ints = np.cumsum(runs.moved, dtype=np.int64)
    leaves = np.append(runs.moved[1:], False)[: len(runs.moved)]
    before = np.roll(runs.cpu, 1)
    notes = (
        Note(scene.names.note("from pCPU"), INT, before, runs.moved),
        Note(scene.names.note("crossing"), BOOL, _crosses(scene, before, runs.cpu), runs.moved),
        _causes(scene, runs),
    )
    begins, ends = Flow(flow + 1, leaves), Flow(flow, runs.moved)
    tracks = np.array(scene.tracks.cpus, np.int64)[runs.cpu]
    slices = Slices(runs.start_ns, runs.end_ns, tracks, names[runs.vcpu], notes, begins, ends)
    return slices.taken(np.lexsort((runs.end_ns, runs.start_ns, runs.cpu)))


def _causes(scene: Scene, runs: Runs) -> Note:
    """Return the cause of the last migration before each run on another pCPU, where there is one."""
    rows = scene.table("migrations")
    rows = rows[np.lexsort((rows["t_ns"], rows["vcpu"]))]
    at = rows["vcpu"] << TIME_BITS | rows["t_ns"]
    last = np.searchsorted(at, runs.vcpu << TIME_BITS | runs.start_ns, "right") - 1
    own = (last >= 0) & runs.moved
    own[own] = rows["vcpu"][last[own]] == runs.vcpu[own]
    causes = scene.names.texts(CAUSE_NAMES)
    found = np.zeros(len(last), np.int64)
    found[own] = causes[rows["cause"][last[own]]]
    return Note(scene.names.note("cause"), TEXT, found, own)


def _crosses(scene: Scene, one: Ints, other: Ints) -> Ints:
    """Tell whether the first host PMUs of pCPUs differ."""
    first = [next((node.name for node in scene.platform.pmus_of(cpu.number)), "") for cpu in scene.platform.cpus]
    number = np.array([first.index(name) for name in first])
    crosses: Ints = (number[one] != number[other]).astype(np.int64)
    return crosses


def _migrations(scene: Scene) -> Instants:
    """Return the moves of vCPU threads to other pCPUs, whether they ran there or not."""
    rows = scene.table("migrations")
    kinds = scene.names.names(["migration", "migration: crossing"])
    notes = (
        Note(scene.names.note("from pCPU"), INT, rows["from_cpu"]),
        Note(scene.names.note("to pCPU"), INT, rows["to_cpu"]),
        Note(scene.names.note("crossing"), BOOL, rows["crossing"]),
        Note(scene.names.note("cause"), TEXT, scene.names.texts(CAUSE_NAMES)[rows["cause"]]),
    )
    return Instants(rows["t_ns"], scene.track("migrations")[rows["vcpu"]], kinds[rows["crossing"]], notes)


def vcpu_name(scene: Scene, vcpu: int) -> str:
    """Return what a vCPU is called where those of all VMs are side by side."""
    vm = int(scene.vm[vcpu])
    return f"VM {vm} vCPU {vcpu - int(np.argmax(scene.vm == vm))}"
