"""Wakeup placement, energy model and clamps: recorded vectors, a model that shares no code, and real platforms."""

import copy
import dataclasses
import gzip
import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pmu.bank import CounterBank
from scheduler import energy, kernel_capacity, kernel_clamp, kernel_energy, kernel_wake, layout
from scheduler import kernel_state as ks
from scheduler.bare import bare_state
from scheduler.kernel_handle import handle_of
from simcore.app import sched_machine, sched_place
from simcore.errors import InputError
from simcore.loader import load_platform
from simcore.scenario import Scenario
from tests.sched_model import Task
from tests.sched_scenes import P, Scene, model_of

KEPT = Path(__file__).parent / "data" / "vectors"
SHARED = Path(__file__).parents[2] / "shared" / "vectors"
SEEDS = range(5000)


def content_of(directory):
    path = directory / "sched_eas.json.gz"
    if not path.exists():
        pytest.skip(f"the full set of recorded vectors is not here: {path.name}")
    return json.loads(gzip.decompress(path.read_bytes()))


@pytest.fixture(scope="module")
def kept():
    return content_of(KEPT)


def difference(vector, content):
    found = sched_place.mismatch(vector, content)
    assert found is not None
    return found


# Recorded vectors


@pytest.mark.parametrize("directory", (KEPT, SHARED), ids=("kept", "all"))
def test_recorded_vectors_replay(directory):
    content = content_of(directory)
    sched_place.check(content, "eas")
    found = {vector["id"]: sched_place.mismatch(vector, content) for vector in content["vectors"]}
    assert len(found) == content["count"]
    assert {name: wrong for name, wrong in found.items() if wrong} == {}


def paths(value, path=()):
    """Yield the path of each number in nested lists and objects."""
    if isinstance(value, int):
        yield path
        return
    for key, entry in value.items() if isinstance(value, dict) else enumerate(value):
        yield from paths(entry, (*path, key))


def changed(value, path, change):
    """Return a copy with the entry at a path changed."""
    value = copy.deepcopy(value)
    holder = value
    for key in path[:-1]:
        holder = holder[key]
    holder[path[-1]] = change(holder[path[-1]])
    return value


def test_each_recorded_number_is_compared(kept):
    vector = next(vector for vector in kept["vectors"] if vector["platform"] == "rk3399")
    numbers = list(paths(vector["result"]))
    assert len(numbers) > 50
    for path in numbers:
        assert difference(changed(vector, ("result", *path), lambda number: number + 1), kept)[1] == path[0]


def test_what_the_kernel_made_of_a_platform_is_compared(kept):
    vector = next(vector for vector in kept["vectors"] if vector["platform"] == "rk3399")
    number = next(n for n, platform in enumerate(kept["platforms"]) if platform["name"] == "rk3399")
    places = {
        "capacity": ("capacity", 0),
        "pd_order": ("pd_order", 0),
        "asym_span": ("asym_span",),
        "em of pd 0": ("pds", 0, "em", 1, 3),
        "em_flags of pd 1": ("pds", 1, "em_flags"),
        "opps_khz_uw of pd 0": ("pds", 0, "coefficient"),
    }
    for name, path in places.items():
        content = changed(kept, ("platforms", number, *path), lambda entry: entry ^ 1)
        assert difference(vector, content)[1] == name


