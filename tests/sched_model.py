"""Placement and schedutil once more, on plain objects and unbounded integers, for tests: an oracle that shares no code.

It goes by ../shared/spec/sched.md, sections 7 to 10, and for what that leaves open by Linux 7.1.5's own order of steps.
"""

from dataclasses import dataclass, field

HUGE = 1 << 100


@dataclass
class Cpu:
    number: int
    capacity: int
    cache: int
    pressure: int = 0
    util: int = 0
    est: int = 0
    run: int = 0
    load: int = 0
    rt: int = 0
    dl: int = 0
    irq: int = 0
    dl_bw: int = 0
    queued: int = 0
    delayed: int = 0
    n_rt: int = 0
    cmin: int = 0
    cmax: int = 1024
    clamp_idle: int = 0
    current_load: int | None = None
    # schedutil
    boost: int = 0
    pending: int = 0
    last_update: int = 0
    wanted: int = 0
    bw_min: int = 0
    idle_calls: int = 0
    saved_idle_calls: int = 0
    left: int = 0

    @property
    def actual(self):
        return self.capacity - self.pressure

    @property
    def idle(self):
        return self.current_load is None and self.queued == 0 and self.n_rt == 0

    def renew(self):
        """scale_rt_capacity"""
        used = self.rt + self.dl
        if self.irq >= self.actual or used >= self.actual:
            self.left = 1
        else:
            self.left = max(1, (self.actual - used) * (self.actual - self.irq) // self.actual)


@dataclass
class Task:
    prev: int
    allowed: set
    util: int = 0
    est: int = 0
    run: int = 0
    load: int = 0
    cmin: int = 0
    cmax: int = 1024
    recent: int = -1

    @property
    def expected(self):
        return max(self.util, self.est)


@dataclass
class Domain:
    cpus: list
    fmax: int
    opps: list  # (kHz, performance, cost, inefficient)


@dataclass
class Machine:
    cpus: list
    domains: list
    uclamp: bool
    overutilised: bool = False
    margin: int = 1280
    order: list = field(default_factory=list)

    def __post_init__(self):
        for cpu in self.cpus:
            cpu.renew()
        self.order = sorted(self.domains, key=lambda domain: domain.cpus[0], reverse=True)
        self.asymmetric = len({cpu.capacity for cpu in self.cpus}) > 1

    def span(self, cpu):
        """The CPUs of the smallest domain around a CPU that has all capacities."""
        kinds = {other.capacity for other in self.cpus}
        near = [other for other in self.cpus if other.cache == self.cpus[cpu].cache]
        chosen = near if {other.capacity for other in near} == kinds else self.cpus
        return {other.number for other in chosen}

    # 7

    def util(self, c, p, dst, boost):
        cpu = self.cpus[c]
        u, r, e = cpu.util, cpu.run, cpu.est
        if p is not None and p.prev == c and dst != c:
            u, r = max(0, u - p.util), max(0, r - p.run)
        elif p is not None and p.prev != c and dst == c:
            u, r = u + p.util, r + p.run
        if boost:
            u = max(u, r)
        if p is not None and dst == c:
            e += p.est
        return min(max(u, e), cpu.capacity)

    def effective(self, c, u):
        cpu = self.cpus[c]
        if cpu.irq >= cpu.capacity:
            return cpu.capacity, cpu.capacity, cpu.capacity
        low = max(cpu.irq + cpu.dl_bw * 1024 // (1 << 20), cpu.cmin)
        if not self.uclamp and cpu.n_rt:
            low = max(low, cpu.capacity)
        high = min(cpu.capacity, cpu.cmax)
        u += cpu.rt + cpu.dl
        if u >= cpu.capacity:
            return cpu.capacity, low, high
        u = u * (cpu.capacity - cpu.irq) // cpu.capacity + cpu.irq
        return min(cpu.capacity, u), low, high

    @staticmethod
    def perf(u, low, high):
        u += u // 4
        high = min(high, u)
        return max(low, high)

    def fits(self, u, low, high, c):
        cpu = self.cpus[c]
        fits = u * self.margin < cpu.left * 1024
        if not self.uclamp:
            return int(fits)
        top = cpu.capacity == 1024 and high == 1024
        if not top and high <= cpu.capacity:
            fits = True
        low = min(low, high)
        if fits and u < low and low > cpu.actual:
            return -1
        return int(fits)

    def clamps(self, p):
        return (p.cmin, p.cmax) if self.uclamp else (0, 1024)

    def task_fits(self, p, c):
        low, high = self.clamps(p)
        return self.fits(p.expected, low, high, c)

    def overutil(self, c):
        return not self.fits(self.util(c, None, None, False), 0, self.cpus[c].cmax, c)

    # 8

    @staticmethod
    def em(domain, highest, busy, cap):
        if busy == 0:
            return 0
        highest = min(highest, cap)
        for _, performance, cost, inefficient in domain.opps:
            if performance >= highest and not inefficient:
                return cost * busy
        return domain.opps[-1][2] * busy

    def busy(self, domain, p):
        cap = self.cpus[domain.cpus[0]].actual * len(domain.cpus)
        return min(cap, sum(self.effective(c, self.util(c, p, None, False))[0] for c in domain.cpus))

    def task_busy(self, p):
        cpu = self.cpus[p.prev]
        if cpu.irq >= cpu.capacity:
            return cpu.capacity
        return p.expected * (cpu.capacity - cpu.irq) // cpu.capacity

    def energy(self, domain, p, dst):
        cap = self.cpus[domain.cpus[0]].actual
        highest = 0
        for c in domain.cpus:
            u, low, high = self.effective(c, self.util(c, p, dst, True))
            if c == dst and self.uclamp:
                low = max(low, p.cmin)
                high = p.cmax if self.cpus[c].clamp_idle else max(high, p.cmax)
            highest = max(highest, self.perf(u, low, high))
        highest = min(highest, cap)
        busy = self.busy(domain, p)
        if dst is not None:
            busy = min(cap * len(domain.cpus), busy + self.task_busy(p))
        return self.em(domain, highest, busy, cap)

    # 9

    def feec(self, p, waker):
        prev = p.prev
        cmin, cmax = self.clamps(p)
        if p.expected == 0 and cmin == 0:
            return prev
        span = self.span(waker)
        if prev not in span:
            span = {cpu.number for cpu in self.cpus}
        prev_delta = best_delta = HUGE
        prev_fits = best_fits = -1
        prev_cap = best_cap = 0
        best = None
        for domain in self.order:
            low, high = cmin, cmax
            cap = self.cpus[domain.cpus[0]].actual
            prev_spare = most = most_fits = -1
            chosen = None
            for c in domain.cpus:
                cpu = self.cpus[c]
                if c not in span or c not in p.allowed:
                    continue
                u = self.util(c, p, c, False)
                if self.uclamp and not cpu.clamp_idle:
                    low, high = max(cpu.cmin, cmin), max(cpu.cmax, cmax)
                fits = self.fits(u, low, high, c)
                if fits == 0:
                    continue
                spare = max(0, cpu.left - u)
                if c == prev:
                    prev_spare, prev_fits = spare, fits
                elif (fits, spare) > (most_fits, most):
                    most_fits, most, chosen = fits, spare, c
            if chosen is None and prev_spare < 0:
                continue
            base = self.energy(domain, p, None)
            if prev_spare >= 0:
                prev_delta = self.energy(domain, p, prev)
                if prev_delta < base:
                    return prev
                prev_delta -= base
                prev_cap = cap
                best_delta = min(best_delta, prev_delta)
            if chosen is not None and most > prev_spare:
                if most_fits < best_fits:
                    continue
                if most_fits < 0 and cap <= best_cap:
                    continue
                delta = self.energy(domain, p, chosen)
                if delta < base:
                    return prev
                delta -= base
                if most_fits > 0 and best_fits > 0 and delta >= best_delta:
                    continue
                best, best_delta, best_fits, best_cap = chosen, delta, most_fits, cap
        if best_fits > prev_fits:
            return best
        if best_fits > 0 and best_delta < prev_delta:
            return best
        if best_fits < 0 and best_cap > prev_cap:
            return best
        return prev

    def wake_affine(self, p, waker, sync):
        w, prev = self.cpus[waker], self.cpus[p.prev]
        if w.idle and w.cache == prev.cache:
            return p.prev if prev.idle else waker
        if sync and w.queued + w.n_rt - w.delayed == 1:
            return waker
        if prev.idle:
            return p.prev
        here = w.load
        if sync:
            current = w.current_load or 0
            if current > here:
                return waker
            here -= current
        here = (here + p.load) * 100 * prev.left
        there = (prev.load - p.load) * 108 * w.left + (1 if sync else 0)
        return waker if here < there else p.prev

    def select(self, p, waker, sync, eas=True):
        if eas and not self.overutilised:
            return self.feec(p, waker)
        target = p.prev
        if waker in p.allowed and waker != p.prev:
            target = self.wake_affine(p, waker, sync)
        cpus = self.cpus

        def good(c):
            return cpus[c].idle and (not self.asymmetric or self.task_fits(p, c) > 0)

        if good(target):
            return target
        if p.prev != target and cpus[p.prev].cache == cpus[target].cache and good(p.prev):
            return p.prev
        recent, p.recent = p.recent, p.prev
        near = recent not in (-1, p.prev, target) and cpus[recent].cache == cpus[target].cache
        if near and recent in p.allowed and good(recent):
            return recent
        wrapped = [(target + k) % len(cpus) for k in range(len(cpus) + 1)]
        if not self.asymmetric:
            near = [c for c in wrapped[1:] if cpus[c].cache == cpus[target].cache]
            return next((c for c in near if c in p.allowed and cpus[c].idle), target)
        found = [c for c in wrapped[:-1] if c in self.span(target) and c in p.allowed and cpus[c].idle]
        best = None
        for c in found:
            fits = self.task_fits(p, c)
            if fits > 0:
                return c
            rank = (-fits, cpus[c].actual if fits < 0 else cpus[c].left)
            if best is None or rank > best[0]:
                best = rank, c
        return target if best is None else best[1]


@dataclass
class Governor:
    """10: one policy."""

    machine: Machine
    domain: Domain
    rate_limit: int
    low: int
    high: int
    tick: int = 4_000_000
    next: int = 0
    raw: int = 0
    last: int = 0
    need: bool = False
    limits_changed: bool = False

    def update(self, c, now, io):
        """Return the frequency that the driver sets, or None."""
        cpu = self.machine.cpus[c]
        self._bookkeeping(cpu, now, io)
        cpu.last_update = now
        if cpu.dl_bw * 1024 // (1 << 20) > cpu.bw_min:
            self.need = True
        if self.limits_changed:
            self.limits_changed = False
            self.need = True
        elif not self.need and now - self.last < self.rate_limit:
            return None
        for number in self.domain.cpus:
            self._ask(self.machine.cpus[number], now)
        highest = max(self.machine.cpus[number].wanted for number in self.domain.cpus)
        raw = self.raw
        f = self.domain.fmax * highest // cpu.capacity
        if f == self.raw and not self.need:
            result = self.next
        else:
            self.raw = f
            result = self.resolve(f)
        if len(self.domain.cpus) == 1 and self._hold(cpu) and result < self.next and not self.need:
            result, self.raw = self.next, raw
        self.need = False
        if result == self.next:
            return None
        self.next, self.last = result, now
        return max(self.low, min(self.high, result))

    def _bookkeeping(self, cpu, now, io):
        if cpu.boost > 0 and now - cpu.last_update > self.tick:
            cpu.boost, cpu.pending = (128 if io else 0), int(io)
        elif io and not cpu.pending:
            cpu.pending = 1
            cpu.boost = min(1024, 2 * cpu.boost) if cpu.boost else 128

    def _boost(self, cpu, now):
        if cpu.boost == 0:
            return 0
        if now - cpu.last_update > self.tick:
            cpu.boost = cpu.pending = 0
            return 0
        if not cpu.pending:
            cpu.boost //= 2
            if cpu.boost < 128:
                cpu.boost = 0
                return 0
        cpu.pending = 0
        return cpu.boost * cpu.capacity // 1024

    def _ask(self, cpu, now):
        boost = self._boost(cpu, now)
        u, low, high = self.machine.effective(cpu.number, self.machine.util(cpu.number, None, None, True))
        cpu.wanted = self.machine.perf(max(u, boost), low, high)
        cpu.bw_min = low

    def _hold(self, cpu):
        util = self.machine.util(cpu.number, None, None, False)
        if self.machine.uclamp and cpu.cmax != 1024 and util + cpu.rt >= cpu.cmax:
            return False
        held = cpu.idle_calls == cpu.saved_idle_calls
        cpu.saved_idle_calls = cpu.idle_calls
        return held

    def resolve(self, f):
        f = max(self.low, min(self.high, f))
        everything = [opp[0] for opp in self.domain.opps]
        for opps in ([opp[0] for opp in self.domain.opps if not opp[3]], everything):
            found = next((khz for khz in opps if khz >= f), opps[-1])
            if self.low <= found <= self.high:
                return found
        return found
