"""The balance by hand: kernel_balance on arrays that the test sets up."""

import pytest

from scheduler import kernel_balance, kernel_core, kernel_crowd, kernel_switch, kernel_thread
from scheduler import kernel_state as ks
from scheduler.topology import DEFAULT_MARGIN_PERCENT, margin_of
from tests import run_queue
from tests.scenes import MS


def host_of(cpus, *queues, tasks=8, causes=("balance", "misfit"), capacities=()):
    """Return a host on whose pCPUs the given threads run (the first of each) and wait."""
    host = run_queue.Host(cpus, tasks)
    state = host.state
    state.glob[ks.MARGIN] = margin_of(DEFAULT_MARGIN_PERCENT)
    state.glob[ks.CAUSES] = sum(1 << ks.CAUSE_NAMES.index(name) for name in causes)
    state.cpu[:, ks.CAPACITY_LEFT] = state.cpu[:, ks.RQ_CLAMP_MAX] = 1024
    for c, capacity in enumerate(capacities):
        state.cpu[c, ks.CAPACITY] = state.cpu[c, ks.CAPACITY_LEFT] = capacity
    state.task[:, [ks.VCPU, ks.RECENT_CPU, ks.LAST_CPU, ks.SLEPT_ON]] = ks.NONE
    for c, threads in enumerate(queues):
        for p in threads:
            host.start(p, c)
            state.task[p, ks.STATE] = ks.RUNNING if p == host.current(c) else ks.QUEUED
        kernel_crowd.note_crowd(host.handle, c)
    return host


