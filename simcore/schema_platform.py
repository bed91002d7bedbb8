"""The formats of the platform files `hetpmu-soc/1` and `hetpmu-core/1` as pydantic models; used only while loading.

Each model checks one table by itself. What holds between tables is checked in `simcore.platform_checks`.
"""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

Name = Annotated[str, Field(min_length=1, max_length=80, pattern=r"^[A-Za-z0-9_.+\-]+$")]
Text = Annotated[str, Field(max_length=2000)]
CpuNumber = Annotated[int, Field(ge=0, le=511)]
CpuList = Annotated[list[CpuNumber], Field(min_length=1, max_length=512)]
Khz = Annotated[int, Field(ge=1_000, le=7_500_000)]
"""kHz; below 8 GHz the cycles of one step of the host stay below 2**32."""
Microvolt = Annotated[int, Field(ge=100_000, le=3_000_000)]
EventNumber = Annotated[int, Field(ge=0, le=0xFFFF)]
EventPair = Annotated[list[EventNumber], Field(min_length=2, max_length=2)]
Word64 = Annotated[int, Field(ge=0, le=0xFFFF_FFFF_FFFF_FFFF)]
Micros = Annotated[int, Field(ge=0, le=10_000_000)]
Dmips = Annotated[int, Field(ge=1, le=1_000_000)]
Confidence = Literal["read", "derived", "observed", "assumed"]


class Table(BaseModel):
    """A TOML table: strict types, no unknown keys."""

    model_config = ConfigDict(extra="forbid", strict=True)


class PmuTable(Table):
    """The PMU of a core type; without pmceid0 and pmceid1 they follow from the events."""

    pmuver: Annotated[int, Field(ge=0, le=15)] | None = None
    event_counters: Annotated[int, Field(ge=0, le=31)] | None = None
    pmceid0: Word64 | None = None
    pmceid1: Word64 | None = None
    event_map: list[EventPair] = []
    icntr: bool = False
    pmmir_slots: Annotated[int, Field(ge=0, le=255)] | None = None


class CoreTable(Table):
    """A core type, in a SoC file's `[[core]]` or in a file of its own."""

    id: Name
    name: Annotated[str, Field(min_length=1, max_length=200)] | None = None
    vendor: Text | None = None
    midr: Annotated[int, Field(ge=0, le=0xFFFF_FFFF)] | None = None
    in_order: bool = False
    el0_aarch32: bool = False
    rates_like: Name | None = None
    relative_ipc: Annotated[float, Field(gt=0.0, le=16.0)] | None = None
    notes: list[Text] = []
    pmu: PmuTable = PmuTable()
    events: dict[Name, EventNumber] = {}
    confidence: dict[Name, Confidence] = {}
    sources: dict[Name, Text] = {}


class CoreFile(CoreTable):
    """A product file with one core type."""

    format: Literal["hetpmu-core/1"]


class ClusterTable(Table):
    """CPUs of one core type that share a cluster, a perf domain and a capacity-dmips-mhz."""

    name: Name
    cpus: CpuList
    core: Name
    silicon: Annotated[str, Field(min_length=1, max_length=80)] | None = None
    perf_domain: Name | None = None
    capacity_dmips_mhz: Dmips | None = None
    idle_states: list[Name] = []


class PerfDomainTable(Table):
    """A clock: its OPPs in ascending order, and the dynamic power coefficient of its CPUs (uW/MHz/V^2)."""

    name: Name
    khz: Annotated[list[Khz], Field(max_length=1024)]
    microvolt: list[Microvolt] | None = None
    dynamic_power_coefficient: Annotated[int, Field(ge=1, le=1_000_000)] | None = None
    source: Text | None = None
    confidence: Confidence = "read"


class PmuNodeTable(Table):
    """A PMU node, in probe order: the Linux name of the host PMU and the CPUs that it claims."""

    name: Name
    cpus: CpuList
    node: Text | None = None
    compatible: list[Text] = []
    interrupt: Text | None = None
    source: Text | None = None


class IdleStateTable(Table):
    """An idle state; times in microseconds."""

    name: Name
    entry_us: Micros
    exit_us: Micros
    min_residency_us: Micros


class CacheTable(Table):
    """A cache above level 1 and the CPUs that share it."""

    level: Annotated[int, Field(ge=2, le=4)]
    cpus: CpuList
    size_bytes: Annotated[int, Field(ge=1, le=1 << 40)] | None = None


class SocFile(Table):
    """A SoC."""

    format: Literal["hetpmu-soc/1"]
    id: Name
    name: Annotated[str, Field(min_length=1, max_length=200)]
    compatible: list[Text] = []
    cntfrq_hz: Annotated[int, Field(ge=1_000_000, le=1_000_000_000)]
    notes: list[Text] = []
    cluster: Annotated[list[ClusterTable], Field(min_length=1, max_length=512)]
    perf_domain: Annotated[list[PerfDomainTable], Field(max_length=512)] = []
    pmu: Annotated[list[PmuNodeTable], Field(max_length=512)] = []
    idle_state: list[IdleStateTable] = []
    cache: list[CacheTable] = []
    core: list[CoreTable] = []
    sources: dict[Name, Text] = {}
