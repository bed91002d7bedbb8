"""The queued threads of a pCPU in the order of their deadlines; of equal deadlines the one inserted earlier is first.

A treap in the columns of the task table: a binary tree ordered by deadline that is a heap by a fixed hash of the
thread's number, so that its depth grows with the logarithm of its size. Each node knows the least vruntime and the
least and the greatest slice of its subtree. A tree is named by the column of the pCPU that holds its root.
"""

from pmu.kernel_jit import compiled
from scheduler.kernel_state import (
    DEADLINE,
    LEFT,
    MAX_SLICE,
    MIN_SLICE,
    MIN_VRUNTIME,
    NONE,
    PARENT,
    RIGHT,
    SLICE,
    VRUNTIME,
)

MULTIPLIER = 0x45D9F3B
MASK = (1 << 32) - 1


@compiled
def priority(p):
    """Return the place of thread ``p`` in the heap: a hash of its number that no two threads share."""
    mixed = (((p >> 16) ^ p) * MULTIPLIER) & MASK
    mixed = (((mixed >> 16) ^ mixed) * MULTIPLIER) & MASK
    return (mixed >> 16) ^ mixed


@compiled
def renew(table, p):
    """Compute what node ``p`` knows of its subtree from its children."""
    task = table[p]
    vruntime = task[VRUNTIME]
    low = task[SLICE]
    high = low
    child = task[LEFT]
    if child != NONE:
        vruntime = min(vruntime, table[child, MIN_VRUNTIME])
        low = min(low, table[child, MIN_SLICE])
        high = max(high, table[child, MAX_SLICE])
    child = task[RIGHT]
    if child != NONE:
        vruntime = min(vruntime, table[child, MIN_VRUNTIME])
        low = min(low, table[child, MIN_SLICE])
        high = max(high, table[child, MAX_SLICE])
    task[MIN_VRUNTIME] = vruntime
    task[MIN_SLICE] = low
    task[MAX_SLICE] = high


@compiled
def replace(table, cpu, root, old, new):
    """Let ``new`` (or NONE) take the place of node ``old`` below the parent of ``old``."""
    parent = table[old, PARENT]
    if parent == NONE:
        cpu[root] = new
    elif table[parent, LEFT] == old:
        table[parent, LEFT] = new
    else:
        table[parent, RIGHT] = new
    if new != NONE:
        table[new, PARENT] = parent


@compiled
def lift(table, cpu, root, p):
    """Rotate node ``p`` above its parent, which learns its subtree anew; ``p`` takes over what the parent knew."""
    parent = table[p, PARENT]
    side = LEFT if table[parent, LEFT] == p else RIGHT
    other = LEFT + RIGHT - side
    inner = table[p, other]
    replace(table, cpu, root, parent, p)
    table[p, other] = parent
    table[parent, PARENT] = p
    table[parent, side] = inner
    if inner != NONE:
        table[inner, PARENT] = parent
    for column in range(MIN_VRUNTIME, MAX_SLICE + 1):
        table[p, column] = table[parent, column]
    renew(table, parent)


@compiled
def insert(s, c, root, p):
    """Put thread ``p`` into a tree of pCPU ``c``."""
    table = s.task
    cpu = s.cpu[c]
    task = table[p]
    task[LEFT] = task[RIGHT] = NONE
    renew(table, p)
    parent = NONE
    side = LEFT
    node = cpu[root]
    while node != NONE:
        above = table[node]
        above[MIN_VRUNTIME] = min(above[MIN_VRUNTIME], task[VRUNTIME])
        above[MIN_SLICE] = min(above[MIN_SLICE], task[SLICE])
        above[MAX_SLICE] = max(above[MAX_SLICE], task[SLICE])
        parent = node
        side = LEFT if task[DEADLINE] < above[DEADLINE] else RIGHT
        node = above[side]
    task[PARENT] = parent
    if parent == NONE:
        cpu[root] = p
        return
    table[parent, side] = p
    rank = priority(p)
    while task[PARENT] != NONE and priority(task[PARENT]) < rank:
        lift(table, cpu, root, p)


@compiled
def erase(s, c, root, p):
    """Take thread ``p`` out of a tree of pCPU ``c``."""
    table = s.task
    cpu = s.cpu[c]
    task = table[p]
    while task[LEFT] != NONE and task[RIGHT] != NONE:
        lift(table, cpu, root, task[LEFT] if priority(task[LEFT]) > priority(task[RIGHT]) else task[RIGHT])
    replace(table, cpu, root, p, task[LEFT] if task[LEFT] != NONE else task[RIGHT])
    node = task[PARENT]
    while node != NONE:
        renew(table, node)
        node = table[node, PARENT]


@compiled
def first_due(s, c, root, limit):
    """Return the first thread of a tree of pCPU ``c`` whose vruntime is at most ``limit``, or NONE."""
    table = s.task
    node = s.cpu[c, root]
    if node == NONE or table[node, MIN_VRUNTIME] > limit:
        return NONE
    while True:
        left = table[node, LEFT]
        if left != NONE and table[left, MIN_VRUNTIME] <= limit:
            node = left
        elif table[node, VRUNTIME] <= limit:
            return node
        else:
            node = table[node, RIGHT]


@compiled
def first(s, c, root):
    """Return the first thread of a tree of pCPU ``c``, or NONE."""
    node = s.cpu[c, root]
    while node != NONE and s.task[node, LEFT] != NONE:
        node = s.task[node, LEFT]
    return node


@compiled
def after(s, p):
    """Return the thread that follows ``p`` in its tree, or NONE."""
    table = s.task
    node = table[p, RIGHT]
    if node != NONE:
        while table[node, LEFT] != NONE:
            node = table[node, LEFT]
        return node
    node = p
    while table[node, PARENT] != NONE and table[table[node, PARENT], RIGHT] == node:
        node = table[node, PARENT]
    return table[node, PARENT]
