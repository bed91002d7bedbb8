"""What `hetpmu uapi --explore` puts sequences together from: attribute calls with typical values, and other calls.

Values are valid ones, boundaries and invalid ones. How letters are combined is in `simcore.app.uapi_exploring`.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from pmu.attributes import FILTER, FIXED_COUNTERS_ONLY, INIT, IRQ, SET_NR_COUNTERS, SET_PMU
from pmu.host import Host
from pmu.revisions import Revision
from simcore.app.uapi_parsing import Step, parse

VCPUS: Final = 2
"""Sequences are made for two vCPUs: a second one sees what the first did to the VM."""
_VALUES: Final[dict[str, tuple[str, ...]]] = {
    IRQ: ("23", "40", "15", "null"),
    INIT: ("",),
    FILTER: ("0x11:1:deny", "0x11:1:allow", "0:0:deny", "0xffff:2:deny", "0x11:1:2", "null"),
    FIXED_COUNTERS_ONLY: ("",),
}
_OTHER_VALUES: Final = ("", "0", "1", "null")
_IRQCHIP_CALLS: Final = {"gicv3": ("gic", "set IRQ 23"), "gicv5": ("gic",), "user": ()}
"""What makes the irqchip ready for a first KVM_RUN, before INIT."""


@dataclass(frozen=True, slots=True)
class Letter:
    """Steps that are done together.

    ``attribute_call``: it is one of the N attribute calls. ``looks``: it only looks, so that nothing follows it.
    """

    steps: tuple[Step, ...]
    attribute_call: bool = True
    looks: bool = False

    @property
    def vcpu(self) -> int | None:
        """Return the vCPU of the letter; None where it is a call of the VM."""
        return self.steps[-1].vcpu


def alphabet(host: Host, revisions: Iterable[Revision], irqchip: str) -> tuple[Letter, ...]:
    """Return the letters for a host and the attributes that any of the revisions has."""
    rows = [row for revision in revisions for row in revision.attributes.values()]
    numbers = {row.name: row.number for row in rows}
    names = sorted(numbers, key=numbers.__getitem__)
    readable = sorted({row.name for row in rows if row.value is not None}, key=numbers.__getitem__)
    sets = [f"set {name} {value}".rstrip() for name in names for value in _values(name, host)]
    looks = [*(f"has {name}" for name in names), *(f"get {name}" for name in readable)]
    ready = [*_IRQCHIP_CALLS[irqchip], "set INIT"]
    calls = ["gic", "init", *("; ".join([*ready, f"run cpu={cpu}"]) for cpu in typical_cpus(host))]
    calls += [f"run cpu={cpu}" for cpu in typical_cpus(host)]
    observations = ("reg get PMCR_EL0", "guest read PMCEID0_EL0")
    return (
        *(Letter(parse(text, host, VCPUS)) for text in sets),
        *(Letter(parse(f"v1 {text}", host, VCPUS)) for text in sets),
        *(Letter(parse(text, host, VCPUS), looks=True) for text in looks),
        *(Letter(parse(text, host, VCPUS), attribute_call=False) for text in calls),
        *(Letter(parse(text, host, VCPUS), attribute_call=False, looks=True) for text in observations),
    )


def beginnings(host: Host) -> tuple[tuple[Step, ...], ...]:
    """Return the ways to begin: all vCPUs initialised on CPU 0 (no step), or the first one elsewhere or without PMU."""
    elsewhere = [f"init cpu={cpu}" for cpu in typical_cpus(host)[1:]]
    return ((), *(parse(text, host, VCPUS) for text in (*elsewhere, "init nopmu")))


def typical_cpus(host: Host) -> tuple[int, ...]:
    """Return CPU 0 and the first CPU of each further set of host PMUs that covers a CPU."""
    found: dict[tuple[str, ...], int] = {}
    for cpu in range(host.ncpus):
        found.setdefault(tuple(host_pmu.name for host_pmu in host.usable_pmus if cpu in host_pmu.cpus), cpu)
    return tuple(found.values())


def _values(name: str, host: Host) -> Iterator[str]:
    if name == SET_PMU:
        types = [host_pmu.type_id for host_pmu in host.usable_pmus]
        yield from map(str, (*types, max(types, default=7) + 1))
        yield "null"
    elif name == SET_NR_COUNTERS:
        most = {host.max_counters(host_pmu) for host_pmu in host.usable_pmus}
        yield from map(str, sorted({0, 1, *most, max(most, default=0) + 1}))
        yield "null"
    else:
        yield from _VALUES.get(name, _OTHER_VALUES)
