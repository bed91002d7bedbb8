"""Random machines with whatever may be running on them: as objects of ``tests.sched_model`` and as the host's arrays.

A scene is made from a number, quickly, so that tests can look at thousands: half of the rules are about ties and rare
neighbours. Figures are small or repeated for that.
"""

import random

from scheduler import kernel_capacity
from scheduler import kernel_state as ks
from scheduler.kernel_handle import handle_of
from simcore.app import sched_machine
from tests.sched_model import Cpu, Domain, Machine, Task

P, RUNNING = 0, 1
CLAMP_MINS = (0, 0, 0, 100, 400, 500, 900, 1024)
CLAMP_MAXES = (1024, 1024, 1024, 50, 256, 400, 512, 900)

OF_CPU = {
    "pressure": ks.PRESSURE,
    "util": ks.CFS_UTIL,
    "est": ks.CFS_EST,
    "run": ks.CFS_RUNNABLE,
    "load": ks.CFS_LOAD,
    "rt": ks.RT_UTIL,
    "dl": ks.DL_UTIL,
    "irq": ks.IRQ_UTIL,
    "dl_bw": ks.DL_BANDWIDTH,
    "queued": ks.N_QUEUED,
    "n_rt": ks.N_RT,
    "cmin": ks.RQ_CLAMP_MIN,
    "cmax": ks.RQ_CLAMP_MAX,
    "clamp_idle": ks.RQ_CLAMP_IDLE,
    "idle_calls": ks.IDLE_CALLS,
}
OF_TASK = {
    "util": ks.SE_UTIL,
    "est": ks.UTIL_EST,
    "run": ks.SE_RUNNABLE,
    "load": ks.SE_LOAD,
    "cmin": ks.CLAMP_MIN,
    "cmax": ks.CLAMP_MAX,
    "recent": ks.RECENT_CPU,
    "prev": ks.CPU,
}


