"""PSCI as a guest calls it (HVC or SMC): version, features, CPU_ON, CPU_OFF, SYSTEM_OFF and SYSTEM_RESET.

Source: Arm DEN 0022 (PSCI 1.1).
"""

from typing import TYPE_CHECKING, Final

from simcore.app.code_core import State

if TYPE_CHECKING:
    from simcore.app.code_core import Core
    from simcore.app.code_machine import CodeMachine

VERSION, CPU_OFF, AFFINITY_INFO, SYSTEM_OFF, SYSTEM_RESET, FEATURES = (
    0x84000000,
    0x84000002,
    0x84000004,
    0x84000008,
    0x84000009,
    0x8400000A,
)
CPU_ON: Final = 0x84000003
SMC64: Final = 0x40000000
NOT_SUPPORTED, INVALID_PARAMETERS, ALREADY_ON = -1, -2, -4
_KNOWN: Final = (VERSION, CPU_OFF, CPU_ON, AFFINITY_INFO, SYSTEM_OFF, SYSTEM_RESET, FEATURES)


def call(machine: "CodeMachine", core: "Core") -> None:
    """Answer a call in x0."""
    number = core.engine.x(0) & 0xFFFFFFFF
    plain = number & ~SMC64
    if plain == SYSTEM_OFF:
        machine.end("off")
    elif plain == SYSTEM_RESET:
        machine.end("reset")
    elif plain == CPU_OFF:
        machine.power_off(core)
    elif plain == CPU_ON:
        core.engine.set_x(0, _turn_on(machine, core))
    elif plain == VERSION:
        core.engine.set_x(0, 0x10001)
    elif plain == AFFINITY_INFO:
        core.engine.set_x(0, _info(machine, core.engine.x(1)))
    elif plain == FEATURES:
        core.engine.set_x(0, 0 if core.engine.x(1) & 0xFFFFFFFF & ~SMC64 in _KNOWN else NOT_SUPPORTED)
    else:
        core.engine.set_x(0, NOT_SUPPORTED)


def _turn_on(machine: "CodeMachine", core: "Core") -> int:
    target, entry, argument = (core.engine.x(n) for n in (1, 2, 3))
    number = target & 0xFF
    if target & 0xFF00FFFF00 or number >= len(machine.cores):
        return INVALID_PARAMETERS
    other = machine.cores[number]
    if other.state is not State.OFF:
        return ALREADY_ON
    other.idle_until(core.clock.ns)
    machine.power_on(number, entry, argument)
    return 0


def _info(machine: "CodeMachine", target: int) -> int:
    number = target & 0xFF
    if number >= len(machine.cores):
        return INVALID_PARAMETERS
    return 1 if machine.cores[number].state is State.OFF else 0
