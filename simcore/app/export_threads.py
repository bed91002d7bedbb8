"""The threads of a run's host as exports for tools of Linux name them: thread and process ids, names, priorities.

A thread is numbered as in the tables (`switches`): the vCPUs of all VMs, background threads, those of an rt-app file,
then the VMMs' own. Ids are made up: a VM is a process whose vCPUs follow its id, in the order of the vCPUs; names are
those that QEMU gives under libvirt.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from scheduler import choice
from scheduler.attributes import HIGHEST_PRIORITY, LOWEST_PRIORITY, POLICIES
from scheduler.kernel_state import FIFO
from scheduler.pinning import vmm_thread_count
from simcore.app.running import load_host_rtapp
from simcore.errors import InputError
from simcore.limits import on_one_line
from simcore.result import Result
from simcore.scenario import Scenario, ThreadSpec
from simcore.trace import HOST_VM

COMM_LENGTH = 15
"""Characters of a thread's name in Linux (TASK_COMM_LEN is 16, with the zero)."""
VMM_NAME = "qemu-system-aarch64"
FAIR_PRIO = 120
_STRIDE = 1000


@dataclass(frozen=True, slots=True)
class Thread:
    """A thread: `pid` is its own id, `tgid` that of its process, `vm` its VM or -1, `prio` as the kernel traces it.

    Its name can stand in a line of text, whatever it is made of.
    """

    pid: int
    tgid: int
    comm: str
    vm: int
    prio: int

    def __post_init__(self) -> None:
        """Replace what cannot stand in a line."""
        object.__setattr__(self, "comm", on_one_line(self.comm))


def threads_of(result: Result) -> tuple[Thread, ...]:
    """Return the threads of a run in their order."""
    scenario = result.scenario
    stride = _stride(scenario)
    host_pid = stride * (len(scenario.vms) + 1)
    found = [thread for number in range(len(scenario.vms)) for thread in _vcpus(scenario, number, stride)]
    specs = [*_background(scenario), *_rtapp(result)]
    found += [
        Thread(pid, pid, name[:COMM_LENGTH], HOST_VM, _prio(scenario, spec))
        for pid, (name, spec) in enumerate(specs, host_pid)
    ]
    found += [thread for number in range(len(scenario.vms)) for thread in _vmm(scenario, number, stride)]
    most = int(result.tables["switches"]["task"].max(initial=-1)) + 1
    if scenario.rtapp.file and most > len(found):
        raise _without_rtapp(result, f"this run had {most} threads, and with it there are {len(found)}")
    return tuple(found)


def process_of(scenario: Scenario, vm: int) -> int:
    """Return the id of a VM's process."""
    return _stride(scenario) * (vm + 1)


def _stride(scenario: Scenario) -> int:
    most = max((spec.vcpus + vmm_thread_count(spec) for spec in scenario.vms), default=0)
    return max(_STRIDE, int(10 ** len(str(most))))


def _vcpus(scenario: Scenario, vm: int, stride: int) -> Iterator[Thread]:
    spec, process = scenario.vms[vm], stride * (vm + 1)
    for vcpu in range(spec.vcpus):
        yield Thread(process + 1 + vcpu, process, f"CPU {vcpu}/KVM", vm, _prio(scenario, spec.sched))


def _vmm(scenario: Scenario, vm: int, stride: int) -> Iterator[Thread]:
    spec, process = scenario.vms[vm], stride * (vm + 1)
    prio = _prio(scenario, ThreadSpec())
    for number in range(vmm_thread_count(spec)):
        main = spec.vmm_threads.main
        if main and number == 0:
            yield Thread(process, process, VMM_NAME[:COMM_LENGTH], vm, prio)
        else:
            yield Thread(process + 1 + spec.vcpus + number, process, f"IO iothread{number - main}", vm, prio)


def _background(scenario: Scenario) -> Iterator[tuple[str, ThreadSpec]]:
    for number, task in enumerate(scenario.background):
        yield f"background/{number}", task


def _rtapp(result: Result) -> Iterator[tuple[str, ThreadSpec]]:
    """Give the threads of the host's rt-app file; raises InputError where that is gone or another one by now."""
    scenario = result.scenario
    try:
        app = load_host_rtapp(scenario, len(result.tables["cpus"]))
    except InputError as error:
        raise _without_rtapp(result, str(error)) from None
    threads = app.threads if app is not None else ()
    rows = result.tables["rtapp"]
    rows = rows[rows["vm"] == HOST_VM]
    for number, name in zip(rows["thread"].tolist(), rows["name"].tolist(), strict=True):
        if number >= len(threads) or threads[number].name != name:
            raise _without_rtapp(result, f"it has no thread {number} {name!r}, as this run did")
    yield from ((task.name, task.sched) for task in threads)


def _without_rtapp(result: Result, why: str) -> InputError:
    valid = "the file as it was; or run its scenario again: the result keeps a copy"
    return InputError("the rt-app file of this run is not there", result.scenario.rtapp.file or "", why, valid)


def _prio(scenario: Scenario, spec: ThreadSpec) -> int:
    """Return the priority as ftrace shows it: below 100 for real-time threads."""
    own = choice.attributes_under(scenario.scheduler, spec)
    if POLICIES[own.policy] == FIFO:
        return HIGHEST_PRIORITY - (own.priority or LOWEST_PRIORITY)
    return FAIR_PRIO + own.nice
