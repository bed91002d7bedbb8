"""schedutil: recorded vectors, and a model that shares no code."""

import copy
import gzip
import json
from pathlib import Path

import pytest

from scheduler import kernel_freq
from scheduler import kernel_state as ks
from simcore.app import sched_freq
from simcore.errors import InputError
from tests.sched_model import Governor
from tests.sched_scenes import Scene

KEPT = Path(__file__).parent / "data" / "vectors"
SHARED = Path(__file__).parents[2] / "shared" / "vectors"
SEEDS = range(1000)
MS = 1_000_000


def content_of(directory):
    path = directory / "sched_schedutil.json.gz"
    if not path.exists():
        pytest.skip(f"the full set of recorded vectors is not here: {path.name}")
    return json.loads(gzip.decompress(path.read_bytes()))


@pytest.fixture(scope="module")
def kept():
    return content_of(KEPT)


def difference(vector, content):
    found = sched_freq.mismatch(vector, content)
    assert found is not None
    return found


# Recorded vectors


@pytest.mark.parametrize("directory", (KEPT, SHARED), ids=("kept", "all"))
def test_recorded_vectors_replay(directory):
    content = content_of(directory)
    sched_freq.check(content, "schedutil")
    found = {vector["id"]: sched_freq.mismatch(vector, content) for vector in content["vectors"]}
    assert len(found) == content["count"]
    assert {name: wrong for name, wrong in found.items() if wrong} == {}


def test_each_recorded_number_of_each_step_is_compared(kept):
    vector = kept["vectors"][0]
    for number, step in enumerate(vector["steps"]):
        for name in step["result"]:
            other = copy.deepcopy(vector)
            other["steps"][number]["result"][name] += 1
            at, op, expected, got = difference(other, kept)
            assert at == number
            assert "result" not in op
            assert {key for key in got if got[key] != expected[key]} == {name}


def test_what_the_kernel_made_of_a_platform_is_compared(kept):
    content = copy.deepcopy(kept)
    vector = next(vector for vector in content["vectors"] if vector["energy_model"])
    platform = next(row for row in content["platforms"] if row["name"] == vector["platform"])
    platform["pds"][1]["em"][0][3] += 1
    assert difference(vector, content)[:2] == (0, "em of pd 1")


STEP = ("steps", 0)
MALFORMED = [
    (("policy_cpus",), [0], "policy_cpus"),
    (("energy_model",), 2, "energy_model"),
    (("uclamp_used",), 1, "uclamp_used"),
    (("rate_limit_us",), -1, "rate_limit_us"),
    (("rate_limit_us",), None, "rate_limit_us"),
    (("steps",), [], "no step"),
    (("governor",), "schedutil", "'governor'"),
    ((*STEP, "cpu"), 64, "step 0, cpu"),
    ((*STEP, "idle_calls"), -1, "step 0, idle_calls"),
    ((*STEP, "time"), "1", "step 0, time"),
    ((*STEP, "time"), 1 << 60, "step 1, time"),
    ((*STEP, "iowait"), True, "step 0, iowait"),
    ((*STEP, "flags"), 1, "'flags'"),
    ((*STEP, "limits_khz"), [2, 1], "2 is above 1"),
    ((*STEP, "limits_khz"), [1], "limits_khz"),
    ((*STEP, "set"), {"x": {}}, "no CPU"),
    ((*STEP, "set"), {"0": {}}, "set, cpu 0"),
    ((*STEP, "result", "util"), -1, "step 0, result, util"),
    ((*STEP, "result", "energy"), 1, "'energy'"),
]


@pytest.mark.parametrize("path, value, message", MALFORMED, ids=["-".join(map(str, row[0])) for row in MALFORMED])
def test_what_has_no_meaning_is_refused(kept, path, value, message):
    content = copy.deepcopy(kept)
    holder = content["vectors"][0]
    for key in path[:-1]:
        holder = holder[key]
    holder[path[-1]] = value
    with pytest.raises(InputError, match=message) as found:
        sched_freq.check(content, "a file")
    assert "a file" in str(found.value)


def test_an_update_of_another_policy_and_a_model_that_is_not_there_are_refused(kept):
    content = copy.deepcopy(kept)
    vector = next(row for row in content["vectors"] if row["platform"] == "sm8150")
    vector["steps"][0]["cpu"] = next(cpu for cpu in range(8) if cpu not in vector["policy_cpus"])
    with pytest.raises(InputError, match="of another policy"):
        sched_freq.check(content)
    vector["energy_model"] = 1
    with pytest.raises(InputError, match="energy_model"):
        sched_freq.check(content)


