"""From a copy of sysfs to the facts of a board; a file that is missing or makes no sense is an `InputError`."""

from collections.abc import Iterator

from simcore.app import board_parsing as parse
from simcore.app.board_clocks import policies
from simcore.app.board_devicetree import DeviceTree, DtIdle
from simcore.app.board_facts import Board, CacheFacts, CoreFacts, CpuFacts, IdleFacts, PmuFacts, PolicyFacts, Timer
from simcore.app.board_files import Files, source
from simcore.app.board_tree import CPUS, Tree
from simcore.errors import InputError

EVENT_SOURCES = "sys/bus/event_source/devices"
KNOWN_HZ = (24_576_000, 8_333_333)
"""Frequencies of architected timers that the kernel's log does not show whole: those of gs101 and R-Car Gen3."""
IDLE_LABEL = 15
"""Characters of a state's name that sysfs shows, CPUIDLE_NAME_LEN without its end."""


def read_board(tree: Tree) -> Board:
    """Read what a copy of sysfs says about a board."""
    files = Files(tree)
    device_tree = DeviceTree(tree)
    present = _present(files)
    clocks = policies(files, device_tree)
    notes: list[str] = []
    host_pmus = _pmus(files, present, notes)
    cpus = _cpus(files, device_tree, present, clocks, host_pmus, notes)
    return Board(
        copy=tree.name,
        model=" ".join(device_tree.strings(f"{device_tree.base}/model")),
        compatible=tuple(device_tree.strings(f"{device_tree.base}/compatible")),
        cpus=cpus,
        policies=tuple(_kept(row, present, notes) for row in clocks if set(row.cpus) & set(present)),
        pmus=host_pmus,
        caches=tuple(_caches(files, present)),
        timer=_timer(files, device_tree),
        capacity_source=_capacity_source(device_tree, cpus),
        notes=tuple(notes),
    )


def _present(files: Files) -> tuple[int, ...]:
    path = f"{CPUS}/present"
    cpus = parse.cpu_list(files.needed(path, "the CPUs that there are"), files.where(path))
    holes = sorted(set(range(max(cpus, default=-1) + 1)) - set(cpus))
    if holes or not cpus:
        lacking = f"CPU {holes[0]} is not present" if holes else "no CPU is present"
        raise InputError(lacking, where=files.where(path), valid="CPU numbers 0, 1, 2 ... without a hole")
    return cpus


def _kept(policy: PolicyFacts, present: tuple[int, ...], notes: list[str]) -> PolicyFacts:
    absent = sorted(set(policy.cpus) - set(present))
    if absent:
        notes.append(f"{policy.source} names CPUs that are not present, left out: {absent}")
    return policy._replace(cpus=tuple(cpu for cpu in policy.cpus if cpu in present))


# --- CPUs -----------------------------------------------------------------------------------------------


def _cpus(
    files: Files,
    device_tree: DeviceTree,
    present: tuple[int, ...],
    clocks: tuple[PolicyFacts, ...],
    host_pmus: tuple[PmuFacts, ...],
    notes: list[str],
) -> tuple[CpuFacts, ...]:
    path = f"{CPUS}/online"
    text = files.text(path)
    online = present if text is None else parse.cpu_list(text, files.where(path))
    known = _midrs(files, present)
    if not known:
        where = files.where(f"{CPUS}/cpu0/regs/identification/midr_el1")
        why = "nor are there the fields of MIDR_EL1 in proc/cpuinfo: no arm64 board, or files are missing"
        raise InputError("the file is not there", where=where, why=why, valid="a copy from an arm64 kernel")
    cores = {cpu: known.get(cpu) or _as_others(cpu, known, clocks, host_pmus, notes) for cpu in present}
    if not device_tree.linked(0) and any(device_tree.cpu(cpu) for cpu in present):
        notes.append("device tree: which node is that of a CPU is not in the copy; taken by the order of reg")
    return tuple(
        CpuFacts(
            number=cpu,
            online=cpu in online,
            core=cores[cpu],
            capacity=files.number(f"{CPUS}/cpu{cpu}/cpu_capacity"),
            dmips=_property(device_tree, cpu, "capacity-dmips-mhz"),
            cluster=_cluster(files, cpu),
            idle_states=tuple(_idle_states(files, device_tree, cpu, notes)),
        )
        for cpu in present
    )