VECTOR = ("vectors", 0)
PLATFORM = ("platforms", 0)
MALFORMED = [
    (("schema",), "hetpmu-vectors/1", "schema"),
    (("part",), "pelt", "part"),
    (("count",), 1, "count"),
    (("notes",), "", "'notes'"),
    (("vectors",), [], "no vector"),
    (("vectors",), {}, "vectors"),
    (("platforms",), [], "no platform"),
    ((*PLATFORM, "name"), "rk3399", "'rk3399' stands there twice"),
    ((*PLATFORM, "name"), 3, "platform number 0, name"),
    ((*PLATFORM, "ncpus"), 0, "ncpus"),
    ((*PLATFORM, "ncpus"), 7, "cpus"),
    ((*PLATFORM, "cpus", 2), [530], "cpus, cpu 2"),
    ((*PLATFORM, "cpus", 2, 1), 1799999, "CPU 2 with 1799999 kHz"),
    ((*PLATFORM, "cpus", 2, 0), 1.5, "cpus, cpu 2"),
    ((*PLATFORM, "llc", 1), 254, "llc, cpu 0"),
    ((*PLATFORM, "llc", 1), True, "llc"),
    ((*PLATFORM, "pd_order"), [0], "pd_order"),
    ((*PLATFORM, "domains", 0), [255], "domains, number 0"),
    ((*PLATFORM, "asym_span"), 256, "asym_span"),
    ((*PLATFORM, "no_em"), 1, "no_em"),
    ((*PLATFORM, "no_em"), True, "pd 0"),
    ((*PLATFORM, "pds", 0, "cpus"), [0, 1, 2], "each CPU once"),
    ((*PLATFORM, "pds", 0, "cpus"), [1, 0, 2, 3], "ascending"),
    ((*PLATFORM, "pds", 0, "cpus", 3), 8, "pd 0, cpus"),
    ((*PLATFORM, "pds", 0, "opps_khz_uw", 1, 0), 1008000, "ascending"),
    ((*PLATFORM, "pds", 0, "opps_khz_uw", 1), [1200000], "opps_khz_uw 1"),
    ((*PLATFORM, "pds", 0, "uv"), [675000], "uv"),
    ((*PLATFORM, "pds", 0, "coefficient"), -1, "coefficient"),
    ((*PLATFORM, "pds", 0, "em", 0), [1, 2, 3, 4], "em 0"),
    ((*PLATFORM, "pds", 0, "em_flags"), None, "em_flags"),
    ((*PLATFORM, "pds", 0, "voltage"), 1, "'voltage'"),
    ((*VECTOR, "id"), "", "vector number 0, id"),
    ((*VECTOR, "platform"), "rk3588s", "'rk3588s'"),
    ((*VECTOR, "uclamp_used"), 0, "uclamp_used"),
    ((*VECTOR, "pressure"), {"9": 1}, '\'"9"\'|"9" is no CPU'),
    ((*VECTOR, "pressure"), {"0": 513}, "pressure, cpu 0"),
    ((*VECTOR, "pressure"), [], "pressure"),
    ((*VECTOR, "cpus"), [], "0 CPUs"),
    ((*VECTOR, "cpus", 1, "util_avg"), -1, "cpus, cpu 1, util_avg"),
    ((*VECTOR, "cpus", 1, "uclamp_max"), 1025, "uclamp_max"),
    ((*VECTOR, "cpus", 1, "uclamp_idle"), 2, "uclamp_idle"),
    ((*VECTOR, "cpus", 1, "extra"), 2, "'extra'"),
    ((*VECTOR, "task", "prev_cpu"), 4, "prev_cpu"),
    ((*VECTOR, "task", "affinity"), 0, "affinity"),
    ((*VECTOR, "task", "affinity"), 16, "affinity"),
    ((*VECTOR, "task", "uclamp_min"), -2, "uclamp_min"),
    ((*VECTOR, "task", "load_avg"), "1", "load_avg"),
    ((*VECTOR, "waker_cpu"), 4, "waker_cpu"),
    ((*VECTOR, "sync"), 2, "sync"),
    ((*VECTOR, "overutilized"), True, "overutilized"),
    ((*VECTOR, "result", "feec"), -1, "feec"),
    ((*VECTOR, "result", "task_fits"), [1, 1, 1, 2], "task_fits"),
    ((*VECTOR, "result", "capacity_of"), [1, 1, 1], "capacity_of"),
    ((*VECTOR, "result", "pds", 0, "base"), [1], "pds, number 0, base"),
    ((*VECTOR, "result", "pds", 0, "dst", "x"), [1, 1], "dst"),
    ((*VECTOR, "result", "pds", 0, "cost"), 1, "'cost'"),
    ((*VECTOR, "wake_flags"), 1, "'wake_flags'"),
]


