"""The fair class: recorded vectors, its tree and sums against models that look at every thread, lag and fairness."""

import copy
import gzip
import itertools
import json
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scheduler import kernel_average, kernel_core, kernel_fair, kernel_tree
from scheduler import kernel_state as ks
from scheduler.bare import bare_state
from scheduler.kernel_handle import handle_of
from scheduler.layout import weight_of
from simcore.app import sched_fair
from simcore.errors import InputError
from tests.run_queue import BASE_SLICE_NS, MS, TICK_NS, Host
from tests.scenes import PLAIN

KEPT = Path(__file__).parent / "data" / "vectors"
SHARED = Path(__file__).parents[2] / "shared" / "vectors"
NICES = st.sampled_from([-20, -10, -3, 0, 0, 4, 12, 19])
SLICES = st.sampled_from([0, 0, 0, 100_000, 1_500_000, 10 * MS, 100 * MS])
TREE = kernel_fair.TREE


def content_of(directory, part):
    path = directory / f"sched_{part}.json.gz"
    if not path.exists():
        pytest.skip(f"the full set of recorded vectors is not here: {path.name}")
    return json.loads(gzip.decompress(path.read_bytes()))


# Recorded vectors


@pytest.mark.parametrize("directory", (KEPT, SHARED), ids=("kept", "all"))
@pytest.mark.parametrize("part", sched_fair.PARTS)
def test_recorded_vectors_replay(part, directory):
    content = content_of(directory, part)
    sched_fair.check(content, part)
    found = {vector["id"]: sched_fair.mismatch(vector, content) for vector in content["vectors"]}
    assert len(found) == content["count"]
    assert {name: wrong for name, wrong in found.items() if wrong} == {}


def changed(value, path):
    """Return a copy of a nested list or object with the number at a path one larger."""
    value = copy.deepcopy(value)
    holder = value
    for key in path[:-1]:
        holder = holder[key]
    holder[path[-1]] += 1
    return value


