"""Laws that compare whole runs: 2 tick, 6 repeat, 7 no observer effect, 8 shadows, 1 split of a kept schedule."""

import dataclasses
import tempfile
from pathlib import Path

import numpy as np

from pmu.host import Host
from pmu.policies import parse
from simcore.app.storing import load_result, save_result
from simcore.app.watching import watch
from simcore.errors import InputError
from simcore.scenario import Scenario, VmSpec
from tests.soak.program import DRAWN_MASKED
from tests.soak.trial import Table, Trial, same, simulate, vcpus_of
from tests.test_app_watching import rows_of

NOT_SAMPLES = frozenset({"samples"})
KEPT = frozenset({"samples", "segments", "loads", "writes", "switches"})
DEAF_GUESTS = ("none", "busy", "ticking", DRAWN_MASKED)
"""Guests that do the same whatever their counters say."""
UNPINNED = ("default", "fixed-counters-only", "composite", "intersection", "scaled-time")


def tick(trial: Trial) -> None:
    """Law 2: a run that steps gives equal tables, samples included; so does one that nobody observes (law 7)."""
    length = trial.scenario.seconds_ns
    tick_ns = trial.dice.span(max(1, length // 2000), length)
    stepped = simulate(trial.changed(schedule=True, switches=True, tick_ns=tick_ns))
    for name, table in trial.tables.items():
        same(table, stepped.tables[name], f"--tick {tick_ns}ns, {name}")
    trial.see("ticks", length // tick_ns)


def repeat(trial: Trial) -> None:
    """Law 6: what is saved is read back as it was, and its scenario, run again, gives equal tables.

    On every third scenario: `tick` and `observation` run each of them again.
    """
    if trial.dice.below(3):
        return
    result = trial.base.result
    with tempfile.TemporaryDirectory() as folder:
        save_result(result, Path(folder))
        loaded = load_result(Path(folder))
        assert loaded.digest() == result.digest(), "read back otherwise than saved"
        again = simulate(loaded.scenario)
    for name, table in trial.tables.items():
        same(table, again.tables[name], f"once more, {name}")
    trial.see("repetitions")


def observation(trial: Trial) -> None:
    """Laws 6 and 7: without shadows, schedule and switches, and with other samples, all else is equal."""
    vms = tuple(dataclasses.replace(vm, shadows=()) for vm in trial.scenario.vms)
    sample_ns = trial.dice.choice([0, trial.dice.span(trial.scenario.seconds_ns // 100, trial.scenario.seconds_ns)])
    bare = simulate(trial.changed(vms=vms, sample_ns=sample_ns, schedule=False, switches=False))
    for name, table in trial.tables.items():
        if name in KEPT:
            continue
        rows = (
            table[table["policy"] == 0]
            if "policy" in (table.dtype.names or ()) and name != "live_migrations"
            else table
        )
        same(rows, bare.tables[name], f"unobserved, {name}")
    trial.see("shadows left out", sum(len(vm.shadows) for vm in trial.scenario.vms))


def watching(trial: Trial) -> None:
    """Laws 1, 7, 8: policies over the kept schedule count what the run's real PMU and its shadows did, at any step."""
    scenario = trial.scenario
    if len(scenario.vms) > 1 or scenario.live_migrations or not trial.base.machine.vms[0].kvms[0].has_pmu:
        return
    names = [f"{policy.name}@{policy.kernel}" for policy in trial.base.machine.plans[0].policies]
    step_ns = trial.dice.choice(
        [0, scenario.sample_ns, trial.dice.span(scenario.seconds_ns // 200, scenario.seconds_ns)]
    )
    try:
        found = watch(trial.base.result, names, step_ns)
    except InputError as error:
        if "exception level" in str(error) or "not for VMM" in str(error):
            return  # the two that it says it cannot do
        raise
    for name in ("ledger", "interrupts", *(["samples"] if step_ns and step_ns == scenario.sample_ns else [])):
        seen = getattr(found, name)
        for policy in range(len(names)):
            want = rows_of(trial.tables[name], policy, seen.dtype.names)
            same(rows_of(seen, policy, seen.dtype.names), want, f"watched at {step_ns} ns, {names[policy]}, {name}")
    trial.see("policies watched", len(names))
    trial.see("shadow overflows", int(np.count_nonzero(trial.tables["interrupts"]["policy"])))


def shadow(trial: Trial) -> None:
    """Law 8: at zero PMU costs a shadow's counters are those of a real run under its policy."""
    for vm, spec in enumerate(trial.scenario.vms):
        label = _comparable(trial, vm, spec)
        if label:
            _compare_shadow(trial, vm, label)
            return


def _comparable(trial: Trial, vm: int, spec: VmSpec) -> str:
    """Return a shadow of a VM that could as well be its policy on the very same schedule, or nothing."""
    scenario = trial.scenario
    reacts = spec.guest.name not in DEAF_GUESTS or spec.irqchip == "user" or spec.vmm not in ("qemu", "libvirt")
    if reacts or any(live.vm == vm for live in scenario.live_migrations):
        return ""
    host = Host.from_platform(trial.base.machine.platform, busy_counters=dict(scenario.busy_counters))
    if parse(spec.policy or "none", host, spec.kernel).name not in UNPINNED or len(host.covered_cpus) < host.ncpus:
        return ""
    return next((label for label in spec.shadows if label.partition("@")[0] in UNPINNED), "")


def _compare_shadow(trial: Trial, vm: int, label: str) -> None:
    costs = dataclasses.replace(trial.scenario.costs, event_create=0, event_release=0, event_enable=0)
    spec = trial.scenario.vms[vm]
    name, _, kernel = label.partition("@")
    seen = simulate(_with(trial.changed(costs=costs), vm, dataclasses.replace(spec, shadows=(label,)))).tables
    own = vcpus_of(trial.scenario, vm)
    if _wakes_otherwise(seen["interrupts"], own):
        return
    real = dataclasses.replace(spec, policy=name, kernel=kernel, shadows=())
    truth = simulate(_with(trial.changed(costs=costs), vm, real)).tables
    for table in ("ledger", "samples", "stalls", "interrupts"):
        rows, want = (each[table][np.isin(each[table]["vcpu"], own)] for each in (seen, truth))
        rows, want = rows[rows["policy"] == 1].copy(), want[want["policy"] == 0]
        rows["policy"] = 0
        same(rows, want, f"shadow {label} of VM {vm} against the real one, {table}")
    trial.see("shadows compared with real runs")


def _wakes_otherwise(interrupts: Table, own: range) -> bool:
    """Tell whether the interrupts of a VM's policy are not those of its shadow: even a masked one ends WFI."""
    rows = interrupts[np.isin(interrupts["vcpu"], own)]
    columns = ["t_ns", "vcpu", "slot"]
    return not np.array_equal(rows[rows["policy"] == 0][columns], rows[rows["policy"] == 1][columns])


def _with(scenario: Scenario, vm: int, spec: VmSpec) -> Scenario:
    vms = (*scenario.vms[:vm], spec, *scenario.vms[vm + 1 :])
    return dataclasses.replace(scenario, vms=vms)
