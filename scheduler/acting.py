"""What each guest action does to the vCPU that asked for it: one small function an action, in a table."""

import dataclasses
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from pmu.registers import REGISTERS, UNDEF
from scheduler import kernel_state as ks
from scheduler.guest import Frame, GuestVcpu
from scheduler.kernel_history import TRAPPED
from scheduler.outside import IO_CPU
from scheduler.vmm_threads import submit
from simcore.units import NS_PER_S
from workloads import actions

if TYPE_CHECKING:
    from scheduler.host import Host

CYCLE_COUNTER = "PMCCNTR_EL0"
GUEST_LEVEL = 1
MASK64 = (1 << 64) - 1

Handler = Callable[["Host", GuestVcpu, Any], bool]
"""Returns whether the program goes on at once; if not, the handler has told the host how."""


def act(host: "Host", vcpu: GuestVcpu) -> None:
    """Advance the program of a vCPU whose last action is over until one takes time."""
    if _continue_script(host, vcpu):
        return
    while True:
        _tell_what_is_left(host, vcpu)
        action = vcpu.next_action()
        if action is None:
            if _leave_frame(host, vcpu) or _continue_script(host, vcpu):
                return
        elif not host.actions[type(action)](host, vcpu, action):
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
            rows=_take_script(host, vcpu),
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
    host.write_script(vcpu.task, frame.rows)
    _take_level(host, vcpu, frame.phase)
    row[ks.PHASE] = frame.phase
    if vcpu.frames[-1].due is not None:
        vcpu.frames[-1].due = (max(0, frame.work), _retired(host, vcpu))
    vcpu.interrupt_line = False
    host.watch_interrupt_line(vcpu)
    if len(frame.rows) or (frame.work > 0 and frame.spin_until > host.now_ns):
        host.resume()
        return True
    return False


def _retired(host: "Host", vcpu: GuestVcpu) -> int:
    return int(host.state.total[vcpu.index, host.state.glob[ks.INST_STREAM]])


def _tell_what_is_left(host: "Host", vcpu: GuestVcpu) -> None:
    """Answer a `RunUntil` that is over."""
    frame = vcpu.frames[-1]
    if frame.due is not None:
        work, before = frame.due
        frame.due, frame.answer = None, max(0, work - (_retired(host, vcpu) - before))


def _stand_by(host: "Host", vcpu: GuestVcpu) -> None:
    """Leave the vCPU without work, so that the host asks for the next action as soon as it is in the guest."""
    host.state.task[vcpu.task, ks.WORK] = 0
    host.state.vcpu[vcpu.index, ks.SPIN_UNTIL] = ks.NEVER


def _take_level(host: "Host", vcpu: GuestVcpu, phase: int) -> None:
    """Let the vCPU execute at the exception level of a phase (by its number in the host)."""
    row = host.state.vcpu[vcpu.index]
    level = int(host.state.level[phase])
    if row[ks.LEVEL] != level:
        row[ks.LEVEL] = level
        host.tell_level(vcpu, level)


def _take_script(host: "Host", vcpu: GuestVcpu) -> np.ndarray:
    """Take what is left of the vCPU's script away from it and return it."""
    task = host.state.task[vcpu.task]
    rows = host.state.script[vcpu.task, task[ks.SCRIPT_AT] : task[ks.SCRIPT_ROWS]].copy()
    task[ks.SCRIPT_AT] = task[ks.SCRIPT_ROWS]
    return rows


def _continue_script(host: "Host", vcpu: GuestVcpu) -> bool:
    """Let the vCPU go on with its script, whose next row may ask for another exception level; tell if there is one."""
    task = host.state.task[vcpu.task]
    if task[ks.SCRIPT_AT] == task[ks.SCRIPT_ROWS]:
        if not len(vcpu.frames[-1].script):
            return False
        _write_rows(host, vcpu, vcpu.frames[-1].script)
    what, phase, _ = host.state.script[vcpu.task, task[ks.SCRIPT_AT]]
    if what in (ks.RUN, ks.SPIN):
        _take_level(host, vcpu, int(phase))
    host.resume()
    return True


