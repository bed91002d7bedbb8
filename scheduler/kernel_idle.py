"""Idle states of a pCPU: which one it enters, when it is awake again after a wakeup, and how long it was in each.

Rules: Linux 7.1.5, drivers/cpuidle/governors/menu.c and cpuidle.c. State 0 is WFI; the HZ tick goes on in idle while a
short idle time is predicted.
"""

from pmu.kernel_jit import compiled, inlined
from scheduler.kernel_clock import ask_to_reschedule, stop_asking
from scheduler.kernel_event import end_segment_at, go_on_ticking, tick_at
from scheduler.kernel_state import (
    HZ_NS,
    IDLE,
    MODE,
    NEVER,
    NO,
    NONE,
    NOW,
    WAKE_AT,
    WAKING,
    YES,
)

INTERVALS = 8
BUCKETS = 6

# idle: one row a pCPU
(
    # the state that it is in, NONE while it is awake, and since when
    STATE,
    SINCE,
    N_STATES,
    # no state with a longer latency is chosen
    LATENCY_LIMIT,
    # first thread of the list of those with a timer on this pCPU
    TIMERS,
    # menu: what it expected when it chose, and its memory
    EXPECTED_NS,
    BUCKET,
    NEXT_INTERVAL,
    FIRST_INTERVAL,
) = range(9)
FIRST_FACTOR = FIRST_INTERVAL + INTERVALS
IDLE_COLUMNS = FIRST_FACTOR + BUCKETS

# idle_state: one row a state of a pCPU; LATENCY is what the governor takes for the latency
(
    ENTRY_NS,
    EXIT_NS,
    LATENCY,
    RESIDENCY,
    TIME_NS,
    ENTERED,
    TOO_DEEP,
    TOO_SHALLOW,
    STATE_COLUMNS,
) = range(9)

# timer: one row a thread; TIMER_CPU is NONE while no timer of it is armed
TIMER_CPU, NEXT_TIMER, PREVIOUS_TIMER, TIMER_COLUMNS = range(4)

MICROSECOND = 1_000
RESOLUTION = 1024
DECAY = 8
FACTOR_UNIT = RESOLUTION * DECAY
LONG_NS = 50_000_000
SHORT_NS = 15_000
UNKNOWN_US = (1 << 32) - 1
FARTHEST_NS = 1_000_000_000_000
SURE_VARIANCE = 400
HIGHEST_VARIANCE = (1 << 63) // 36 - 1


# Timers of a pCPU


@compiled
def arm(s, p, c):
    """Let the timer that wakes thread ``p`` at its WAKE_AT be one of pCPU ``c``."""
    timer = s.timer[p]
    first = s.idle[c, TIMERS]
    timer[TIMER_CPU] = c
    timer[PREVIOUS_TIMER] = NONE
    timer[NEXT_TIMER] = first
    if first != NONE:
        s.timer[first, PREVIOUS_TIMER] = p
    s.idle[c, TIMERS] = p


@compiled
def disarm(s, p):
    """Forget the timer of thread ``p``, if one is armed."""
    timer = s.timer[p]
    if timer[TIMER_CPU] == NONE:
        return
    if timer[PREVIOUS_TIMER] == NONE:
        s.idle[timer[TIMER_CPU], TIMERS] = timer[NEXT_TIMER]
    else:
        s.timer[timer[PREVIOUS_TIMER], NEXT_TIMER] = timer[NEXT_TIMER]
    if timer[NEXT_TIMER] != NONE:
        s.timer[timer[NEXT_TIMER], PREVIOUS_TIMER] = timer[PREVIOUS_TIMER]
    timer[TIMER_CPU] = NONE


@inlined
def time_to_timer(s, c):
    """Return the ns to the next timer of pCPU ``c`` other than its HZ tick."""
    earliest = NEVER
    p = s.idle[c, TIMERS]
    while p != NONE:
        earliest = min(earliest, s.task[p, WAKE_AT])
        p = s.timer[p, NEXT_TIMER]
    return max(0, min(earliest - s.glob[NOW], FARTHEST_NS))


# The governor


@compiled
def typical_interval(intervals):
    """Return the interval in us that a pCPU's last idle times agree on without outliers, or UNKNOWN_US."""
    low = -1
    high = UNKNOWN_US
    while True:
        number = total = squares = most = 0
        least = UNKNOWN_US
        for value in intervals:
            if low < value < high:
                number += 1
                total += value
                squares += value * value
                most = max(most, value)
                least = min(least, value)
        if most == 0:
            return UNKNOWN_US
        mean = total // number
        variance = squares // number - mean * mean
        if variance <= SURE_VARIANCE:
            return mean
        if number * 4 >= INTERVALS * 3 and variance <= HIGHEST_VARIANCE and mean * mean > variance * 36:
            return mean
        if number * 4 <= INTERVALS * 3:
            return most if number * 2 >= INTERVALS else UNKNOWN_US
        if mean - least > most - mean:
            low = least
        else:
            high = most


@inlined
def bucket_of(ns):
    """Return which correction factor is for an idle time that should last ``ns``."""
    bucket = 0
    limit = 10 * MICROSECOND
    while bucket < BUCKETS - 1 and ns >= limit:
        bucket += 1
        limit *= 10
    return bucket


