"""The sequences of `hetpmu uapi`: text to steps, and a step to an operation of `simcore.app.replaying`.

docs/uapi.md has the grammar. What a step does to a VM is not known here.
"""

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from itertools import islice
from typing import Final

from pmu.attributes import (
    ALLOW,
    COMPOSITION,
    DENY,
    FILTER,
    FIXED_COUNTERS_ONLY,
    INIT,
    INTERSECTION,
    SCALED_TIME,
    SET_PMU,
)
from pmu.checks import PMU_V3_STRICT, Payload
from pmu.host import Host
from pmu.registers import REGISTERS
from pmu.revisions import Revision
from pmu.versions import KERNELS
from simcore.app.replaying import Operation
from simcore.app.uapi_words import NUMBER, Words, split
from simcore.errors import InputError, near_matches
from simcore.limits import read_bytes

KNOWN: Final[Mapping[str, int]] = {
    row.name: row.number for revision in KERNELS.values() for row in revision.attributes.values()
}
"""Attribute -> number, over all revisions."""
ACTIONS: Final = {"allow": ALLOW, "deny": DENY}
ACTION_NAMES: Final = {number: name for name, number in ACTIONS.items()}
DEFAULT_CPU: Final = 0
MAX_STEPS: Final = 1000
EXAMPLE: Final = "'set SET_PMU 8; set FIXED_COUNTERS_ONLY'"
_GRAMMAR: Final = "[vN] set|get|has|init|run|reg|guest ..., or gic"
_FILTER_FORM: Final = "BASE:COUNT:allow|deny (or the action's number), or null"
_NO_DATA: Final = frozenset({INIT, FIXED_COUNTERS_ONLY, COMPOSITION, INTERSECTION, SCALED_TIME})
_FEATURES: Final = {"nopmu": 0, "": 1, "strict": 1 | PMU_V3_STRICT}
"""What may stand after ``init`` -> the features of KVM_ARM_VCPU_INIT, as a replay takes them."""
_VCPU: Final = re.compile(r"v([0-9]{1,9})", re.IGNORECASE)
_CPU: Final = re.compile(r"cpu=([0-9]{1,9})", re.IGNORECASE)
_INT_MIN, _U8, _U16, _U32, _U64 = -(1 << 31), (1 << 8) - 1, (1 << 16) - 1, (1 << 32) - 1, (1 << 64) - 1
_ATTRIBUTE_AT: Final = {"set_attr": 1, "get_attr": 0, "has_attr": 0}


@dataclass(frozen=True, slots=True)
class Step:
    """One call of user space or one access of the guest.

    ``text`` is the step as one would type it, without its vCPU (None: a call of the VM). ``operation`` and
    ``arguments`` are those of `simcore.app.replaying`; an attribute is a name, or the number that was typed.
    """

    text: str
    operation: str
    vcpu: int | None = None
    arguments: tuple[Payload, ...] = ()

    @property
    def attribute(self) -> Payload:
        """Return the attribute as it was typed; None where the step has none."""
        at = _ATTRIBUTE_AT.get(self.operation)
        return None if at is None else self.arguments[at]

    def label(self, vcpus: int) -> str:
        """Return the text, with its vCPU where the VM has several."""
        return self.text if self.vcpu is None or (vcpus == 1 and not self.vcpu) else f"v{self.vcpu} {self.text}"

    def operation_for(self, revision: Revision) -> Operation:
        """Return the operation under a revision, which may or may not have an attribute of the number typed."""
        arguments = list(self.arguments)
        if self.operation in _ATTRIBUTE_AT:
            named = {row.number: row.name for row in revision.attributes.values()}
            attribute = self.attribute
            if isinstance(attribute, int):
                arguments[_ATTRIBUTE_AT[self.operation]] = named.get(attribute, attribute)
        return [self.operation, *([] if self.vcpu is None else [self.vcpu]), *arguments]


