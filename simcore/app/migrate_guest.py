"""The guest that is migrated: it gives every PMU register a value that tells, and lets the counters count.

It does what a guest can do: it asks PMCEID0/1_EL0 which events there are, and writes registers at EL1.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain, repeat
from typing import Final

from pmu.events import CHAIN, CPU_CYCLES, INST_RETIRED, SW_INCR
from pmu.host import CYCLE_COUNTER, PMUVER_V3P5
from simcore.app.migrate_vm import ALL_COUNTERS, EL1, Machine
from simcore.pmceid import pmceid_events

EXCLUDE_EL0, EXCLUDE_EL1 = 1 << 30, 1 << 31
ENABLE: Final = 1 << 0
EVERY_CONTROL: Final = 0b1011_1001
"""PMCR_EL0.E, D, X, DP and LP, which KVM drops below PMUv3p5; LC stays 0 where it can."""
EL0_ACCESS: Final = 0b1011
"""PMUSERENR_EL0.EN, SW and ER."""
CYCLE_BIT: Final = 1 << CYCLE_COUNTER
NEAR_WRAP: Final = 0xFFFF_FF00
_ROLES: Final = {1: CHAIN, 2: SW_INCR, 3: INST_RETIRED | EXCLUDE_EL0, 4: CPU_CYCLES | EXCLUDE_EL1}
_WIDE_COUNTER: Final = 3
_TAKEN: Final = frozenset({CHAIN, SW_INCR, INST_RETIRED, CPU_CYCLES})


@dataclass(frozen=True, slots=True)
class Stretch:
    """Where the guest executed for a while, and whether that pCPU has another host PMU than the one before."""

    cpu: int
    crossing: bool


def execute(machine: Machine) -> list[Stretch]:
    """Run the guest for the first time, leave it in KVM_RUN, and return where it executed."""
    home = machine.enter()
    _configure(machine)
    stretches = [_stretch(machine, home, crossing=False)]
    away = _other_pmu(machine, home)
    if away is not None:
        for cpu in (away, home):
            machine.step("migrate", cpu)
            stretches.append(_stretch(machine, cpu, crossing=True))
    _write(machine, "PMCR_EL0", EVERY_CONTROL)
    machine.advance(50)
    return stretches


def _configure(machine: Machine) -> None:
    count = int(_read(machine, "PMCR_EL0"), 16) >> 11 & 0x1F
    events = pmceid_events(int(_read(machine, "PMCEID0_EL0"), 16), int(_read(machine, "PMCEID1_EL0"), 16))
    wide = machine.vm.pmuver >= PMUVER_V3P5
    for name in ("PMCNTENCLR_EL0", "PMINTENCLR_EL1", "PMOVSCLR_EL0"):
        _write(machine, name, ALL_COUNTERS)
    for idx, kind in enumerate(_kinds(count, events)):
        _write(machine, f"PMEVTYPER{idx}_EL0", kind)
        _write(machine, f"PMEVCNTR{idx}_EL0", _start(idx, wide))
    _write(machine, "PMCCFILTR_EL0", EXCLUDE_EL0)
    _write(machine, "PMCCNTR_EL0", NEAR_WRAP)
    _write(machine, "PMUSERENR_EL0", EL0_ACCESS)
    _write(machine, "PMSELR_EL0", count - 1 if count else CYCLE_COUNTER)
    _write(machine, "PMINTENSET_EL1", CYCLE_BIT | 0x55555555 & (1 << count) - 1)
    enabled = (1 << max(count - 1, 1)) - 1 if count else 0
    _write(machine, "PMCNTENSET_EL0", CYCLE_BIT | enabled)
    _write(machine, "PMCR_EL0", ENABLE)


def _kinds(count: int, events: Iterable[int]) -> list[int]:
    """Return a type for each event counter: the first an event above 10 bits if there is one, the last disabled."""
    others: Iterator[int] = chain(
        sorted(set(events) - _TAKEN, key=lambda event: (event < 0x400, event)), repeat(INST_RETIRED)
    )
    return [_ROLES[idx] if idx in _ROLES else next(others) for idx in range(count)]


def _start(idx: int, wide: bool) -> int:
    if idx == 0:
        return NEAR_WRAP
    return 0x1_2345_6789 if wide and idx == _WIDE_COUNTER else 0x1000 * (idx + 1)


def _stretch(machine: Machine, cpu: int, crossing: bool) -> Stretch:
    machine.advance(300)
    _write(machine, "PMSWINC_EL0", ALL_COUNTERS)
    return Stretch(cpu, crossing)


def _other_pmu(machine: Machine, home: int) -> int | None:
    """Return a pCPU of another host PMU on which the vCPU may run, or None."""
    host = machine.vm.host
    others = (cpu for cpu in machine.run_cpus if host.first_pmu(cpu) not in (None, host.first_pmu(home)))
    return next(others, None)


def _read(machine: Machine, name: str) -> str:
    return str(machine.step("rd", name, EL1))


def _write(machine: Machine, name: str, value: int) -> None:
    result = machine.step("wr", name, hex(value), EL1)
    assert result == "ok", f"{name}: {result}"
