"""The host's state as integer arrays: the names of their columns and nothing else.

Every array is owned by ``scheduler.host``; the functions in ``kernel_*`` change them in place. Times are
ns, capacities are on Linux' scale of 1024, vruntime and deadlines are ns at nice 0.
"""

from typing import Annotated, NamedTuple, TypeAlias, cast

import numpy as np

# np.int64 and not int: numba compiles a function anew for each literal int that it is passed
NEVER = cast("int", np.int64(1 << 62))
NONE = cast("int", np.int64(-1))
SPIN_WORK = 1 << 61
NO, YES = cast("list[int]", list(np.arange(2)))

# glob: one value each
(
    NOW,
    STOP_CPU,
    STOP_TASK,
    RESUME,
    HZ_NS,
    BALANCE_NS,
    NEXT_BALANCE,
    TICK_NS,
    SAMPLE_NS,
    ROWS_PER_VCPU,
    N_MOVES,
    N_STALLS,
    CAUSES,
    BASE_SLICE,
    COST_SWITCH,
    COST_MIGRATION,
    COST_WFI,
    HORIZON,
    # rows that one event may write to a log
    LOG_ROOM,
    INST_STREAM,
    # placement: a thread fits where its utilisation * MARGIN is below capacity * 1024
    MARGIN,
    UCLAMP_USED,
    REALTIME,
    ROUND_ROBIN,
    QUOTAS,
    ASYMMETRIC,
    EAS_ON,
    OVERUTILISED,
    # events so far: segment ends, wakeups, HZ ticks, balances
    N_DECISIONS,
    # length of the list of pCPUs with a thread to give away; periodic balances
    N_CROWDED,
    N_BALANCES,
    # the schedule of the vCPUs, kept on request
    KEEP_SCHEDULE,
    N_SEGMENTS,
    N_LOADS,
    # what the host does (history): only its switches, or all
    KEEP_SWITCHES,
    KEEP_TRACE,
    N_HISTORY,
    GLOBALS,
) = range(38)

# cpu: one row a pCPU
(
    CURRENT,
    MODE,
    FROM,
    FROM_CYCLES,
    UNTIL,
    DOMAIN,
    RATE_CLASS,
    CAPACITY,
    PMU_CLASS,
    FIRST_PMU,
    TICK_AT,
    RESCHED,
    LAST_TASK,
    BUSY_NS,
    AVERAGE_V,
    SCALE,
    CACHE,
    # clocks
    CLOCK,
    CLOCK_PELT,
    LOST,
    # fair run queue: QUEUED_WEIGHT and MOMENT = sum of weight * (vruntime - AVERAGE_V) are over all queued threads
    FAIR_CURRENT,
    ROOT,
    N_QUEUED,
    N_RUNNABLE,
    QUEUED_WEIGHT,
    MOMENT,
    # signals of the fair run queue; what exited and departed threads leave to be taken off
    CFS_AT,
    CFS_LOAD_SUM,
    CFS_RUNNABLE_SUM,
    CFS_UTIL_SUM,
    CFS_POSITION,
    CFS_LOAD,
    CFS_RUNNABLE,
    CFS_UTIL,
    CFS_EST,
    N_REMOVED,
    REMOVED_LOAD,
    REMOVED_RUNNABLE,
    REMOVED_UTIL,
    UTIL_CHANGED,
    # SCHED_FIFO run queue and its signal
    RT_ROOT,
    N_RT,
    RT_AT,
    RT_LOAD_SUM,
    RT_RUNNABLE_SUM,
    RT_UTIL_SUM,
    RT_POSITION,
    RT_LOAD,
    RT_RUNNABLE,
    RT_UTIL,
    # what is left of its capacity to fair threads (CAPACITY_LEFT), and what takes the rest away
    CAPACITY_LEFT,
    PRESSURE,
    IRQ_UTIL,
    DL_UTIL,
    DL_BANDWIDTH,
    # utilisation clamps of its run queue; SPANS_CACHE: the pCPUs of its cache have all capacities that there are
    RQ_CLAMP_MIN,
    RQ_CLAMP_MAX,
    RQ_CLAMP_IDLE,
    SPANS_CACHE,
    # schedutil
    IO_BOOST,
    IO_PENDING,
    ASKED_AT,
    ASKED_UTIL,
    BANDWIDTH_MIN,
    IDLE_CALLS,
    SEEN_IDLE_CALLS,
    CPU_COLUMNS,
) = range(67)

# dom: one row a perf domain; cycles up to t are BASE_CYCLES + (BASE_REST + KHZ * (t - BASE_NS)) // 10**6
(
    KHZ,
    MAX_KHZ,
    BASE_NS,
    BASE_CYCLES,
    BASE_REST,
    N_OPPS,
    N_MEMBERS,
    # the perf domain that EAS visits as number (row)
    VISITED,
    # schedutil: limits of the policy, what it chose last, and when it may choose again
    LOW_KHZ,
    HIGH_KHZ,
    RATE_LIMIT_NS,
    NEXT_KHZ,
    RAW_KHZ,
    CHANGED_AT,
    NEED_UPDATE,
    LIMITS_CHANGED,
    # row of the present OPP, and whether schedutil chooses it
    OPP_AT,
    GOVERNED,
    DOMAIN_COLUMNS,
) = range(19)

