"""The VMM's threads at run time: requests of the guest go to an I/O thread, which works before and after the device.

A vCPU that waits for I/O has notified a thread of its VMM (ioeventfd). That thread works for a burst and hands the
request to the device; when the device is done, an interrupt wakes the thread, it works for another burst, and wakes
the vCPU from its own pCPU (irqfd).
"""

import heapq
from typing import TYPE_CHECKING

from scheduler import kernel_state as ks
from scheduler.guest import GuestVcpu, IoThread, Request
from scheduler.outside import IO_CPU
from workloads.actions import Answer, Script, singles
from workloads.program import Steps

if TYPE_CHECKING:
    from scheduler.host import Host


def submit(host: "Host", vcpu: GuestVcpu, device_ns: int) -> None:
    """Give a request of a vCPU, which is about to wait for it, to the I/O thread of that vCPU."""
    threads = vcpu.vm.io_threads
    thread = threads[vcpu.number % len(threads)]
    vcpu.io_waits += 1
    vcpu.io_wait = vcpu.io_waits
    _put(thread, host.now_ns, vcpu, vcpu.io_wait, device_ns)
    if host.state.task[thread.task, ks.STATE] == ks.SLEEPING:
        host.wake(thread.task, int(host.state.glob[ks.STOP_CPU]), vcpu.task)


def burst_over(host: "Host", thread: IoThread) -> None:
    """Finish the half request that an I/O thread, which the host stopped at, has worked on; it goes on or waits."""
    if thread.requests and thread.requests[0].when_ns <= host.now_ns:
        _finish(host, thread, heapq.heappop(thread.requests))
    burst = (ks.RUN, 0, thread.burst_work)
    if not thread.requests:
        host.write_script(thread.task, [(ks.HALT, 0, 0), burst])
    elif thread.requests[0].when_ns <= host.now_ns:
        host.write_script(thread.task, [burst])
    else:
        host.write_script(thread.task, [(ks.SLEEP_FOR, IO_CPU, thread.requests[0].when_ns - host.now_ns), burst])
    host.resume()


def one_by_one(steps: Steps) -> Steps:
    """Yield the actions of a program with its scripts taken apart, for a guest whose waits for I/O concern the VMM."""
    answer: Answer = None
    while True:
        try:
            action = steps.send(answer)
        except StopIteration:
            return
        if isinstance(action, Script):
            yield from singles(action)
            answer = None
        else:
            answer = yield action


def _finish(host: "Host", thread: IoThread, request: Request) -> None:
    vcpu = request.vcpu
    if request.device_ns:
        _put(thread, host.now_ns + request.device_ns, vcpu, request.wait, 0)
    elif vcpu.io_wait == request.wait:
        vcpu.io_wait = 0
        host.wake(vcpu.task, int(host.state.glob[ks.STOP_CPU]), thread.task)


def _put(thread: IoThread, when_ns: int, vcpu: GuestVcpu, wait: int, device_ns: int) -> None:
    thread.put += 1
    heapq.heappush(thread.requests, Request(when_ns, thread.put, vcpu, wait, device_ns))
