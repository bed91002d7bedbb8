"""Where and when a vCPU moves, fixed before the run: every=10us, random:RATE, at=INSN:CPU,.., schedule=DIR."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from simcore.app.storing import load_result
from simcore.draws import below, exponential_ns
from simcore.errors import InputError
from simcore.platform import cpu_list
from simcore.units import NS_PER_S, parse_time_ns, parse_whole

SCHEDULE: Final = "schedule="
SHORTEST_NS: Final = 1_000
"""Moves are at least so far apart."""
FORMS: Final = "none, every=TIME, random:MOVES_PER_S, at=INSN:CPU,.., at=TIME:CPU,.. or schedule=DIR"


@dataclass(frozen=True, slots=True)
class Move:
    """A move to a pCPU, due after so many retired instructions or at a time (the other is None).

    A ``drawn`` one that falls due while the host is still at the one before does not happen.
    """

    cpu: int
    instructions: int | None = None
    ns: int | None = None
    drawn: bool = False


@dataclass(frozen=True, slots=True)
class Plan:
    """What a user asked for: moves at given points, or at intervals (``every_ns``, or drawn with a mean).

    ``moves`` are every vCPU's, ``recorded`` are (vCPU, move).
    """

    text: str = "none"
    moves: tuple[Move, ...] = ()
    recorded: tuple[tuple[int, Move], ...] = ()
    every_ns: int = 0
    per_s: int = 0

    def moves_of(self, vcpu: int, first: int, allowed: Sequence[int], seed: int) -> Iterator[Move]:
        """Yield the moves of a vCPU that starts on ``first``; those drawn go to another allowed pCPU each time."""
        yield from self.moves
        yield from (move for number, move in self.recorded if number == vcpu)
        here, now, number = first, 0, 0
        while self.every_ns or self.per_s:
            number += 1
            owner = f"vcpu{vcpu}"
            now += self.every_ns or exponential_ns(NS_PER_S // self.per_s, seed, owner, "move time", number)
            others = [cpu for cpu in allowed if cpu != here]
            if not others:
                return
            here = others[below(len(others), seed, owner, "move target", number)]
            yield Move(here, ns=now, drawn=True)


def parse_plan(text: str, cpus: int) -> Plan:
    """Return the plan that a text says, for a host with so many pCPUs."""
    if text == "none":
        return Plan()
    if text.startswith("every="):
        period = parse_time_ns(text.removeprefix("every="), where="--migrate")
        if period < SHORTEST_NS:
            raise InputError(f"moves every {period} ns", "--migrate", valid=f"at least {SHORTEST_NS} ns")
        return Plan(text, every_ns=period)
    if text.startswith("random:"):
        rate = text.removeprefix("random:")
        most = NS_PER_S // SHORTEST_NS
        if not 1 <= parse_whole(rate) <= most:
            raise InputError(f"{rate!r} moves per second", "--migrate", valid=f"a whole number, 1 to {most}")
        return Plan(text, per_s=int(rate))
    if text.startswith("at="):
        return Plan(text, tuple(_move(part, cpus) for part in text.removeprefix("at=").split(",")))
    if text.startswith(SCHEDULE):
        return Plan(text, recorded=_recorded(text.removeprefix(SCHEDULE), cpus))
    raise InputError(f"unknown plan of migrations {text!r}", "--migrate", valid=FORMS)


def _recorded(directory: str, cpus: int) -> tuple[tuple[int, Move], ...]:
    """Return the migrations of a result of `hetpmu run`, at their times."""
    rows = load_result(Path(directory)).tables["migrations"]
    columns = (rows[name].tolist() for name in ("t_ns", "vcpu", "to_cpu"))
    moves = tuple((int(vcpu), Move(int(cpu), ns=int(at))) for at, vcpu, cpu in zip(*columns, strict=True))
    beyond = next((move.cpu for _, move in moves if move.cpu >= cpus), None)
    if beyond is not None:
        raise InputError(
            f"a migration to CPU {beyond}", directory, valid=f"a result of a host with CPUs 0 to {cpus - 1}"
        )
    return moves


def _move(text: str, cpus: int) -> Move:
    when, colon, cpu = text.partition(":")
    if not colon or not 0 <= parse_whole(cpu) < cpus:
        valid = f"INSN:CPU or TIME:CPU, CPU in {cpu_list(range(cpus))}"
        raise InputError(f"bad move {text!r}", "--migrate", valid=valid)
    if parse_whole(when) >= 0:
        return Move(int(cpu), instructions=int(when))
    return Move(int(cpu), ns=parse_time_ns(when, where="--migrate"))
