"""docs/policies.md against the code: each cell of its tables is asked of the virtual PMU, its commands are run."""

import json
import re
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest

from pmu.host import Host
from pmu.policies import POLICIES, kind_of, parse
from pmu.registers import UNDEF
from pmu.revisions import REVISIONS
from scheduler.vmm import prepare
from simcore.app.cli import exit_code
from simcore.app.replaying import Replay
from simcore.loader import load_platform
from simcore.platform import cpu_list
from simcore.pmceid import pmceid_events
from tests.pmu_machine import Machine, host

PAGE = Path(__file__).resolve().parents[1] / "docs" / "policies.md"
KERNELS = ("mainline", "v4", "v6", "v8", "review")
CPUS = range(8)
EL1 = 1
NONE = "-"


def table(heading: str) -> tuple[list[str], list[list[str]]]:
    """Return head and rows of the first table below a heading."""
    _, found, section = PAGE.read_text().partition(f"\n## {heading}\n")
    assert found, heading
    lines = section.partition("\n## ")[0].split("\n")
    first = next(number for number, line in enumerate(lines) if line.startswith("|"))
    block = lines[first:]
    size = next((number for number, line in enumerate(block) if not line.startswith("|")), len(block))
    head, _, *rows = ([cell.strip() for cell in line.strip("|").split("|")] for line in block[:size])
    return head, rows


def plain(cell: str) -> str:
    return cell.strip("`")


# 1. What a guest is shown


class Guest:
    """A VM under a policy, with which the same is done anew on every pCPU."""

    def __init__(self, policy: str, platform: str) -> None:
        self.host = Host.from_platform(load_platform(platform))
        kind = kind_of(policy.partition("@")[0])
        assert kind is not None
        self.policy = parse(policy.replace("<pmu>", self.host.pmus[1].name), self.host, kind.kernel)

    def on(self, cpu: int) -> Replay | None:
        """Return the VM in its guest on a pCPU, with everything off; None where KVM_RUN fails entry."""
        replay = Replay(self.host, self.policy.revision, 1)
        prepare(replay.vm, self.policy, [min(self.policy.pinned_cpus, default=0)], [0])
        if replay.step(["run", 0, cpu]) != "guest":
            return None
        for name in ("PMCNTENCLR_EL0", "PMOVSCLR_EL0", "PMINTENCLR_EL1"):
            replay.step(["wr", 0, name, "0xffffffff", EL1])
        replay.step(["wr", 0, "PMCR_EL0", "0x1", EL1])
        return replay

    def home(self) -> Replay:
        """Return the VM in its guest on the first pCPU that it may enter."""
        return next(replay for cpu in CPUS if (replay := self.on(cpu)) is not None)

    def read(self, name: str) -> str:
        return str(self.home().step(["rd", 0, name, EL1]))

    def number(self, name: str) -> int | None:
        text = self.read(name)
        return None if text == UNDEF.value else int(text, 16)

    def where(self, moves: Callable[[Replay], bool]) -> str:
        """Return the pCPUs on which something happens."""
        found = [cpu for cpu in CPUS if (replay := self.on(cpu)) is not None and moves(replay)]
        return f"CPU {cpu_list(found)}" if found else "nowhere"


def counts(counter: str, kind: str, enable: int, cause: list[object]) -> Callable[[Replay], bool]:
    """Return the question whether a counter moves."""

    def moves(replay: Replay) -> bool:
        def write(name: str, value: str) -> object:
            return replay.step(["wr", 0, name, value, EL1])

        if write(counter, "0x0") != "ok":
            return False
        write(counter.replace("CNTR", "TYPER") if "PMEV" in counter else "PMCCFILTR_EL0", kind)
        write("PMCNTENSET_EL0", hex(enable))
        replay.step(cause)
        return bool(replay.step(["rd", 0, counter, EL1]) != "0x0")

    return moves


