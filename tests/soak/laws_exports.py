"""Laws of the recorded history: it changes nothing (law 7), adds up, and its exports can be read by strict readers."""

import io

import numpy as np

from simcore.app.exporting_ftrace import host_threads
from simcore.app.exporting_perfetto import trace_of
from simcore.app.ftrace_text import write_ftrace
from simcore.app.lanes import policy_names
from simcore.table_history import HISTORY
from tests import ftrace_reader, perfetto_reader
from tests.soak.trial import Ran, Table, Trial, same, simulate

WORK = {
    "reloads": "reloads",
    "other_reloads": "other_reloads",
    "creations": "event_creations",
    "releases": "event_releases",
}
"""Columns of `pmu_work`, and of `vpmus`, which has their sums."""


def history(trial: Trial) -> None:
    """On every third scenario: it is run once more with `trace`, and exported as ftrace text and for Perfetto."""
    if trial.scenario.seed % 3:
        return
    traced = simulate(trial.changed(schedule=True, switches=True, trace=True))
    for name, table in trial.tables.items():
        if name not in (*HISTORY, "pmu_work"):
            same(table, traced.tables[name], f"with trace, {name}")
    _check_work(traced.tables)
    _read_back(traced)
    trial.see("traces")


def _check_work(tables: dict[str, Table]) -> None:
    rows, sums = tables["pmu_work"], tables["vpmus"]
    place = {(int(vcpu), int(policy)): number for number, (vcpu, policy) in enumerate(sums[["vcpu", "policy"]])}
    where = [place[int(vcpu), int(policy)] for vcpu, policy in rows[["vcpu", "policy"]]]
    for column, whole in WORK.items():
        found = np.zeros(len(sums), np.int64)
        np.add.at(found, where, rows[column])
        assert np.array_equal(found, sums[whole]), f"pmu_work: {column} {found.tolist()}, in all {sums[whole].tolist()}"


def _read_back(ran: Ran) -> None:
    result, platform = ran.result, ran.machine.platform
    text = io.StringIO()
    ended_ns = int(str(result.summary["ended_ns"]))
    count = write_ftrace(text, result.tables, host_threads(result, len(platform.cpus)), platform, ended_ns)
    events = ftrace_reader.read(text.getvalue(), len(platform.cpus))
    assert len(events) == count, f"{count} events written, {len(events)} read"
    policies = [policy_names(result, vm) for vm in range(len(result.scenario.vms))]
    if any(len(set(names)) < len(names) for names in policies):
        return  # the reader takes tracks of one name for one
    trace = perfetto_reader.read(b"".join(trace_of(result, result.digest())))
    moves = result.tables["moves"]
    assert sum(event.event == "sched_migrate_task" for event in events) == len(moves)
    assert len(trace.of("sched_migrate_task")) == len(moves)
