"""schedutil: the frequency of a perf domain from the utilisation of its pCPUs.

Rules: Linux 7.1.5, kernel/sched/cpufreq_schedutil.c with fast switching, and include/linux/cpufreq.h for the choice of
an OPP. A perf domain is a cpufreq policy.
"""

from pmu.kernel_jit import compiled, inlined
from scheduler.kernel_capacity import deadline_bandwidth, effective_util, fair_util, performance_for
from scheduler.kernel_state import (
    ASKED_AT,
    ASKED_UTIL,
    BANDWIDTH_MIN,
    CAPACITY,
    CHANGED_AT,
    DOMAIN,
    HIGH_KHZ,
    HZ_NS,
    IDLE_CALLS,
    INEFFICIENT,
    IO_BOOST,
    IO_PENDING,
    LIMITS_CHANGED,
    LOW_KHZ,
    MAX_KHZ,
    N_MEMBERS,
    N_OPPS,
    NEED_UPDATE,
    NEXT_KHZ,
    NO,
    NOW,
    OPP_KHZ,
    PRESSURE,
    RATE_LIMIT_NS,
    RAW_KHZ,
    RQ_CLAMP_MAX,
    RT_UTIL,
    SEEN_IDLE_CALLS,
    UCLAMP_USED,
    YES,
)

LEAST_BOOST = 128
CAPACITY_SCALE = 1024


# The choice of an OPP


@compiled
def opp_at_least(s, d, khz, efficient):
    """Return the lowest OPP of perf domain ``d`` from ``khz`` up, else its highest; maybe of efficient ones only."""
    best = s.dom[d, MAX_KHZ]
    for i in range(s.dom[d, N_OPPS] - 1, -1, -1):
        opp = s.opp[d, i]
        if opp[OPP_KHZ] < khz:
            break
        if not (efficient and opp[INEFFICIENT]):
            best = opp[OPP_KHZ]
    return best


@inlined
def resolve(s, d, khz):
    """Return the frequency of the OPP that serves ``khz`` within the limits of perf domain ``d``."""
    low = s.dom[d, LOW_KHZ]
    high = s.dom[d, HIGH_KHZ]
    khz = max(low, min(khz, high))
    found = opp_at_least(s, d, khz, YES)
    if low <= found <= high:
        return found
    return opp_at_least(s, d, khz, NO)