def parse(text: str, host: Host, vcpus: int, source: str = "") -> tuple[Step, ...]:
    """Return the steps of a sequence; ``source`` is the file that it was read from.

    ``vcpus``: so many may be named. Raise InputError with the position of the first word that is wrong.
    """
    split_up = islice(split(text, source, valid=_GRAMMAR), MAX_STEPS + 1)
    steps = tuple(_Grammar(words, host, vcpus).step() for words in split_up)
    if len(steps) > MAX_STEPS:
        raise InputError("the sequence has too many steps", where=source, valid=f"at most {MAX_STEPS}")
    if not steps:
        raise InputError("the sequence has no step", where=source, valid=EXAMPLE)
    return steps


def read_sequence(argument: str, host: Host, vcpus: int) -> tuple[Step, ...]:
    """Return the steps of a sequence, or of the file that the argument names."""
    if os.path.isfile(argument):
        return parse(_file_text(argument), host, vcpus, source=argument)
    first = argument.partition(";")[0].split()
    if len(first) == 1 and first[0].lower() not in VERBS and not _VCPU.fullmatch(first[0]):
        why = "it is a directory" if os.path.isdir(argument) else ""
        valid = f"a file, or a sequence in quotes such as {EXAMPLE}"
        raise InputError(f"{first[0]!r} is neither a file nor a step", why=why, valid=valid)
    return parse(argument, host, vcpus)


def _file_text(path: str) -> str:
    try:
        return read_bytes(path).decode("utf-8")
    except UnicodeDecodeError:
        raise InputError("this is no text file", where=path, valid="a file with one step a line") from None