class Scene:
    """A platform, what runs on it, a thread that wakes up, and the CPU that wakes it."""

    def __init__(self, seed):
        self.rng = rng = random.Random(seed)
        self.platform = random_platform(rng)
        self.machine = model_of(self.platform, rng.random() < 0.5)
        self.calm = rng.random() < 0.5
        for cpu in self.machine.cpus:
            self.load(cpu)
        numbers = range(self.platform["ncpus"])
        self.waker = rng.choice(numbers)
        allowed = set(numbers) if rng.random() < 0.6 else {c for c in numbers if rng.random() < 0.6}
        self.p = Task(rng.choice(numbers), allowed or {rng.choice(numbers)}, recent=rng.choice((-1, *numbers)))
        for name in ("util", "est", "run"):
            setattr(self.p, name, self.level(1024) // rng.choice((1, 2, 4, 4)))
        self.p.load = rng.choice((0, 15, 100, 1024))
        self.p.cmin, self.p.cmax = rng.choice(CLAMP_MINS), rng.choice(CLAMP_MAXES)
        if rng.random() < 0.4:
            self.machine.cpus[self.waker].current_load = rng.choice((0, 100, 1000, 3000))

    def level(self, capacity):
        """Return a utilisation, often zero, at the margin or beyond the capacity."""
        rng = self.rng
        if self.calm:
            return rng.choice((0, 0, capacity // 8, capacity // 4, rng.randint(0, capacity // 2)))
        return rng.choice((0, capacity // 5, capacity * 4 // 5 - 1, capacity, capacity + 102, rng.randint(0, 1300)))

    def load(self, cpu):
        """Let anything run on a CPU; sometimes what runs on another one, too."""
        rng = self.rng
        twin = rng.choice(self.machine.cpus)
        if twin.number < cpu.number and rng.random() < 0.35:
            for name in set(OF_CPU) - {"pressure", "idle_calls"} | {"delayed"}:
                setattr(cpu, name, getattr(twin, name))
        else:
            for name in ("util", "est", "run"):
                setattr(cpu, name, self.level(cpu.capacity))
            for name in ("rt", "dl", "irq"):
                setattr(cpu, name, self.level(cpu.capacity) if rng.random() < 0.25 else 0)
            cpu.load = rng.choice((0, 100, 115, 1024, 1100, 3000))
            cpu.dl_bw = rng.choice((0, 0, 0, 1 << 10, 300_000))
            cpu.queued = rng.choice((0, 0, 1, 1, 2))
            cpu.delayed = rng.randint(0, cpu.queued) if rng.random() < 0.3 else 0
            cpu.n_rt = int(rng.random() < 0.1)
            cpu.cmin, cpu.cmax = rng.choice(CLAMP_MINS), rng.choice(CLAMP_MAXES)
            cpu.clamp_idle = rng.randint(0, 1)
        cpu.pressure = rng.choice((0, 0, 0, cpu.capacity // 3, cpu.capacity))
        cpu.renew()

    def arrays(self):
        """Return state and handle: the thread is P, and RUNNING is on the CPU that runs one."""
        machine, p = self.machine, self.p
        state = sched_machine.build(self.platform, 2, machine.uclamp)
        handle = handle_of(state)
        for cpu in machine.cpus:
            self.set_cpu(state, cpu)
            if cpu.current_load is not None:
                state.cpu[cpu.number, ks.CURRENT] = RUNNING
                state.task[RUNNING, ks.SE_LOAD] = cpu.current_load
            kernel_capacity.renew_capacity(handle, cpu.number)
        for name, column in OF_TASK.items():
            state.task[P, column] = getattr(p, name)
        state.allowed[P] = [cpu.number in p.allowed for cpu in machine.cpus]
        state.glob[ks.OVERUTILISED] = machine.overutilised
        return state, handle

    @staticmethod
    def set_cpu(state, cpu):
        for name, column in OF_CPU.items():
            state.cpu[cpu.number, column] = getattr(cpu, name)
        state.cpu[cpu.number, ks.N_RUNNABLE] = cpu.queued - cpu.delayed


def random_platform(rng):
    """Return up to three perf domains in any order of CPUs, and caches of everyone, of a domain or of pairs."""
    ncpus = rng.randint(1, 7)
    kinds = rng.randint(1, 3)
    domain_of = [rng.randrange(kinds) for _ in range(ncpus)]
    speeds = rng.choice(((2,), (1, 2), (1, 2, 3, 4)))
    pds, figures = [], {}
    for domain in sorted(set(domain_of)):
        khz = sorted(rng.sample(range(1, 13), rng.randint(1, 5)))
        if rng.random() < 0.5:
            khz[-1] = 12
        power = sorted(rng.randint(1, 60) for _ in khz)
        figures[domain] = [rng.choice(speeds), khz[-1]]
        cpus = [cpu for cpu, number in enumerate(domain_of) if number == domain]
        pds.append({"cpus": cpus, "opps_khz_uw": [[k, 1000 * p] for k, p in zip(khz, power, strict=True)]})
    groups = rng.choice(([0] * ncpus, domain_of, [cpu // 2 for cpu in range(ncpus)]))
    masks = [sum(1 << cpu for cpu, other in enumerate(groups) if other == group) for group in groups]
    return {"ncpus": ncpus, "cpus": [figures[domain] for domain in domain_of], "pds": pds, "llc": masks}


def model_of(platform, uclamp):
    """Return the platform as objects, with idle CPUs."""
    raw = [dmips * khz for dmips, khz in platform["cpus"]]
    capacities = [1024 * value // max(raw) for value in raw]
    cpus = [Cpu(c, capacities[c], platform["llc"][c]) for c in range(platform["ncpus"])]
    domains = []
    for pd in platform["pds"]:
        top = pd["opps_khz_uw"][-1][0]
        opps: list[tuple[int, int, int, bool]] = []
        least = 1 << 100
        for khz, uw in reversed(pd["opps_khz_uw"]):
            performance = max(1, capacities[pd["cpus"][0]] * khz // top)
            cost = uw * 10 // performance
            opps.insert(0, (khz, performance, cost, cost >= least))
            least = min(least, cost)
        domains.append(Domain(pd["cpus"], top, opps))
    return Machine(cpus, domains, uclamp)