@compiled
def predict(s, c):
    """Return ``(expected idle ns, ns to the next timer or HZ tick)`` of pCPU ``c``."""
    row = s.idle[c]
    hz_ns = s.glob[HZ_NS]
    predicted = typical_interval(row[FIRST_INTERVAL:FIRST_FACTOR]) * MICROSECOND
    if predicted <= SHORT_NS:
        row[EXPECTED_NS] = NEVER
        row[BUCKET] = BUCKETS - 1
        return predicted, hz_ns // 2
    timer_ns = time_to_timer(s, c)
    row[EXPECTED_NS] = timer_ns
    row[BUCKET] = bucket_of(timer_ns)
    scaled = timer_ns * row[FIRST_FACTOR + row[BUCKET]]
    unit = FACTOR_UNIT * MICROSECOND
    predicted = min(predicted, (scaled + unit // 2) // unit * MICROSECOND)
    return predicted, min(timer_ns, hz_ns - s.glob[NOW] % hz_ns)


@compiled
def select(s, c):
    """Return ``(idle state, whether the HZ tick goes on)`` for pCPU ``c``."""
    row = s.idle[c]
    states = s.idle_state[c]
    predicted, to_event = predict(s, c)
    limit = row[LATENCY_LIMIT]
    if limit < states[1, LATENCY] or row[EXPECTED_NS] < states[1, RESIDENCY]:
        return 0, NO
    state = 0
    for deeper in range(1, row[N_STATES]):
        if states[deeper, LATENCY] > limit:
            break
        if states[deeper, RESIDENCY] > predicted:
            if predicted >= s.glob[HZ_NS]:
                predicted = states[state, RESIDENCY]
            break
        state = deeper
    if predicted >= s.glob[HZ_NS]:
        return state, NO
    while state > 0 and states[state, RESIDENCY] > to_event:
        state -= 1
    return state, YES


@compiled
def learn(s, c, ns, ticked):
    """Let the governor of pCPU ``c`` learn that the state was left after ``ns``; ``ticked``: because of the HZ tick."""
    row = s.idle[c]
    latency = s.idle_state[c, row[STATE], LATENCY]
    expected = row[EXPECTED_NS]
    if ticked and expected > s.glob[HZ_NS]:
        ns = 9 * LONG_NS // 10
    elif ns > 2 * latency:
        ns -= latency
    else:
        ns //= 2
    ns = min(ns, expected)
    place = FIRST_FACTOR + row[BUCKET]
    row[place] -= row[place] // DECAY
    row[place] += RESOLUTION * ns // expected if expected > 0 and ns < LONG_NS else RESOLUTION
    row[FIRST_INTERVAL + row[NEXT_INTERVAL]] = ns // MICROSECOND
    row[NEXT_INTERVAL] = (row[NEXT_INTERVAL] + 1) % INTERVALS


# Entry and exit


@compiled
def enter(s, c):
    """Let pCPU ``c``, which has nothing to run, enter an idle state and stop its HZ tick if it is to."""
    row = s.idle[c]
    row[SINCE] = s.glob[NOW]
    row[STATE] = 0
    ticks = NO
    if row[N_STATES] > 1:
        row[STATE], ticks = select(s, c)
    if ticks:
        go_on_ticking(s, c)
    else:
        tick_at(s, c, NEVER)


@inlined
def awake_at(s, c):
    """Return when pCPU ``c`` runs again after an event that wakes it now; it finishes its entry first."""
    row = s.idle[c]
    state = s.idle_state[c, row[STATE]]
    return max(s.glob[NOW], row[SINCE] + state[ENTRY_NS]) + state[EXIT_NS]


@inlined
def count(s, c, ns):
    """Count an idle time of pCPU ``c``, latency included, and whether another state would have been better."""
    row = s.idle[c]
    states = s.idle_state[c]
    state = states[row[STATE]]
    state[TIME_NS] += ns
    state[ENTERED] += 1
    if ns < state[RESIDENCY]:
        state[TOO_DEEP] += row[STATE] > 0
    elif row[STATE] + 1 < row[N_STATES] and ns - state[LATENCY] >= states[row[STATE] + 1, RESIDENCY]:
        state[TOO_SHALLOW] += 1


@compiled
def leave(s, c, ticked):
    """Let pCPU ``c`` be awake from now on; ``ticked``: because of its HZ tick."""
    row = s.idle[c]
    ns = s.glob[NOW] - row[SINCE]
    count(s, c, ns)
    if row[N_STATES] > 1:
        learn(s, c, ns, ticked)
    row[STATE] = NONE


@compiled
def must_wake(s, c):
    """Tell whether pCPU ``c`` cannot schedule now because it has to come out of an idle state; let it begin to."""
    if s.idle[c, STATE] == NONE:
        return False
    stop_asking(s, c)
    if s.cpu[c, MODE] != WAKING:
        when = awake_at(s, c)
        if when == s.glob[NOW]:
            leave(s, c, NO)
            return False
        s.cpu[c, MODE] = WAKING
        end_segment_at(s, c, when)
    return True


@inlined
def wake_up(s, c):
    """Let pCPU ``c``, which has come out of its idle state, schedule."""
    leave(s, c, NO)
    s.cpu[c, MODE] = IDLE
    end_segment_at(s, c, NEVER)
    ask_to_reschedule(s, c)


@inlined
def tick(s, c):
    """Let the HZ tick wake the idle pCPU ``c``, which chooses its state anew, unless it is waking up anyway."""
    if s.idle[c, STATE] != NONE and s.cpu[c, MODE] != WAKING:
        leave(s, c, YES)
        enter(s, c)


@compiled
def close(s, c):
    """Book the idle time of pCPU ``c`` up to now at the end of a run."""
    row = s.idle[c]
    if row[STATE] != NONE:
        s.idle_state[c, row[STATE], TIME_NS] += s.glob[NOW] - row[SINCE]
        row[SINCE] = s.glob[NOW]
