"""What must hold of the tables of any run: laws 4 and 9 as far as tables tell, order of times, sums that agree."""

import json
import math
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from pmu.kernel import CYCLE_SLOT
from simcore.app.aggregating import run_answer
from simcore.app.heads import run_head, run_rows
from simcore.app.tables import comparison_text
from simcore.run_columns import CATEGORIES
from tests.soak.trial import Table, Trial, vcpus_of

TIMED = ("migrations", "reads", "interrupts", "reports", "perf_samples", "switches", "loads", "writes")
OUTPUT = (Path(__file__).resolve().parents[2] / "docs" / "output.md").read_text(encoding="utf-8")


def ended(trial: Trial) -> int:
    """Return when the run ended."""
    return int(str(trial.base.result.summary["ended_ns"]))


def times(trial: Trial) -> None:
    """Check that times are ordered and inside the run."""
    end, tables = ended(trial), trial.tables
    for name in TIMED:
        t = tables[name]["t_ns"]
        assert (np.diff(t) >= 0).all(), f"{name} is not in the order of time"
        assert not len(t) or (t[0] >= 0 and t[-1] <= end), f"{name} has a time outside of the run"
    segments = tables["segments"]
    assert (segments["end_ns"] > segments["start_ns"]).all(), "an empty segment"
    assert not len(segments) or segments["end_ns"].max() <= end, "a segment beyond the end"
    for column in ("vcpu", "cpu"):
        ordered = segments[np.lexsort((segments["start_ns"], segments[column]))]
        follows = ordered[column][1:] == ordered[column][:-1]
        assert (ordered["start_ns"][1:] >= ordered["end_ns"][:-1])[follows].all(), f"segments of one {column} overlap"
    for name in ("stalls", "rtapp"):
        assert (tables[name]["end_ns"] >= tables[name]["start_ns"]).all(), f"{name} ends before it starts"


def work(trial: Trial) -> None:
    """Check that what vCPUs executed agrees between segments, residence, events, vcpus and the ledger."""
    tables, vcpus = trial.tables, trial.tables["vcpus"]
    segments = tables["segments"]
    spent = segments["end_ns"] - segments["start_ns"]
    cycles = (segments["rest"] + segments["khz"] * spent) // 1_000_000
    for row in vcpus:
        own = segments["vcpu"] == row["vcpu"]
        assert spent[own].sum() == row["guest_ns"], f"segments of vCPU {row['vcpu']} against its guest time"
        assert cycles[own].sum() == row["guest_cycles"], f"segments of vCPU {row['vcpu']} against its cycles"
        for event, column in ((0x11, "guest_cycles"), (0x08, "instructions")):
            total = tables["events"][(tables["events"]["vcpu"] == row["vcpu"]) & (tables["events"]["event"] == event)]
            assert int(total["total"][0]) == int(row[column]), f"event {event:#x} of vCPU {row['vcpu']}"
        if trial.scenario.vms[row["vm"]].guest.name != "linux-perf-record":
            there = tables["residence"][tables["residence"]["vcpu"] == row["vcpu"]]
            assert there["guest_ns"].sum() == row["guest_ns"], f"residence of vCPU {row['vcpu']}"
            assert there["guest_cycles"].sum() == row["guest_cycles"], f"residence of vCPU {row['vcpu']}"
    trial.see("vCPUs that executed", int((vcpus["guest_ns"] > 0).sum()))


def ledger(trial: Trial) -> None:
    """Check law 4: categories sum up, and those of the cycle counter to what the vCPU executed."""
    table = trial.tables["ledger"]
    assert np.array_equal(sum(table[name] for name in CATEGORIES), table["events"])
    for vcpu in trial.base.machine.host.vcpus:
        for policy, vpmu in enumerate(vcpu.vpmus):
            row = table[(table["vcpu"] == vcpu.index) & (table["policy"] == policy) & (table["slot"] == 31)][0]
            if vpmu.vm.has_pmu and _counts_cycles(trial, vcpu, policy):
                want = trial.tables["vcpus"]["guest_cycles"][vcpu.index]
                assert row["events"] == want, f"cycles of vCPU {vcpu.index} under policy {policy} in the ledger"


def _counts_cycles(trial: Trial, vcpu: Any, policy: int) -> bool:
    """Tell whether a policy's cycle counter followed cycles, not the timer, at all times."""
    plan = trial.base.machine.plans[vcpu.vm.number]
    policies = [plan.policies[policy], *(live.policy for live in plan.lives if policy == 0)]
    return not any(each.timed for each in policies)


