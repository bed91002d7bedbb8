"""The format of the workload file `hetpmu-workload/1` as pydantic models; used only while loading.

Numbers are those of `workloads.phase.PhaseRates`; what they were computed from stands beside them in `counts`.
"""

from typing import Annotated, Literal

from pydantic import Field

from simcore.schema_platform import Khz, Name, Table, Text

Cpi = Annotated[float, Field(gt=1 / 16, le=10_000.0)]
Rate = Annotated[float, Field(ge=0.0, le=100_000.0)]
Slope = Annotated[float, Field(ge=-100_000.0, le=100_000.0)]
EventCode = Annotated[str, Field(pattern=r"^0x[0-9a-fA-F]{1,4}$")]


class CountTable(Table):
    """A count that numbers were computed from: scaled as perf prints it, how long it ran, and file and line."""

    code: EventCode
    event: Text
    count: Annotated[float, Field(ge=0.0)]
    running_percent: Annotated[float, Field(ge=0.0, le=100.01)] | None = None
    source: Text


class RatesTable(Table):
    """Rates on one core type: CPI = core_cpi + stall_ns_per_inst * GHz; events a 1000 instructions (a GHz more)."""

    core: Name
    core_cpi: Cpi
    stall_ns_per_inst: Rate
    stall_source: Text
    freq_khz: Khz | None = None
    freq_source: Text | None = None
    measured_on: Text | None = None
    estimate: Text | None = None
    counts: Annotated[list[CountTable], Field(default_factory=list)]
    events: Annotated[dict[EventCode, Rate], Field(default_factory=dict)]
    events_per_ghz: Annotated[dict[EventCode, Slope], Field(default_factory=dict)]


class WorkloadFile(Table):
    """A workload of one phase at one exception level."""

    format: Literal["hetpmu-workload/1"]
    name: Name
    title: Text
    level: Annotated[int, Field(ge=0, le=1)] = 0
    burst_cv: Annotated[float, Field(ge=0.0, lt=1.0)] = 0.0
    source: Text | None = None
    rates: Annotated[list[RatesTable], Field(min_length=1, max_length=64)]