def _write_rows(host: "Host", vcpu: GuestVcpu, rows: np.ndarray) -> None:
    """Give the vCPU the first rows of its program's script, in the host's numbers; the frame keeps the others."""
    vcpu.frames[-1].script = rows[ks.SCRIPT_LENGTH :]
    rows = rows[: ks.SCRIPT_LENGTH].copy()
    what = rows[:, ks.WHAT]
    rows[what <= ks.SPIN, ks.FIRST] += vcpu.vm.first_phase
    rows[what == ks.SPIN, ks.SECOND] = [_ns_of(vcpu, ticks) for ticks in rows[what == ks.SPIN, ks.SECOND].tolist()]
    rows[what == ks.SLEEP_FOR, ks.FIRST] = np.where(rows[what == ks.SLEEP_FOR, ks.FIRST], IO_CPU, ks.NONE)
    rows[what == ks.WAKE_UP, ks.FIRST] += vcpu.task - vcpu.number
    host.write_script(vcpu.task, rows)


def _ns_of(vcpu: GuestVcpu, ticks: int) -> int:
    """Return the first ns at which the vCPU's architected timer shows these ticks, NEVER at most."""
    return min(vcpu.vm.stopped_ns - (-ticks * NS_PER_S // vcpu.cpu.cntfrq_hz), ks.NEVER)


def _script(host: "Host", vcpu: GuestVcpu, action: actions.Script) -> bool:
    vcpu.frames[-1].script = action.rows
    return not _continue_script(host, vcpu)


def _single(host: "Host", vcpu: GuestVcpu, row: tuple[int, int, int]) -> bool:
    """Let the vCPU do one thing, a row in the host's numbers."""
    vcpu.io_wait = 0
    host.write_script(vcpu.task, [row])
    if row[ks.WHAT] <= ks.SPIN:
        _take_level(host, vcpu, row[ks.FIRST])
    host.resume()
    return False


def _run(host: "Host", vcpu: GuestVcpu, action: actions.Run) -> bool:
    return _single(host, vcpu, (ks.RUN, vcpu.vm.first_phase + action.phase, action.instructions))


def _spin(host: "Host", vcpu: GuestVcpu, action: actions.SpinUntil) -> bool:
    return _single(host, vcpu, (ks.SPIN, vcpu.vm.first_phase + action.phase, _ns_of(vcpu, action.ticks)))


def _run_until(host: "Host", vcpu: GuestVcpu, action: actions.RunUntil) -> bool:
    vcpu.io_wait = 0
    phase = vcpu.vm.first_phase + action.phase
    _take_level(host, vcpu, phase)
    host.state.task[vcpu.task, ks.WORK] = action.instructions
    row = host.state.vcpu[vcpu.index]
    row[ks.PHASE], row[ks.SPIN_UNTIL] = phase, _ns_of(vcpu, action.ticks)
    vcpu.frames[-1].due = (action.instructions, _retired(host, vcpu))
    host.resume()
    return False


def _sleep(host: "Host", vcpu: GuestVcpu, action: actions.Sleep) -> bool:
    if action.io and vcpu.vm.io_threads:
        goes_on = _single(host, vcpu, (ks.HALT, 0, 0))
        submit(host, vcpu, max(1, action.ns))
        return goes_on
    return _single(host, vcpu, (ks.SLEEP_FOR, IO_CPU if action.io else ks.NONE, max(1, action.ns)))


def _halt(host: "Host", vcpu: GuestVcpu, action: actions.Halt) -> bool:
    return _single(host, vcpu, (ks.HALT, 0, 0))


def _read(host: "Host", vcpu: GuestVcpu, action: actions.ReadReg) -> bool:
    answer = vcpu.vpmus[0].read(action.name, GUEST_LEVEL)
    if action.name == CYCLE_COUNTER and isinstance(answer, int):
        cycles = int(host.state.vcpu[vcpu.index, ks.CYCLES])
        host.logs["reads"].add(host.now_ns, vcpu.index, answer, cycles)
    for policy in vcpu.refusing(action.name):
        vcpu.refused[policy] += 1
    return _trapped(host, vcpu, action.name, answer)


def _write(host: "Host", vcpu: GuestVcpu, action: actions.WriteReg) -> bool:
    host.settle_shadows(vcpu)
    real, *others = (vpmu.write(action.name, action.value, GUEST_LEVEL) for vpmu in vcpu.vpmus)
    for policy, answer in enumerate(others, 1):
        vcpu.refused[policy] += answer is not None
    if host.scenario.schedule:
        loads = int(host.state.glob[ks.N_LOADS])
        host.logs["writes"].add(host.now_ns, vcpu.index, loads, action.name, action.value & MASK64)
    host.enter_guest(vcpu, int(host.state.glob[ks.STOP_CPU]))
    host.charge_pmu_work(vcpu)
    host.watch_interrupt_line(vcpu)
    return _trapped(host, vcpu, action.name, real)


def _trapped(host: "Host", vcpu: GuestVcpu, name: str, real: Any) -> bool:
    """Answer a trapped register access and charge it; only the real virtual PMU's answer reaches the guest.

    No guest has a handler for a register that a live migration took away: it dies.
    """
    if real is UNDEF and REGISTERS[name].index in vcpu.vm.lost:
        host.kill(vcpu.vm, f"undefined instruction: {name}")
        return False
    vcpu.frames[-1].answer = real if real is None or isinstance(real, int) else actions.UNDEF
    task = host.state.task[vcpu.task]
    task[ks.OWED] += host.scenario.costs.trap
    if task[ks.OWED] == 0:
        return True
    task[ks.LEAVES_FOR] = TRAPPED
    _stand_by(host, vcpu)
    host.resume()
    return False


def _read_timer(host: "Host", vcpu: GuestVcpu, action: actions.ReadTimer) -> bool:
    vcpu.frames[-1].answer = vcpu.cpu.ticks(host.now_ns - vcpu.vm.stopped_ns)
    return True


def _read_steal(host: "Host", vcpu: GuestVcpu, action: actions.ReadSteal) -> bool:
    vcpu.frames[-1].answer = int(host.state.task[vcpu.task, ks.RUN_DELAY])
    return True


def _wake(host: "Host", vcpu: GuestVcpu, action: actions.Wake) -> bool:
    other = vcpu.vm.vcpus[action.vcpu]
    host.wake(other.task, int(host.state.glob[ks.STOP_CPU]), vcpu.task)
    return True


def _report(host: "Host", vcpu: GuestVcpu, action: actions.Report) -> bool:
    host.logs["reports"].add(host.now_ns, vcpu.index, action.key, action.value)
    return True


def _record(host: "Host", vcpu: GuestVcpu, action: actions.Record) -> bool:
    host.logs[action.table].add(vcpu.vm.number, *action.row)
    return True


def _start_sampling(host: "Host", vcpu: GuestVcpu, action: actions.StartSampling) -> bool:
    host.book_residence(vcpu)
    vcpu.residence.spent.clear()
    return True


def _sample(host: "Host", vcpu: GuestVcpu, action: actions.Sample) -> bool:
    cpu = int(host.state.glob[ks.STOP_CPU])
    first_pmu = int(host.state.cpu[cpu, ks.FIRST_PMU])
    host.logs["perf_samples"].add(host.now_ns, vcpu.index, cpu, first_pmu, action.event, action.period, action.skid)
    return True


def _perf_read(host: "Host", vcpu: GuestVcpu, action: actions.PerfRead) -> bool:
    host.logs["perf_reads"].add(host.now_ns, vcpu.index, *dataclasses.astuple(action))
    return True


def _truth(host: "Host", vcpu: GuestVcpu, action: actions.Truth) -> bool:
    stream = vcpu.vm.kvms[0].streams.get(action.event)
    vcpu.frames[-1].answer = 0 if stream is None else int(host.state.total[vcpu.index, stream])
    return True


def _die(host: "Host", vcpu: GuestVcpu, action: actions.Die) -> bool:
    host.kill(vcpu.vm, action.reason)
    return False


HANDLERS: dict[type, Handler] = {
    actions.Script: _script,
    actions.Run: _run,
    actions.SpinUntil: _spin,
    actions.RunUntil: _run_until,
    actions.ReadReg: _read,
    actions.WriteReg: _write,
    actions.ReadTimer: _read_timer,
    actions.ReadSteal: _read_steal,
    actions.Sleep: _sleep,
    actions.Halt: _halt,
    actions.Wake: _wake,
    actions.Report: _report,
    actions.Record: _record,
    actions.StartSampling: _start_sampling,
    actions.Sample: _sample,
    actions.PerfRead: _perf_read,
    actions.Truth: _truth,
    actions.Die: _die,
}
