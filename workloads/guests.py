"""The guest programs by name."""

from collections.abc import Callable, Sequence

from simcore.errors import unknown_name
from simcore.scenario import RTAPP, GuestSpec
from workloads.catalog import Workload
from workloads.findings import Finding, check_findings
from workloads.guest_busy import Busy
from workloads.guest_linux_boot import LinuxBoot, linux_boot_findings
from workloads.guest_none import Plain
from workloads.guest_perf_record import LinuxPerfRecord, perf_record_findings
from workloads.guest_perf_stat import LinuxPerfStat, perf_stat_findings
from workloads.guest_rr import Rr, rr_findings
from workloads.guest_rtapp import make_rtapp_guest
from workloads.guest_self_test import SelfTest, self_test_findings
from workloads.guest_ticking import Ticking
from workloads.guest_watchdog import LinuxWatchdog, watchdog_findings
from workloads.guest_windows import Windows
from workloads.program import GuestProgram

GUESTS: dict[str, Callable[[GuestSpec, Workload], GuestProgram]] = {
    "windows": Windows,
    "linux-boot": LinuxBoot,
    "linux-perf-stat": LinuxPerfStat,
    "linux-perf-record": LinuxPerfRecord,
    "linux-watchdog": LinuxWatchdog,
    "rr": Rr,
    "self-test": SelfTest,
    "none": Plain,
    "busy": Busy,
    "ticking": Ticking,
}

FINDINGS: dict[str, Callable[[GuestSpec], Sequence[Finding]]] = {
    "linux-boot": linux_boot_findings,
    "linux-perf-stat": perf_stat_findings,
    "linux-perf-record": perf_record_findings,
    "linux-watchdog": watchdog_findings,
    "rr": rr_findings,
    "self-test": self_test_findings,
}
"""What the guests that report findings find, given their parameters."""


SAMPLING_GUESTS = frozenset({"linux-perf-record"})
"""The guests that take samples."""


def findings_of(spec: GuestSpec) -> tuple[Finding, ...]:
    """Return the findings of a guest, none for most."""
    return check_findings(FINDINGS[spec.name](spec)) if spec.name in FINDINGS else ()


def make_guest(spec: GuestSpec, workload: Workload) -> GuestProgram:
    """Make the program of one VM for one run."""
    if spec.name.startswith(f"{RTAPP}:"):
        return make_rtapp_guest(spec, workload)
    if spec.name not in GUESTS:
        raise unknown_name("guest", spec.name, [*GUESTS, f"{RTAPP}:FILE"])
    return GUESTS[spec.name](spec, workload)
