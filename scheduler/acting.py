"""What each guest action does to the vCPU that asked for it: one small function an action, in a table."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from scheduler import kernel_state as ks
from scheduler.guest import Frame, GuestVcpu
from scheduler.outside import IO_CPU
from scheduler.vmm_threads import submit
from workloads import actions

if TYPE_CHECKING:
    from scheduler.host import Host

NS_PER_S = 1_000_000_000
SPIN_WORK = 1 << 61
CYCLE_COUNTER = "PMCCNTR_EL0"
GUEST_LEVEL = 1

Handler = Callable[["Host", GuestVcpu, Any], bool]
"""Returns whether the program goes on at once; if not, the handler has told the host how."""


def act(host: "Host", vcpu: GuestVcpu) -> None:
    """Advance the program of a vCPU whose last action is over until one takes time."""
    while True:
        action = vcpu.next_action()
        if action is None:
            if _leave_frame(host, vcpu):
                return
        elif not HANDLERS[type(action)](host, vcpu, action):
            return


def take_interrupt(host: "Host", vcpu: GuestVcpu) -> None:
    """Put the guest's PMU interrupt handler on top of what the vCPU was doing, unless it is masked."""
    row = host.state.vcpu[vcpu.index]
    row[ks.INTERRUPT_AT] = ks.NEVER
    steps = vcpu.vm.program.interrupt(vcpu.cpu)
    if steps is None:
        host.resume()
        return
    vcpu.frames.append(
        Frame(
            steps,
            work=int(host.state.task[vcpu.task, ks.WORK]),
            spin_until=int(row[ks.SPIN_UNTIL]),
            phase=int(row[ks.PHASE]),
        )
    )
    _stand_by(host, vcpu)
    act(host, vcpu)


def _leave_frame(host: "Host", vcpu: GuestVcpu) -> bool:
    """End the topmost program level; return whether the vCPU needs nothing more from Python now."""
    frame = vcpu.frames.pop()
    if not vcpu.frames:
        host.resume(ks.EXIT)
        return True
    row = host.state.vcpu[vcpu.index]
    row[ks.SPIN_UNTIL] = frame.spin_until
    host.state.task[vcpu.task, ks.WORK] = frame.work
    _take_phase(host, vcpu, frame.phase)
    vcpu.interrupt_line = False
    host.watch_interrupt_line(vcpu)
    if frame.work > 0 and frame.spin_until > host.now_ns:
        host.resume()
        return True
    return False


def _stand_by(host: "Host", vcpu: GuestVcpu) -> None:
    """Leave the vCPU without work, so that the host asks for the next action as soon as it is in the guest."""
    host.state.task[vcpu.task, ks.WORK] = 0
    host.state.vcpu[vcpu.index, ks.SPIN_UNTIL] = ks.NEVER


def _take_phase(host: "Host", vcpu: GuestVcpu, phase: int) -> None:
    """Let the vCPU execute a phase (by its number in the host) at that phase's exception level."""
    row = host.state.vcpu[vcpu.index]
    row[ks.PHASE] = phase
    level = vcpu.vm.program.phases[phase - vcpu.vm.first_phase].level
    if row[ks.LEVEL] != level:
        row[ks.LEVEL] = level
        for vpmu in vcpu.vpmus:
            vpmu.set_level(level)


def _run(host: "Host", vcpu: GuestVcpu, action: actions.Run) -> bool:
    _take_phase(host, vcpu, vcpu.vm.first_phase + action.phase)
    host.state.task[vcpu.task, ks.WORK] = action.instructions
    host.state.vcpu[vcpu.index, ks.SPIN_UNTIL] = ks.NEVER
    host.resume()
    return False


