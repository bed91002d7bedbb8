"""Run queues for tests: a host that the test drives, and what its state must be, counted thread by thread."""

from scheduler import kernel_average, kernel_core, kernel_fair, kernel_switch, kernel_tree
from scheduler import kernel_state as ks
from scheduler.bare import bare_state
from scheduler.kernel_handle import handle_of
from scheduler.layout import NICE_WEIGHTS, weight_of

MS = 1_000_000
TICK_NS = 4 * MS
BASE_SLICE_NS = 2_800_000
START_NS = 1_000_000_000


class Host:
    """Idle pCPUs and threads that have not started; what happens is what the test calls."""

    def __init__(self, cpus=1, tasks=8):
        self.state = bare_state(cpus, tasks)
        self.handle = handle_of(self.state)
        self.state.glob[ks.NOW] = START_NS
        self.state.glob[ks.BASE_SLICE] = BASE_SLICE_NS
        self.next_tick = START_NS + TICK_NS
        self.served = [0] * tasks
        self.alive = [False] * tasks

    def task(self, p, column):
        return int(self.state.task[p, column])

    def cpu(self, c, column):
        return int(self.state.cpu[c, column])

    def current(self, c=0):
        return self.cpu(c, ks.CURRENT)

    def start(self, p, c=0, nice=0, slice_ns=0, policy=ks.NORMAL, weight=0):
        row = self.state.task[p]
        row[ks.POLICY] = policy
        row[ks.WEIGHT] = weight or weight_of(nice)
        row[ks.SLICE] = slice_ns
        row[ks.CUSTOM_SLICE] = slice_ns > 0
        row[ks.DEADLINE] = 0
        self.alive[p] = True
        kernel_core.start(self.handle, c, p)
        self.react()

    def react(self):
        for c in range(len(self.state.cpu)):
            if self.cpu(c, ks.RESCHED):
                kernel_switch.schedule(self.handle, c)

    def wake(self, p, c=0):
        kernel_core.wake(self.handle, c, p)
        self.react()

    def sleep(self, c=0, reason=ks.SLEEP):
        """Let the running thread sleep (or die); return it."""
        p = self.current(c)
        kernel_core.block(self.handle, c, reason)
        kernel_switch.schedule(self.handle, c)
        if reason == ks.DEATH:
            self.alive[p] = False
            kernel_core.bury(self.handle, p)
        return p

    def give_way(self, c=0):
        kernel_core.give_way(self.handle, c)
        kernel_switch.schedule(self.handle, c)

    def renice(self, p, nice):
        weight = weight_of(nice)
        kernel_core.renice(self.handle, p, weight, int(weight < self.task(p, ks.WEIGHT)))
        self.react()

    def migrate(self, p, c):
        kernel_core.migrate(self.handle, c, p)
        self.react()

    def expel(self, c, target):
        kernel_core.expel(self.handle, c, target)
        self.react()

    def run(self, ns):
        """Let time pass, with the ticks that fall into it."""
        until = int(self.state.glob[ks.NOW]) + ns
        while (now := int(self.state.glob[ks.NOW])) < until:
            then = min(until, self.next_tick)
            for c in range(len(self.state.cpu)):
                if self.current(c) >= 0:
                    self.served[self.current(c)] += then - now
            self.state.glob[ks.NOW] = then
            if then == self.next_tick:
                self.next_tick += TICK_NS
                for c in range(len(self.state.cpu)):
                    if self.current(c) >= 0:
                        kernel_core.tick(self.handle, c)
                self.react()

    # What the state must be

    def queued(self, c):
        """Return the fair threads queued on a pCPU, the running one included."""
        rows = enumerate(self.state.task)
        return [
            p for p, row in rows if self.alive[p] and row[ks.ON_RQ] and row[ks.CPU] == c and row[ks.POLICY] != ks.FIFO
        ]

    def lags(self, c):
        """Return the lag of each queued thread in real time: weight * (average - vruntime) / 1024, not rounded."""
        rows = [(self.task(p, ks.WEIGHT), self.task(p, ks.VRUNTIME), p) for p in self.queued(c)]
        total = sum(weight for weight, _, _ in rows)
        moment = sum(weight * vruntime for weight, vruntime, _ in rows)
        return {p: (moment - vruntime * total) * weight / (1024 * total) for weight, vruntime, p in rows}

    def eligible(self, c, p):
        return self.lags(c)[p] >= 0

    def in_order(self, c, root=ks.ROOT):
        """Return the threads of a tree from first to last."""
        found = []
        p = int(kernel_tree.first(self.handle, c, root))
        while p >= 0:
            found.append(p)
            p = int(kernel_tree.after(self.handle, p))
        return found

    def best(self, c, protect):
        """Return whom the rules pick, by looking at every thread."""
        queued = self.queued(c)
        if len(queued) < 2:
            return queued[0] if queued else -1
        running = self.cpu(c, ks.FAIR_CURRENT)
        if running not in queued or not self.eligible(c, running):
            running = -1
        if running >= 0 and protect and self.task(running, ks.VRUNTIME) < self.task(running, ks.PROTECT):
            return running
        others = [p for p in self.in_order(c) if self.eligible(c, p)]
        best = min(others, key=lambda p: self.task(p, ks.DEADLINE), default=-1)
        if running >= 0 and (best < 0 or self.task(running, ks.DEADLINE) < self.task(best, ks.DEADLINE)):
            return running
        return best

    def audit(self):
        """Assert that sums and extremes of every pCPU are those of its threads, and the pick that of the rules."""
        for c in range(len(self.state.cpu)):
            queued = self.queued(c)
            waiting = [p for p in queued if p != self.cpu(c, ks.FAIR_CURRENT)]
            order = self.in_order(c)
            assert sorted(order) == waiting
            deadlines = [self.task(p, ks.DEADLINE) for p in order]
            assert deadlines == sorted(deadlines)
            slices = [self.task(p, ks.SLICE) for p in queued]
            assert int(kernel_average.least_slice(self.handle, c)) == min(slices, default=ks.NEVER)
            assert int(kernel_average.greatest_slice(self.handle, c)) == max(slices, default=0)
            weights = [self.task(p, ks.WEIGHT) for p in queued]
            assert self.cpu(c, ks.QUEUED_WEIGHT) == sum(weights)
            assert self.cpu(c, ks.N_QUEUED) == len(queued)
            runnable = [p for p in queued if not self.task(p, ks.DELAYED)]
            assert self.cpu(c, ks.N_RUNNABLE) == len(runnable)
            assert self.cpu(c, ks.CFS_EST) == sum(self.task(p, ks.UTIL_EST) for p in runnable)
            moment = sum(self.task(p, ks.WEIGHT) * self.task(p, ks.VRUNTIME) for p in queued)
            mean = int(kernel_average.average(self.handle, c))
            if queued:
                assert mean == moment // sum(weights)
            for p in queued:
                assert bool(kernel_average.is_eligible(self.handle, c, p)) == self.eligible(c, p)
            for protect in (ks.NO, ks.YES):
                assert int(kernel_fair.pick(self.handle, c, protect)) == self.best(c, protect)
            assert (self.current(c) < 0) == (not queued and not self.cpu(c, ks.N_RT))


HEAVIEST, LIGHTEST = max(NICE_WEIGHTS), 3
