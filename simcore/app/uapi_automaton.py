"""A VM of one kernel revision as a state machine for `hetpmu uapi --explore`: what each letter does in each state.

Each answer is asked once of a real VM, to which the shortest way to the state is replayed: copying a VM takes longer.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from pmu.host import Host, HostPmu
from pmu.kvm import Vm
from pmu.revisions import Revision
from pmu.vcpu import Vcpu
from simcore.app.uapi_alphabet import Letter
from simcore.app.uapi_machine import Machine, Outcome, implied_steps
from simcore.app.uapi_parsing import Step

Steps = tuple[Step, ...]
_NOT_STATE: Final = frozenset(
    {"host", "revision", "bank", "streams", "decided_by", "vcpus", "vm"}
    | {"counters", "cpu", "_last_cpu", "_reload", "_reload_by_load"}
)
"""Fields of a VM and of a vCPU that are no state, and those that no letter of the alphabet depends on."""
_ATOMS: Final = frozenset({int, bool, type(None), frozenset})


@dataclass(frozen=True, slots=True)
class Move:
    """What a letter does in a state: the next state, and the outcome of each of its steps."""

    state: int
    outcomes: tuple[Outcome, ...]


class Automaton:
    """The states that a VM of one revision reaches, found as they are asked for."""

    def __init__(
        self, name: str, host: Host, revision: Revision, vcpus: int, irqchip: str, letters: Sequence[Letter]
    ) -> None:
        """Know no state yet."""
        self.name = name
        self.replayed = 0
        self._host = host
        self._revision = revision
        self._vcpus = vcpus
        self._irqchip = irqchip
        self._letters = letters
        self._ways: list[Steps] = []
        self._ids: dict[object, int] = {}
        self._alike: list[bool] = []
        self._starts: dict[Steps, int] = {}
        self._at = -1
        self._machine: Machine
        self._moves: dict[tuple[int, int], Move] = {}

    def start(self, steps: Steps) -> int:
        """Return the state after a beginning."""
        if steps not in self._starts:
            way = (*implied_steps(steps, self._vcpus), *steps)
            self._starts[steps] = self._state(self._replay(way), way)
        return self._starts[steps]

    def move(self, state: int, letter: int) -> Move:
        """Return what the letter with an index does in a state."""
        known = self._moves.get((state, letter))
        if known is None:
            if self._at != state:
                self._machine = self._replay(self._ways[state])
            steps = self._letters[letter].steps
            outcomes = tuple(map(self._machine.perform, steps))
            self._at = self._state(self._machine, (*self._ways[state], *steps))
            known = self._moves[state, letter] = Move(self._at, outcomes)
        return known

    def alike(self, state: int) -> bool:
        """Return whether the first two vCPUs are in the same state."""
        return self._alike[state]

    def outcomes(self, steps: Steps) -> tuple[Outcome, ...]:
        """Return the outcomes of a whole sequence, those of the implied steps left out."""
        machine = self._replay(implied_steps(steps, self._vcpus))
        return tuple(machine.perform(step) for step in steps)

    def _replay(self, steps: Steps) -> Machine:
        self.replayed += 1
        machine = Machine(self._host, self._revision, self._vcpus, self._irqchip)
        for step in steps:
            machine.replay.step(step.operation_for(self._revision))
        return machine

    def _state(self, machine: Machine, way: Steps) -> int:
        vcpus = tuple(_fields(vcpu, machine.vm) for vcpu in machine.vm.vcpus)
        state = self._ids.setdefault((_fields(machine.vm, machine.vm), vcpus), len(self._ids))
        if state == len(self._ways):
            self._ways.append(way)
            self._alike.append(vcpus[0] == vcpus[1])
        return state


def _fields(owner: Vm | Vcpu, vm: Vm) -> tuple[object, ...]:
    """Return the state of a VM (without its vCPUs) or a vCPU as something hashable, whatever its fields are."""
    fields = [value for name, value in vars(owner).items() if name not in _NOT_STATE]
    return tuple([value if type(value) in _ATOMS else _plain(value, vm) for value in fields])


def _plain(value: object, vm: Vm) -> object:
    if isinstance(value, bytearray):
        return bytes(value)
    if isinstance(value, dict):
        return tuple((key, _plain(part, vm)) for key, part in sorted(value.items()))
    if isinstance(value, tuple):
        return tuple(_plain(part, vm) for part in value)
    if isinstance(value, Vcpu):
        return vm.vcpus.index(value)
    return value.type_id if isinstance(value, HostPmu) else value
