"""The guest programs by name."""

from collections.abc import Callable

from simcore.errors import unknown_name
from simcore.scenario import GuestSpec
from workloads.catalog import Workload
from workloads.guest_busy import Busy
from workloads.guest_none import Plain
from workloads.guest_perf_stat import LinuxPerfStat
from workloads.guest_ticking import Ticking
from workloads.guest_windows import Windows
from workloads.program import GuestProgram

GUESTS: dict[str, Callable[[GuestSpec, Workload], GuestProgram]] = {
    "windows": Windows,
    "linux-perf-stat": LinuxPerfStat,
    "none": Plain,
    "busy": Busy,
    "ticking": Ticking,
}


def make_guest(spec: GuestSpec, workload: Workload) -> GuestProgram:
    """Make the program of one VM for one run."""
    if spec.name not in GUESTS:
        raise unknown_name("guest", spec.name, GUESTS)
    return GUESTS[spec.name](spec, workload)
