"""Replay of recorded choices of frequency (part schedutil of hetpmu-sched-vectors/1): one perf domain, many updates.

The kernel's part is in ``scheduler.kernel_freq``.
"""

from collections.abc import Mapping
from typing import Any, Final

from scheduler import kernel_freq
from scheduler import kernel_state as ks
from scheduler.kernel_handle import handle_of
from simcore.app.sched_machine import Row, build, compared, has_model, set_cpu
from simcore.app.sched_machine_forms import INT64, MAX_KHZ, check_cpu, check_file, cpus_of, flag, numbers
from simcore.app.vector_forms import UINT32, at, integer, items, keys, wrong
from simcore.errors import InputError

PART: Final = "schedutil"
NOTES: Final = ("vector", "result")
LAST_NS: Final = 1 << 60
NS_PER_US: Final = 1000
MAX_RATE_LIMIT_US: Final = 1_000_000_000

OF_DOMAIN: Final[Mapping[str, int]] = {
    "next_freq_khz": ks.NEXT_KHZ,
    "raw_freq_khz": ks.RAW_KHZ,
    "last_freq_update_time": ks.CHANGED_AT,
    "need_freq_update": ks.NEED_UPDATE,
    "policy_cur_khz": ks.KHZ,
}
OF_CPU: Final[Mapping[str, int]] = {
    "util": ks.ASKED_UTIL,
    "bw_min": ks.BANDWIDTH_MIN,
    "iowait_boost": ks.IO_BOOST,
    "iowait_pending": ks.IO_PENDING,
}
"""Name of a recorded result -> its column, of the perf domain and of the CPU of the update."""


class Updates:
    """A machine of which one perf domain is updated."""

    def __init__(self, vector: Row, platform: Row) -> None:
        """Start the governor at the lowest OPP; nothing was asked for yet."""
        self.state = build(platform, 0, vector["uclamp_used"])
        self.domain = [pd["cpus"] for pd in platform["pds"]].index(vector["policy_cpus"])
        self.dom = self.state.dom[self.domain]
        self.dom[ks.KHZ] = self.dom[ks.LOW_KHZ]
        self.dom[ks.RATE_LIMIT_NS] = vector["rate_limit_us"] * NS_PER_US
        if not vector["energy_model"]:
            self.state.opp[self.domain, :, ks.INEFFICIENT] = 0
        self.handle = handle_of(self.state)

    def update(self, step: Row) -> Row:
        """Do one step; return its results."""
        cpu = step["cpu"]
        for name, row in step["set"].items():
            set_cpu(self.state, int(name), row)
        self.state.cpu[cpu, ks.IDLE_CALLS] = step["idle_calls"]
        if "limits_khz" in step:
            kernel_freq.set_limits(self.handle, self.domain, *step["limits_khz"])
        self.state.glob[ks.NOW] = step["time"]
        khz = int(kernel_freq.update_frequency(self.handle, cpu, step["iowait"]))
        if khz:
            self.dom[ks.KHZ] = khz
        of_domain = {name: int(self.dom[column]) for name, column in OF_DOMAIN.items()}
        return of_domain | {name: int(self.state.cpu[cpu, column]) for name, column in OF_CPU.items()}


def mismatch(vector: Row, content: Row) -> tuple[int, Any, Any, Any] | None:
    """Replay a vector of a checked file; return (step, what it did, expected, got) of the first difference, or None."""
    platform = next(row for row in content["platforms"] if row["name"] == vector["platform"])
    for name, expected, got in compared(platform, build(platform, 0, vector["uclamp_used"])):
        if expected != got:
            return 0, name, expected, got
    updates = Updates(vector, platform)
    for number, step in enumerate(vector["steps"]):
        got = updates.update(step)
        if got != step["result"]:
            return number, {name: value for name, value in step.items() if name != "result"}, step["result"], got
    return None


# What a file may say


def check(content: Row, where: str = "") -> None:
    """Raise InputError for the first thing in a file that has no meaning."""
    check_file(content, where, PART, NOTES, _vector)


def _vector(value: Any, platform: Row) -> None:
    required = ("id", "platform", "policy_cpus", "energy_model", "uclamp_used", "rate_limit_us", "steps")
    row = keys(value, required, ("theme",))
    policies = [pd["cpus"] for pd in platform["pds"]]
    if row["policy_cpus"] not in policies:
        raise wrong_policy(row["policy_cpus"], policies)
    if at("energy_model", integer, row["energy_model"], 0, 1) and not has_model(platform):
        raise InputError(f"platform {platform['name']!r} has none", where="energy_model", valid="0")
    at("uclamp_used", flag, row["uclamp_used"])
    at("rate_limit_us", integer, row["rate_limit_us"], 0, MAX_RATE_LIMIT_US)
    steps = at("steps", items, row["steps"])
    if not steps:
        raise InputError("no step", where="steps", valid="at least one")
    before = 0
    for number, step in enumerate(steps):
        before = at(f"step {number}", _step, step, platform["ncpus"], row["policy_cpus"], before)


def wrong_policy(value: Any, policies: Any) -> InputError:
    """Return the error for CPUs that are no perf domain."""
    error = wrong(value, "CPUs of a perf domain: " + ", ".join(map(str, policies)))
    return InputError(error.what, where="policy_cpus", why=error.why, valid=error.valid)


def _step(value: Any, ncpus: int, policy: Any, before: int) -> int:
    """Check a step that comes not before a time; return its time."""
    row = keys(value, ("set", "cpu", "idle_calls", "time", "iowait", "result"), ("limits_khz",))
    at("set", cpus_of, row["set"], ncpus, check_cpu)
    if at("cpu", integer, row["cpu"], 0, ncpus - 1) not in policy:
        raise InputError(f"CPU {row['cpu']} is of another policy", where="cpu", valid=", ".join(map(str, policy)))
    at("idle_calls", integer, row["idle_calls"], 0, INT64)
    if "limits_khz" in row:
        low, high = at("limits_khz", numbers, row["limits_khz"], 2, MAX_KHZ, 1)
        if low > high:
            raise InputError(f"{low} is above {high}", where="limits_khz", valid="the lower limit first")
    at("iowait", integer, row["iowait"], 0, 1)
    at("result", _result, row["result"])
    return int(at("time", integer, row["time"], before, LAST_NS))


def _result(value: Any) -> None:
    row = keys(value, (*OF_DOMAIN, *OF_CPU))
    for name in OF_DOMAIN:
        at(name, integer, row[name], 0, INT64)
    for name in OF_CPU:
        at(name, integer, row[name], 0, UINT32)
