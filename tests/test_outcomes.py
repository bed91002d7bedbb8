"""What `compare` says emerges from the model: changing the cause changes the outcome. Nothing of it is wired in."""

from importlib.resources import files

import pytest

from simcore.app.comparing import compare
from simcore.app.running import run
from simcore.scenario import GuestSpec, Scenario, VmSpec
from workloads.guest_perf_stat import LinuxPerfStat

MS = 1_000_000
SEEDS = tuple(range(1, 7))


def rows(policies, kernels=(), seeds=SEEDS, **changes):
    """Return the rows of a short comparison by ``policy@kernel``."""
    guest = GuestSpec(window_ns=changes.pop("window_ns", 10 * MS), boot_ns=changes.pop("boot_ns", 20 * MS))
    vm = VmSpec(guest=guest, vcpus=changes.pop("vcpus", 4))
    scenario = Scenario(vms=(vm,), **({"seconds_ns": 150 * MS, "sample_ns": 10 * MS} | changes))
    found = compare(scenario, policies=policies, kernels=kernels, seeds=seeds, workers=1)
    return {f"{row['policy']}@{row['kernel']}": row for row in found.rows}


@pytest.mark.parametrize("platform", ["bcm2711", "sc8280xp"])
def test_one_host_pmu_never_stalls(platform):
    """One core type, and one PMU node over both core types: nothing can be off-PMU."""
    row = rows(["default"], platform=platform)["default@mainline"]
    assert (row["crashes"], row["stalled_fraction"], row["lost_cycles"], row["crossings"]) == (0, 0, 0, 0)


@pytest.fixture
def swapped(tmp_path):
    """RK3588 with the masks of its two PMU nodes swapped, as the device tree of SM8550 has them."""
    text = (files("simcore") / "data" / "socs" / "rk3588.toml").read_text()
    head, a55, a76 = text.partition('name = "armv8_cortex_a55"')[0], "[0, 1, 2, 3]", "[4, 5, 6, 7]"
    nodes = text[len(head) :]
    first, second = nodes.split("[[pmu]]")
    second, rest = second.split("[[cache]]", 1) if "[[cache]]" in second else (second, "")
    first = first.replace(f"cpus = {a55}", f"cpus = {a76}")
    second = second.replace(f"cpus = {a76}", f"cpus = {a55}")
    file = tmp_path / "swapped.toml"
    file.write_text(f"{head}{first}[[pmu]]{second}" + (f"[[cache]]{rest}" if rest else ""))
    return str(file)


def test_swapping_the_masks_swaps_who_stalls(swapped):
    """A guest on the A76 cores is off-PMU with the A55 node's events, unless that node claims the A76 cores."""
    policies = ["default-pinned:armv8_cortex_a55", "default-pinned:armv8_cortex_a76"]
    straight, crossed = rows(policies), rows(policies, platform=swapped)
    for policy in policies:
        for table, own in ((straight, policy[15:]), (crossed, policy[15:])):
            by_pmu = table[f"{policy}@mainline"]["by_init_pmu"]
            assert all((figures["crashes"] == 0) == (pmu == own) for pmu, figures in by_pmu.items())
    speeds = [table["default-pinned:armv8_cortex_a55@mainline"]["throughput"] for table in (straight, crossed)]
    assert speeds[0] < 0.6 < 0.9 < speeds[1]  # pinned "to the A55's PMU" means the big cores after the swap


def test_pinned_to_its_own_pmu_it_lives_elsewhere_it_dies():
    table = rows(["default-pinned:armv8_cortex_a55", "default-pinned:armv8_cortex_a76", "set-pmu:armv8_cortex_a76"])
    drawn = set()
    for own in ("armv8_cortex_a55", "armv8_cortex_a76"):
        for pmu, figures in table[f"default-pinned:{own}@mainline"]["by_init_pmu"].items():
            drawn.add((own, pmu))
            assert figures["crashes"] == (0 if pmu == own else figures["runs"])
    assert len(drawn) == 4, "the lottery must have drawn both PMUs under both policies"
    assert table["set-pmu:armv8_cortex_a76@mainline"]["crashes"] == 0


def test_the_default_pmu_kills_where_the_host_moves_the_boot_cpu_up():
    """A guest initialised on a LITTLE core and moved up before it calibrates dies; one from a big core lives."""
    died = {}
    for boot in (1, 100):  # ms: before and after the host can see that the boot CPU does not fit its core
        row = rows(["default"], boot_ns=boot * MS, seeds=tuple(range(1, 13)))["default@mainline"]
        died[boot] = {pmu: figures["crashes"] / figures["runs"] for pmu, figures in row["by_init_pmu"].items()}
    assert died[1] == {"armv8_cortex_a55": 0.0, "armv8_cortex_a76": 0.0}
    assert died[100] == {"armv8_cortex_a55": 1.0, "armv8_cortex_a76": 0.0}


def test_windows_has_one_host_event_a_vcpu_and_perf_stat_no_spurious_interrupt(monkeypatch):
    """What the reset values of the PMU enable is disabled before the guest's own use."""
    taken = []
    handler = LinuxPerfStat.interrupt

    def counted(self, cpu):
        taken.append(cpu.vcpu)
        return handler(self, cpu)

    monkeypatch.setattr(LinuxPerfStat, "interrupt", counted)
    table = rows(["set-pmu:armv8_cortex_a76"], seeds=(1,))
    assert table["set-pmu:armv8_cortex_a76@mainline"]["event_creations"] == 4
    guest = GuestSpec(name="linux-perf-stat", workload="456.hmmer")
    result = run(Scenario(vms=(VmSpec(guest=guest, policy="set-pmu:armv8_cortex_a76"),), seconds_ns=1_500 * MS))
    assert 0 < len(taken) <= len(result.tables["interrupts"])


def test_fixed_counters_only_lives_everywhere():
    row = rows(["fixed-counters-only@v8"], scheduler="random:200")["fixed-counters-only@v8"]
    assert row["crashes"] == 0
    assert row["lost_cycles"] == 0
    assert row["crossings"] > 0
    assert row["reloads"] > 0
    assert {figures["pmcr_n"] for figures in row["by_init_pmu"].values()} == {0}


@pytest.mark.slow
def test_a_short_window_kills_more_often_than_a_long_one():
    """Under 100 moves a second, 1 ms is mostly spent on one core, 100 ms is not: 95 % intervals lie apart."""
    short, long = (
        rows(
            ["default"], seeds=tuple(range(1, 61)), vcpus=1, scheduler="random", window_ns=window, seconds_ns=200 * MS
        )["default@mainline"]
        for window in (1 * MS, 100 * MS)
    )
    assert short["crash_probability"]["low"] > long["crash_probability"]["high"]


def test_which_kernel_makes_an_ordinary_vm_reload():
    table = rows(["default"], kernels=["mainline", "v6", "v8"], scheduler="random:200")
    assert table["default@v6"]["reloads"] > 0
    assert table["default@mainline"]["reloads"] == table["default@v8"]["reloads"] == 0


def test_a_cause_that_is_switched_off_moves_nobody():
    everything = frozenset({"wakeup", "balance", "misfit", "affinity", "other"})
    full = rows(["default"], seeds=(1, 2, 3))["default@mainline"]["crossings_by"]
    assert full["misfit"] > 0
    for cause in ("wakeup", "balance", "misfit"):
        row = rows(["default"], seeds=(1, 2, 3), causes=everything - {cause})["default@mainline"]
        assert row["crossings_by"][cause] == 0