def _spin(host: "Host", vcpu: GuestVcpu, action: actions.SpinUntil) -> bool:
    _take_phase(host, vcpu, vcpu.vm.first_phase + action.phase)
    host.state.task[vcpu.task, ks.WORK] = SPIN_WORK
    host.state.vcpu[vcpu.index, ks.SPIN_UNTIL] = -(-action.ticks * NS_PER_S // vcpu.cpu.cntfrq_hz)
    host.resume()
    return False


def _read(host: "Host", vcpu: GuestVcpu, action: actions.ReadReg) -> bool:
    answers = [vpmu.read(action.name, GUEST_LEVEL) for vpmu in vcpu.vpmus]
    if action.name == CYCLE_COUNTER and isinstance(answers[0], int):
        cycles = int(host.state.vcpu[vcpu.index, ks.CYCLES])
        host.logs["reads"].add(host.now_ns, vcpu.index, answers[0], cycles)
    return _trapped(host, vcpu, answers)


def _write(host: "Host", vcpu: GuestVcpu, action: actions.WriteReg) -> bool:
    answers = [vpmu.write(action.name, action.value, GUEST_LEVEL) for vpmu in vcpu.vpmus]
    host.enter_guest(vcpu, int(host.state.glob[ks.STOP_CPU]))
    host.charge_pmu_work(vcpu)
    host.watch_interrupt_line(vcpu)
    return _trapped(host, vcpu, answers)


def _trapped(host: "Host", vcpu: GuestVcpu, answers: list[Any]) -> bool:
    """Answer a trapped register access and charge it; only the real virtual PMU's answer reaches the guest."""
    real = answers[0]
    vcpu.frames[-1].answer = real if real is None or isinstance(real, int) else actions.UNDEF
    for policy, answer in enumerate(answers[1:], 1):
        vcpu.refused[policy] += answer is not None and not isinstance(answer, int)
    task = host.state.task[vcpu.task]
    task[ks.OWED] += host.scenario.costs.trap
    if task[ks.OWED] == 0:
        return True
    _stand_by(host, vcpu)
    host.resume()
    return False


def _read_timer(host: "Host", vcpu: GuestVcpu, action: actions.ReadTimer) -> bool:
    vcpu.frames[-1].answer = vcpu.cpu.ticks(host.now_ns)
    return True


def _read_steal(host: "Host", vcpu: GuestVcpu, action: actions.ReadSteal) -> bool:
    vcpu.frames[-1].answer = int(host.state.task[vcpu.task, ks.RUN_DELAY])
    return True


def _sleep(host: "Host", vcpu: GuestVcpu, action: actions.Sleep) -> bool:
    if action.io and vcpu.vm.io_threads:
        _wait(host, vcpu, ks.NEVER)
        submit(host, vcpu, max(1, action.ns))
        return False
    host.state.task[vcpu.task, ks.WAKER] = IO_CPU if action.io else ks.NONE
    return _wait(host, vcpu, host.now_ns + max(1, action.ns))


def _halt(host: "Host", vcpu: GuestVcpu, action: actions.Halt) -> bool:
    return _wait(host, vcpu, ks.NEVER)


def _wait(host: "Host", vcpu: GuestVcpu, until_ns: int) -> bool:
    """Block the vCPU's thread in WFI; a PMU interrupt on its way ends the wait too."""
    vcpu.io_wait = 0
    pending = int(host.state.vcpu[vcpu.index, ks.INTERRUPT_AT])
    host.state.task[vcpu.task, ks.WAKE_AT] = min(until_ns, pending)
    _stand_by(host, vcpu)
    host.resume(ks.BLOCK)
    return False


def _wake(host: "Host", vcpu: GuestVcpu, action: actions.Wake) -> bool:
    other = vcpu.vm.vcpus[action.vcpu]
    host.wake(other.task, int(host.state.glob[ks.STOP_CPU]))
    return True


def _report(host: "Host", vcpu: GuestVcpu, action: actions.Report) -> bool:
    host.logs["reports"].add(host.now_ns, vcpu.index, action.key, action.value)
    return True


def _die(host: "Host", vcpu: GuestVcpu, action: actions.Die) -> bool:
    host.kill(vcpu.vm, action.reason)
    return False


HANDLERS: dict[type, Handler] = {
    actions.Run: _run,
    actions.SpinUntil: _spin,
    actions.ReadReg: _read,
    actions.WriteReg: _write,
    actions.ReadTimer: _read_timer,
    actions.ReadSteal: _read_steal,
    actions.Sleep: _sleep,
    actions.Halt: _halt,
    actions.Wake: _wake,
    actions.Report: _report,
    actions.Die: _die,
}
