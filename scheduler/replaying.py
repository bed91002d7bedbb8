"""The host of a replay: a recording decides who runs where, and the guests' reads are kept for every policy."""

from array import array
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from scheduler import acting, kernel_replay
from scheduler import kernel_state as ks
from scheduler.cgroups import Affinities
from scheduler.guest import GuestVcpu, GuestVm
from scheduler.host import Host, RateSource, never
from simcore.engine import Engine
from simcore.platform import Platform
from simcore.scenario import Scenario
from workloads.actions import ReadReg

READ_COLUMNS = 4
"""t_ns, vcpu, guest_ns, guest_cycles; what each virtual PMU answered comes after them, 0 where it was UNDEFINED."""


class ReplayHost(Host):
    """The pCPUs, threads and guests of one replay; the threads after the vCPUs are all others, one for each pCPU."""

    def __init__(
        self,
        engine: Engine,
        platform: Platform,
        scenario: Scenario,
        state: ks.State,
        vms: Sequence[GuestVm],
        rates: RateSource,
        affinities: Affinities,
        steps: NDArray[np.int64],
        stopped: Callable[[], bool] = never,
    ) -> None:
        super().__init__(engine, platform, scenario, state, vms, rates, affinities, stopped)
        self.actions = {**acting.HANDLERS, ReadReg: _read}
        self._steps = steps
        self._done = np.zeros(1, np.int64)
        self._threads = np.zeros((len(state.task), kernel_replay.THREAD_COLUMNS), np.int64)
        self._reads = array("Q")

    def _ahead(self, until: int) -> int:
        return int(kernel_replay.run_ahead(self.handle, self._steps, self._done, self._threads, until))

    @property
    def ran_ns(self) -> NDArray[np.int64]:
        """Return how long each thread ran."""
        return self._threads[:, kernel_replay.RAN_NS]

    def start_background(self) -> None:
        """Start nothing: all other threads are recorded too, and nothing is balanced."""

    def keep_read(self, vcpu: GuestVcpu, name: str) -> None:
        """Let all virtual PMUs of a vCPU answer a read, and keep what they say; the guest does not need it."""
        self.settle_shadows(vcpu)
        row = self.state.vcpu[vcpu.index]
        self._reads.extend((self.now_ns, vcpu.index, int(row[ks.GUEST_NS]), int(row[ks.CYCLES])))
        for vpmu in vcpu.vpmus:
            answer = vpmu.read(name, acting.GUEST_LEVEL)
            self._reads.append(answer if isinstance(answer, int) else 0)

    def reads(self) -> NDArray[np.uint64]:
        """Return the guests' reads of PMCCNTR_EL0, a row each; see READ_COLUMNS."""
        return np.array(self._reads, np.uint64).reshape(-1, READ_COLUMNS + int(self.state.glob[ks.ROWS_PER_VCPU]))


def _read(host: Host, vcpu: GuestVcpu, action: ReadReg) -> bool:
    assert isinstance(host, ReplayHost)
    host.keep_read(vcpu, action.name)
    return True
