"""KVM_RUN that fails entry: what each attempt of a retrying VMM costs, and how many fit a stretch of time.

On a pCPU outside of the VM's supported_cpus every KVM_RUN does vcpu_load, handles the requests that this raised
(a reload under v4 to v7), and returns. The thread stays runnable; the host turns its time there into attempts.
"""

from dataclasses import dataclass, field

from pmu.work import PmuWork
from simcore.costs import Costs


def pmu_cost_ns(work: PmuWork, costs: Costs) -> int:
    """Return what the host spent on a virtual PMU's events, in ns."""
    return work.creations * costs.event_create + work.releases * costs.event_release + work.enables * costs.event_enable


@dataclass(slots=True)
class Attempts:
    """The failed entries of one vCPU; one stretch at a time is open."""

    total: int = 0
    _seen_ns: int = 0
    _attempt_ns: int = 0
    _again: PmuWork = field(default_factory=PmuWork)
    _open: bool = False

    def begin(self, first: PmuWork, costs: Costs) -> None:
        """Open a stretch whose first attempt did ``first``; a reload by vcpu_load is repeated by each further one."""
        self._open = True
        self._again = first if first.load_reloads else PmuWork()
        self._attempt_ns = costs.fail_entry + pmu_cost_ns(self._again, costs)

    def end(self, retry_ns: int, work: PmuWork) -> bool:
        """Close the open stretch at ``retry_ns`` of retrying since the start and book its attempts in ``work``.

        Return whether there was one.

        An attempt that costs nothing cannot be counted by time: such a stretch is one attempt.
        """
        if not self._open:
            return False
        spent = retry_ns - self._seen_ns
        attempts = max(1, -(-spent // self._attempt_ns)) if self._attempt_ns else 1
        work.add(self._again, attempts - 1)
        self.total += attempts
        self._seen_ns = retry_ns
        self._open = False
        return True