# opp: one row an OPP of a perf domain, ascending; COST is 0 without an energy model
OPP_KHZ, MICROWATT, PERFORMANCE, COST, INEFFICIENT, OPP_COLUMNS = range(6)

# task: one row a thread
(
    VCPU,
    STATE,
    CPU,
    WEIGHT,
    VRUNTIME,
    DEADLINE,
    RELATIVE,
    LAG,
    PROTECT,
    EXEC_START,
    WAKE_AT,
    OWED,
    WORK,
    REQUEST,
    PENDING_WAKE,
    WAKER,
    LAST_CPU,
    SLEPT_ON,
    UTIL_EST,
    IS_MISFIT,
    EST_KEPT,
    # class and entity; of a real-time thread DEADLINE is 99 less its priority, SLICE its slice in HZ ticks (0: FIFO)
    POLICY,
    SLICE,
    CUSTOM_SLICE,
    TICKS_LEFT,
    ON_RQ,
    DELAYED,
    # ordered tree of its pCPU's queued threads; the minima and maximum are over the subtree
    LEFT,
    RIGHT,
    PARENT,
    MIN_VRUNTIME,
    MIN_SLICE,
    MAX_SLICE,
    # signals; SE_AT is NONE while they are not attached to a run queue
    SE_AT,
    SE_LOAD_SUM,
    SE_RUNNABLE_SUM,
    SE_UTIL_SUM,
    SE_POSITION,
    SE_LOAD,
    SE_RUNNABLE,
    SE_UTIL,
    # placement
    CLAMP_MIN,
    CLAMP_MAX,
    RECENT_CPU,
    # cgroup, and the weight in it
    GROUP,
    OWN_WEIGHT,
    # since when it is runnable without running, and for how long it was before (sched_info.run_delay)
    WAIT_FROM,
    RUN_DELAY,
    # its script: the next row, and the number of rows
    SCRIPT_AT,
    SCRIPT_ROWS,
    # of a host thread: the time up to which it executes whatever its work (SPIN), or NEVER
    BUSY_UNTIL,
    # of a vCPU thread: why its vCPU leaves the guest next
    LEAVES_FOR,
    TASK_COLUMNS,
) = range(53)

# bucket: one row a bucket of a clamp of a run queue: how many threads are in it, and its value
BUCKETS = 5
IN_BUCKET, BUCKET_VALUE, BUCKET_COLUMNS = range(3)

# script: what a thread does next without asking Python, a row each: what, and two figures of it
#   RUN   phase, instructions; of a host thread: 0, work
#   SPIN  phase (of a host thread: 0), until this ns
#   SLEEP pCPU that wakes it (NONE: its own), ns
#   HALT  0, 0
#   WAKE  thread, 0
SCRIPT_LENGTH = 256
RUN, SPIN, SLEEP_FOR, HALT, WAKE_UP = range(5)
WHAT, FIRST, SECOND, SCRIPT_COLUMNS = range(4)

# vcpu: one row a vCPU
(
    TASK,
    PHASE,
    SPIN_UNTIL,
    INTERRUPT_AT,
    LOADED_CLASS,
    ASK,
    UNSUPPORTED,
    GUEST_NS,
    CYCLES,
    INSTRUCTIONS,
    RETRY_NS,
    NEXT_SAMPLE,
    LEVEL,
    # no counter depends on the exception level
    LEVEL_FREE,
    # its shadows (kernel_shadow): GUEST_NS when they were settled last, when it first executed since (or NEVER),
    # whether their limits hold, and how often it was put on a pCPU of LOADED_CLASS again without them
    SETTLED_NS,
    SETTLED_FROM,
    LIMITED,
    LOADS_AGAIN,
    # its last row in segments, or NONE
    SEGMENT,
    VCPU_COLUMNS,
) = range(20)

# row: one row a (vCPU, policy) pair
OVERFLOWED, ENABLED_NS, STALLED_NS, STALL_NS, LONGEST_NS, STALL_FROM, ROW_COLUMNS = range(7)

# what a pCPU does; RECORDED: what a recording has it do outside of guests
IDLE, LOADING, OVERHEAD, GUEST, RETRY, HOST, WAKING, POLLING, RECORDED = range(9)

# what a thread is
SLEEPING, QUEUED, RUNNING, DEAD, THROTTLED = range(5)

# scheduling policies
NORMAL, BATCH, IDLE_POLICY, FIFO = range(4)

# why a thread leaves its run queue: to sleep, for good, to join one again at once (other weight, other pCPU), no quota
SLEEP, DEATH, MOVE, THROTTLE = cast("list[int]", list(np.arange(4)))