def stalls(trial: Trial) -> None:
    """Check that stalls add up to what virtual PMUs say of them, within the time that counters were enabled."""
    rows, guest = trial.tables["stalls"], trial.tables["vcpus"]["guest_ns"]
    for row in trial.tables["vpmus"]:
        own = rows[(rows["vcpu"] == row["vcpu"]) & (rows["policy"] == row["policy"])]
        where = f"stalls of vCPU {row['vcpu']}, policy {row['policy']}"
        assert own["guest_ns"].sum() == row["stalled_ns"], where
        assert (own["guest_ns"].max() if len(own) else 0) == row["longest_stall_ns"], where
        assert row["stalled_ns"] <= row["enabled_ns"] <= guest[row["vcpu"]], where
        assert (own["guest_ns"] <= own["end_ns"] - own["start_ns"]).all(), where


def cpus(trial: Trial) -> None:
    """Check that pCPUs are busy or idle all the time, by the switches too; that a thread runs on one at a time."""
    end, tables = ended(trial), trial.tables
    idle = tables["idle_states"]
    for row in tables["cpus"]:
        own = idle[idle["cpu"] == row["cpu"]]
        assert row["busy_ns"] + own["time_ns"].sum() == end, f"busy and idle time of pCPU {row['cpu']}"
    assert (idle["too_deep"] + idle["too_shallow"] <= idle["entered"]).all()
    busy = np.zeros(len(tables["cpus"]), np.int64)
    ran: dict[int, int] = {}
    for cpu, task, start, stop in _stays(tables["switches"], end):
        busy[cpu] += stop - start
        ran[task] = ran.get(task, 0) + stop - start
    assert np.array_equal(busy, tables["cpus"]["busy_ns"]), "busy time against switches"
    for row in tables["vcpus"]:
        own_ns = ran.get(int(row["vcpu"]), 0)
        assert row["guest_ns"] <= own_ns, f"vCPU {row['vcpu']} executes while its thread does not run"
        assert 0 <= row["steal_ns"] <= end - own_ns, f"steal of vCPU {row['vcpu']}"
        trial.see("steal", row["steal_ns"] > 0)


def _stays(switches: Table, end: int) -> Iterator[tuple[int, int, int, int]]:
    """Yield pCPU, thread, start and end of each stay of a thread on a pCPU; a thread has one at a time."""
    running: dict[int, tuple[int, int]] = {}
    rows = switches[["t_ns", "cpu", "task"]].tolist()
    for number, (t, cpu, task) in enumerate(rows):
        if cpu in running:
            last, since = running.pop(cpu)
            yield cpu, last, since, t
        if task >= 0:
            running[cpu] = task, t
        if t < end and (number + 1 == len(rows) or rows[number + 1][0] > t):  # at the end the host has stopped between
            threads = [thread for thread, _ in running.values()]
            assert len(set(threads)) == len(threads), f"a thread runs on two pCPUs at {t} ns"
    for cpu, (task, since) in running.items():
        yield cpu, task, since, end


def moves(trial: Trial) -> None:
    """Check that migrations are a chain, cross where the first host PMU differs, and have causes that are on."""
    rows = trial.tables["migrations"]
    platform = trial.base.machine.platform
    first = [next(iter(platform.pmus_of(cpu)), None) for cpu in range(len(platform.cpus))]
    assert (rows["from_cpu"] != rows["to_cpu"]).all(), "a migration to the same pCPU"
    for row in rows:
        crosses = first[row["from_cpu"]] is not first[row["to_cpu"]]
        assert bool(row["crossing"]) == crosses, f"crossing of {row}"
        trial.see("crossings", crosses)
    for vcpu in np.unique(rows["vcpu"]):
        own = rows[rows["vcpu"] == vcpu]
        assert np.array_equal(own["to_cpu"][:-1], own["from_cpu"][1:]), f"migrations of vCPU {vcpu} are no chain"
    trial.see("migrations", len(rows))


def guests(trial: Trial) -> None:
    """Check that dead guests do nothing more, stopped ones nothing meanwhile, and the small tables' inequalities."""
    tables = trial.tables
    for row in tables["guests"]:
        own = list(vcpus_of(trial.scenario, int(row["vm"])))
        assert (row["died_ns"] >= 0) == (row["outcome"] != "alive")
        if row["died_ns"] < 0:
            continue
        trial.see("deaths")
        for name, column in (("reads", "t_ns"), ("reports", "t_ns"), ("segments", "end_ns"), ("writes", "t_ns")):
            late = tables[name][column][np.isin(tables[name]["vcpu"], own)] > row["died_ns"]
            assert not late.any(), f"{name} of VM {row['vm']} after its death"
    for row in tables["live_migrations"]:
        own = list(vcpus_of(trial.scenario, int(row["vm"])))
        segments = tables["segments"][np.isin(tables["segments"]["vcpu"], own)]
        inside = (segments["start_ns"] < row["resumed_ns"]) & (segments["end_ns"] > row["t_ns"])
        assert not inside.any(), f"VM {row['vm']} executes while it is stopped"
        trial.see("live migrations")
    halts, groups = tables["halts"], tables["cgroups"]
    assert ((halts["successful"] <= halts["polls"]) & (halts["polls"] <= halts["halts"])).all(), "halts"
    assert (groups["nr_throttled"] <= groups["nr_periods"]).all(), "cgroups"
    assert (tables["rtapp"]["run_ns"] >= 0).all()
    assert all((tables["energy"][name] >= -1).all() for name in ("busy_uj", "idle_uj")), "negative energy"


