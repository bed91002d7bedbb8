"""An independent model of the counters of one vCPU under one policy, on unbounded Python integers.

It follows what the guest wrote and where it executed, and says what was counted, where the rest went, and when a sample
period ended. It imports nothing of the project but names of events; host counters never run out in it.
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

PATTERN = 0x1DE7EC7EDBADC0DE
LOW32, ALL64 = (1 << 32) - 1, (1 << 64) - 1
CYCLES, INSTRUCTIONS = 31, 32
FIXED = {CYCLES: 0x11, INSTRUCTIONS: 0x08}
SOFTWARE = (0x00, 0x1E)
COUNTED, DISABLED, EXCLUDED, NO_EVENT, OFF_PMU = "counted", "disabled", "excluded_level", "no_event", "off_pmu"
Pmu = frozenset[int]
"""A host PMU: the pCPUs that it covers."""


@dataclass(slots=True)
class Facts:
    """What a VM is shown, and how a policy backs it.

    ``local(cpu)``: the host PMU on which events are made there, None where there is none. ``reloads``: "crossing" (to
    another PMU), "off" (whatever is off-PMU, at every load) or "". ``composite``: an event on every PMU.
    ``rearms``: sample periods follow counters in a way that this model does not. ``able(event)``: whether
    host PMUs can count an event.
    """

    shown: int
    wide: bool
    type_mask: int
    event_mask: int
    res1: int
    icntr: bool
    quirks: bool
    local: Callable[[int], Pmu | None]
    follows: bool
    reloads: str
    composite: bool = False
    rearms: bool = False
    able: Callable[[int], bool] = lambda event: True


@dataclass(slots=True)
class HostEvent:
    """A host event: its PMU, what it counts and at which levels, what is left of its period, what it counted."""

    pmu: Pmu
    event: int
    levels: tuple[bool, bool]
    left: int
    count: int = 0


@dataclass(slots=True)
class GuestPmu:
    """The counters of one vCPU."""

    facts: Facts
    control: int = 0
    select: int = PATTERN & 31
    enabled: int = 0
    cpu: int = -1
    values: dict[int, int] = field(default_factory=dict)
    types: dict[int, int] = field(default_factory=dict)
    events: dict[int, HostEvent] = field(default_factory=dict)
    odd: set[int] = field(default_factory=set)
    """Counters that were ever set to a software event, which this model does not follow."""
    booked: dict[int, Counter[str]] = field(default_factory=dict)
    crossed: int = 0

    def __post_init__(self) -> None:
        """Reset every register."""
        self.control = self.facts.res1
        self.enabled = PATTERN & self.implemented
        for slot in self.slots:
            self.values[slot] = PATTERN & (ALL64 if slot in FIXED else LOW32)
            self.types[slot] = PATTERN & LOW32 & self.facts.type_mask if slot not in FIXED else 0
            self.booked[slot] = Counter()
            self._note_type(slot)

    @property
    def slots(self) -> list[int]:
        """Return the counters that the guest has."""
        return [*range(self.facts.shown), CYCLES, *([INSTRUCTIONS] if self.facts.icntr else [])]

    @property
    def implemented(self) -> int:
        """Return them as a mask."""
        return sum(1 << slot for slot in self.slots)

    def is_on(self, slot: int) -> bool:
        """Tell whether a counter is enabled."""
        return bool(self.control & 1 and self.enabled >> slot & 1)

    def event_of(self, slot: int) -> int:
        """Return the event that a counter is set to."""
        return FIXED.get(slot, self.types[slot] & self.facts.event_mask)

    def stream_of(self, slot: int) -> int:
        """Return the event whose stream drives a counter now."""
        return self.events[slot].event if slot in self.events else self.event_of(slot)

    def category(self, slot: int, level: int) -> str:
        """Return where the events of a counter are booked now."""
        event = self.events.get(slot)
        if not self.is_on(slot):
            return DISABLED
        if not (event.levels if event else self._levels(slot))[level]:
            return EXCLUDED
        if event is None:
            return NO_EVENT
        return COUNTED if self.cpu in event.pmu else OFF_PMU

    def add(self, slot: int, level: int, number: int) -> bool:
        """Book events in a counter; tell whether a sample period has ended."""
        where = self.category(slot, level)
        self.booked[slot][where] += number
        if where != COUNTED:
            return False
        event = self.events[slot]
        self.values[slot] = self.values[slot] + number & ALL64
        event.count += number
        if not event.left:
            return False
        over = number >= event.left
        event.left = 0 if over else event.left - number
        return over

    def room(self, slot: int, level: int) -> int:
        """Return how many events are left of a counter's sample period; 0: it has none."""
        return self.events[slot].left if self.category(slot, level) == COUNTED else 0

    def overflow(self, slot: int) -> None:
        """Take the next sample period."""
        event = self.events[slot]
        event.left = self._period(slot, event.count if self.facts.quirks else self.values[slot])

    def load(self, cpu: int) -> None:
        """Put the vCPU on a pCPU."""
        before, self.cpu = self.cpu, cpu
        on = [slot for slot in self.slots if self.is_on(slot)]
        if self.facts.reloads == "crossing":
            reload = before >= 0 and self.facts.local(before) != self.facts.local(cpu)
        else:
            reload = self.facts.reloads == "off" and any(self._is_off(slot) for slot in on)
        if reload:
            self.crossed += 1
            self._reprogram(self.implemented)

    def write(self, name: str, value: int) -> None:
        """Do what a write of a register does."""
        if name == "PMCR_EL0":
            self._write_control(value & 0xFF | self.facts.res1)
        elif name == "PMSELR_EL0":
            self.select = value & 31
        elif name in ("PMCNTENSET_EL0", "PMCNTENCLR_EL0"):
            mask = value & self.implemented
            self.enabled = self.enabled | mask if "SET" in name else self.enabled & ~mask
            self._reprogram(mask)
        else:
            slot = self._slot_of(name)
            if slot in self.values:
                self._write_slot(slot, "TYPER" in name or "FILTR" in name, value)

    def _slot_of(self, name: str) -> int:
        if name in ("PMXEVTYPER_EL0", "PMXEVCNTR_EL0"):
            return self.select
        if name in ("PMCCNTR_EL0", "PMCCFILTR_EL0"):
            return CYCLES
        if name in ("PMICNTR_EL0", "PMICFILTR_EL0"):
            return INSTRUCTIONS
        for prefix in ("PMEVTYPER", "PMEVCNTR"):
            if name.startswith(prefix):
                return int(name.removeprefix(prefix).removesuffix("_EL0"))
        return -1

    def _write_slot(self, slot: int, is_type: bool, value: int) -> None:
        if not is_type:
            self._assign(slot, value)
            return
        self.types[slot] = value & self.facts.type_mask
        self._note_type(slot)
        self._create(slot)

    def _note_type(self, slot: int) -> None:
        if self.event_of(slot) in SOFTWARE:
            self.odd.add(slot)

    def _write_control(self, value: int) -> None:
        if not self.facts.wide:
            value &= ~0x80
        toggled = (self.control ^ value) & 1
        self.control = value & ~6
        for slot in self.slots:
            if (slot == CYCLES and value & 4) or (slot < CYCLES and value & 2):
                self._assign(slot, 0)
        if toggled:
            self._reprogram(self.implemented)

    def _assign(self, slot: int, value: int) -> None:
        self.events.pop(slot, None)
        self.values[slot] = value & ALL64
        self._create(slot)

    def _reprogram(self, mask: int) -> None:
        for slot in self.slots:
            if mask >> slot & 1 and self.is_on(slot):
                missing = slot not in self.events
                if missing or (self.facts.follows and self._is_off(slot)):
                    self._create(slot)

    def _is_off(self, slot: int) -> bool:
        return slot in self.events and self.cpu not in self.events[slot].pmu and not self.facts.composite

    def _create(self, slot: int) -> None:
        pmu = self.facts.local(self.cpu)
        if pmu is None:
            return
        if slot in self.events:
            del self.events[slot]
            self.values[slot] &= ALL64 if self._is_wide(slot) else LOW32
        if self.event_of(slot) not in SOFTWARE and self.facts.able(self.event_of(slot)):
            period = self._period(slot, self.values[slot])
            self.events[slot] = HostEvent(pmu, self.event_of(slot), self._levels(slot), period)

    def _levels(self, slot: int) -> tuple[bool, bool]:
        kind = self.types[slot]
        return (kind >> 30 & 1) == (kind >> 28 & 1), (kind >> 31 & 1) == (kind >> 29 & 1)

    def _is_wide(self, slot: int) -> bool:
        return slot in FIXED or self.facts.wide

    def _period(self, slot: int, counted: int) -> int:
        long = slot == INSTRUCTIONS or bool(self.control & (0x40 if slot == CYCLES else 0x80))
        width = 64 if self._is_wide(slot) and long else 32
        period = -counted & (1 << width) - 1
        return period if period or width == 64 or self.facts.quirks else 1 << 32

    def value(self, slot: int) -> int:
        """Return a counter as the guest reads it."""
        return self.values[slot] & (ALL64 if self._is_wide(slot) else LOW32)
