"""Platforms: capacities, host PMUs, what Linux makes of PMUVer; checked on real SoCs and small invented ones."""

import pickle
from dataclasses import replace

import pytest

from simcore.loader import load_platform
from simcore.platform import CoreType, Cpu, Opp, PerfDomain, Platform, PmuNode, PmuSpec


def core(name: str, pmuver: int | None = 4, event_map: tuple[tuple[int, int], ...] = ()) -> CoreType:
    spec = PmuSpec(pmuver, 6, 1 << 0x11, 0, event_map)
    return CoreType(name, name, spec, frozenset({0x11}), ((0x11, "CPU_CYCLES"),), "cortex-a55")


def duo(little: CoreType, big: CoreType, dmips: tuple[int | None, int | None] = (512, 1024)) -> Platform:
    domains = (PerfDomain("l", (0,), (Opp(500_000), Opp(1_000_000))), PerfDomain("b", (1,), (Opp(2_000_000),)))
    cpus = (Cpu(0, little.id, "l", 0, dmips[0]), Cpu(1, big.id, "b", 1, dmips[1]))
    types = tuple({row.id: row for row in (little, big)}.values())
    pmus = (PmuNode("l_pmu", (0,)), PmuNode("b_pmu", (1,)))
    return Platform("duo", "Duo", cpus, domains, types, pmus, 24_000_000, True)


def test_capacity_is_dmips_times_frequency():
    assert duo(core("a"), core("b")).capacities() == (256, 1024)
    assert load_platform("rk3588").capacities() == (397,) * 4 + (1024,) * 4
    assert 1024 * (530 * 1_800_000) // (1024 * 2_400_000) == 397


def test_a_cpu_without_dmips_makes_all_equal():
    assert duo(core("a"), core("b"), (None, 1024)).capacities() == (1024, 1024)
    assert load_platform("sm8350").capacities() == (1024,) * 8


def test_lookups():
    platform = load_platform("rk3588")
    assert platform.core(3).id == "cortex-a55"
    assert platform.core(4).id == "cortex-a76"
    assert platform.max_khz(7) == 2_400_000
    assert platform.cpus_of_core("cortex-a76") == (4, 5, 6, 7)
    assert [node.name for node in platform.pmus_of(5)] == ["armv8_cortex_a76"]
    assert platform.pmu_named("armv8_cortex_a55") == PmuNode("armv8_cortex_a55", (0, 1, 2, 3))
    assert platform.pmu_named("armv8_cortex_a57") is None
    assert platform.core(0).event_name(0x11) == "CPU_CYCLES"
    assert platform.core(0).event_name(0xFFFF) == "0xffff"


def test_linux_numbers_junos_cpus_from_its_boot_cpu():
    platform = load_platform("juno-r0")
    assert [cpu.core for cpu in platform.cpus] == ["cortex-a53", *["cortex-a57"] * 2, *["cortex-a53"] * 3]
    assert [node.cpus for node in platform.pmus] == [(1, 2), (0, 3, 4, 5)]


def test_one_node_over_both_core_types_is_one_host_pmu():
    for name in ("sc8280xp", "sm8250", "sc7180", "imx8qm"):
        platform = load_platform(name)
        assert [len(node.cpus) for node in platform.pmus] == [len(platform.cpus)]
        assert len(platform.core_types) == 2


def test_overlapping_nodes_claim_every_cpu():
    platform = load_platform("sm8350")
    assert [node.name for node in platform.pmus_of(7)] == ["armv8_cortex_a55", "armv8_cortex_a78", "armv8_cortex_x1"]
    assert all(platform.probed_core(node).id == "cortex-a55" for node in platform.pmus)


def test_swapped_masks_are_probed_on_the_silicon_below():
    platform = load_platform("sm8550")
    probed = {node.name: platform.probed_core(node).id for node in platform.pmus}
    assert probed["armv9_cortex_a710"] == "cortex-a715"
    assert probed["armv9_cortex_a715"] == "cortex-a710"


def test_a_shared_opp_table_is_one_perf_domain():
    assert [domain.cpus for domain in load_platform("hikey620").perf_domains] == [tuple(range(8))]
    assert [domain.cpus for domain in load_platform("sm8650").perf_domains] == [(0, 1), (2, 3, 4), (5, 6), (7,)]
    power = [domain.dynamic_power_coefficient for domain in load_platform("hikey960").perf_domains]
    assert power == [110, 550]


@pytest.mark.parametrize(
    ("little", "big", "pmuver", "vpmu", "reason"),
    [
        (core("a", 4), core("b", 4), 4, "yes", "every CPU has PMUVer 4"),
        (core("a", 4), core("b", 6), 0, "no", "differs between the core types (a 4, b 6)"),
        (core("a", None), core("b", 4), None, "unknown", "the PMUVer of a is not known"),
        (core("a", None), core("b", None), None, "unknown", "the PMUVer of a, b is not known"),
        (core("a", 0), core("b", 0), 0, "no", "PMUVer is 0 on every CPU"),
        (core("a", 15), core("b", 15), 15, "no", "PMUVer is 15 on every CPU"),
        (core("a", 15, ((0x11, 2),)), core("b", 15, ((0x11, 2),)), 15, "yes", "IMPLEMENTATION DEFINED"),
        (core("a", 15, ((0x11, 2),)), core("b", 15), 15, "no", "PMUVer is 15 on every CPU"),
        (core("a", 15, ((0x11, 2),)), core("b", 4), 0, "no", "differs"),
    ],
)
def test_what_linux_and_kvm_make_of_pmuver(little, big, pmuver, vpmu, reason):
    platform = duo(little, big)
    assert platform.pmuver() == pmuver
    assert platform.vpmu() == vpmu
    assert reason in platform.vpmu_reason()


def test_two_known_versions_differ_whatever_a_third_is():
    platform = duo(core("a", 4), core("b", 6))
    third = replace(platform, core_types=(*platform.core_types, core("c", None)))
    assert third.pmuver() == 0
    assert third.vpmu() == "no"


def test_no_pmu_node_means_no_vpmu():
    platform = replace(duo(core("a"), core("b")), pmus=())
    assert platform.vpmu() == "no"
    assert "no PMU node" in platform.vpmu_reason()


def test_verdicts_on_real_socs():
    verdicts = {
        name: load_platform(name).vpmu() for name in ("rk3588", "apple-m1", "kirin970", "tegra186", "exynos990")
    }
    assert verdicts == {
        "rk3588": "yes",
        "apple-m1": "yes",
        "kirin970": "no",
        "tegra186": "unknown",
        "exynos990": "unknown",
    }


def test_aarch32_at_el0_needs_every_core():
    assert load_platform("rk3588").el0_aarch32
    assert not load_platform("sm8550").el0_aarch32


def test_a_platform_pickles():
    platform = load_platform("sm8650")
    assert pickle.loads(pickle.dumps(platform)) == platform
