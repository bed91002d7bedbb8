"""Drawn machines with whatever may be running on them: as objects of ``tests.sched_model`` and as the host's arrays."""

from hypothesis import strategies as st

from scheduler import kernel_capacity
from scheduler import kernel_state as ks
from simcore.app import sched_machine
from tests.sched_model import Cpu, Domain, Machine, Task

P, RUNNING = 0, 1
LEVELS = st.one_of(st.sampled_from([0, 0, 0, 1, 20, 100, 205, 410, 512, 819, 820, 1024, 1126]), st.integers(0, 1300))
SMALL = st.one_of(st.just(0), st.just(0), st.just(0), LEVELS)
CLAMP_MINS = st.sampled_from([0, 0, 0, 100, 400, 500, 900, 1024])
CLAMP_MAXES = st.sampled_from([1024, 1024, 1024, 50, 256, 400, 512, 900])
LOADS = st.one_of(st.sampled_from([0, 15, 1024]), st.integers(0, 5000))

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


@st.composite
def platforms(draw):
    """Draw up to three perf domains in any order of CPUs; small figures, so that costs and capacities tie."""
    domain_of = draw(st.lists(st.integers(0, draw(st.integers(0, 2))), min_size=1, max_size=7))
    domains = sorted(set(domain_of))
    pds, figures = [], {}
    for domain in domains:
        khz = sorted(draw(st.sets(st.integers(1, 12), min_size=1, max_size=5)))
        power = sorted(draw(st.lists(st.integers(1, 60), min_size=len(khz), max_size=len(khz))))
        figures[domain] = draw(st.sampled_from([1, 2, 3, 4])), khz[-1]
        cpus = [cpu for cpu, number in enumerate(domain_of) if number == domain]
        pds.append({"cpus": cpus, "opps_khz_uw": [[k, 1000 * p] for k, p in zip(khz, power, strict=True)]})
    near = draw(st.sampled_from(["everyone", "domain", "pairs"]))
    groups = {
        "everyone": [0] * len(domain_of),
        "domain": domain_of,
        "pairs": [cpu // 2 for cpu in range(len(domain_of))],
    }
    masks = [sum(1 << cpu for cpu, other in enumerate(groups[near]) if other == group) for group in groups[near]]
    return {"ncpus": len(domain_of), "cpus": [list(figures[d]) for d in domain_of], "pds": pds, "llc": masks}


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


@st.composite
def loaded(draw, machine):
    """Draw what runs on the CPUs of a machine, and set it there."""
    for cpu in machine.cpus:
        cpu.pressure = draw(st.sampled_from([0, 0, 0, cpu.capacity // 3, cpu.capacity]))
        for name in ("util", "est", "run"):
            setattr(cpu, name, draw(LEVELS))
        for name in ("rt", "dl", "irq"):
            setattr(cpu, name, draw(SMALL))
        cpu.load = draw(LOADS)
        cpu.dl_bw = draw(st.sampled_from([0, 0, 1 << 10, 300_000]))
        cpu.queued = draw(st.sampled_from([0, 0, 1, 1, 2]))
        cpu.delayed = draw(st.integers(0, cpu.queued))
        cpu.n_rt = draw(st.sampled_from([0, 0, 0, 0, 1]))
        cpu.cmin, cpu.cmax = draw(CLAMP_MINS), draw(CLAMP_MAXES)
        cpu.clamp_idle = draw(st.integers(0, 1))
        cpu.renew()


@st.composite
def scenes(draw):
    """Draw ``(platform, machine, thread, waker)``; on the waker's CPU a thread may run."""
    platform = draw(platforms())
    machine = model_of(platform, draw(st.booleans()))
    draw(loaded(machine))
    numbers = st.integers(0, platform["ncpus"] - 1)
    everyone = set(range(platform["ncpus"]))
    p = Task(draw(numbers), draw(st.one_of(st.just(everyone), st.sets(numbers, min_size=1))), recent=draw(numbers))
    for name in ("util", "est", "run"):
        setattr(p, name, draw(LEVELS))
    p.load = draw(LOADS)
    p.cmin, p.cmax = draw(CLAMP_MINS), draw(CLAMP_MAXES)
    waker = draw(numbers)
    machine.cpus[waker].current_load = draw(st.one_of(st.none(), LOADS))
    return platform, machine, p, waker


def state_of(platform, machine, p=None):
    """Return the arrays of a scene: the thread P, and RUNNING on the CPU that runs one."""
    state = sched_machine.build(platform, 2, machine.uclamp)
    handle = ks.handle_of(state)
    for cpu, row in zip(machine.cpus, state.cpu, strict=True):
        for name, column in OF_CPU.items():
            row[column] = getattr(cpu, name)
        row[ks.N_RUNNABLE] = cpu.queued - cpu.delayed
        if cpu.current_load is not None:
            row[ks.CURRENT] = RUNNING
            state.task[RUNNING, ks.SE_LOAD] = cpu.current_load
        kernel_capacity.renew_capacity(handle, cpu.number)
    if p is not None:
        for name, column in OF_TASK.items():
            state.task[P, column] = getattr(p, name)
        state.allowed[P] = [cpu.number in p.allowed for cpu in machine.cpus]
    state.glob[ks.OVERUTILISED] = machine.overutilised
    return state, handle
