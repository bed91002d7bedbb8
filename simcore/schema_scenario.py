"""The format of the scenario file `hetpmu-scenario/1` as pydantic models; used only while loading.

A key is called like the field of `simcore.scenario` that it fills, without `_ns`: times are given with unit (`"10ms"`).
Keys that are left out take the defaults of `simcore.scenario`. Names (platform, guest, policy ...) are looked up where
they are used.
"""

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema
from pydantic_core import PydanticCustomError

from simcore.errors import InputError
from simcore.schema_platform import CpuList, EventNumber, Khz, Table
from simcore.units import NS_PER_MS, VALID_TIME, parse_time_ns


def _time_ns(value: Any) -> int:
    """Return the nanoseconds of a TOML value, or raise what pydantic collects."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise PydanticCustomError("time", "{valid}", {"valid": VALID_TIME})
    try:
        return parse_time_ns(value)
    except InputError as error:
        raise PydanticCustomError("time", "{valid}", {"valid": error.valid or error.what}) from None


def _span_ns(value: Any) -> int:
    """Return the nanoseconds of a TOML value that must be above zero."""
    span_ns = _time_ns(value)
    if span_ns == 0:
        raise PydanticCustomError("time", "{valid}", {"valid": "a time above zero"})
    return span_ns


Time = Annotated[
    int, BeforeValidator(_time_ns), WithJsonSchema({"type": ["string", "number"], "description": VALID_TIME})
]
Span = Annotated[
    int, BeforeValidator(_span_ns), WithJsonSchema({"type": ["string", "number"], "description": VALID_TIME})
]
Count = Annotated[int, Field(ge=1, le=1_000_000_000_000)]
Label = Annotated[str, Field(min_length=1, max_length=200)]
Index = Annotated[int, Field(ge=0, le=511)]
Clamp = Annotated[int, Field(ge=0, le=1024)]
Cause = Literal["wakeup", "balance", "misfit", "affinity", "other"]

EventGroup = Annotated[list[EventNumber], Field(min_length=1, max_length=31)]


def _no_event_twice(groups: list[list[int]]) -> list[list[int]]:
    """Return the groups, or raise what pydantic collects: an event is counted once."""
    events = [event for group in groups for event in group]
    if len(set(events)) < len(events):
        raise PydanticCustomError("groups", "{valid}", {"valid": "groups in which no event occurs twice"})
    return groups


def _whole_ms(interval_ns: int) -> int:
    """Return the interval, or raise what pydantic collects: perf's -I takes milliseconds."""
    if interval_ns % NS_PER_MS:
        raise PydanticCustomError("time", "{valid}", {"valid": "0 or whole milliseconds"})
    return interval_ns


class GuestTable(Table):
    """The guest of a VM and its parameters."""

    name: Label | None = None
    workload: Label | None = None
    window: Span | None = None
    boot: Time | None = None
    quantum_instructions: Count | None = None
    quanta_per_wake: Count | None = None
    sleep: Time | None = None
    perf_events: Annotated[list[EventNumber], Field(max_length=31)] | None = None
    tick_hz: Annotated[int, Field(ge=1, le=1_000_000)] | None = None
    tick_instructions: Count | None = None
    perf_groups: Annotated[list[EventGroup], Field(max_length=31), AfterValidator(_no_event_twice)] | None = None
    perf_interval: Annotated[Time, AfterValidator(_whole_ms)] | None = None
    rtapp_ignore: list[Label] | None = None
    record_event: EventNumber | None = None
    record_freq: Annotated[int, Field(ge=1, le=100_000)] | None = None
    record_period: Annotated[int, Field(ge=0, le=1_000_000_000_000)] | None = None
    watchdog_thresh: Span | None = None
    watchdog_max_khz: Annotated[int, Field(ge=0, le=100_000_000)] | None = None
    lockup_at: Time | None = None
    lockup_for: Time | None = None
    rr_skid: Annotated[int, Field(ge=0, le=1_000_000_000)] | None = None
    rr_timeslice: Count | None = None
    rr_syscalls: Annotated[int, Field(ge=1, le=1_000_000)] | None = None


class ThreadTable(Table):
    """How the host schedules a thread."""

    policy: Literal["other", "batch", "idle", "fifo", "rr"] | None = None
    priority: Annotated[int, Field(ge=1, le=99)] | None = None
    nice: Annotated[int, Field(ge=-20, le=19)] | None = None
    slice: Time | None = None
    uclamp_min: Clamp | None = None
    uclamp_max: Clamp | None = None


