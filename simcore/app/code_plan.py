"""Where and when a vCPU moves: ``every=10us``, ``random:RATE``, ``at=INSN:CPU,..``; all of it fixed before the run."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from simcore.draws import below, exponential_ns
from simcore.errors import InputError
from simcore.platform import cpu_list
from simcore.units import NS_PER_S, parse_time_ns

FORMS: Final = "none, every=TIME, random:MOVES_PER_S, at=INSN:CPU,.. or at=TIME:CPU,.."


@dataclass(frozen=True, slots=True)
class Move:
    """A move to a pCPU, due after so many retired instructions or at a time (the other is None)."""

    cpu: int
    instructions: int | None = None
    ns: int | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """What a user asked for: moves at given points, or at intervals (``every_ns``, or drawn with a mean)."""

    text: str = "none"
    moves: tuple[Move, ...] = ()
    every_ns: int = 0
    per_s: int = 0

    def moves_of(self, vcpu: int, first: int, allowed: Sequence[int], seed: int) -> Iterator[Move]:
        """Yield the moves of a vCPU that starts on ``first``; those drawn go to another allowed pCPU each time."""
        yield from self.moves
        here, now, number = first, 0, 0
        while self.every_ns or self.per_s:
            number += 1
            owner = f"vcpu{vcpu}"
            now += self.every_ns or exponential_ns(NS_PER_S // self.per_s, seed, owner, "move time", number)
            others = [cpu for cpu in allowed if cpu != here]
            if not others:
                return
            here = others[below(len(others), seed, owner, "move target", number)]
            yield Move(here, ns=now)


def parse_plan(text: str, cpus: int) -> Plan:
    """Return the plan that a text says, for a host with so many pCPUs."""
    if text == "none":
        return Plan()
    if text.startswith("every="):
        period = parse_time_ns(text.removeprefix("every="), where="--migrate")
        if not period:
            raise InputError("moves every 0 ns", "--migrate", valid="a positive time such as 10us")
        return Plan(text, every_ns=period)
    if text.startswith("random:"):
        rate = text.removeprefix("random:")
        if not rate.isdigit() or not 1 <= int(rate) <= NS_PER_S:
            raise InputError(f"{rate!r} moves per second", "--migrate", valid=f"a whole number, 1 to {NS_PER_S}")
        return Plan(text, per_s=int(rate))
    if text.startswith("at="):
        return Plan(text, tuple(_move(part, cpus) for part in text.removeprefix("at=").split(",")))
    raise InputError(f"unknown plan of migrations {text!r}", "--migrate", valid=FORMS)


def _move(text: str, cpus: int) -> Move:
    when, colon, cpu = text.partition(":")
    if not colon or not cpu.isdigit() or int(cpu) >= cpus:
        valid = f"INSN:CPU or TIME:CPU, CPU in {cpu_list(range(cpus))}"
        raise InputError(f"bad move {text!r}", "--migrate", valid=valid)
    if when.isdigit():
        return Move(int(cpu), instructions=int(when))
    return Move(int(cpu), ns=parse_time_ns(when, where="--migrate"))