def _property(device_tree: DeviceTree, cpu: int, name: str) -> int | None:
    node = device_tree.cpu(cpu)
    return device_tree.word(f"{node}/{name}") if node else None


def _midrs(files: Files, present: tuple[int, ...]) -> dict[int, CoreFacts]:
    cpuinfo = parse.midrs(files.text("proc/cpuinfo") or "")
    found = {}
    for cpu in present:
        path = f"{CPUS}/cpu{cpu}/regs/identification/midr_el1"
        value = files.number(path)
        if value:
            found[cpu] = CoreFacts(value & 0xFFFF_FFFF, source(path))
        elif cpu in cpuinfo:
            found[cpu] = CoreFacts(cpuinfo[cpu], source("proc/cpuinfo"))
    return found


def _as_others(
    cpu: int,
    known: dict[int, CoreFacts],
    clocks: tuple[PolicyFacts, ...],
    host_pmus: tuple[PmuFacts, ...],
    notes: list[str],
) -> CoreFacts | None:
    """Conclude the core type of an offline CPU from those that share its clock, or else its host PMU."""
    groups = [(row.cpus, row.source) for row in clocks] + [(row.cpus, row.source) for row in host_pmus]
    for cpus, cited in groups:
        alike = [known[other] for other in cpus if other in known]
        if cpu in cpus and len({core.midr for core in alike}) == 1:
            notes.append(f"CPU {cpu} is offline; taken to be of the core type of those that share {cited}")
            return CoreFacts(alike[0].midr, f"as its neighbours in {cited}")
    return None


def _cluster(files: Files, cpu: int) -> tuple[int, ...]:
    for name in ("cluster_cpus_list", "package_cpus_list", "core_siblings_list"):
        path = f"{CPUS}/cpu{cpu}/topology/{name}"
        text = files.text(path)
        members = parse.cpu_list(text, files.where(path)) if text is not None else ()
        if len(members) > 1 or (members and name != "cluster_cpus_list"):
            return members
    return ()


def _idle_states(files: Files, device_tree: DeviceTree, cpu: int, notes: list[str]) -> Iterator[IdleFacts]:
    """Yield the idle states below WFI, which is always the first; what splits their latency is the device tree."""
    folder = f"{CPUS}/cpu{cpu}/cpuidle"
    node = device_tree.cpu(cpu)
    split = device_tree.idle_states(node or "")
    for state in files.numbered(folder, "state"):
        path = f"{folder}/state{state}"
        name = (files.text(f"{path}/name") or f"state{state}").strip()
        if state == 0:
            continue
        if files.number(f"{path}/disable"):
            notes.append(f"/{path} ({name}) is disabled, left out")
            continue
        residency = files.number(f"{path}/residency")
        latency = files.number(f"{path}/latency")
        known = _same_state(split, name, latency, residency)
        if known is not None:
            yield IdleFacts(known.name, *known[2:], f"device tree: /{known.path}")
        elif latency is not None and residency is not None:
            yield IdleFacts(name, 0, latency, residency, source(f"{path}/latency"))
        else:
            notes.append(f"/{path} lacks latency or residency, left out")


def _same_state(split: list[DtIdle], name: str, latency: int | None, residency: int | None) -> DtIdle | None:
    """Return the device tree's state with these times, or else the only one of this name, which sysfs cuts."""
    same = [
        state for state in split if (state.entry_us + state.exit_us, state.min_residency_us) == (latency, residency)
    ]
    labels = [state for state in split if name[:IDLE_LABEL] in (state.name[:IDLE_LABEL], state.node[:IDLE_LABEL])]
    both = [state for state in same if state in labels]
    return next(iter(both or same or (labels if len(labels) == 1 else [])), None)


