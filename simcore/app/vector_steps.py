"""The steps of a recorded sequence: the arguments of each operation, and the results that there can be.

What an operation does is in ``simcore.app.replaying``, the rest of a file in ``simcore.app.vectors``.
"""

import errno
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from pmu.attributes import FILTER
from pmu.events import CPU_CYCLES
from pmu.registers import REGISTERS, UNDEF
from pmu.revisions import REVISIONS
from pmu.vcpu import Entry
from simcore.app.vector_forms import (
    INT32,
    UINT8,
    UINT16,
    UINT32,
    UINT64,
    hexadecimal,
    integer,
    known,
    shown,
    within,
    wrong,
)
from simcore.errors import InputError

ATTRIBUTES: Final = {name for revision in REVISIONS.values() for name in revision.attributes}
_ENTRIES: Final = frozenset(entry.value for entry in Entry)
WORDS: Final = _ENTRIES | {"ok", UNDEF.value, "NOTRUN", "NOVCPU"}
ERRORS: Final = frozenset(f"-{name}" for name in errno.errorcode.values())
RESULTS: Final = f"a number, a hex string, -ENAME, {', '.join(sorted(WORDS))}"

Check = Callable[[Any, int], None]
"""Looks at a value on a host of so many CPUs; raises InputError if it has not the form."""


@dataclass(frozen=True, slots=True)
class Argument:
    """An argument of an operation: its name in the header of the files, and what checks it."""

    name: str
    check: Check


# Arguments


def _within(low: int, high: int) -> Check:
    def check(value: Any, ncpus: int) -> None:
        integer(value, low, high)

    return check


def _any_vcpu(value: Any, ncpus: int) -> None:
    if type(value) is not int:
        raise wrong(value, "the index of a vCPU (one that does not exist gives NOVCPU)")


def _cpu(value: Any, ncpus: int) -> None:
    integer(value, 0, ncpus - 1)


def _register(value: Any, ncpus: int) -> None:
    known("register", value, REGISTERS)


def _hex(value: Any, ncpus: int) -> None:
    hexadecimal(value)


def _attribute(value: Any, ncpus: int) -> None:
    if type(value) is int:
        integer(value, 0, UINT64)
    else:
        known("attribute", value, ATTRIBUTES)


def _events(value: Any, ncpus: int) -> None:
    if not isinstance(value, dict):
        raise wrong(value, 'an object {"0xEVENT": count}')
    numbers = set()
    for event, count in value.items():
        number = hexadecimal(event, UINT16)
        if number == CPU_CYCLES or number in numbers:
            why = "the argument 'cycles' says how often" if number == CPU_CYCLES else "it stands there twice"
            raise InputError(f"event {event} does not belong here", why=why, valid="each other event once")
        numbers.add(number)
        integer(count, 0, UINT64)


def _payload(value: Any, ncpus: int) -> None:
    if isinstance(value, list):
        _filter(value)
    else:
        _int_or_null(value)


def _int_or_null(value: Any) -> None:
    if value is not None and (type(value) is not int or not -INT32 - 1 <= value <= UINT32):
        raise wrong(value, "null, or an integer of 32 bits")


def _filter(value: Any) -> None:
    if value is None:
        return
    if not isinstance(value, list) or len(value) != 3:
        raise wrong(value, "null, or [base_event, nevents, action]")
    for part, high in zip(value, (UINT16, UINT16, UINT8), strict=True):
        integer(part, 0, high)


VCPU: Final = Argument("v", _any_vcpu)
CPU: Final = Argument("cpu", _cpu)
REGISTER: Final = Argument("reg", _register)
VALUE: Final = Argument("val", _hex)
LEVEL: Final = Argument("el", _within(0, 1))
ATTRIBUTE: Final = Argument("name", _attribute)
PAYLOAD: Final = Argument("value", _payload)