def chained(replay: Replay) -> bool:
    """Tell whether an odd counter counts the overflows of an even one."""

    def write(name: str, value: str) -> None:
        replay.step(["wr", 0, name, value, EL1])

    for name, value in (("PMEVTYPER0_EL0", "0x0"), ("PMEVTYPER1_EL0", "0x1e"), ("PMEVCNTR0_EL0", "0xffffffff")):
        write(name, value)
    write("PMEVCNTR1_EL0", "0x0")
    write("PMCNTENSET_EL0", "0x3")
    write("PMSWINC_EL0", "0x1")
    return bool(replay.step(["rd", 0, "PMEVCNTR1_EL0", EL1]) == "0x1")


def n_of(guest: Guest) -> str:
    value = guest.number("PMCR_EL0")
    return "UNDEF" if value is None else str(value >> 11 & 0x1F)


def event_counters(guest: Guest) -> str:
    there = [n for n in range(31) if guest.read(f"PMEVCNTR{n}_EL0") != "UNDEF"]
    return cpu_list(there) if there else "none"


def common_events(guest: Guest) -> str:
    values = guest.number("PMCEID0_EL0"), guest.number("PMCEID1_EL0")
    return "UNDEF" if None in values else str(len(pmceid_events(*(value or 0 for value in values))))


def enters(guest: Guest) -> str:
    return guest.where(lambda replay: True)


COUNTERS: dict[str, Callable[[Guest], str]] = {
    "KVM_RUN enters the guest on": enters,
    "PMCCNTR_EL0 counts on": lambda guest: guest.where(counts("PMCCNTR_EL0", "0x0", 1 << 31, ["adv", 0, 10, {}, EL1])),
    "PMCR_EL0.N": n_of,
    "`PMEVCNTR<n>_EL0`, `PMEVTYPER<n>_EL0` that are not UNDEF": event_counters,
    "an event counter with INST_RETIRED counts on": lambda guest: guest.where(
        counts("PMEVCNTR0_EL0", "0x8", 1, ["adv", 0, 10, {"0x8": 10}, EL1])
    ),
    "SW_INCR by PMSWINC_EL0 counts on": lambda guest: guest.where(
        counts("PMEVCNTR0_EL0", "0x0", 1, ["wr", 0, "PMSWINC_EL0", "0x1", EL1])
    ),
    "CHAIN counts on": lambda guest: guest.where(chained),
    "events in PMCEID0/1_EL0": common_events,
    "PMXEVTYPER_EL0 with PMSELR_EL0.SEL = 31": lambda guest: _selected(guest.home()),
    "PMMIR_EL1": lambda guest: guest.read("PMMIR_EL1"),
    "PMICNTR_EL0, PMICFILTR_EL0": lambda guest: guest.read("PMICNTR_EL0"),
    "ID_AA64DFR0_EL1.PMUVer": lambda guest: str(guest.home().vm.pmuver),
}


def _selected(replay: Replay) -> str:
    replay.step(["wr", 0, "PMSELR_EL0", "0x1f", EL1])
    replay.step(["wr", 0, "PMXEVTYPER_EL0", "0x80000000", EL1])
    value = replay.step(["rd", 0, "PMCCFILTR_EL0", EL1])
    return "PMCCFILTR_EL0" if value == "0x80000000" else str(value)


@pytest.mark.parametrize("platform", ("rk3588", "apple-m1"))
def test_what_a_guest_is_shown(platform):
    head, rows = table(f"What a guest is shown: {platform}")
    policies = [plain(cell) for cell in head[1:]]
    assert policies == ["default", "set-pmu-unpinned:<pmu>", "fixed-counters-only", "none"]
    assert [row[0] for row in rows] == list(COUNTERS)
    guests = [Guest(policy, platform) for policy in policies]
    assert rows == [[question, *(answer(guest) for guest in guests)] for question, answer in COUNTERS.items()]