def _capacity_source(device_tree: DeviceTree, cpus: tuple[CpuFacts, ...]) -> str:
    if all(cpu.dmips is not None for cpu in cpus):
        return f"device tree: /{device_tree.base}/cpus/cpu@*/capacity-dmips-mhz"
    return source(f"{CPUS}/cpu*/cpu_capacity")


# --- host PMUs, caches, timer ---------------------------------------------------------------------------


def _pmus(files: Files, present: tuple[int, ...], notes: list[str]) -> tuple[PmuFacts, ...]:
    """Read the core PMUs: event sources with the file `cpus`; those of other devices have `cpumask`, or neither."""
    logged = parse.counters(files.text("dmesg") or "")
    found, skipped = [], []
    for name in files.tree.names(EVENT_SOURCES):
        folder = f"{EVENT_SOURCES}/{name}"
        text = files.text(f"{folder}/cpus")
        if text is None:
            _complain_if_core_pmu(files, name, folder)
            skipped.append(name)
            continue
        where = files.where(f"{folder}/cpus")
        cpus = tuple(cpu for cpu in parse.cpu_list(text, where) if cpu in present)
        if not cpus:
            raise InputError("the PMU covers no CPU that is present", where=where, valid="a list such as 0-3,6")
        kind = parse.number(files.needed(f"{folder}/type", "the type of a host PMU"), files.where(f"{folder}/type"))
        events = _events(files, f"{folder}/events")
        found.append(PmuFacts(name, kind, cpus, events, source(folder), logged.get(name)))
    if skipped:
        notes.append(f"no core PMUs, left out: {', '.join(skipped)}")
    return tuple(sorted(found, key=lambda row: row.type))


def _complain_if_core_pmu(files: Files, name: str, folder: str) -> None:
    if name.startswith("armv8_") or (name.startswith("apple_") and name.endswith("_pmu")):
        why = f"{name} is a core PMU by its name, and this file says which CPUs it covers"
        raise InputError("the file is not there", where=files.where(f"{folder}/cpus"), why=why, valid="a whole copy")


def _events(files: Files, folder: str) -> dict[str, int]:
    numbers = {name: parse.event(files.text(f"{folder}/{name}") or "") for name in files.tree.names(folder)}
    return {name: number for name, number in numbers.items() if number is not None}


def _caches(files: Files, present: tuple[int, ...]) -> Iterator[CacheFacts]:
    seen = set()
    for cpu in present:
        folder = f"{CPUS}/cpu{cpu}/cache"
        for index in files.numbered(folder, "index"):
            path = f"{folder}/index{index}"
            level = files.number(f"{path}/level")
            text = files.text(f"{path}/shared_cpu_list")
            if level is None or not 2 <= level <= 4 or text is None:
                continue
            cpus = tuple(
                other for other in parse.cpu_list(text, files.where(f"{path}/shared_cpu_list")) if other in present
            )
            if (level, cpus) in seen or not cpus:
                continue
            seen.add((level, cpus))
            size = files.text(f"{path}/size")
            size_bytes = parse.size(size, files.where(f"{path}/size")) if size is not None else None
            yield CacheFacts(level, cpus, size_bytes or None, source(path))


def _timer(files: Files, device_tree: DeviceTree) -> Timer | None:
    path = f"{device_tree.base}/timer/clock-frequency"
    stated = device_tree.word(path)
    if stated:
        return Timer(stated, f"device tree: /{path}")
    logged = parse.timer_hz(files.text("dmesg") or "")
    if logged:
        exact = next((hz for hz in KNOWN_HZ if hz // 10_000 * 10_000 == logged), None)
        said = f"dmesg: arch_timer: cp15 timer(s) running at {logged / 1e6:.2f}MHz, which is cut to 10 kHz"
        return Timer(exact or logged, f"{said}; {exact} is a usual one" if exact else said)
    derived = parse.bogomips_hz(files.text("proc/cpuinfo") or "")
    return Timer(derived, "proc: /proc/cpuinfo BogoMIPS x 500000, cut to 5 kHz") if derived else None
