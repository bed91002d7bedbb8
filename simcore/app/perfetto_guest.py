"""Perfetto's track events of the guests: in the guest or in KVM, what they execute, what they report, how they end."""

from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np

from simcore.app.perfetto_events import INT, TEXT, Events, Instants, Note, Slices
from simcore.app.perfetto_scene import Ints, Scene, joined
from simcore.errors import InputError
from simcore.scenario import VmSpec
from workloads.catalog import load_workload
from workloads.guests import make_guest
from workloads.phase import Phase

EXITS: Final = ("KVM", "KVM: interrupt or other thread", "KVM: WFI", "KVM: register access")
"""What a vCPU outside of its guest does, by the reason of its exit."""
GUEST: Final = "guest"
LEVELS: Final = ("EL0", "EL1")


def guest_events(scene: Scene) -> Iterator[Events]:
    """Give what happened in the guests."""
    yield _guest_slices(scene)
    yield from _phases(scene)
    yield _reports(scene)
    yield _deaths(scene)
    yield _live_migrations(scene)


def _guest_slices(scene: Scene) -> Slices:
    """Return the time between entries and exits, in the guest and in KVM; without them what was executed."""
    rows, names = scene.table("entries"), scene.names.names([*EXITS, GUEST])
    if not len(rows):
        segments = scene.table("segments")
        start, end, vcpu, _ = joined(segments, np.zeros(len(segments), np.int64))
        return Slices(start, end, scene.track("thread")[vcpu], np.full(len(start), names[-1]))
    rows = rows[np.lexsort((rows["order"], rows["vcpu"]))]
    last = np.append(rows["vcpu"][1:] != rows["vcpu"][:-1], True)
    end = np.where(last, _lived_ns(scene)[rows["vcpu"]], np.append(rows["t_ns"][1:], 0))
    kind = np.where(rows["enter"] == 1, len(EXITS), rows["reason"])
    return Slices(rows["t_ns"], np.maximum(end, rows["t_ns"]), scene.track("thread")[rows["vcpu"]], names[kind])


def _lived_ns(scene: Scene) -> Ints:
    """Return for each vCPU when its guest died or the run ended."""
    died = scene.table("guests")["died_ns"]
    lived: Ints = np.where(died < 0, scene.end_ns, died)[scene.vm]
    return lived


def _phases(scene: Scene) -> Iterator[Slices]:
    """Give the phases that were executed, and their exception levels where the guest's files are still there."""
    segments = scene.table("segments")
    if not len(segments):
        return
    guests = [_phases_of(scene, spec) for spec in scene.result.scenario.vms]
    phases = [phase for guest in guests for phase in guest]
    most = int(segments["phase"].max()) + 1
    known = most <= len(phases) and all(guests)
    start, end, vcpu, phase = joined(segments, segments["phase"])
    texts = [phases[number].name if known else f"phase {number}" for number in range(most)]
    yield Slices(start, end, scene.track("phase")[vcpu], scene.names.names(texts)[phase])
    if known:
        level = np.array([phase.level for phase in phases])
        start, end, vcpu, at = joined(segments, level[segments["phase"]])
        yield Slices(start, end, scene.track("level")[vcpu], scene.names.names(LEVELS)[at])


def _phases_of(scene: Scene, spec: VmSpec) -> Sequence[Phase]:
    """Return the phases of a VM's guest; none where its file is gone by now."""
    try:
        return make_guest(spec.guest, load_workload(spec.guest.workload, scene.platform.core_types)).phases
    except InputError:
        return ()


def _reports(scene: Scene) -> Instants:
    """Return what the guests found, each with its value."""
    rows = scene.table("reports")
    names, value = scene.names.names(rows["key"].tolist()), Note(scene.names.note("value"), INT, rows["value"])
    return Instants(rows["t_ns"], scene.track("reports")[rows["vcpu"]], names, (value,))


def _deaths(scene: Scene) -> Instants:
    """Return the deaths of guests, on the tracks of their VMs' processes."""
    rows = scene.table("guests")
    rows = rows[rows["died_ns"] >= 0]
    processes = np.array(scene.tracks.processes, np.int64)
    outcomes = Note(scene.names.note("outcome"), TEXT, scene.names.texts(rows["outcome"].tolist()))
    names = np.full(len(rows), scene.names.name("guest dies"))
    return Instants(rows["died_ns"], processes[rows["vm"]], names, (outcomes,))


def _live_migrations(scene: Scene) -> Slices:
    """Return how long each VM was stopped on its way to another host."""
    rows = scene.table("live_migrations")
    rows = rows[np.lexsort((rows["t_ns"], rows["vm"]))]
    processes = np.array(scene.tracks.processes, np.int64)
    policies = Note(scene.names.note("policy"), TEXT, scene.names.texts(rows["policy"].tolist()))
    names = np.full(len(rows), scene.names.name("live migration"))
    return Slices(rows["t_ns"], rows["resumed_ns"], processes[rows["vm"]], names, (policies,))