def test_what_the_named_policies_show():
    head, rows = table("What the named policies show: rk3588")
    guests = [Guest(plain(cell), "rk3588") for cell in head[1:]]
    assert [row[0] for row in rows] == list(COUNTERS)
    assert rows == [[question, *(answer(guest) for guest in guests)] for question, answer in COUNTERS.items()]


def test_every_named_policy_is_described():
    _, rows = table("Policies that run when named")
    named = {name for name, kind in POLICIES.items() if kind.named}
    assert {plain(row[0].split()[0]).partition(":")[0] for row in rows} == named


@pytest.mark.parametrize("pinned, free", (("default-pinned", "default"), ("set-pmu", "set-pmu-unpinned:<pmu>")))
def test_pinning_changes_nothing_of_what_is_shown(pinned, free):
    one, other = Guest(f"{pinned}:<pmu>", "rk3588"), Guest(free, "rk3588")
    assert [one.policy.attributes, one.policy.has_pmu] == [other.policy.attributes, other.policy.has_pmu]


# 2. Features


def shown(pmuver: int) -> Machine:
    """Return a VM in its guest on a host with a PMUVer, everything off but PMCR_EL0.E."""
    machine = Machine(Host(8, host("HOM").pmus, pmuver)).prep()
    machine.enter()
    machine.quiet()
    machine.write("PMCR", 0xFF)
    return machine


def bits_of_event(pmuver: int) -> str:
    machine = shown(pmuver)
    machine.write("PMEVTYPER0", 0xFFFFFFFF)
    value = machine.read("PMEVTYPER0")
    assert isinstance(value, int)
    return str((value & 0xFFFF).bit_length())


def width(pmuver: int) -> str:
    machine = shown(pmuver)
    machine.write("PMEVCNTR0", (1 << 64) - 1)
    value = machine.read("PMEVCNTR0")
    assert isinstance(value, int)
    return str(value.bit_length())


def long_overflow(pmuver: int) -> str:
    value = shown(pmuver).read("PMCR")
    assert isinstance(value, int)
    return "RW" if value & 0x80 else "RES0"


def filter_space(pmuver: int) -> str:
    machine = Machine(Host(8, host("HOM").pmus, pmuver))
    sizes = [size for size in (0x400, 0x10000) if machine.set("FILTER", (size - 1, 1, 0)) == 0]
    assert machine.set("FILTER", (sizes[-1] - 1, 2, 0)) == "-EINVAL"
    return str(sizes[-1])


VERSIONS: dict[str, Callable[[int], str]] = {
    "shown to the guest": lambda pmuver: str(shown(pmuver).vm.pmuver),
    "bits of an event number": bits_of_event,
    "bits of `PMEVCNTR<n>_EL0`": width,
    "PMCR_EL0.LP": long_overflow,
    "events of FILTER": filter_space,
}


def test_what_depends_on_the_version():
    head, rows = table("What depends on PMUVer")
    versions = [int(cell) for cell in head[1:]]
    assert versions == [1, 4, 5, 6, 7, 8]
    assert rows == [[question, *map(answer, versions)] for question, answer in VERSIONS.items()]


def kept_bits(el2: bool, el3: bool, pmuver: int) -> str:
    machine = Machine(Host(8, host("HOM").pmus, pmuver), el2=el2, el3=el3).prep()
    machine.enter()
    values = set()
    for name in ("PMEVTYPER0", "PMCCFILTR"):
        machine.write(name, (1 << 64) - 1)
        values.add(machine.read(name))
    (value,) = values
    assert isinstance(value, int)
    return hex(value)


def test_what_depends_on_el2_and_el3():
    head, rows = table("Type bits by EL2 and EL3")
    assert head[1:] == ["PMUVer 1", "PMUVer 4 and later"]
    levels = {"neither": (False, False), "EL2": (True, False), "EL3": (False, True), "both": (True, True)}
    assert rows == [[name, *(kept_bits(*shows, pmuver) for pmuver in (1, 4))] for name, shows in levels.items()]