def samples(trial: Trial) -> None:
    """Check that samples stand on their grid, and that what executes only grows."""
    rows, step = trial.tables["samples"], trial.scenario.sample_ns
    if not step:
        assert not len(rows)
        return
    assert (rows["t_ns"] % step == 0).all()
    for row in trial.tables["vcpus"]:
        own = rows[(rows["vcpu"] == row["vcpu"]) & (rows["policy"] == 0)]
        assert len(own) == ended(trial) // step + 1, "a sample is missing"
        for name in ("guest_ns", "guest_cycles"):
            grows = own[name].astype(np.int64)
            assert (np.diff([*grows, row[name]]) >= 0).all(), f"{name} of the samples"
    _counted_grows(trial)
    trial.see("samples", len(rows))


def _counted_grows(trial: Trial) -> None:
    """Check that what a cycle counter has counted grows up to what the ledger has of it."""
    ledger, rows = trial.tables["ledger"], trial.tables["samples"]
    for row in ledger[ledger["slot"] == CYCLE_SLOT]:
        own = rows[(rows["vcpu"] == row["vcpu"]) & (rows["policy"] == row["policy"])]
        counted = np.append(own["counted"], row["counted"])
        assert (counted[1:] >= counted[:-1]).all(), "counted cycles of the samples"


def answer(trial: Trial) -> None:
    """Check that `run --json` has the documented keys and numbers that JSON has, and that its table can be shown."""
    found = run_answer(trial.base.result)
    json.dumps(found, allow_nan=False)
    head = OUTPUT.split("# run --json")[1].split("`live_migrations` has")[0]
    assert set(found) == set(re.findall(r'"(\w+)"', head.split('"guests"')[0])) | {
        "guests", "rtapp", "live_migrations", "policies"
    }  # fmt: skip
    rows = set(re.findall(r"^\| `(\w+)` \|", OUTPUT.split("# compare --json")[1].split("# show --json")[0], re.M))
    for row in found["policies"]:
        assert set(row) == rows | {"vm", "kernel"}, set(row) ^ (rows | {"vm"})
        share = row["stalled_fraction"]
        assert share is None or 0 <= share <= 1
        assert math.isfinite(row["instructions"])
    assert comparison_text(run_head(found), run_rows(found), None)
    trial.see("answers")


def exercised(trial: Trial) -> None:
    """Note what the scenario showed, so that the report can say what was exercised."""
    tables, scenario = trial.tables, trial.scenario
    trial.see("overflows", len(tables["interrupts"]))
    trial.see("stalls", len(tables["stalls"]))
    trial.see("reloads", int(tables["vpmus"]["reloads"].sum()))
    trial.see("guest writes", len(tables["writes"]))
    trial.see("perf samples", len(tables["perf_samples"]))
    trial.see("OPP changes asked for", len(scenario.opp_changes))
    trial.see("frequencies beyond one a pCPU", _frequencies(tables["segments"]))
    trial.see("cpuset changes", len(scenario.cpuset_changes))
    trial.see("affinity changes", len(scenario.affinity_changes))
    trial.see("failed entries", int(tables["vcpus"]["fail_entries"].sum()))
    trial.see("user-space irqchip exits", int(tables["vcpus"]["irqchip_exits"].sum()))
    trial.see("throttled periods", int(tables["cgroups"]["nr_throttled"].sum()))
    trial.see("successful polls", int(tables["halts"]["successful"].sum()))
    trial.see("rt-app phases", len(tables["rtapp"]))
    trial.see("deep idle states", int(tables["idle_states"]["entered"][tables["idle_states"]["state"] > 0].sum()))
    trial.see("bursts", any(vm.guest.workload.endswith(".toml") for vm in scenario.vms))
    trial.see("several VMs", len(scenario.vms) > 1)
    trial.see("overcommit", sum(vm.vcpus for vm in scenario.vms) > len(tables["cpus"]))
    for name, times_seen in trial.observer.seen.items():
        trial.see(name, times_seen)


def _frequencies(segments: Table) -> int:
    pairs = np.unique(np.stack([segments["cpu"], segments["khz"]]), axis=1).shape[1]
    return int(pairs - len(np.unique(segments["cpu"])))