def test_what_is_missing_is_refused(kept):
    for name in ("policy_cpus", "energy_model", "steps"):
        content = copy.deepcopy(kept)
        del content["vectors"][0][name]
        with pytest.raises(InputError, match=f"'{name}'"):
            sched_freq.check(content)


# Against the model


GAPS = (0, 1, MS // 2, MS - 1, MS, 4 * MS - 1, 4 * MS, 4 * MS + 1, 9 * MS)
OF_GOVERNOR = {
    "next": ks.NEXT_KHZ,
    "raw": ks.RAW_KHZ,
    "last": ks.CHANGED_AT,
    "need": ks.NEED_UPDATE,
    "limits_changed": ks.LIMITS_CHANGED,
}
OF_ASKING = {
    "boost": ks.IO_BOOST,
    "pending": ks.IO_PENDING,
    "last_update": ks.ASKED_AT,
    "wanted": ks.ASKED_UTIL,
    "bw_min": ks.BANDWIDTH_MIN,
    "saved_idle_calls": ks.SEEN_IDLE_CALLS,
}


def limits(rng):
    return sorted((rng.randint(1, 13), rng.randint(1, 13)))


def test_every_update_is_the_models():
    """Runs of updates of one perf domain, with loads, limits and I/O changing between them."""
    changes = 0
    for seed in SEEDS:
        scene = Scene(seed)
        machine, rng = scene.machine, scene.rng
        state, handle = scene.arrays()
        number = rng.randrange(len(machine.domains))
        domain, dom = machine.domains[number], state.dom[number]
        governor = Governor(machine, domain, rng.choice((0, MS, 4 * MS)), domain.opps[0][0], domain.fmax)
        dom[ks.RATE_LIMIT_NS] = governor.rate_limit
        io_often = rng.choice((0.1, 0.9))
        now = 1_000 * MS
        for _ in range(25):
            now += rng.choice(GAPS)
            cpu = machine.cpus[rng.choice(domain.cpus)]
            if rng.random() < 0.1:
                governor.low, governor.high = limits(rng)
                governor.limits_changed = True
                kernel_freq.set_limits(handle, number, governor.low, governor.high)
            if rng.random() < 0.4:
                scene.load(cpu)
                cpu.idle_calls += rng.randint(0, 1)
                scene.set_cpu(state, cpu)
            io = rng.random() < io_often
            state.glob[ks.NOW] = now
            got = int(kernel_freq.update_frequency(handle, cpu.number, int(io)))
            assert got == (governor.update(cpu.number, now, io) or 0), seed
            assert {name: int(dom[column]) for name, column in OF_GOVERNOR.items()} == {
                name: getattr(governor, name) for name in OF_GOVERNOR
            }, seed
            row = state.cpu[cpu.number]
            assert {name: int(row[column]) for name, column in OF_ASKING.items()} == {
                name: getattr(cpu, name) for name in OF_ASKING
            }, seed
            changes += got > 0
    assert changes > 2 * len(SEEDS)


def test_a_frequency_resolves_to_an_opp_within_the_limits_if_there_is_one():
    for seed in SEEDS:
        scene = Scene(seed)
        _, handle = scene.arrays()
        for number, domain in enumerate(scene.machine.domains):
            low, high = limits(scene.rng)
            kernel_freq.set_limits(handle, number, low, high)
            opps = [opp[0] for opp in domain.opps]
            for khz in range(15):
                found = int(kernel_freq.resolve(handle, number, khz))
                assert found == Governor(scene.machine, domain, 0, low, high).resolve(khz), seed
                assert found in opps
                assert low <= found <= high or not any(low <= opp <= high for opp in opps if opp >= min(khz, high))


def test_a_limit_below_the_top_opp_is_pressure():
    """Capacity less what is left of it at the limit, truncated."""
    for seed in SEEDS[:300]:
        scene = Scene(seed)
        state, handle = scene.arrays()
        for number, domain in enumerate(scene.machine.domains):
            _, high = limits(scene.rng)
            kernel_freq.set_limits(handle, number, 1, high)
            for c in domain.cpus:
                capacity = scene.machine.cpus[c].capacity
                wanted = capacity - capacity * high // domain.fmax if high < domain.fmax else 0
                assert int(state.cpu[c, ks.PRESSURE]) == wanted, seed