# 4. What excludes what


@cache
def sequence(text: str, kernels: str) -> dict[str, list[tuple[str, str]]]:
    """Return by column (step, result) of a sequence that `hetpmu uapi` runs."""
    target = Path.cwd() / "uapi.json"
    assert exit_code(["uapi", "--kernel", kernels, "--json", str(target), text]) == 0
    steps = [step for step in json.loads(target.read_text())["steps"] if not step["implied"]]
    return {name: [(step["text"], str(step["results"][name])) for step in steps] for name in kernels.split(",")}


PREPARATIONS = ("gic", "set IRQ", "set INIT", "run")


def results(text: str, kernels: str, last: bool = False) -> list[str]:
    """Return a cell for each column: the results but those of the preparations, which must succeed; or the last."""
    cells = []
    for outcome in sequence(text, kernels).values():
        prepared = [result for step, result in outcome if step.removeprefix("v0 ").startswith(PREPARATIONS)]
        assert set(prepared) <= {"0", "guest"}
        rest = [_shown(*step) for step in outcome if not step[0].removeprefix("v0 ").startswith(PREPARATIONS)]
        cells.append(rest[-1] if last else ", ".join(rest))
    return cells


def _shown(step: str, result: str) -> str:
    return f"N {int(result, 16) >> 11 & 0x1F}" if step.endswith("PMCR_EL0") else result


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def test_what_excludes_what(capsys):
    head, rows = table("What excludes what")
    assert head[1:] == list(KERNELS) == list(REVISIONS)
    assert len(rows) >= 20
    for text, *cells in rows:
        assert cells == results(plain(text), ",".join(KERNELS)), text


def test_documented_and_implemented(capsys):
    head, rows = table("SET_NR_COUNTERS: documented and implemented")
    assert head[2:] == ["documented", "implemented"]
    assert len(rows) == 6
    for _, text, *cells in rows:
        assert cells == results(plain(text), "mainline+doc,mainline", last=True), text
    assert sum(cells[-2] != cells[-1] for cells in rows) == 3


# Where a VM may run, and what a load costs


GAP = host("GAP")


def fixed(kernel: str, where: Host | str = "HET") -> Machine | None:
    """Return a fixed-counters-only VM, or None where the kernel has none."""
    machine = Machine(where, kernel)
    return machine if machine.set("FIXED_COUNTERS_ONLY") == 0 else None


def cpus_of(machine: Machine | None) -> str:
    return NONE if machine is None else cpu_list(machine.vm.supported_cpus)


def run_without_pmu(kernel: str) -> str:
    machine = fixed(kernel, GAP)
    return NONE if machine is None else str(machine.prep().run(5))


def selected(kernel: str) -> Machine:
    machine = Machine("HET", kernel)
    assert machine.set("SET_PMU", 9) == 0
    return machine


def both(kernel: str) -> str:
    machine = selected(kernel)
    return NONE if machine.set("FIXED_COUNTERS_ONLY") else cpus_of(machine)


PLACES: dict[str, Callable[[str], str]] = {
    "after VCPU_INIT": lambda kernel: cpus_of(Machine("HET", kernel)),
    "after SET_PMU of the PMU of CPU 4-7": lambda kernel: cpus_of(selected(kernel)),
    "after FIXED_COUNTERS_ONLY": lambda kernel: cpus_of(fixed(kernel)),
    "after SET_PMU and FIXED_COUNTERS_ONLY": both,
    "after FIXED_COUNTERS_ONLY, where CPU 4-7 have no PMU": lambda kernel: cpus_of(fixed(kernel, GAP)),
    "KVM_RUN of that VM on CPU 5": run_without_pmu,
}


