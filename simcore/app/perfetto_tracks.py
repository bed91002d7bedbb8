"""The tracks of a Perfetto trace of a run, in the order in which they are shown: what each is, and below which."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from simcore.app.columns import without_folder
from simcore.app.export_threads import Thread, process_of
from simcore.app.lanes import policy_names
from simcore.app.perfetto_protos import messages, packet
from simcore.platform import Platform
from simcore.result import Result

CYCLES: Final = "cycles"
EVENTS: Final = "events"
MHZ: Final = "MHz"


class Tracks:
    """Descriptors of tracks; siblings keep the order in which they are added."""

    def __init__(self) -> None:
        self.packets: list[bytes] = []
        self._children: dict[int, int] = {}

    def add(self, name: str, parent: int = 0, about: str = "", **fields: Any) -> int:
        """Describe a track and return its uuid; `fields` are others of TrackDescriptor."""
        uuid = len(self.packets) + 1
        rank = self._children[parent] = self._children.get(parent, -1) + 1
        given: dict[str, Any] = {"uuid": uuid, "sibling_order_rank": rank, **fields}
        if parent:
            given["parent_uuid"] = parent
        if name:
            given["name"] = name
        if about:
            given["description"] = about
        explicit = messages().TrackDescriptor.EXPLICIT
        self.packets.append(packet(track_descriptor={"child_ordering": explicit, **given}, timestamp=0))
        return uuid

    def counter(self, name: str, parent: int, unit: str, about: str) -> int:
        """Describe a counter's track; those of one name and unit may share their scale."""
        return self.add(name, parent, about, counter={"unit_name": unit, "y_axis_share_key": f"{name} {unit}"})


@dataclass(frozen=True, slots=True)
class PolicyTracks:
    """What one policy shows of one vCPU; all below `group`."""

    group: int
    cycles: int
    counted: int
    rate: int
    stalls: int
    interrupts: int
    work: int


@dataclass(frozen=True, slots=True)
class VcpuTracks:
    """The tracks of a vCPU below its thread; those of policies by their number."""

    thread: int
    phase: int
    level: int
    executed: int
    migrations: int
    reports: int
    policies: tuple[PolicyTracks, ...]


@dataclass(frozen=True, slots=True)
class RunTracks:
    """All tracks of a run: `cpus` by pCPU, `vcpus` by vCPU over all VMs, `processes` by VM."""

    run: int
    cpus: tuple[int, ...]
    processes: tuple[int, ...]
    vcpus: tuple[VcpuTracks, ...]


def describe(tracks: Tracks, result: Result, platform: Platform, threads: Sequence[Thread]) -> RunTracks:
    """Describe the tracks of a run but for those of event counters."""
    run = tracks.add("Simulation", about="What was simulated: select the slice for scenario, seed and digest.")
    group = tracks.add("vCPUs on pCPUs", about="Which vCPU runs on each pCPU; arrows are migrations.")
    cpus = tuple(
        tracks.add(f"pCPU {cpu.number} {platform.core(cpu.number).name}", group, _pmus(platform, cpu.number))
        for cpu in platform.cpus
    )
    processes = tuple(_process(tracks, result, vm) for vm in range(len(result.scenario.vms)))
    vcpus = [
        _vcpu(tracks, thread, processes[thread.vm], policy_names(result, thread.vm))
        for thread in threads[: len(result.tables["vcpus"])]
    ]
    return RunTracks(run, cpus, processes, tuple(vcpus))


def _process(tracks: Tracks, result: Result, vm: int) -> int:
    spec = result.scenario.vms[vm]
    labels = [without_folder(spec.guest.workload), spec.vmm, policy_names(result, vm)[0]]
    process = {
        "pid": process_of(result.scenario, vm),
        "process_name": f"VM {vm} ({without_folder(spec.guest.name)})",
        "process_labels": labels,
    }
    return tracks.add("", process=process)


def _pmus(platform: Platform, cpu: int) -> str:
    names = ", ".join(node.name for node in platform.pmus_of(cpu)) or "none"
    return f"Host PMU: {names}"


def _vcpu(tracks: Tracks, thread: Thread, process: int, policies: Sequence[str]) -> VcpuTracks:
    own = tracks.add(
        "",
        process,
        "In the guest, or in KVM and why.",
        thread={"pid": thread.tgid, "tid": thread.pid, "thread_name": thread.comm},
    )
    return VcpuTracks(
        thread=own,
        phase=tracks.add("Phase of the guest", own, "What the guest executes."),
        level=tracks.add("Exception level", own, "Exception level of what the guest executes."),
        executed=tracks.counter("Executed cycles", own, CYCLES, "Cycles that it really executes in the guest."),
        migrations=tracks.add("Migrations", own, "Moves of the thread to another pCPU, and why."),
        reports=tracks.add("Guest reports", own, "What the guest finds itself (docs/guests.md)."),
        policies=tuple(_policy(tracks, own, number, name) for number, name in enumerate(policies)),
    )


def _policy(tracks: Tracks, parent: int, number: int, name: str) -> PolicyTracks:
    kind = "shadow" if number else "real"
    about = f"What the guest's PMU shows under {name}, the {kind} policy of this VM."
    group = tracks.add(f"PMU: {name} ({kind})", parent, about)
    return PolicyTracks(
        group=group,
        counted=tracks.counter(
            "Counted cycles", group, CYCLES, "What PMCCNTR_EL0 counts, without what is written to it."
        ),
        rate=tracks.counter(
            "PMCCNTR_EL0 rate",
            group,
            MHZ,
            "Counted cycles per time in the guest from here to the next sample; where the guest hardly runs, the one "
            "before goes on.",
        ),
        cycles=tracks.counter("PMCCNTR_EL0", group, CYCLES, "The register, as a signed number of 64 bits."),
        stalls=tracks.add("PMCCNTR_EL0 stalls", group, "It is enabled and stands still while the guest executes."),
        interrupts=tracks.add("Overflows", group, "A host event's sample period has ended: a PMU interrupt."),
        work=tracks.add("Host events", group, "KVM reloads the virtual PMU, creates host events or releases them."),
    )
