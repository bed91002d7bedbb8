"""Core types of a board: recognised by MIDR_EL1 among the product's, or described by what sysfs shows of them."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache

from simcore.app.board_facts import Board, CpuFacts, PmuFacts
from simcore.app.board_parsing import Counters
from simcore.loader import list_cores, load_core_table
from simcore.schema_platform import CoreTable

Model = tuple[int, int]
"""Implementer and part number of MIDR_EL1."""

ALSO: Mapping[Model, str] = {
    (0x61, 0x006): "hurricane-zephyr",
    (0x61, 0x007): "hurricane-zephyr",
    (0x61, 0x024): "apple-icestorm",
    (0x61, 0x025): "apple-firestorm",
    (0x61, 0x028): "apple-icestorm",
    (0x61, 0x029): "apple-firestorm",
    (0x61, 0x034): "apple-blizzard",
    (0x61, 0x035): "apple-avalanche",
    (0x61, 0x038): "apple-blizzard",
    (0x61, 0x039): "apple-avalanche",
    (0x6D, 0xD49): "neoverse-n2",
    (0x4E, 0x003): "nvidia-denver2",
    (0x51, 0x201): "qcom-kryo",
    (0x51, 0x205): "qcom-kryo",
    (0x51, 0x211): "qcom-kryo",
    (0x53, 0x004): "mongoose-m5",
}
"""Models beside those of the core files. Apple's and Microsoft's: Linux, arch/arm64/include/asm/cputype.h; NVIDIA's,
Qualcomm's and Samsung's: util-linux, sys-utils/lscpu-arm.c."""

PRIME: Mapping[str, str] = {"qcom-kryo-4xx-gold": "qcom-kryo-4xx-prime"}
"""Core types of one MIDR_EL1: the second is the first with more cache and a higher clock."""


@dataclass(frozen=True, slots=True)
class OwnCore:
    """A core type that the platform file must describe itself; `source`: of its events and counters."""

    id: str
    midr: int
    midr_source: str
    known: CoreTable | None
    """The product's, where the board has it with another number of counters."""
    pmu: PmuFacts | None


def model(midr: int) -> Model:
    """Return what of MIDR_EL1 tells the core type: the implementer and the part number."""
    return midr >> 24 & 0xFF, midr >> 4 & 0xFFF


@cache
def product_models() -> dict[Model, str]:
    """Return the product's core types by model."""
    tables = (load_core_table(core) for core in list_cores() if core not in PRIME.values())
    return {**ALSO, **{model(table.midr): table.id for table in tables if table.midr is not None}}


def _known(cpu: CpuFacts, board: Board) -> str | None:
    """Return the product's core type of a CPU; of two with one MIDR_EL1, the faster CPUs are the second's."""
    if cpu.core is None:
        return None
    own = model(cpu.core.midr)
    known = product_models().get(own)
    if known is None or known not in PRIME:
        return known
    fmax = {number: policy.opps.khz[-1] for policy in board.policies for number in policy.cpus}
    alike = {fmax.get(row.number, 0) for row in board.cpus if row.core and model(row.core.midr) == own}
    return PRIME[known] if len(alike) > 1 and fmax.get(cpu.number, 0) == max(alike) else known


def core_ids(board: Board) -> tuple[dict[int, str], list[OwnCore]]:
    """Return the core type of each CPU, and those that the product does not have, or not with these counters."""
    ids: dict[int, str] = {}
    own: dict[str, OwnCore] = {}
    for cpu in board.cpus:
        if cpu.core is None:
            continue
        backing = _pmu_of(cpu.number, board.pmus)
        known = _known(cpu, board)
        table = load_core_table(known) if known else None
        if table is not None and not _other_counters(table, backing):
            ids[cpu.number] = table.id
            continue
        counters = backing.counters if backing else None
        core = f"{table.id}-{counters.events}-counters" if table and counters else _id_of(cpu.core.midr)
        ids[cpu.number] = core
        own.setdefault(core, OwnCore(core, cpu.core.midr, cpu.core.source, table, backing))
    return ids, list(own.values())


def _id_of(midr: int) -> str:
    implementer, part = model(midr)
    return f"core-{implementer:#04x}-{part:#05x}"


def _pmu_of(cpu: int, host_pmus: Iterable[PmuFacts]) -> PmuFacts | None:
    return next((row for row in host_pmus if cpu in row.cpus), None)


def _other_counters(table: CoreTable, backing: PmuFacts | None) -> bool:
    """Tell whether the kernel found another number of counters than the core file has; Apple's are not PMUv3's."""
    counters: Counters | None = backing.counters if backing else None
    if counters is None or table.pmu.event_map:
        return False
    return (counters.events, counters.icntr) != (table.pmu.event_counters, table.pmu.icntr)