class CgroupTable(Table):
    """The cgroup of a VM."""

    weight: Annotated[int, Field(ge=1, le=10_000)] | None = None
    quota: Time | None = None
    period: Time | None = None
    cpus: CpuList | None = None


class VmmThreadsTable(Table):
    """Threads of a VMM beside those of its vCPUs."""

    main: bool | None = None
    io: Annotated[int, Field(ge=0, le=64)] | None = None
    io_burst: Span | None = None


class PinTable(Table):
    """Pinning of the threads of a VM, as libvirt does it."""

    vcpu: Annotated[list[CpuList], Field(max_length=512)] | None = None
    emulator: CpuList | None = None
    io: Annotated[list[CpuList], Field(max_length=64)] | None = None


class VmTable(Table):
    """One VM."""

    guest: GuestTable = GuestTable()
    vcpus: Annotated[int, Field(ge=1, le=512)] | None = None
    policy: Label | None = None
    kernel: Label | None = None
    vmm: Label | None = None
    irqchip: Literal["kernel", "user"] | None = None
    cpus: CpuList | None = None
    init_placement: Label | None = None
    pin_delay: Time | None = None
    shadows: list[Label] | None = None
    sched: ThreadTable = ThreadTable()
    cgroup: CgroupTable = CgroupTable()
    vmm_threads: VmmThreadsTable = VmmThreadsTable()
    pin: PinTable = PinTable()


class BackgroundTable(ThreadTable):
    """A host thread that runs bursts."""

    burst: Span | None = None
    sleep: Time | None = None
    cpus: CpuList | None = None


class RtappTable(Table):
    """A file of rt-app as threads of the host."""

    file: Label | None = None
    ignore: list[Label] | None = None


class OppChangeTable(Table):
    """A change of frequency of one perf domain."""

    time: Time
    domain: Index
    khz: Khz


class AffinityChangeTable(Table):
    """A change of affinity of one vCPU thread."""

    time: Time
    vm: Index
    vcpu: Index
    cpus: CpuList


class IdleTable(Table):
    """Idle pCPUs of the host."""

    latency_limit: Time | None = None
    wfi_power: Annotated[int, Field(ge=0, le=1000)] | None = None
    sleep_power: Annotated[int, Field(ge=0, le=1000)] | None = None


class CpusetChangeTable(Table):
    """A change of the cpuset of one VM's cgroup."""

    time: Time
    vm: Index
    cpus: CpuList


class LiveMigrationTable(Table):
    """A VM goes to another host."""

    time: Time
    policy: Label
    vm: Index | None = None
    kernel: Label | None = None
    downtime: Span | None = None
    init_placement: Label | None = None
    order: Literal["ascending", "descending", "random"] | None = None


class CostsTable(Table):
    """Costs of the host."""

    context_switch: Time | None = None
    migration: Time | None = None
    trap: Time | None = None
    wfi: Time | None = None
    event_create: Time | None = None
    event_release: Time | None = None
    event_enable: Time | None = None
    interrupt_latency: Time | None = None
    fail_entry: Time | None = None
    user_exit: Time | None = None


class ScenarioFile(Table):
    """A scenario."""

    format: Literal["hetpmu-scenario/1"]
    platform: Label | None = None
    vms: Annotated[list[VmTable], Field(min_length=1, max_length=64)] | None = None
    seconds: Span | None = None
    seed: Annotated[int, Field(ge=0, lt=1 << 64)] | None = None
    scheduler: Label | None = None
    governor: Label | None = None
    rate_limit: Time | None = None
    margin: Annotated[int, Field(ge=1, le=100)] | None = None
    hz: Annotated[int, Field(ge=100, le=1000)] | None = None
    halt_poll: Time | None = None
    tick: Time | None = None
    sample: Time | None = None
    quirks: bool | None = None
    icntr: bool | None = None
    background: Annotated[list[BackgroundTable], Field(max_length=512)] | None = None
    rtapp: RtappTable | None = None
    opp_changes: list[OppChangeTable] | None = None
    affinity_changes: list[AffinityChangeTable] | None = None
    cpuset_changes: list[CpusetChangeTable] | None = None
    live_migrations: list[LiveMigrationTable] | None = None
    causes: list[Cause] | None = None
    idle: IdleTable | None = None
    costs: CostsTable | None = None
    busy_counters: dict[Label, Annotated[int, Field(ge=0, le=32)]] | None = None
    switches: bool | None = None
    schedule: bool | None = None
    trace: bool | None = None
