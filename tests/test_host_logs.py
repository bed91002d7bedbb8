"""What must hold of the host's bookkeeping whatever happens: logs have room, crowds are listed, unused pCPUs sleep."""

import dataclasses

import numpy as np
import pytest

from scheduler import kernel_crowd, layout
from scheduler import kernel_state as ks
from scheduler.kernel_crowd import number_on
from simcore.app.running import Machine, run
from simcore.errors import InputError
from simcore.scenario import AffinityChange, CgroupSpec, CpusetChange, GuestSpec, Scenario, VmSpec

MS = 1_000_000
GUEST = GuestSpec("none", boot_ns=MS, sleep_ns=200_000)


def test_logs_grow_before_anything_that_may_write_many_rows(monkeypatch):
    """Each change of the cpuset moves all 24 vCPUs at once; the logs begin with no more than they must have."""
    vm = VmSpec(guest=GUEST, vcpus=24, policy="fixed-counters-only", kernel="v8", shadows=("default",))
    changes = tuple(CpusetChange(n * MS, 0, (n % 8,)) for n in range(1, 40))
    question = Scenario(vms=(vm,), seconds_ns=42 * MS, cpuset_changes=changes, background=(), switches=True)
    wide = run(question)
    monkeypatch.setattr(layout, "FIRST_LOG_ROWS", 1)
    tight = run(question)
    assert len(wide.tables["migrations"]) > 500
    for name, table in wide.tables.items():
        np.testing.assert_array_equal(table, tight.tables[name], name)


def test_a_pcpu_with_a_thread_to_give_away_is_listed_and_nobody_polls_beside_another():
    """Quotas take threads off their pCPUs and bring them back."""
    naps = dataclasses.replace(GUEST, sleep_ns=60_000, quantum_instructions=100_000)
    limited = VmSpec(guest=naps, vcpus=3, cgroup=CgroupSpec(quota_ns=3 * MS, period_ns=10 * MS))
    machine = Machine(Scenario(vms=(limited, VmSpec(guest=GUEST, vcpus=3, cpus=(0, 1))), seconds_ns=60 * MS))
    state, seen = machine.host.state, [0, 0]

    def watch():
        while True:
            yield machine.engine.wait_until(machine.engine.now_ns + 100_000)
            for cpu in range(len(state.cpu)):
                if number_on(machine.host.handle, cpu) > 1:
                    seen[0] += 1
                    assert state.crowd[cpu, kernel_crowd.IS_LISTED] == 1
                    assert state.cpu[cpu, ks.MODE] != ks.POLLING
            seen[1] += int((state.cpu[:, ks.MODE] == ks.POLLING).sum())

    machine.engine.start(watch())
    machine.run()
    assert min(seen) > 0


def test_a_pcpu_that_never_runs_anything_sleeps_all_the_time():
    result = run(Scenario(vms=(VmSpec(guest=GUEST, vcpus=1, cpus=(0,)),), seconds_ns=20 * MS, background=()))
    rows = result.tables["idle_states"]
    unused = rows[rows["cpu"] >= 4]
    assert set(unused["time_ns"][unused["state"] == 1].tolist()) == {20 * MS}
    assert set(unused["time_ns"][unused["state"] == 0].tolist()) == {0}


@pytest.mark.parametrize(
    "change, key",
    [
        ({"affinity_changes": (AffinityChange(MS, 1, 0, (0,)),)}, "affinity_changes.0.vm"),
        ({"affinity_changes": (AffinityChange(MS, 0, 4, (0,)),)}, "affinity_changes.0.vcpu"),
        ({"cpuset_changes": (CpusetChange(MS, 9, (0,)),)}, "cpuset_changes.0.vm"),
        ({"cpuset_changes": (CpusetChange(MS, 0, (8,)),)}, "cpuset_changes.0.cpus"),
        ({"scheduler": "pinned", "cpuset_changes": (CpusetChange(MS, 0, (1,)),)}, "cpuset_changes"),
        ({"scheduler": "random:²"}, "random:²"),
        ({"halt_poll_ns": 200_000_000_000}, "halt_poll"),
    ],
)
def test_what_cannot_happen_is_refused_before_the_run(change, key):
    with pytest.raises(InputError) as refused:
        Machine(dataclasses.replace(Scenario(), **change))
    assert key in str(refused.value)