@pytest.mark.parametrize("path, value, message", MALFORMED, ids=["-".join(map(str, row[0])) for row in MALFORMED])
def test_what_has_no_meaning_is_refused(kept, path, value, message):
    """The first vector is that of the document, whose platform has four CPUs."""
    content = copy.deepcopy(kept)
    holder = content
    for key in path[:-1]:
        holder = holder[key]
    holder[path[-1]] = value
    with pytest.raises(InputError, match=message) as found:
        sched_place.check(content, "a file")
    assert str(found.value).startswith("a file: ") or "a file" in str(found.value)


@pytest.mark.parametrize(
    "path",
    [
        ("schema",),
        ("platforms",),
        (*PLATFORM, "llc"),
        (*PLATFORM, "pds", 0, "em"),
        (*VECTOR, "platform"),
        (*VECTOR, "sync"),
        (*VECTOR, "task", "affinity"),
        (*VECTOR, "cpus", 0, "dl_bw"),
        (*VECTOR, "result", "select"),
        (*VECTOR, "result", "pds", 0, "dst"),
    ],
)
def test_what_is_missing_is_refused(kept, path):
    content = copy.deepcopy(kept)
    holder = content
    for key in path[:-1]:
        holder = holder[key]
    del holder[path[-1]]
    with pytest.raises(InputError, match=f"'{path[-1]}'"):
        sched_place.check(content)


# The worked example of sched-energy.rst


