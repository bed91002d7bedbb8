"""When the host worked for virtual PMUs: reloads, host events made and released, noted as they happen."""

from collections.abc import Iterator
from dataclasses import replace

from pmu.work import PmuWork, difference
from scheduler.guest import GuestVcpu

NOTHING = PmuWork()


class WorkLog:
    """What has been done for each virtual PMU up to the last look."""

    def __init__(self) -> None:
        self._seen: dict[tuple[int, int], PmuWork] = {}

    def rows(self, now_ns: int, vcpu: GuestVcpu) -> Iterator[tuple[int, ...]]:
        """Give a row of the table `pmu_work` for each virtual PMU of a vCPU for which something has been done."""
        for policy, vpmu in enumerate(vcpu.vpmus):
            done = difference(vpmu.work, self._seen.get((vcpu.index, policy), NOTHING))
            if done.load_reloads or done.other_reloads or done.creations or done.releases:
                self._seen[vcpu.index, policy] = replace(vpmu.work)
                yield (
                    now_ns,
                    vcpu.index,
                    policy,
                    done.load_reloads,
                    done.other_reloads,
                    done.creations,
                    done.releases,
                )