ARGUMENTS: Final[Mapping[str, tuple[Argument, ...]]] = {
    "create_vcpu": (),
    "gic_init": (),
    "set_pmuver": (Argument("ver", _within(0, 15)),),
    "vm": (),
    "vcpu_init": (VCPU, CPU, Argument("pmu", _within(0, 1))),
    "set_attr": (VCPU, CPU, ATTRIBUTE, PAYLOAD),
    "get_attr": (VCPU, ATTRIBUTE),
    "has_attr": (VCPU, ATTRIBUTE),
    "get_reg": (VCPU, REGISTER),
    "set_reg": (VCPU, REGISTER, VALUE),
    "run": (VCPU, CPU),
    "exit": (VCPU,),
    "migrate": (VCPU, CPU),
    "rd": (VCPU, REGISTER, LEVEL),
    "wr": (VCPU, REGISTER, VALUE, LEVEL),
    "adv": (VCPU, Argument("cycles", _within(0, UINT64)), Argument("events", _events), LEVEL),
    "irq": (VCPU,),
}
"""Operation -> its arguments, under the names that the header of the files gives them."""


def check_operation(op: Any, ncpus: int) -> None:
    """Raise InputError unless an operation is known and has its arguments, each of its form."""
    if not isinstance(op, list) or not op:
        raise wrong(op, "[operation, argument, ...]")
    name, *values = op
    wanted = ARGUMENTS[known("operation", name, ARGUMENTS)]
    if len(values) != len(wanted):
        form = json.dumps([name, *(argument.name for argument in wanted)])
        raise InputError(f"operation {name!r} has {len(values)} arguments, not {len(wanted)}", valid=form)
    for argument, value in zip(wanted, values, strict=True):
        try:
            argument.check(value, ncpus)
            if argument is PAYLOAD:
                _check_payload(op[3], value)
        except InputError as error:
            raise within(error, f"argument {argument.name!r} of {name!r}") from None


def _check_payload(attribute: str | int, value: Any) -> None:
    if attribute == FILTER:
        _filter(value)
    elif isinstance(attribute, str):
        _int_or_null(value)


# Results


def canonical(operation: str, result: Any) -> Any:
    """Return a result as a replay gives it; raise InputError if no operation gives such a result.

    A list must be that of the operation. A word, an errno or a number that another operation gives cannot match, and
    is for the replay to say.
    """
    if isinstance(result, list):
        return _listed(operation, result)
    if type(result) is int and result >= 0:
        return result
    if isinstance(result, str):
        if result in WORDS or result in ERRORS:
            return result
        if result[:1] == "0":
            return hex(hexadecimal(result))
    raise InputError(f"unknown form of result {shown(result)}", valid=RESULTS)


def _listed(operation: str, result: list[Any]) -> list[Any]:
    form, matches = _LISTS.get(operation, ("no list", None))
    if matches is None or not matches(result):
        raise InputError(f"unknown form of result {shown(result)}", why=f"of {operation!r}", valid=form)
    if form == _WITH_EXIT:
        return [canonical("", result[0]), result[1]]
    return result


def _is_index(value: Any) -> bool:
    return type(value) is int and value >= 0


def _is_get(result: list[Any]) -> bool:
    return len(result) == 2 and _is_index(result[0]) and result[0] == 0 and _is_index(result[1])


def _is_view(result: list[Any]) -> bool:
    if len(result) != 3 or not isinstance(result[1], list):
        return False
    count, cpus, type_id = result
    return _is_index(count) and all(map(_is_index, cpus)) and type(type_id) is int and type_id >= -1


def _is_levels(result: list[Any]) -> bool:
    return len(result) == 3 and all(map(_is_index, result))


def _is_with_exit(result: list[Any]) -> bool:
    return len(result) == 2 and not isinstance(result[0], list) and result[1] in _ENTRIES - {Entry.GUEST.value}


_WITH_EXIT: Final = "[result, exit]"
_LISTS: Final[Mapping[str, tuple[str, Callable[[list[Any]], bool]]]] = {
    "get_attr": ("[0, value]", _is_get),
    "vm": ("[N, supported_cpus, type or -1]", _is_view),
    "irq": ("[irq_level, injected level, device_irq_level]", _is_levels),
    "rd": (_WITH_EXIT, _is_with_exit),
    "wr": (_WITH_EXIT, _is_with_exit),
    "adv": (_WITH_EXIT, _is_with_exit),
}