def paths(value, at=()):
    """Yield the path of each number in a nested list or object."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        if type(inner) is int:
            yield (*at, key)
        else:
            yield from paths(inner, (*at, key))


@pytest.mark.parametrize("part", sched_fair.PARTS)
def test_every_recorded_number_is_compared(part):
    content = content_of(KEPT, part)
    kinds: dict[str, tuple] = {}
    for vector in content["vectors"]:
        for entry in vector.get("log", ()):
            kinds.setdefault(entry[0], (vector, entry))
        for step in vector.get("steps", ()):
            kinds.setdefault(step["state"], (vector, step))
    assert len(kinds) > 6
    for vector, row in kinds.values():
        for path in paths(row):
            if path[0] in ("dur", "freq_scale"):
                continue
            name, rows = ("log", vector["log"]) if "log" in vector else ("steps", vector["steps"])
            step = rows.index(row)
            wrong = sched_fair.mismatch(changed(vector, (name, step, *path)), content)
            assert wrong is not None
            assert wrong[0] == step


def test_a_log_must_not_end_early_or_late_and_the_base_slice_is_a_result():
    content = content_of(KEPT, "eevdf")
    vector = content["vectors"][0]
    entry = vector["log"][-1]
    longer = {**vector, "log": [*vector["log"], entry]}
    assert sched_fair.mismatch(longer, content) == (len(vector["log"]), "end", entry, None)
    shorter = {**vector, "log": vector["log"][:-1]}
    assert sched_fair.mismatch(shorter, content) == (len(vector["log"]) - 1, "end", None, entry)
    wrong = {**vector, "base_slice": vector["base_slice"] + 1}
    assert sched_fair.mismatch(wrong, content) == (0, "base_slice", wrong["base_slice"], vector["base_slice"])


def test_the_exact_slices_count_where_the_kernel_has_stale_ones():
    content = content_of(KEPT, "eevdf")
    (vector,) = [vector for vector in content["vectors"] if "log_ideal" in vector]
    assert sched_fair.mismatch(vector, content) is None
    assert sched_fair.mismatch({key: vector[key] for key in vector if key != "log_ideal"}, content) is not None


def broken(part, *path, value=None, remove=False):
    """Return the kept content with a value put at a path, or taken away there."""
    content = content_of(KEPT, part)
    holder = content
    for key in path[:-1]:
        holder = holder[key]
    if remove:
        del holder[path[-1]]
    else:
        holder[path[-1]] = value
    return content


def first_of(part, kind):
    vectors = content_of(KEPT, part)["vectors"]
    return next(number for number, vector in enumerate(vectors) if vector["kind"] == kind)


LOOP, SINGLE = first_of("pelt", "loop"), first_of("pelt", "single")
REPEATING = next(number for number, row in enumerate(content_of(KEPT, "eevdf")["vectors"]) if row["tasks"][0]["loop"])
MALFORMED = [
    ("eevdf", ("schema",), "hetpmu-sched-vectors/2", "schema"),
    ("eevdf", ("part",), "eas", "unknown part 'eas'"),
    ("eevdf", ("extra",), 1, "unknown key 'extra'"),
    ("eevdf", ("count",), 3, "count"),
    ("eevdf", ("vectors",), [], "no vector"),
    ("eevdf", ("pelt_rq",), ["lost_idle_time", "clock_pelt"], "pelt_rq"),
    ("eevdf", ("vectors", 0, "kind"), "lop", "unknown kind 'lop'"),
    ("eevdf", ("vectors", 1, "id"), 7, "id"),
    ("eevdf", ("vectors", 0, "surprise"), 7, "unknown key 'surprise'"),
    ("eevdf", ("vectors", 0, "end"), 1.5, "end"),
    ("eevdf", ("vectors", 0, "tick_phase"), 4_000_000, "tick_phase"),
    ("eevdf", ("vectors", 0, "tasks", 0, "ops", 0), "Q5", "unknown operation 'Q5'"),
    ("eevdf", ("vectors", 0, "tasks", 0, "ops", 0), "R", "wrong operation"),
    ("eevdf", ("vectors", 0, "tasks", 0, "ops", 0), "W99", "unknown task '99'"),
    ("eevdf", ("vectors", 0, "tasks", 0, "ops", 0), "N20", "20"),
    ("eevdf", ("vectors", REPEATING, "tasks", 0, "ops"), ["Y"], "take no time"),
    ("eevdf", ("vectors", 0, "tasks", 0, "policy"), "FIFO", "unknown policy"),
    ("eevdf", ("vectors", 0, "tasks", 0, "nice"), True, "nice"),
    ("eevdf", ("vectors", 0, "tasks", 1, "id"), 0, "task 0 stands there twice"),
    ("eevdf", ("vectors", 0, "tasks", 0, "start"), -2, "start"),
    ("eevdf", ("vectors", 0, "log", 0, 0), "sleep", "unknown log entry 'sleep'"),
    ("eevdf", ("vectors", 0, "log", 0, 0), "tick", "unknown log entry 'tick'"),
    ("eevdf", ("vectors", 0, "log", 0, 4), "7", "log, entry 0"),
    ("eevdf", ("vectors", 0, "log", 0), ["sw", 1], "2 values"),
    ("pelt", ("vectors", LOOP, "capacity"), 1025, "capacity"),
    ("pelt", ("vectors", LOOP, "log", 0, -1, "cfs"), [1], "cfs"),
    ("pelt", ("vectors", SINGLE, "steps", 0, "state"), "Z", "unknown state 'Z'"),
    ("pelt", ("vectors", SINGLE, "steps", 0, "begin", 0), [1, 2], "pelt_se"),
    ("pelt", ("vectors", SINGLE, "steps", 0, "dur"), -1, "dur"),
]


@pytest.mark.parametrize("part, path, value, said", MALFORMED, ids=[f"{row[0]}-{row[3]}" for row in MALFORMED])
def test_a_malformed_file_is_refused_with_its_place(part, path, value, said):
    with pytest.raises(InputError) as caught:
        sched_fair.check(broken(part, *path, value=value), "FILE")
    assert str(caught.value).startswith("FILE: ")
    assert said in str(caught.value)


@pytest.mark.parametrize(
    "part, path",
    [
        ("eevdf", ("vectors",)),
        ("eevdf", ("vectors", 0, "kind")),
        ("eevdf", ("vectors", 0, "log")),
        ("eevdf", ("vectors", 0, "tasks", 0, "slice")),
        ("pelt", ("vectors", LOOP, "freq_scale")),
        ("pelt", ("vectors", SINGLE, "steps", 0, "end")),
    ],
)
def test_a_missing_key_is_named(part, path):
    with pytest.raises(InputError, match=f"missing key '{path[-1]}'"):
        sched_fair.check(broken(part, *path, remove=True), "FILE")


def test_t_cannot_fall_asleep_while_the_other_thread_runs():
    content = content_of(KEPT, "pelt")
    content["vectors"] = [content["vectors"][SINGLE]]
    content["vectors"][0]["steps"] = [
        {**content["vectors"][0]["steps"][0], "state": state} for state in ("Q", "R", "P", "Q", "S")
    ]
    with pytest.raises(InputError, match="step 4, state: wrong state 'S'"):
        sched_fair.check(content, "")


# The tree

KEYS = st.tuples(st.integers(0, 5), st.integers(-5, 5), st.integers(1, 9))


def audit_tree(table, root):
    """Assert heap, parents and what each node knows of its subtree; return the threads from first to last."""
    if root == ks.NONE:
        return []
    node = table[root]
    inner = []
    for side in (ks.LEFT, ks.RIGHT):
        child = int(node[side])
        inner.append(audit_tree(table, child))
        if child != ks.NONE:
            assert table[child, ks.PARENT] == root
            assert kernel_tree.priority(np.int64(child)) < kernel_tree.priority(np.int64(root))
    members = [*inner[0], root, *inner[1]]
    assert node[ks.MIN_VRUNTIME] == min(table[p, ks.VRUNTIME] for p in members)
    assert node[ks.MIN_SLICE] == min(table[p, ks.SLICE] for p in members)
    assert node[ks.MAX_SLICE] == max(table[p, ks.SLICE] for p in members)
    return members


@given(st.lists(st.tuples(st.integers(0, 15), KEYS), max_size=60))
def test_the_tree_is_the_list_sorted_by_deadline_then_by_insertion(steps):
    """Each step puts a thread with new keys into the tree, or takes it out if it is in."""
    state = bare_state(1, 16)
    handle = handle_of(state)
    model: list[int] = []
    for p, keys in steps:
        if p in model:
            model.remove(p)
            kernel_tree.erase(handle, 0, TREE, p)
        else:
            for column, key in zip((ks.DEADLINE, ks.VRUNTIME, ks.SLICE), keys, strict=True):
                state.task[p, column] = key
            model.append(p)
            model.sort(key=lambda q: state.task[q, ks.DEADLINE])
            kernel_tree.insert(handle, 0, TREE, p)
        root = int(state.cpu[0, ks.ROOT])
        assert audit_tree(state.task, root) == model
        assert root == ks.NONE or state.task[root, ks.PARENT] == ks.NONE
        assert int(kernel_tree.first(handle, 0, TREE)) == (model[0] if model else ks.NONE)
        assert [int(kernel_tree.after(handle, q)) for q in model] == [*model[1:], ks.NONE][: len(model)]
        for limit in range(-6, 7):
            due = [q for q in model if state.task[q, ks.VRUNTIME] <= limit]
            assert int(kernel_tree.first_due(handle, 0, TREE, limit)) == (due[0] if due else ks.NONE)


def depth(table, root):
    deepest, level = 0, [root] if root != ks.NONE else []
    while level:
        deepest += 1
        level = [int(table[p, side]) for p in level for side in (ks.LEFT, ks.RIGHT) if table[p, side] != ks.NONE]
    return deepest


@pytest.mark.parametrize("stride", (1, 2, 8, 89, 144, 987))
@pytest.mark.parametrize("order", ("rising", "falling", "equal", "mixed"))
def test_the_depth_of_the_tree_grows_with_the_logarithm(stride, order):
    """A search of a random tree of n nodes visits some 1.4 log2 n; neither order nor numbering may undo that."""
    size = 512
    deadlines = {
        "rising": lambda i: i,
        "falling": lambda i: -i,
        "equal": lambda i: 0,
        "mixed": lambda i: i * 7919 % 1009,
    }
    state = bare_state(1, size * stride)
    handle = handle_of(state)
    for i in range(size):
        state.task[i * stride, ks.DEADLINE] = deadlines[order](i)
        kernel_tree.insert(handle, 0, TREE, i * stride)
    assert depth(state.task, int(state.cpu[0, ks.ROOT])) <= 4 * math.log2(size)


# Sums


@given(
    st.lists(st.tuples(st.sampled_from([3, 15, 1024, 88761]), st.integers(-(10**11), 10**11)), min_size=1, max_size=12),
    st.integers(-(10**12), 10**12),
    st.lists(st.tuples(st.integers(0, 11), st.integers(0, 10**9)), max_size=12),
)
def test_average_and_eligibility_are_exact(rows, base, moves):
    """Against sums in unbounded integers, from any base, while threads advance and leave."""
    state = bare_state(1, len(rows))
    handle = handle_of(state)
    state.cpu[0, ks.AVERAGE_V] = base
    present = list(range(len(rows)))
    for p, (weight, vruntime) in enumerate(rows):
        state.task[p, ks.WEIGHT], state.task[p, ks.VRUNTIME] = weight, base + vruntime
        kernel_average.count_in(handle, 0, p)
    for p, delta in [(0, 0), *moves]:
        if p in present:
            kernel_average.advance(handle, 0, p, delta)
            if delta % 3 == 0 and len(present) > 1:
                present.remove(p)
                kernel_average.count_out(handle, 0, p)
        weights = {q: int(state.task[q, ks.WEIGHT]) for q in present}
        moment = sum(weights[q] * int(state.task[q, ks.VRUNTIME]) for q in present)
        assert int(kernel_average.average(handle, 0)) == moment // sum(weights.values())
        for q in present:
            exact = moment >= int(state.task[q, ks.VRUNTIME]) * sum(weights.values())
            assert bool(kernel_average.is_eligible(handle, 0, q)) == exact


@given(st.integers(-(10**14), 10**14), st.integers(1, 10**6))
def test_a_signed_quotient_is_rounded_towards_zero(value, divisor):
    quotient = abs(value) // divisor
    assert kernel_average.quotient(np.int64(value), np.int64(divisor)) == (quotient if value >= 0 else -quotient)


@given(
    st.integers(-(10**8), 10**8),
    st.sampled_from([3, 15, 1024, 88761]),
    st.lists(st.sampled_from([3, 1024, 88761]), min_size=1, max_size=5),
)
def test_a_thread_joins_with_the_lag_that_it_had(lag, weight, others):
    """Placed so that its lag against the average that contains it is the one it came with, but for rounding."""
    host = Host(1, len(others) + 1)
    for p, other in enumerate(others):
        host.start(p, weight=other)
    host.state.task[len(others), ks.WEIGHT] = weight
    host.state.task[len(others), ks.LAG] = lag
    kernel_average.place(host.handle, 0, len(others), ks.NO)
    total = sum(others)
    scaled = lag * (total + weight)
    offset = abs(scaled) // total * (1 if scaled >= 0 else -1)
    p = len(others)
    assert host.task(p, ks.VRUNTIME) == int(kernel_average.average(host.handle, 0)) - offset
    kernel_average.count_in(host.handle, 0, p)
    assert abs(int(kernel_average.average(host.handle, 0)) - host.task(p, ks.VRUNTIME) - lag) <= 1


def test_4096_threads_of_extreme_weights_overflow_nothing():
    """As plain Python an overflow is an error of its own; compiled, the sums would be wrong."""
    size = 512 if PLAIN else 4096
    host = Host(1, size)
    for p in range(size):
        idle = p % 7 == 0
        host.start(
            p,
            nice=-20,
            slice_ns=100 * MS if p % 5 else 0,
            policy=ks.IDLE_POLICY if idle else ks.NORMAL,
            weight=3 * idle,
        )
    for _ in range(200):
        host.run(9 * MS)
        sleeper = host.sleep()
        host.run(MS)
        host.wake(sleeper)
    weights = [host.task(p, ks.WEIGHT) for p in range(size)]
    moment = sum(weights[p] * host.task(p, ks.VRUNTIME) for p in host.queued(0))
    total = sum(weights[p] for p in host.queued(0))
    assert int(kernel_average.average(host.handle, 0)) == moment // total
    assert host.cpu(0, ks.CFS_LOAD_SUM) > 1 << 31


# Whole run queues

STEPS = st.lists(
    st.tuples(
        st.sampled_from(
            ["run", "run", "run", "sleep", "sleep", "wake", "wake", "yield", "renice", "die", "migrate", "expel"]
        ),
        st.integers(0, 7),
        st.integers(1, 6 * MS),
        st.integers(0, 1),
        NICES,
    ),
    min_size=25,
    max_size=40,
)
POLICIES = st.sampled_from([ks.NORMAL, ks.NORMAL, ks.NORMAL, ks.BATCH, ks.IDLE_POLICY])
THREADS = st.lists(st.tuples(NICES, SLICES, POLICIES), min_size=8, max_size=8)


def take(host, step):
    """Do one step if the thread that it is about is in a state for it."""
    name, p, ns, c, nice = step
    alive, queued = host.alive[p], bool(host.task(p, ks.ON_RQ))
    running = p in (host.current(0), host.current(1))
    if name == "run":
        host.run(ns)
    elif name == "wake" and alive and (not queued or host.task(p, ks.DELAYED)):
        host.wake(p, c)
    elif name == "renice" and alive and host.task(p, ks.POLICY) != ks.IDLE_POLICY:
        host.renice(p, nice)
    elif name == "migrate" and alive and queued and not running and host.task(p, ks.CPU) != c:
        host.migrate(p, c)
    elif name == "expel" and host.current(c) >= 0:
        host.expel(c, 1 - c)
    elif host.current(c) >= 0 and name in ("sleep", "die", "yield"):
        {"sleep": host.sleep, "die": lambda c: host.sleep(c, ks.DEATH), "yield": host.give_way}[name](c)
    else:
        return False
    return True


seen: set[str] = set()


@settings(max_examples=60 if PLAIN else 200)
@given(THREADS, STEPS)
def test_whatever_happens_every_sum_is_that_of_the_queued_threads(threads, steps):
    host = Host(2, len(threads))
    for p, (nice, slice_ns, policy) in enumerate(threads):
        host.start(p, p % 2, nice, slice_ns, policy, weight=3 if policy == ks.IDLE_POLICY else 0)
        host.audit()
    for step in steps:
        if take(host, step):
            seen.add(step[0])
            host.audit()
            seen.update("delayed" for p in range(len(threads)) if host.task(p, ks.DELAYED))
            for p in range(len(threads)):
                if host.task(p, ks.ON_RQ) == 0 and host.alive[p]:
                    limit = kernel_average.virtual(host.task(p, ks.WEIGHT), 100 * MS + TICK_NS)
                    assert abs(host.task(p, ks.LAG)) <= limit + 1


def test_the_random_steps_saw_everything():
    assert seen >= {"run", "sleep", "wake", "yield", "renice", "die", "migrate", "expel", "delayed"}


@settings(max_examples=20 if PLAIN else 60)
@given(st.lists(st.tuples(NICES, SLICES), min_size=2, max_size=7), st.lists(st.integers(1, 2 * MS), min_size=60))
def test_threads_that_never_sleep_stay_within_the_lag_bound_and_share_by_weight(threads, pauses):
    """Ahead of its share by at most a slice and a tick, behind it by at most that and a tick of each other thread."""
    host = Host(1, len(threads))
    for p, (nice, slice_ns) in enumerate(threads):
        host.start(p, nice=nice, slice_ns=slice_ns)
    slices = [host.task(p, ks.SLICE) for p in range(len(threads))]
    ahead = max(slices) + TICK_NS
    behind = max(slices) + TICK_NS * len(threads)
    for ns in pauses:
        host.run(ns)
        assert all(-ahead <= lag <= behind for lag in host.lags(0).values())
    weights = [weight_of(nice) for nice, _ in threads]
    for weight, served in zip(weights, host.served, strict=True):
        assert -behind - 1 <= served - sum(pauses) * weight / sum(weights) <= ahead + 1


def test_equal_threads_take_turns_in_the_order_of_their_start():
    host = Host(1, 3)
    for p in range(3):
        host.start(p)
    order = []
    for _ in range(120):
        order.append(host.current())
        host.run(TICK_NS)
    turns = [p for p, _ in itertools.groupby(order)]
    assert turns[:3] == [0, 1, 2]
    assert max(host.served) - min(host.served) <= 2 * TICK_NS


def test_a_thread_with_a_short_slice_preempts_and_a_batch_thread_does_not():
    for slice_ns, policy, winner in ((100_000, ks.NORMAL, 1), (0, ks.BATCH, 0), (0, ks.IDLE_POLICY, 0)):
        host = Host(1, 2)
        host.start(0)
        host.run(MS)
        host.start(1, slice_ns=slice_ns, policy=policy)
        assert host.current() == winner, (slice_ns, policy)


def test_a_running_thread_is_protected_until_its_deadline_or_for_the_least_slice():
    host = Host(1, 3)
    host.start(0)
    host.state.task[0, ks.DEADLINE] += 9 * MS
    kernel_fair.protect_slice(host.handle, 0, 0)
    assert host.task(0, ks.PROTECT) == host.task(0, ks.DEADLINE)
    host.start(1, slice_ns=MS, policy=ks.BATCH)
    host.state.task[0, ks.DEADLINE] += 9 * MS
    kernel_fair.protect_slice(host.handle, 0, 0)
    assert host.task(0, ks.PROTECT) == host.task(0, ks.VRUNTIME) + MS


def test_a_wakeup_that_fails_to_preempt_shortens_the_protection():
    """The short slice of a thread without lag left ends what the running one was promised."""
    host = Host(1, 2)
    host.start(0)
    host.run(MS)
    host.sleep()
    host.start(1, slice_ns=100_000)
    host.run(MS)
    host.sleep()
    host.wake(0)
    host.state.task[1, ks.LAG] = -2 * MS
    host.run(50_000)
    assert host.task(0, ks.PROTECT) == host.task(0, ks.DEADLINE)
    host.wake(1)
    assert host.current() == 0
    assert host.task(0, ks.PROTECT) == host.task(0, ks.VRUNTIME) + 100_000 < host.task(0, ks.DEADLINE)


def test_a_sleeper_without_lag_left_stays_queued_until_it_would_be_picked():
    host = Host(1, 2)
    host.start(0)
    host.start(1)
    host.run(2 * MS)
    host.sleep()
    assert (host.task(0, ks.DELAYED), host.task(0, ks.ON_RQ), host.cpu(0, ks.N_QUEUED)) == (1, 1, 2)
    host.run(12 * MS)
    assert (host.task(0, ks.DELAYED), host.task(0, ks.ON_RQ), host.cpu(0, ks.N_QUEUED)) == (0, 0, 1)
    assert host.task(0, ks.LAG) == 0


# SCHED_FIFO


def priority_of(host, p, priority):
    host.state.task[p, ks.DEADLINE] = 99 - priority


def start_fifo(host, p, priority, c=0):
    host.state.task[p, ks.POLICY] = ks.FIFO
    priority_of(host, p, priority)
    host.alive[p] = True
    kernel_core.start(host.handle, c, p)
    host.react()


def test_fifo_threads_run_by_priority_and_then_in_the_order_of_arrival():
    host = Host(1, 5)
    host.start(0)
    for p, priority in ((1, 10), (2, 50), (3, 10), (4, 10)):
        start_fifo(host, p, priority)
    host.audit()
    assert host.current() == 2
    host.run(50 * MS)
    assert host.current() == 2, "no slice ends a SCHED_FIFO thread"
    order = [host.sleep() for _ in range(4)]
    assert order == [2, 1, 3, 4]
    assert host.current() == 0
    host.wake(3)
    host.wake(1)
    assert host.current() == 3
    host.give_way()
    assert host.current() == 1
    host.wake(2)
    assert host.current() == 2
    host.sleep()
    assert host.current() == 1, "preempted, it stayed first of its priority"
    host.audit()


def test_a_fifo_thread_that_moves_leaves_the_other_pcpu():
    host = Host(2, 3)
    start_fifo(host, 0, 10)
    start_fifo(host, 1, 5)
    host.start(2, 1)
    host.migrate(1, 1)
    assert (host.current(0), host.current(1)) == (0, 1)
    assert host.cpu(0, ks.N_RT) == 1
    assert host.in_order(1, ks.RT_ROOT) == [1]
    host.sleep(1)
    assert host.current(1) == 2
    host.audit()


def test_base_slice_is_read_anew_unless_a_thread_has_its_own():
    host = Host(1, 2)
    host.start(0)
    host.start(1, slice_ns=5 * MS)
    host.state.glob[ks.BASE_SLICE] = BASE_SLICE_NS // 2
    host.run(40 * MS)
    assert [host.task(p, ks.SLICE) for p in range(2)] == [BASE_SLICE_NS // 2, 5 * MS]
