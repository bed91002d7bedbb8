"""The table `pmu_work` tells all that the host did for virtual PMUs: its rows together are the columns of `vpmus`."""

import pytest

from simcore.app.running import run
from simcore.scenario import GuestSpec, LiveMigration, Scenario, VmSpec
from tests.scenes import MS

SHADOWS = ("fixed-counters-only@v8", "default@v6")
COLUMNS = {
    "reloads": "reloads",
    "other_reloads": "other_reloads",
    "creations": "event_creations",
    "releases": "event_releases",
}
MOVED = {"live_migrations": (LiveMigration(5 * MS, "fixed-counters-only@v8", downtime_ns=MS),)}


@pytest.mark.parametrize("shadows", [(), SHADOWS])
@pytest.mark.parametrize(
    "policy, kernel, more",
    [
        ("set-pmu-unpinned:armv8_cortex_a76", "v4", {}),
        ("set-pmu-unpinned:armv8_cortex_a76", "mainline", {}),
        ("default", "v6", {}),
        ("fixed-counters-only", "v8", {}),
        ("composite", "v1", {}),
        ("default", "mainline", MOVED),
    ],
)
def test_the_rows_add_up_to_what_was_done(policy, kernel, more, shadows):
    guest = GuestSpec(boot_ns=MS, window_ns=MS)
    vm = VmSpec(guest, vcpus=2, policy=policy, kernel=kernel, shadows=() if more else shadows)
    result = run(Scenario(vms=(vm,), seconds_ns=12 * MS, scheduler="random:2000", trace=True, background=(), **more))
    rows = result.tables["pmu_work"]
    for done in result.tables["vpmus"]:
        mine = rows[(rows["vcpu"] == done["vcpu"]) & (rows["policy"] == done["policy"])]
        assert [mine[name].sum() for name in COLUMNS] == [done[name] for name in COLUMNS.values()]
    assert (rows["t_ns"] <= result.summary["ended_ns"]).all()
    assert len(rows) > 1


def test_failed_entries_of_a_vmm_that_tries_again_are_rows_of_many_reloads():
    vm = VmSpec(GuestSpec(boot_ns=MS), vcpus=1, policy="set-pmu-unpinned:armv8_cortex_a76", kernel="v4")
    rows = run(Scenario(vms=(vm,), seconds_ns=12 * MS, scheduler="random:2000", trace=True)).tables["pmu_work"]
    assert rows["reloads"].max() > 10
    assert rows["reloads"].sum() > 5 * len(rows)