@compiled
def set_limits(s, d, low, high):
    """Limit the frequency of perf domain ``d``; what it loses of its capacity is pressure on its pCPUs."""
    dom = s.dom[d]
    dom[LOW_KHZ] = low
    dom[HIGH_KHZ] = high
    dom[LIMITS_CHANGED] = 1
    for k in range(dom[N_MEMBERS]):
        cpu = s.cpu[s.member[d, k]]
        cpu[PRESSURE] = max(0, cpu[CAPACITY] - cpu[CAPACITY] * high // dom[MAX_KHZ])


# Boost for threads that wait for I/O


@compiled
def end_boost(s, c, io):
    """Tell whether nothing was asked for on pCPU ``c`` for an HZ tick; its boost ends then, or begins anew for I/O."""
    cpu = s.cpu[c]
    if s.glob[NOW] - cpu[ASKED_AT] <= s.glob[HZ_NS]:
        return False
    cpu[IO_BOOST] = LEAST_BOOST if io else 0
    cpu[IO_PENDING] = io
    return True


@inlined
def note_io(s, c, io):
    """Keep the boost's books at an update of pCPU ``c``; ``io``: a thread woke up there that waited for I/O."""
    cpu = s.cpu[c]
    if cpu[IO_BOOST] > 0 and end_boost(s, c, io):
        return
    if io and cpu[IO_PENDING] == 0:
        cpu[IO_PENDING] = 1
        cpu[IO_BOOST] = max(LEAST_BOOST, min(CAPACITY_SCALE, 2 * cpu[IO_BOOST]))


@inlined
def take_boost(s, c):
    """Return the boost of pCPU ``c`` as a utilisation; one that is not asked for again is halved each time."""
    cpu = s.cpu[c]
    if cpu[IO_BOOST] == 0 or end_boost(s, c, NO):
        return 0
    if cpu[IO_PENDING] == 0:
        cpu[IO_BOOST] >>= 1
        if cpu[IO_BOOST] < LEAST_BOOST:
            cpu[IO_BOOST] = 0
            return 0
    cpu[IO_PENDING] = 0
    return (cpu[IO_BOOST] * cpu[CAPACITY]) >> 10


# The update


@inlined
def ask(s, c):
    """Renew the performance that pCPU ``c`` asks for."""
    cpu = s.cpu[c]
    boost = take_boost(s, c)
    util, low, high = effective_util(s.glob, s.cpu, c, fair_util(s.cpu, c, YES))
    cpu[ASKED_UTIL] = performance_for(max(util, boost), low, high)
    cpu[BANDWIDTH_MIN] = low


@inlined
def asked(s, c):
    """Return the performance that the perf domain of pCPU ``c`` needs at an update of it."""
    d = s.cpu[c, DOMAIN]
    highest = 0
    for k in range(s.dom[d, N_MEMBERS]):
        ask(s, s.member[d, k])
        highest = max(highest, s.cpu[s.member[d, k], ASKED_UTIL])
    return highest


@inlined
def may_change(s, c):
    """Tell whether the perf domain of pCPU ``c`` may choose a frequency now, limits and its rate limit considered."""
    dom = s.dom[s.cpu[c, DOMAIN]]
    if deadline_bandwidth(s.cpu, c) > s.cpu[c, BANDWIDTH_MIN]:
        dom[NEED_UPDATE] = 1
    if dom[LIMITS_CHANGED]:
        dom[LIMITS_CHANGED] = 0
        dom[NEED_UPDATE] = 1
    return dom[NEED_UPDATE] == 1 or s.glob[NOW] - dom[CHANGED_AT] >= dom[RATE_LIMIT_NS]


@compiled
def choose(s, c, performance):
    """Return the frequency at which pCPU ``c`` reaches a performance; one that was the last result already is kept."""
    d = s.cpu[c, DOMAIN]
    dom = s.dom[d]
    khz = dom[MAX_KHZ] * performance // s.cpu[c, CAPACITY]
    if khz == dom[RAW_KHZ] and dom[NEED_UPDATE] == 0:
        return dom[NEXT_KHZ]
    dom[RAW_KHZ] = khz
    return resolve(s, d, khz)


@inlined
def holds(s, c):
    """Tell whether pCPU ``c`` was never idle since this was asked last; at its upper clamp it may have been."""
    cpu = s.cpu[c]
    if s.glob[UCLAMP_USED] and cpu[RQ_CLAMP_MAX] != CAPACITY_SCALE:
        if fair_util(s.cpu, c, NO) + cpu[RT_UTIL] >= cpu[RQ_CLAMP_MAX]:
            return False
    held = cpu[IDLE_CALLS] == cpu[SEEN_IDLE_CALLS]
    cpu[SEEN_IDLE_CALLS] = cpu[IDLE_CALLS]
    return held


@inlined
def choose_steadily(s, c, performance):
    """Choose as ``choose`` for a perf domain of one pCPU, which lowers its frequency only after it was idle."""
    dom = s.dom[s.cpu[c, DOMAIN]]
    raw = dom[RAW_KHZ]
    khz = choose(s, c, performance)
    if holds(s, c) and khz < dom[NEXT_KHZ] and dom[NEED_UPDATE] == 0:
        dom[RAW_KHZ] = raw
        return dom[NEXT_KHZ]
    return khz


@inlined
def commit(s, d, khz):
    """Return the frequency that perf domain ``d`` must change to, or 0 if ``khz`` is what it chose last."""
    dom = s.dom[d]
    dom[NEED_UPDATE] = 0
    if khz == dom[NEXT_KHZ]:
        return 0
    dom[NEXT_KHZ] = khz
    dom[CHANGED_AT] = s.glob[NOW]
    return max(dom[LOW_KHZ], min(khz, dom[HIGH_KHZ]))


@compiled
def update_frequency(s, c, io):
    """Return the frequency that the perf domain of pCPU ``c`` changes to now, or 0 if it stays as it is.

    To be called after each change of the pCPU's utilisation; ``io`` (0 or 1): a thread woke up that waited for I/O.
    """
    note_io(s, c, io)
    s.cpu[c, ASKED_AT] = s.glob[NOW]
    if not may_change(s, c):
        return 0
    d = s.cpu[c, DOMAIN]
    performance = asked(s, c)
    khz = choose_steadily(s, c, performance) if s.dom[d, N_MEMBERS] == 1 else choose(s, c, performance)
    return commit(s, d, khz)