# what Python asks of the thread on the pCPU in RESUME
CONTINUE, EXIT = range(2)

# why run_ahead came back
REACHED, FULL, LOAD, ACTION, OVERFLOW, INTERRUPT = cast("list[int]", list(np.arange(6)))

# causes of a migration, as bits of CAUSES and as codes of the migrations table
WAKEUP, BALANCE, MISFIT, AFFINITY, OTHER_CAUSE = cast("list[int]", list(np.arange(5)))
CAUSE_NAMES = ("wakeup", "balance", "misfit", "affinity", "other")

# columns of the logs
MOVE_COLUMNS, STALL_COLUMNS, SAMPLE_COLUMNS, LOAD_COLUMNS = 6, 4, 4, 3

# segments: one row for each time that a vCPU executes one phase on one pCPU at one frequency; REST is the cycle begun
# before START, in millionths
START, END, OF_VCPU, ON_CPU, OF_PHASE, AT_KHZ, REST, SEGMENT_COLUMNS = range(8)


# arrays by the type of their elements and their number of dimensions
I1: TypeAlias = Annotated[np.ndarray, np.int64, 1]
I2: TypeAlias = Annotated[np.ndarray, np.int64, 2]
I3: TypeAlias = Annotated[np.ndarray, np.int64, 3]
I4: TypeAlias = Annotated[np.ndarray, np.int64, 4]
U1: TypeAlias = Annotated[np.ndarray, np.uint64, 1]
U2: TypeAlias = Annotated[np.ndarray, np.uint64, 2]
U3: TypeAlias = Annotated[np.ndarray, np.uint64, 3]
U4: TypeAlias = Annotated[np.ndarray, np.uint64, 4]
B1: TypeAlias = Annotated[np.ndarray, np.uint8, 1]
B2: TypeAlias = Annotated[np.ndarray, np.uint8, 2]
C2: TypeAlias = Annotated[np.ndarray, np.int8, 2]


class State(NamedTuple):
    """All arrays of one host (shapes in brackets)."""

    glob: I1  # [GLOBALS]
    cpu: I2  # [cpu, CPU_COLUMNS]
    dom: I2  # [domain, DOMAIN_COLUMNS]
    task: I2  # [task, TASK_COLUMNS]
    allowed: B2  # [task, cpu]
    opp: I3  # [domain, OPP, OPP_COLUMNS], the first N_OPPS of each domain
    member: I2  # [domain, n]: its pCPUs ascending, the first N_MEMBERS
    group: I2  # [VM, GROUP_COLUMNS + cpu], see kernel_group
    bucket: I4  # [cpu, clamp, BUCKETS, BUCKET_COLUMNS]
    script: I3  # [task, SCRIPT_LENGTH, SCRIPT_COLUMNS]
    when: I1  # [event]: when each event happens; see kernel_event
    winner: I1  # [node]: the earliest event below each node of a complete binary tree
    level: I1  # [phase]: its exception level
    idle: I2  # [cpu, IDLE_COLUMNS]; columns of this and the next two: kernel_idle
    idle_state: I3  # [cpu, state, STATE_COLUMNS]
    timer: I2  # [task, TIMER_COLUMNS]
    crowd: I2  # [cpu, CROWD_COLUMNS], see kernel_crowd
    vcpu: I2  # [vcpu, VCPU_COLUMNS]
    poll: I2  # [vcpu, POLL_COLUMNS], see kernel_poll
    row: I2  # [row, ROW_COLUMNS]; rows of vCPU v: v * ROWS_PER_VCPU and the following
    busy: I2  # [cpu, OPP]: busy ns at each OPP of its perf domain
    rate: U4  # [phase, rate class, OPP, stream], Q32.32 per cycle (per ns where time_tied)
    residual: U2  # [vcpu, stream]
    total: U2  # [vcpu, stream], whole events since the start
    mark: U2  # [vcpu, stream]: what total was when the shadows were settled last
    limit: U2  # [vcpu, stream]: the total at which a counter of a shadow overflows
    increment: U1  # [stream], scratch
    time_tied: B1  # [stream]
    saved: U2  # the counter bank, see pmu.bank
    counts: U2
    left: U2
    stream: I2
    category: I2
    ledger: U3
    moves: I2  # [n, MOVE_COLUMNS]: t, vcpu, from cpu, to cpu, cause, crossing
    stalls: I2  # [n, STALL_COLUMNS]: start, end, row, guest ns
    history: I2  # [n, HISTORY_COLUMNS], see kernel_history
    segments: I2  # [n, SEGMENT_COLUMNS]
    loads: I2  # [n, LOAD_COLUMNS]: t, vcpu, cpu
    sample: I3  # [sample, vcpu, SAMPLE_COLUMNS]: cpu, guest ns, guest cycles, level
    sample_value: U3  # [sample, row, slot]
    sample_counted: U2  # [sample, row]: cycles that the cycle counter has counted so far
    sample_category: C2  # [sample, row]: of the cycle counter
