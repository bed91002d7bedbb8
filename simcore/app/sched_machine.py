"""The machine of a recorded placement or choice of frequency, as the host's arrays (hetpmu-sched-vectors/1).

Capacities, energy model and visiting order are computed as for any platform; ``compared`` puts them beside what the
kernel made of the same figures. What a file may say is in ``simcore.app.sched_machine_forms``.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from scheduler import kernel_state as ks
from scheduler.bare import bare_state
from scheduler.energy import microwatts, opp_rows
from scheduler.topology import describe_cpus, describe_placement, domain_arrays
from simcore.platform import scaled_capacities

Row = Mapping[str, Any]
Named = tuple[str, Any, Any]
"""Name of what is recorded, expected and got."""

CPU_STATE: Final[Mapping[str, tuple[int, ...]]] = {
    "util_avg": (ks.CFS_UTIL,),
    "util_est": (ks.CFS_EST,),
    "runnable_avg": (ks.CFS_RUNNABLE,),
    "load_avg": (ks.CFS_LOAD,),
    "rt_util": (ks.RT_UTIL,),
    "irq_util": (ks.IRQ_UTIL,),
    "dl_bw": (ks.DL_BANDWIDTH,),
    "nr_running": (ks.N_QUEUED, ks.N_RUNNABLE),
    "uclamp_min": (ks.RQ_CLAMP_MIN,),
    "uclamp_max": (ks.RQ_CLAMP_MAX,),
    "uclamp_idle": (ks.RQ_CLAMP_IDLE,),
}
"""Name of a figure of a CPU -> the columns that hold it."""

MODEL_IN_MICROWATTS, MODEL_SKIPS_INEFFICIENT = 1, 2
"""Bits of em_flags."""
STATE_OF_MODEL: Final = [ks.OPP_KHZ, ks.PERFORMANCE, ks.MICROWATT, ks.COST, ks.INEFFICIENT]
"""What a row of em lists."""


def has_model(platform: Row) -> bool:
    """Tell whether a platform has an energy model."""
    return not platform.get("no_em", False)


def build(platform: Row, tasks: int, uclamp_used: bool) -> ks.State:
    """Return the arrays of a platform with idle CPUs and sleeping threads."""
    capacities = scaled_capacities([dmips * khz for dmips, khz in platform["cpus"]])
    members = [pd["cpus"] for pd in platform["pds"]]
    opps = []
    for pd in platform["pds"]:
        khz, power = zip(*pd["opps_khz_uw"], strict=True)
        opps.append(opp_rows(khz, power if has_model(platform) else None, capacities[pd["cpus"][0]]))
    dom, opp, member = domain_arrays(members, opps)
    state = bare_state(platform["ncpus"], tasks)._replace(dom=dom, opp=opp, member=member)
    describe_cpus(state.cpu, capacities, [platform["llc"].index(mask) for mask in platform["llc"]])
    describe_placement(state.glob, capacities, has_model(platform))
    state.glob[ks.UCLAMP_USED] = uclamp_used
    for number, cpus in enumerate(members):
        state.cpu[cpus, ks.DOMAIN] = number
    return state


def set_cpu(state: ks.State, cpu: int, row: Row) -> None:
    """Set the figures of a CPU."""
    for name, columns in CPU_STATE.items():
        state.cpu[cpu, list(columns)] = row[name]


def mask_of(cpus: Iterable[int]) -> int:
    """Return CPUs as a mask."""
    return sum(1 << int(cpu) for cpu in cpus)


def compared(platform: Row, state: ks.State) -> Iterator[Named]:
    """Yield what is recorded of a platform beside what the arrays say."""
    yield "capacity", platform["capacity"], state.cpu[:, ks.CAPACITY].tolist()
    if "pd_order" in platform:
        yield "pd_order", platform["pd_order"], state.dom[:, ks.VISITED].tolist()
    if "asym_span" in platform:
        yield "asym_span", platform["asym_span"], _asymmetric_span(platform, state)
    for number, pd in enumerate(platform["pds"]):
        rows = state.opp[number, : state.dom[number, ks.N_OPPS]]
        if "uv" in pd:
            pairs = zip(pd["opps_khz_uw"], pd["uv"], strict=True)
            power = [[khz, microwatts(pd["coefficient"], khz, uv)] for (khz, _), uv in pairs]
            yield f"opps_khz_uw of pd {number}", pd["opps_khz_uw"], power
        if "em" in pd:
            skips = MODEL_SKIPS_INEFFICIENT if rows[:, ks.INEFFICIENT].any() else 0
            yield f"em of pd {number}", pd["em"], rows[:, STATE_OF_MODEL].tolist()
            yield f"em_flags of pd {number}", pd["em_flags"], MODEL_IN_MICROWATTS | skips


def _asymmetric_span(platform: Row, state: ks.State) -> int:
    """Return the smallest domain around CPU 0 that has all capacities, or 0 if there is one capacity only."""
    if not state.glob[ks.ASYMMETRIC]:
        return 0
    return int(platform["llc"][0]) if state.cpu[0, ks.SPANS_CACHE] else mask_of(range(platform["ncpus"]))