def test_the_first_waiting_thread_is_the_one_with_the_earliest_deadline_that_may_come():
    """All join at one vruntime, so the deadlines are as the slices: 0.5 ms of the running thread, 3, 1 and 2 ms."""
    host = host_of(2)
    for p, slice_ns in enumerate((MS // 2, 3 * MS, MS, 2 * MS)):
        host.start(p, slice_ns=slice_ns)
    assert host.current() == 0
    assert kernel_balance.first_waiting(host.handle, 0, 1) == 2
    host.state.allowed[2, 1] = 0
    assert kernel_balance.first_waiting(host.handle, 0, 1) == 3
    host.state.task[3, ks.DELAYED] = 1
    assert kernel_balance.first_waiting(host.handle, 0, 1) == 1, "a delayed thread sleeps"
    host.state.allowed[1, 1] = 0
    assert kernel_balance.first_waiting(host.handle, 0, 1) == ks.NONE


@pytest.mark.parametrize("waiting, moved", [(0, False), (1, False), (2, True), (3, True)])
def test_the_periodic_balance_of_a_busy_pcpu(waiting, moved):
    """CPU 1 runs thread 0; CPU 0 runs thread 1 and ``waiting`` others wait there."""
    host = host_of(2, range(1, 2 + waiting), [0])
    host.state.glob[ks.N_BALANCES] = kernel_balance.BUSY_FACTOR - 2
    kernel_balance.balance(host.handle)
    assert len(host.queued(1)) == 1, "not yet"
    kernel_balance.balance(host.handle)
    assert len(host.queued(1)) == 1 + moved
    assert len(host.queued(0)) == 1 + waiting - moved
    assert host.current(0) == 1, "the running thread stays"


@pytest.mark.parametrize("load, source", [(1170, ks.NONE), (1171, 0)])
def test_a_pcpu_is_out_of_balance_with_one_that_has_more_than_17_percent_more(load, source):
    host = host_of(2, [1, 2], [0])
    host.state.cpu[:, ks.CFS_LOAD] = load, 1000
    assert kernel_balance.most_loaded(host.handle, 1) == source


def test_of_three_threads_on_two_equal_pcpus_one_changes_sides_after_a_failure():
    """CPU 0 has 512 more than its share, half a thread: at the second try that is enough."""
    host = host_of(2, [1, 2], [0])
    for queued in (2, 1):
        host.state.glob[ks.N_BALANCES] = kernel_balance.BUSY_FACTOR - 1
        kernel_balance.balance(host.handle)
        assert len(host.queued(0)) == queued
    assert not host.state.crowd[:, kernel_crowd.FAILED].any()


@pytest.mark.parametrize("there", [[], [3]])
def test_the_balance_needs_its_cause(there):
    host = host_of(2, [0, 1, 2], there, causes=("misfit",))
    kernel_balance.balance(host.handle)
    assert host.queued(1) == there


def test_the_balance_renews_what_other_classes_leave():
    host = host_of(2)
    host.state.cpu[1, ks.RT_UTIL] = 100
    kernel_balance.balance(host.handle)
    assert host.state.cpu[:, ks.CAPACITY_LEFT].tolist() == [1024, 924]


def test_the_utilisation_of_an_idle_pcpu_halves_in_32_periods_at_the_balance():
    host = host_of(2, [0])
    host.run(40 * MS)
    host.sleep()
    before = host.cpu(0, ks.CFS_UTIL)
    host.state.glob[ks.NOW] += 32 << 20
    kernel_balance.balance(host.handle)
    assert before > 700
    assert abs(host.cpu(0, ks.CFS_UTIL) - before / 2) <= 1


def test_nothing_is_pulled_from_a_pcpu_that_is_about_to_run_its_first_thread():
    host = host_of(2)
    for p in range(2):
        kernel_core.start(host.handle, 0, p)
    assert kernel_crowd.number_on(host.handle, 0) == 2
    kernel_crowd.note_crowd(host.handle, 0)
    assert kernel_balance.pull_waiting(host.handle, 1) == ks.NONE
    host.state.cpu[0, ks.MODE] = ks.WAKING
    assert kernel_balance.pull_waiting(host.handle, 1) == 0, "it takes a while to leave its idle state"
    host.state.cpu[0, ks.MODE] = ks.IDLE
    kernel_switch.schedule(host.handle, 0)
    assert kernel_balance.pull_waiting(host.handle, 1) == 1


def test_an_idle_pcpu_pulls_from_the_one_with_the_most_threads():
    """One thread waits on pCPU 0, two on pCPU 1; pCPU 2 is idle and pulls from pCPU 1 while it may."""
    host = host_of(3, [0, 1], [2, 3, 4])
    s, allowed = host.handle, host.state.allowed
    first, second = host.in_order(1)
    assert kernel_balance.pull_waiting(s, 2) == first
    allowed[first, 2] = 0
    assert kernel_balance.pull_waiting(s, 2) == second
    allowed[second, 2] = 0
    assert kernel_balance.pull_waiting(s, 2) == 1
    allowed[1, 2] = 0
    assert kernel_balance.pull_waiting(s, 2) == ks.NONE
    assert not kernel_balance.pull(s, 2)
    allowed[1, 2] = 1
    assert kernel_balance.pull(s, 2)
    assert host.queued(2) == [1]
    assert host.cpu(2, ks.RESCHED) == 1


def test_of_two_equally_full_pcpus_the_lower_one_gives():
    host = host_of(3, [0, 1], [2, 3])
    assert kernel_balance.pull_waiting(host.handle, 2) == 1


def test_delayed_threads_do_not_count_as_load():
    """CPU 0 runs thread 1 beside thread 0, which sleeps ahead of the average: nothing to pull until it wakes."""
    host = host_of(2, [0, 1])
    host.run(MS)
    assert host.sleep() == 0
    assert host.task(0, ks.DELAYED) == 1
    assert kernel_crowd.number_on(host.handle, 0) == 1
    assert kernel_balance.pull_waiting(host.handle, 1) == ks.NONE
    host.wake(0)
    assert host.current() == 1
    assert kernel_balance.pull_waiting(host.handle, 1) == 0


def misfits(*capacities, **changes):
    """Return a host with one running misfit thread on each pCPU but the last; the higher thread uses more."""
    host = host_of(len(capacities), *([p] for p in range(len(capacities) - 1)), capacities=capacities, **changes)
    for p in range(len(capacities) - 1):
        host.state.task[p, ks.IS_MISFIT] = 1
        host.state.task[p, ks.SE_UTIL] = 300 + p
        kernel_crowd.note_crowd(host.handle, p)
    return host


def test_the_misfit_thread_that_uses_most_goes_to_a_bigger_pcpu():
    host = misfits(256, 256, 1024)
    s, state = host.handle, host.state
    assert kernel_balance.pull_misfit(s, 2) == 1
    state.task[0, ks.UTIL_EST] = 302
    assert kernel_balance.pull_misfit(s, 2) == 0, "by its estimate"
    state.allowed[0, 2] = 0
    assert kernel_balance.pull_misfit(s, 2) == 1
    state.task[1, ks.IS_MISFIT] = 0
    assert kernel_balance.pull_misfit(s, 2) == ks.NONE
    state.task[1, ks.IS_MISFIT] = 1
    state.task[1, ks.STATE] = ks.SLEEPING
    assert kernel_balance.pull_misfit(s, 2) == ks.NONE, "it has just gone to sleep"


def test_a_misfit_thread_gains_nothing_on_an_equal_pcpu():
    assert kernel_balance.pull_misfit(misfits(512, 512).handle, 1) == ks.NONE


def test_a_misfit_thread_is_taken_off_its_pcpu_if_nothing_waits():
    host = misfits(256, 1024)
    assert kernel_balance.pull(host.handle, 1)
    assert (host.queued(0), host.queued(1)) == ([], [0])
    assert host.current(0) == ks.NONE
    assert host.task(0, ks.STATE) == ks.QUEUED
    host = misfits(256, 1024)
    host.start(3, 0)
    host.state.task[3, ks.STATE] = ks.QUEUED
    assert kernel_balance.pull(host.handle, 1)
    assert (host.queued(0), host.queued(1)) == ([0], [3]), "a waiting one comes first"
    assert not kernel_balance.pull(misfits(256, 1024, causes=("balance",)).handle, 1)


def test_under_eas_nothing_is_pulled_until_a_pcpu_is_overutilised():
    host = host_of(2, [0, 1], capacities=(1024, 1024))
    s, state = host.handle, host.state
    state.glob[ks.EAS_ON] = 1
    state.cpu[0, [ks.CFS_UTIL, ks.CFS_EST]] = 819
    assert not kernel_balance.pull(s, 1)
    kernel_balance.balance(s)
    assert (int(state.glob[ks.OVERUTILISED]), host.queued(1)) == (0, [])
    state.cpu[0, ks.CFS_UTIL] = 820
    kernel_balance.balance(s)
    assert (int(state.glob[ks.OVERUTILISED]), host.queued(1)) == (1, [1])
    state.cpu[:, ks.CFS_UTIL] = state.cpu[:, ks.CFS_EST] = 0
    kernel_balance.balance(s)
    assert int(state.glob[ks.OVERUTILISED]) == 0, "each balance looks again"


def test_a_thread_that_is_next_but_does_not_run_yet_leaves_the_queue_when_it_is_killed():
    """Thread 1 is CPU 0's next, as thread 0 was moved away; a guest that dies at that nanosecond takes it along."""
    host = host_of(2, [0, 1])
    kernel_thread.move(host.handle, 0, 1, ks.OTHER_CAUSE)
    assert (host.current(0), host.state.task[1, ks.STATE]) == (1, ks.QUEUED)
    kernel_thread.kill(host.handle, 1)
    assert (host.state.task[1, ks.ON_RQ], host.state.task[1, ks.STATE]) == (0, ks.DEAD)
    assert kernel_switch.pick_next(host.handle, 0) == ks.NONE
