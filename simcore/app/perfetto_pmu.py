"""Perfetto's track events of the virtual PMUs: counters and the rate of cycles, stalls, overflows, a policy apart."""

from collections.abc import Iterator, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from pmu.kernel import CYCLE_SLOT, DISABLED, NO_HOST_COUNTER, OFF_PMU
from simcore.app.perfetto_events import INT, Counters, Events, Instants, Note, Slices
from simcore.app.perfetto_scene import Ints, Scene, Table
from simcore.app.perfetto_tracks import EVENTS
from simcore.platform import Platform

REASONS: Final = ("off-PMU or no host counter", "off-PMU", "no host counter")
"""Why PMCCNTR_EL0 stands still; the first where a stall may have both reasons, or its own is not known."""
WORK: Final = ("reload by vcpu_load", "reload", "host events created", "host events released")
LEAST_SHARE: Final = 10
"""A rate is told where the guest runs for at least one in so many ns."""


def pmu_events(scene: Scene) -> Iterator[Events]:
    """Give what each policy shows of each vCPU."""
    yield _stalls(scene)
    yield _interrupts(scene)
    yield _work(scene)
    yield from _Samples(scene).counters()


def _stalls(scene: Scene) -> Slices:
    rows = scene.table("stalls")
    rows = rows[np.lexsort((rows["start_ns"], rows["policy"], rows["vcpu"]))]
    guest = Note(scene.names.note("guest_ns"), INT, rows["guest_ns"])
    track = scene.policy_track("stalls")[rows["vcpu"], rows["policy"]]
    reasons = scene.names.names(REASONS)[stall_reasons(scene.table("ledger"), scene.table("samples"), rows)]
    return Slices(rows["start_ns"], rows["end_ns"], track, reasons, (guest,))


def stall_reasons(ledger: Table, samples: Table, stalls: Table) -> Ints:
    """Return the number of each stall's reason: by the ledger where it has only one, else by the samples within."""
    cycles = ledger[ledger["slot"] == CYCLE_SLOT]
    booked = {
        (int(row["vcpu"]), int(row["policy"])): (row["off_pmu"] > 0) + 2 * (row["no_host_counter"] > 0)
        for row in cycles
    }
    pairs = zip(stalls["vcpu"].tolist(), stalls["policy"].tolist(), strict=True)
    found = np.array([booked.get(pair, 0) for pair in pairs], np.int64)
    for number in np.flatnonzero(found == 3):
        found[number] = _sampled_reason(samples, stalls[number])
    return found


def _sampled_reason(samples: Table, stall: np.void) -> int:
    own = (samples["vcpu"] == stall["vcpu"]) & (samples["policy"] == stall["policy"])
    own &= (samples["t_ns"] >= stall["start_ns"]) & (samples["t_ns"] < stall["end_ns"])
    seen = set(samples["category"][own].tolist()) & {OFF_PMU, NO_HOST_COUNTER}
    if len(seen) != 1:
        return 0
    return 1 if seen == {OFF_PMU} else 2


def _interrupts(scene: Scene) -> Instants:
    rows = scene.table("interrupts")
    names = scene.names.names([*(f"PMEVCNTR{slot}_EL0" for slot in range(CYCLE_SLOT)), "PMCCNTR_EL0", "PMICNTR_EL0"])
    track = scene.policy_track("interrupts")[rows["vcpu"], rows["policy"]]
    return Instants(rows["t_ns"], track, names[rows["slot"]])


def _work(scene: Scene) -> Instants:
    """Return reloads, and host events created or released, as what they are first of all, with the number of each."""
    rows = scene.table("pmu_work")
    kind = np.select([rows["reloads"] > 0, rows["other_reloads"] > 0, rows["creations"] > 0], [0, 1, 2], 3)
    notes = tuple(
        Note(scene.names.note(column), INT, rows[column], rows[column] > 0)
        for column in ("reloads", "other_reloads", "creations", "releases")
    )
    track = scene.policy_track("work")[rows["vcpu"], rows["policy"]]
    return Instants(rows["t_ns"], track, scene.names.names(WORK)[kind], notes)