def test_where_a_vm_may_run():
    head, rows = table("Where a VM may run")
    assert head[1:] == list(KERNELS)
    assert rows == [[question, *map(answer, KERNELS)] for question, answer in PLACES.items()]


def moved(machine: Machine | None, cpus: tuple[int, ...], enabled: bool = True, leaves: bool = False) -> str:
    """Return (reloads requested by vcpu_load, events created, cycles counted) by moves after a start on CPU 0."""
    if machine is None:
        return NONE
    vcpu = machine.prep().enter(0)
    machine.quiet()
    machine.cycles_on()
    if not enabled:
        machine.write("PMCNTENCLR", 1 << 31)
    work = vcpu.work
    before = work.load_reloads, work.creations
    for cpu in cpus:
        if leaves:
            vcpu.leave()
            machine.enter(cpu)
        else:
            vcpu.migrate(cpu)
        machine.execute({0x11: 100})
    return f"{work.load_reloads - before[0]}, {work.creations - before[1]}, {machine.read('PMCCNTR')}"


LOADS: dict[str, Callable[[str], str]] = {
    "fixed-counters-only, to CPU 1": lambda kernel: moved(fixed(kernel), (1,)),
    "fixed-counters-only, to CPU 4": lambda kernel: moved(fixed(kernel), (4,)),
    "fixed-counters-only, to CPU 4 and back": lambda kernel: moved(fixed(kernel), (4, 0)),
    "fixed-counters-only, counter disabled, to CPU 4": lambda kernel: moved(fixed(kernel), (4,), enabled=False),
    "fixed-counters-only, out of KVM_RUN and in again on CPU 4": lambda kernel: moved(fixed(kernel), (4,), leaves=True),
    "default, to CPU 4": lambda kernel: moved(Machine("HET", kernel), (4,)),
    "default, to CPU 4, 5 and back": lambda kernel: moved(Machine("HET", kernel), (4, 5, 0)),
}


def test_what_a_load_costs():
    head, rows = table("When events are made anew")
    assert head[1:] == list(KERNELS)
    assert rows == [[question, *map(answer, KERNELS)] for question, answer in LOADS.items()]


# 3. Migration


def test_the_examples_of_migration(capsys):
    head, rows = table("Migration: examples")
    words = head[1:-1]
    assert words == ["arrived", "changed", "refused", "not carried"]
    target = Path.cwd() / "m.json"
    for text, *cells in rows:
        assert exit_code([*plain(text).split()[1:], "--json", str(target)]) == 0
        answer = json.loads(target.read_text())
        found = [row["verdict"] for row in answer["registers"]]
        matters = "yes" if answer["order_matters_for"] else "no"
        assert cells == [*(str(found.count(word)) for word in words), matters], text


# The JSON


def described(heading: str) -> set[str]:
    """Return the fields of the table with this head."""
    section = PAGE.read_text().partition(f"| {heading} | Meaning |\n")[2].partition("\n\n")[0]
    names = (line.strip("|").partition("|")[0] for line in section.splitlines()[1:])
    return {plain(name.strip()) for cell in names for name in cell.split(",")}


def test_the_page_describes_every_field():
    target = Path.cwd() / "m.json"
    assert (
        exit_code(["migrate", "--from", "rk3588", "--to", "rk3588", "--to-counters", "2", "--json", str(target)]) == 0
    )
    answer = json.loads(target.read_text())
    text = PAGE.read_text().partition("## JSON of `hetpmu migrate`")[2]
    form, rest = text.partition("}`")[0], text.partition("}`")[2]
    assert set(re.findall(r'"(\w+)"', form)) == set(answer)
    assert described("Field of `source` and `destination`") == set(answer["source"]) == set(answer["destination"])
    assert described("Field of a row of `registers`") == set(answer["registers"][0])
    words = set(re.findall(r"`(\w+)`", rest))
    assert {*answer["stretches"][0], *answer["calls"][0], *answer["order_matters_for"][0]} <= words