def test_the_documents_worked_example(kept):
    """The kernel's unit is 10000 of the document's, which truncates for each CPU and rounds 87.97 up once."""
    platform = next(row for row in kept["platforms"] if row["name"] == "doc-example-2")
    state = sched_machine.build(platform, 1, False)
    handle = handle_of(state)
    utils = {"to CPU1": (200, 300, 600, 500), "to CPU3": (200, 100, 600, 700), "stay CPU0": (400, 100, 600, 500)}
    assert [row["case"] for row in kept["documented_example"]] == list(utils)
    for row in kept["documented_example"]:
        energies, truncated = [], 0
        for domain, name in enumerate(("little", "big")):
            values = utils[row["case"]][2 * domain : 2 * domain + 2]
            assert (max(values), sum(values)) == (row[name]["max_util"], row[name]["sum_util"])
            energies.append(int(kernel_energy.energy(handle, domain, max(values), sum(values))))
            assert energies[-1] == row[name]["em_cpu_energy"]
            opp = state.opp[domain, int(kernel_energy.opp_for(handle, domain, max(values)))]
            truncated += sum(value * int(opp[ks.MICROWATT]) // 1000 // int(opp[ks.PERFORMANCE]) for value in values)
        assert sum(energies) == row["total_em"]
        assert sum(energies) / 10_000 == pytest.approx(row["total_in_doc_units"])
        assert truncated == row["per_cpu_truncated"]
        assert row["documented"] - truncated in (0, 1)


# The energy model of real platforms


def state_on(platform, scheduler="eas"):
    """Return the arrays that a run on a platform starts with."""
    scenario = Scenario(platform=platform.id, scheduler=scheduler)
    return layout.build_state(platform, scenario, CounterBank(1), [8], frozenset(), 8, [1], 1, 3)


def test_the_layout_builds_the_recorded_energy_models(kept):
    """For each recorded platform that is ours too: tables, capacities, visiting order, caches."""
    ours = [row for row in kept["platforms"] if not row["name"].startswith("doc")]
    assert {row["name"] for row in ours} >= {"rk3588", "hikey960", "gs101", "rk3399", "rk3576"}
    for row in ours:
        state = state_on(load_platform(row["name"]))
        recorded = sched_machine.build(row, 3, False)
        assert [(name, got) for name, expected, got in sched_machine.compared(row, state) if expected != got] == []
        assert np.array_equal(state.opp, recorded.opp)
        assert np.array_equal(state.member, recorded.member)
        columns = [ks.N_OPPS, ks.N_MEMBERS, ks.VISITED, ks.MAX_KHZ, ks.LOW_KHZ, ks.HIGH_KHZ, ks.RATE_LIMIT_NS]
        assert np.array_equal(state.dom[:, columns], recorded.dom[:, columns])
        same = state.cpu[:, None, ks.CACHE] == state.cpu[None, :, ks.CACHE]
        assert [sched_machine.mask_of(np.flatnonzero(mask)) for mask in same] == row["llc"]
        assert state.cpu[:, ks.DOMAIN].tolist() == recorded.cpu[:, ks.DOMAIN].tolist()
        assert state.glob[ks.EAS_ON] == 1


@pytest.mark.parametrize("name", ["juno-r1", "sm8150", "apple-m1", "bcm2711"])
def test_without_sourced_figures_there_is_no_energy_model(name):
    platform = load_platform(name)
    state = state_on(platform)
    assert not energy.has_energy_model(platform)
    assert not state.opp[:, :, [ks.MICROWATT, ks.COST, ks.INEFFICIENT]].any()
    assert state.opp[:, :, ks.OPP_KHZ].any()
    assert state.glob[ks.EAS_ON] == 0


def test_a_perf_domain_of_two_capacities_has_no_energy_model():
    platform = load_platform("hikey960")
    big = platform.perf_domains[1]
    both = dataclasses.replace(big, cpus=tuple(range(8)))
    cpus = tuple(dataclasses.replace(cpu, perf_domain=0) for cpu in platform.cpus)
    mixed = dataclasses.replace(platform, perf_domains=(both,), cpus=cpus)
    assert len(set(mixed.capacities())) == 2
    assert energy.powers(platform, big) is not None
    assert energy.powers(mixed, both) is None


def test_eas_needs_cpus_of_more_than_one_capacity_and_its_scheduler():
    hikey = state_on(load_platform("hikey620"))
    assert hikey.opp[:, :, ks.COST].any()
    assert hikey.glob[ks.EAS_ON] == hikey.glob[ks.ASYMMETRIC] == 0
    assert state_on(load_platform("rk3588"), "eevdf").glob[ks.EAS_ON] == 0


def test_the_margin_is_80_percent_and_can_be_changed():
    state = state_on(load_platform("rk3588"))
    assert [int(kernel_capacity.fits(state.glob, state.cpu, 7, util, 0, 1024)) for util in (819, 820)] == [1, 0]
    state.glob[ks.MARGIN] = 1024
    assert [int(kernel_capacity.fits(state.glob, state.cpu, 7, util, 0, 1024)) for util in (1023, 1024)] == [1, 0]


# Against the model


OF_MODEL = {
    "util": "util_avg",
    "est": "util_est",
    "run": "runnable_avg",
    "load": "load_avg",
    "rt": "rt_util",
    "irq": "irq_util",
    "dl_bw": "dl_bw",
    "queued": "nr_running",
    "cmin": "uclamp_min",
    "cmax": "uclamp_max",
    "clamp_idle": "uclamp_idle",
}


def modelled(vector, platform):
    """Return a recorded landscape as the model has it: machine and thread."""
    machine = model_of(platform, vector["uclamp_used"])
    for cpu, row in zip(machine.cpus, vector["cpus"], strict=True):
        for name, recorded in OF_MODEL.items():
            setattr(cpu, name, row[recorded])
        cpu.pressure = vector["pressure"].get(str(cpu.number), 0)
        cpu.renew()
    row = vector["task"]
    allowed = {cpu.number for cpu in machine.cpus if row["affinity"] >> cpu.number & 1}
    p = Task(row["prev_cpu"], allowed, row["util_avg"], row["util_est"], row["runnable_avg"], row["load_avg"])
    p.cmin, p.cmax = max(0, row["uclamp_min"]), row["uclamp_max"] if row["uclamp_max"] >= 0 else 1024
    machine.overutilised = bool(vector["overutilized"])
    return machine, p


def test_the_model_agrees_with_the_recorded_vectors(kept):
    for vector in kept["vectors"]:
        platform = next(row for row in kept["platforms"] if row["name"] == vector["platform"])
        machine, p = modelled(vector, platform)
        result = vector["result"]
        assert machine.feec(p, vector["waker_cpu"]) == result["feec"]
        assert machine.select(p, vector["waker_cpu"], vector["sync"]) == result["select"]
        assert [machine.overutil(cpu.number) for cpu in machine.cpus] == result["overutil"]
        for domain, pd in zip(machine.order, result["pds"], strict=True):
            assert machine.busy(domain, p) == pd["pd_busy"]
            assert machine.energy(domain, p, None) == pd["base"][1]
            assert {str(c): machine.energy(domain, p, c) for c in domain.cpus} == {
                c: e for c, (_, e) in pd["dst"].items()
            }


def test_capacity_and_utilisation_are_the_models():
    for seed in SEEDS:
        scene = Scene(seed)
        machine, p = scene.machine, scene.p
        state, handle = scene.arrays()
        for cpu in machine.cpus:
            c = cpu.number
            assert int(state.cpu[c, ks.CAPACITY_LEFT]) == cpu.left
            for boost in (False, True):
                assert int(kernel_capacity.fair_util(state.cpu, c, int(boost))) == machine.util(c, None, None, boost)
                for target in {ks.NONE, p.prev, c}:
                    got = kernel_capacity.util_with(state.cpu, c, state.task, P, target, int(boost))
                    assert int(got) == machine.util(c, p, None if target < 0 else target, boost), seed
            for util in (0, cpu.util, 1300):
                got = kernel_capacity.effective_util(state.glob, state.cpu, c, util)
                assert tuple(map(int, got)) == machine.effective(c, util), seed
            for util in (cpu.util, cpu.left * 4 // 5, p.expected):
                for low, high in ((p.cmin, p.cmax), (1024, 300), (0, cpu.capacity)):
                    got = kernel_capacity.fits(state.glob, state.cpu, c, util, low, high)
                    assert int(got) == machine.fits(util, low, high, c), seed
            assert bool(kernel_capacity.is_overutilised(handle, c)) == machine.overutil(c), seed
            bigger = any(machine.cpus[other].capacity > cpu.capacity for other in p.allowed)
            assert bool(kernel_capacity.is_misfit(handle, c, P)) == (bigger and machine.task_fits(p, c) <= 0), seed


def test_energies_are_the_models():
    for seed in SEEDS:
        scene = Scene(seed)
        machine, p = scene.machine, scene.p
        _, handle = scene.arrays()
        added = int(kernel_energy.busy_with(handle, P, p.prev))
        assert added == machine.task_busy(p), seed
        for d, domain in enumerate(machine.domains):
            without = kernel_energy.survey(handle, d, P)
            assert int(without[0]) == machine.busy(domain, p), seed
            for target in (ks.NONE, *domain.cpus):
                got = int(kernel_energy.energy_with(handle, d, P, target, without, added))
                assert got == machine.energy(domain, p, None if target < 0 else target), seed


def test_the_efficient_cpu_is_the_models():
    """Whether or not capacities differ; many threads really move."""
    moved = 0
    for seed in SEEDS:
        scene = Scene(seed)
        p = scene.p
        _, handle = scene.arrays()
        chosen = int(kernel_wake.find_efficient(handle, P, p.prev, scene.waker))
        assert chosen == scene.machine.feec(p, scene.waker), seed
        assert chosen in p.allowed or chosen == p.prev
        moved += chosen != p.prev
    assert moved > len(SEEDS) // 10


def test_a_thread_stays_where_it_lowers_the_frequency():
    """Its upper clamp holds CPU 0 down; CPU 1, visited first, is promising but for its lower clamp."""
    scene = Scene(0)
    pds = [{"cpus": [cpu], "opps_khz_uw": [[3, 1000], [6, 4000], [12, 20000]]} for cpu in (0, 1)]
    scene.platform = {"ncpus": 2, "cpus": [[1, 12], [2, 12]], "pds": pds, "llc": [3, 3]}
    scene.machine = machine = model_of(scene.platform, True)
    scene.p = p = Task(0, {0, 1}, util=50, run=50, cmax=50)
    machine.cpus[0].util, machine.cpus[0].clamp_idle = 450, 1
    machine.cpus[1].queued, machine.cpus[1].cmin, machine.cpus[1].pressure = 1, 900, 324
    for cpu in machine.cpus:
        cpu.renew()
    little = machine.domains[0]
    assert machine.energy(little, p, 0) < machine.energy(little, p, None)
    assert machine.fits(50, 900, 1024, 1) == -1
    assert machine.feec(p, 0) == int(kernel_wake.find_efficient(scene.arrays()[1], P, 0, 0)) == 0


def test_the_selected_cpu_is_the_models():
    for seed in SEEDS:
        scene = Scene(seed)
        machine, p, rng = scene.machine, scene.p, scene.rng
        machine.overutilised, eas, sync = rng.random() < 0.8, rng.random() < 0.8, rng.random() < 0.5
        state, handle = scene.arrays()
        state.glob[ks.EAS_ON] = eas
        chosen = int(kernel_wake.select_cpu(handle, P, scene.waker, int(sync)))
        assert chosen == machine.select(p, scene.waker, sync, eas), seed
        assert int(state.task[P, ks.RECENT_CPU]) == p.recent, seed
        assert chosen in p.allowed or chosen == p.prev


def test_a_thread_wakes_up_where_it_may_run():
    """With one allowed CPU nothing is selected; the first allowed one stands in for a forbidden choice."""
    for seed in SEEDS:
        scene = Scene(seed)
        machine, p = scene.machine, scene.p
        state, handle = scene.arrays()
        recent = int(state.task[P, ks.RECENT_CPU])
        got = int(kernel_wake.wake_cpu(handle, P, scene.waker, 0))
        assert len(p.allowed) > 1 or state.task[P, ks.RECENT_CPU] == recent, seed
        chosen = p.prev if len(p.allowed) == 1 else machine.select(p, scene.waker, False, eas=machine.asymmetric)
        assert got == (chosen if chosen in p.allowed else min(p.allowed)), seed


@given(st.integers(0, 9999), st.integers(0, 2048), st.integers(0, 1 << 20), st.integers(0, 300), st.integers(0, 300))
def test_energy_never_falls_as_more_is_asked(seed, highest, busy, more, busier):
    """Efficient OPPs cost more the faster they are, and the top one is efficient."""
    scene = Scene(seed)
    _, handle = scene.arrays()
    for d in range(len(scene.machine.domains)):
        least = int(kernel_energy.energy(handle, d, highest, busy))
        assert int(kernel_energy.energy(handle, d, highest + more, busy)) >= least
        assert int(kernel_energy.energy(handle, d, highest, busy + busier)) >= least


def test_a_thread_without_utilisation_stays_where_it_was():
    state = state_on(load_platform("rk3588"))
    handle = handle_of(state)
    for prev in range(8):
        state.task[0, ks.CPU] = prev
        assert int(kernel_wake.select_cpu(handle, 0, 5, 0)) == prev


@pytest.mark.parametrize("name, wanted", [("hikey960", [2, 2, 4]), ("rk3588", [6, 6, 6])])
def test_on_idle_cpus_a_thread_goes_where_it_costs_least(name, wanted):
    """On the RK3588 the big cores' lowest OPP has the lowest cost (4442; LITTLE 4716), and CPUs 6-7 come first."""
    state = state_on(load_platform(name))
    handle = handle_of(state)
    chosen = []
    for util in (60, 300, 700):
        state.task[0, ks.SE_UTIL] = state.cpu[2, ks.CFS_UTIL] = util
        state.task[0, ks.CPU] = 2
        chosen.append(int(kernel_wake.select_cpu(handle, 0, 2, 0)))
    assert chosen == wanted


# What the root domain remembers


def test_the_flag_is_raised_by_one_cpu_and_lowered_by_all():
    for seed in SEEDS[:500]:
        scene = Scene(seed)
        state, handle = scene.arrays()
        eas = scene.rng.random() < 0.7
        state.glob[ks.EAS_ON] = eas
        over = [scene.machine.overutil(cpu.number) for cpu in scene.machine.cpus]
        kernel_capacity.note_overutilised(handle, scene.waker)
        assert bool(state.glob[ks.OVERUTILISED]) == (eas and over[scene.waker]), seed
        state.glob[ks.OVERUTILISED] = 1
        kernel_capacity.note_overutilised(handle, scene.waker)
        assert state.glob[ks.OVERUTILISED] == 1
        kernel_capacity.renew_overutilised(handle)
        assert bool(state.glob[ks.OVERUTILISED]) == (eas and any(over)), seed


# Clamps of a run queue

STAYS = st.lists(st.tuples(st.booleans(), st.integers(0, 9)), min_size=10, max_size=40)
VALUES = (0, 1, 100, 204, 205, 300, 409, 410, 614, 615, 819, 820, 1000, 1024)


@settings(max_examples=200)
@given(st.lists(st.tuples(st.sampled_from(VALUES), st.sampled_from(VALUES)), min_size=10, max_size=10), STAYS)
def test_a_run_queue_has_the_highest_clamps_of_its_threads(clamps, stays):
    """Exactly, as long as a bucket's threads agree; a bucket with several keeps the highest value seen there."""
    state = bare_state(1, 10)
    handle = handle_of(state)
    state.glob[ks.UCLAMP_USED] = 1
    state.cpu[0, ks.RQ_CLAMP_IDLE], state.cpu[0, ks.RQ_CLAMP_MAX] = 1, 1024
    state.task[:, [ks.CLAMP_MIN, ks.CLAMP_MAX]] = clamps
    there: set[int] = set()
    seen: list[dict[int, int]] = [{}, {}]
    last = 1024
    for joins, p in stays:
        if joins == (p in there):
            continue
        if joins:
            kernel_clamp.join_clamps(handle, 0, p)
            there.add(p)
        else:
            kernel_clamp.leave_clamps(handle, 0, p)
            there.remove(p)
        for clamp in (0, 1):
            buckets: dict[int, int] = {}
            for other in there:
                bucket = min(clamps[other][clamp] // 205, 4)
                buckets[bucket] = max(buckets.get(bucket, 0), clamps[other][clamp], seen[clamp].get(bucket, 0))
            seen[clamp] = buckets
        last = clamps[p][1] if not there else last
        row = state.cpu[0, [ks.RQ_CLAMP_MIN, ks.RQ_CLAMP_MAX, ks.RQ_CLAMP_IDLE]].tolist()
        assert row == [max(seen[0].values(), default=0), max(seen[1].values(), default=last), int(not there)]


def test_clamps_cost_nothing_while_nobody_uses_them():
    state = bare_state(1, 1)
    handle = handle_of(state)
    state.task[0, ks.CLAMP_MIN] = 512
    kernel_clamp.join_clamps(handle, 0, 0)
    kernel_clamp.leave_clamps(handle, 0, 0)
    assert not state.bucket.any()
    assert state.cpu[0, ks.RQ_CLAMP_MIN] == 0