class _Samples:
    """The samples of a run, put together by vCPU and policy, those of policies that a VM does not have left out."""

    def __init__(self, scene: Scene) -> None:
        samples = scene.table("samples")
        has = scene.policy_track("cycles")[samples["vcpu"], samples["policy"]] > 0
        place = np.lexsort((samples["t_ns"], samples["policy"], samples["vcpu"]))
        self.scene = scene
        self.place = place[has[place]]
        self.t_ns, self.vcpu, self.policy = (self._column(name) for name in ("t_ns", "vcpu", "policy"))
        again = (self.vcpu[1:] == self.vcpu[:-1]) & (self.policy[1:] == self.policy[:-1])
        self.goes_on = np.concatenate(([False], again))[: len(self.place)]
        """Whether the sample before is one of the same vCPU and policy."""

    def counters(self) -> Iterator[Counters]:
        """Give cycles, their rates and the event counters that the guest uses."""
        cycles, executed, counted = (self._column(name) for name in ("pmccntr", "guest_cycles", "counted"))
        real = self.policy == 0
        yield self._counter(self.scene.track("executed")[self.vcpu], executed, self._first(executed) & real)
        yield self._counter(self._tracks("cycles"), cycles, self._first(cycles))
        yield self._counter(self._tracks("counted"), counted, self._first(counted))
        yield self._rates(counted)
        used = self.scene.table("ledger")
        used = used[(used["events"] > 0) & (used["slot"] < CYCLE_SLOT)]
        for slot in np.unique(used["slot"]).tolist():
            tracks = self._event_tracks(slot, used[used["slot"] == slot])[self.vcpu, self.policy]
            values = self.scene.table("samples")["counters"][self.place, slot]
            yield self._counter(tracks, values, self._first(values) & (tracks > 0))

    def _column(self, name: str) -> NDArray[Any]:
        column: NDArray[Any] = self.scene.table("samples")[name][self.place]
        return column

    def _tracks(self, name: str) -> Ints:
        tracks: Ints = self.scene.policy_track(name)[self.vcpu, self.policy]
        return tracks

    def _first(self, values: NDArray[Any]) -> NDArray[np.bool_]:
        """Tell where a counter is not what it was at the sample before; a value that stays is told once."""
        found = np.ones(len(values), np.bool_)
        found[1:] = ~self.goes_on[1:] | (values[1:] != values[:-1])
        return found

    def _counter(self, tracks: Ints, values: NDArray[Any], chosen: NDArray[np.bool_]) -> Counters:
        return Counters(self.t_ns[chosen], tracks[chosen], values[chosen])

    def _rates(self, counted: NDArray[np.uint64]) -> Counters:
        """Return counted cycles per time in the guest from a sample to the next, where the counter is enabled."""
        enabled = self._column("category") != DISABLED
        took, spent = np.diff(self.t_ns), np.diff(self._column("guest_ns"))
        known = self.goes_on[1:] & enabled[1:] & enabled[:-1] & (spent > 0) & (LEAST_SHARE * spent >= took)
        rate = 1000 * np.diff(counted).view(np.int64) / np.where(known, spent, 1)
        return Counters(self.t_ns[:-1][known], self._tracks("rate")[:-1][known], rate[known])

    def _event_tracks(self, slot: int, used: Table) -> Ints:
        """Describe the tracks of an event counter for the vCPUs and policies that use it; 0 for others."""
        tracks = np.zeros_like(self.scene.policy_track("cycles"))
        for vcpu, policy in zip(used["vcpu"].tolist(), used["policy"].tolist(), strict=True):
            events = _events_of(self.scene, vcpu, slot)
            name = f"PMEVCNTR{slot}_EL0" + (f" {events[0]}" if len(events) == 1 else "")
            about = "As the guest reads it: below PMUv3p5 32 bits."
            about += f" Events that the guest chose: {', '.join(events)}." if events else ""
            group = self.scene.tracks.vcpus[vcpu].policies[policy].group
            tracks[vcpu, policy] = self.scene.more.counter(name, group, EVENTS, about)
        return tracks


def _events_of(scene: Scene, vcpu: int, slot: int) -> Sequence[str]:
    """Return the names of the events that a guest gave a counter, where its writes were kept."""
    writes = scene.table("writes")
    own = (writes["vcpu"] == vcpu) & (writes["register"] == f"PMEVTYPER{slot}_EL0")
    numbers = dict.fromkeys((writes["value"][own] & np.uint64(0xFFFF)).tolist())
    return [_event_name(scene.platform, number) for number in numbers]


def _event_name(platform: Platform, event: int) -> str:
    names = [dict(core.event_names).get(event) for core in platform.core_types]
    return next((name for name in names if name), f"0x{event:04x}")