@dataclass(frozen=True, slots=True)
class _Grammar:
    """Reads one step from its words; what a word may name depends on the host and the VM."""

    words: Words
    host: Host
    vcpus: int

    def step(self) -> Step:
        vcpu = self.vcpu()
        typed = self.words.take("a step")
        verb = typed.lower()
        if verb not in VERBS:
            self.words.fail(f"unknown step {typed!r}", valid=_GRAMMAR, back=1)
        if verb == "gic" and vcpu is not None:
            self.words.fail("'gic' is a call of the VM, not of a vCPU", valid="gic", back=2)
        step = VERBS[verb](self)
        if self.words.left:
            self.words.fail(
                f"unexpected {self.words.peek()!r} after {step.text!r}", valid="a semicolon between two steps"
            )
        return step if verb == "gic" else replace(step, vcpu=vcpu or 0)

    def vcpu(self) -> int | None:
        match = _VCPU.fullmatch(self.words.peek())
        if match is None:
            return None
        if int(match[1]) >= self.vcpus:
            self.words.fail(f"the VM has no vCPU {match[1]}", valid=f"v0 to v{self.vcpus - 1}; --vcpus says how many")
        self.words.take("a vCPU")
        return int(match[1])

    # One method a verb

    def gic(self) -> Step:
        return Step("gic", "gic_init")

    def set(self) -> Step:
        attribute = self.attribute()
        shown, value = self.payload(_name_of(attribute))
        return Step(f"set {attribute}{shown}", "set_attr", arguments=(DEFAULT_CPU, attribute, value))

    def get(self) -> Step:
        attribute = self.attribute()
        return Step(f"get {attribute}", "get_attr", arguments=(attribute,))

    def has(self) -> Step:
        attribute = self.attribute()
        return Step(f"has {attribute}", "has_attr", arguments=(attribute,))

    def init(self) -> Step:
        cpu: int | None = None
        named = ""
        while self.words.left:
            word = self.words.peek().lower()
            if word in _FEATURES and not named:
                named = self.words.take(word).lower()
            elif word.startswith("cpu") and cpu is None:
                cpu = self.cpu()
            else:
                self.words.fail(
                    f"unexpected {self.words.peek()!r} after 'init'", valid="init [cpu=C] [nopmu|strict], each once"
                )
        on = DEFAULT_CPU if cpu is None else cpu
        return Step(f"init cpu={on} {named}".rstrip(), "vcpu_init", arguments=(on, _FEATURES[named]))

    def run(self) -> Step:
        cpu = self.cpu() if self.words.left else DEFAULT_CPU
        return Step(f"run cpu={cpu}", "run", arguments=(cpu,))

    def reg(self) -> Step:
        if self.words.choice("get", "set") == "get":
            name = self.register()
            return Step(f"reg get {name}", "get_reg", arguments=(name,))
        name, value = self.register(), hex(self.words.number("a value", 0, _U64))
        return Step(f"reg set {name} {value}", "set_reg", arguments=(name, value))

    def guest(self) -> Step:
        if self.words.choice("read", "write") == "read":
            name = self.register()
            return Step(f"guest read {name}", "rd", arguments=(name, 1))
        name, value = self.register(), hex(self.words.number("a value", 0, _U64))
        return Step(f"guest write {name} {value}", "wr", arguments=(name, value, 1))

    # Parts

    def cpu(self) -> int:
        word = self.words.take("cpu=C")
        match = _CPU.fullmatch(word)
        if match is None:
            self.words.fail(f"unexpected {word!r}", valid="cpu=C with a CPU's number", back=1)
        if int(match[1]) >= self.host.ncpus:
            self.words.fail(f"the platform has no CPU {match[1]}", valid=f"cpu=0 to cpu={self.host.ncpus - 1}", back=1)
        return int(match[1])

    def attribute(self) -> int | str:
        word = self.words.take("an attribute")
        if NUMBER.fullmatch(word):
            return self.words.in_range(word, "an attribute's number", 0, _U64)
        if word.upper() not in KNOWN:
            valid = f"{near_matches(word.upper(), KNOWN)}, or a number"
            self.words.fail(f"unknown attribute {word!r}", valid=valid, back=1)
        return word.upper()

    def payload(self, name: str | None) -> tuple[str, Payload]:
        """Return a payload as it is shown, and its value; one that is left out is a NULL pointer."""
        if not self.words.left:
            return "" if name is None or name in _NO_DATA else " null", None
        if self.words.peek().lower() == "null":
            self.words.take("null")
            return " null", None
        if name == FILTER or (name is None and ":" in self.words.peek()):
            return self.filter()
        if name == SET_PMU:
            return self.host_pmu()
        value = self.words.number("a number, or null", _INT_MIN, _U32)
        return f" {value}", value

    def filter(self) -> tuple[str, Payload]:
        word = self.words.take(_FILTER_FORM)
        if word.count(":") != 2:
            self.words.fail(f"{word!r} is no filter", valid=_FILTER_FORM, back=1)
        base, count, action = word.split(":")
        value = (
            self.words.in_range(base, "BASE", 0, _U16),
            self.words.in_range(count, "COUNT", 0, _U16),
            ACTIONS[action.lower()] if action.lower() in ACTIONS else self.words.in_range(action, "an action", 0, _U8),
        )
        return f" {value[0]:#x}:{value[1]}:{ACTION_NAMES.get(value[2], value[2])}", value

    def host_pmu(self) -> tuple[str, Payload]:
        types = {host_pmu.name: host_pmu.type_id for host_pmu in self.host.pmus}
        word = self.words.take("a host PMU")
        if word in types:
            return f" {word}", types[word]
        if not NUMBER.fullmatch(word):
            known = near_matches(word, types) if types else "the platform has no host PMU"
            self.words.fail(f"unknown host PMU {word!r}", valid=f"{known}; a type id; null", back=1)
        value = self.words.in_range(word, "a type id", _INT_MIN, _U32)
        return f" {value}", value

    def register(self) -> str:
        word = self.words.take("a register")
        names = (word.upper(), f"{word.upper()}_EL0", f"{word.upper()}_EL1")
        found = next((name for name in names if name in REGISTERS), None)
        if found is None:
            short = {name.rpartition("_")[0] for name in REGISTERS}
            self.words.fail(f"unknown register {word!r}", valid=near_matches(word.upper(), short), back=1)
        return found


def _name_of(attribute: int | str) -> str | None:
    """Return the name of an attribute, None for a number that no revision knows."""
    if isinstance(attribute, str):
        return attribute
    return next((name for name, number in KNOWN.items() if number == attribute), None)


VERBS: Final[Mapping[str, Callable[[_Grammar], Step]]] = {
    "set": _Grammar.set,
    "get": _Grammar.get,
    "has": _Grammar.has,
    "init": _Grammar.init,
    "gic": _Grammar.gic,
    "run": _Grammar.run,
    "reg": _Grammar.reg,
    "guest": _Grammar.guest,
}
