"""What `explain` and `platforms` say: verdicts on real SoCs, what each policy shows, and that masks decide it."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from scheduler.energy import has_energy_model
from simcore.app import explain_text
from simcore.app.explain_policies import default_pmus, policies_shown
from simcore.app.explaining import (
    clusters,
    counter_features,
    event_differences,
    explain_platform,
    platform_row,
    verdict,
    verdict_table,
)
from simcore.loader import list_platforms, load_platform
from simcore.platform import PmuNode, cpu_list

STRANGER = Path(__file__).parent / "data" / "platforms" / "stranger.toml"


def stalls(name):
    found = verdict(load_platform(name))
    return found["vpmu"], found["stalls"]


@pytest.mark.parametrize(
    ("name", "vpmu", "stalling"),
    [
        ("rk3588", "yes", "yes"),
        ("juno-r0", "yes", "yes"),
        ("apple-m1", "yes", "yes"),
        ("sm8550", "yes", "yes"),
        ("bcm2711", "yes", "no"),
        ("sc8280xp", "yes", "no"),
        ("sm8250", "yes", "no"),
        ("sc7280", "yes", "no"),
        ("sm8350", "yes", "no"),
        ("kirin970", "no", "no"),
        ("tegra186", "unknown", "unknown"),
        ("exynos990", "unknown", "unknown"),
        ("x1e80100", "unknown", "no"),
    ],
)
def test_verdicts(name, vpmu, stalling):
    assert stalls(name) == (vpmu, stalling)


def test_the_masks_of_the_file_decide_who_stalls():
    platform = load_platform("rk3588")
    assert verdict(platform)["uncovered"] == {"armv8_cortex_a55": [4, 5, 6, 7], "armv8_cortex_a76": [0, 1, 2, 3]}
    little, big = platform.pmus
    swapped = replace(platform, pmus=(PmuNode(little.name, big.cpus), PmuNode(big.name, little.cpus)))
    assert verdict(swapped)["uncovered"] == {"armv8_cortex_a55": [0, 1, 2, 3], "armv8_cortex_a76": [4, 5, 6, 7]}
    whole = replace(platform, pmus=(PmuNode("armv8_pmuv3", tuple(range(8))),))
    assert verdict(whole)["stalls"] == "no"


def test_cpus_without_any_pmu_are_told():
    platform = load_platform("rk3588")
    lone = replace(platform, pmus=platform.pmus[:1])
    found = verdict(lone)
    assert found["stalls"] == "yes"
    assert found["no_pmu_cpus"] == [4, 5, 6, 7]
    assert "no host PMU covers CPU 4-7" in explain_text.explanation(explain_platform(lone))


def test_a_stranger_gets_consistent_verdicts():
    found = explain_platform(load_platform(str(STRANGER)))
    assert found["verdict"]["vpmu"] == "yes"
    assert found["verdict"]["no_pmu_cpus"] == [2]
    assert found["verdict"]["pmcr_n"] == {"tiny_pmu": 2, "huge_pmu": 31}
    shown = {row["policy"]: row for row in found["policies"]}
    assert shown["set-pmu:tiny_pmu"]["events"] == ["SW_INCR", "INST_RETIRED", "CPU_CYCLES", "CHAIN"]
    assert shown["set-pmu:huge_pmu"]["events"] == ["SW_INCR", "INST_RETIRED", "CPU_CYCLES", "CHAIN"]
    assert shown["set-pmu:huge_pmu"]["masked"] == ["STALL_SLOT_BACKEND", "STALL_SLOT_FRONTEND", "STALL_SLOT"]


def test_what_kvm_shows_of_pmceid_equals_the_recorded_facts():
    shown = {row["policy"]: row for row in policies_shown(load_platform("exynos2200"))}
    assert shown["set-pmu:armv9_cortex_a710"]["pmceid0"] == 0xF0F1A707FFF0F3F
    assert shown["set-pmu:armv9_cortex_a710"]["pmceid1"] == 0x771EF2AE7F
    apple = policies_shown(load_platform("apple-m1"))[0]
    assert (apple["pmcr_n"], apple["pmceid0"], apple["pmceid1"], apple["pmuver"]) == (1, 0x40020101, 0x6, 1)


def test_fixed_counters_only_shows_the_cycle_counter_alone():
    (fixed,) = (row for row in policies_shown(load_platform("rk3588")) if row["policy"] == "fixed-counters-only")
    assert (fixed["pmcr_n"], fixed["pmceid0"], fixed["pmceid1"], fixed["events"]) == (0, 0, 0, [])
    assert fixed["counts_on"] == list(range(8))


@pytest.mark.parametrize(
    "policy, backing, runs_on, pmcr_n, events",
    [
        ("strict:armv8_cortex_a76", "one", [4, 5, 6, 7], 6, 42),
        ("composite", "each", list(range(8)), 6, 48),
        ("intersection", "local", list(range(8)), 6, 41),
        ("scaled-time", "none", list(range(8)), 0, 1),
    ],
)
def test_what_the_policies_show_that_run_when_named(policy, backing, runs_on, pmcr_n, events):
    row = next(row for row in policies_shown(load_platform("rk3588")) if row["policy"] == policy)
    assert (row["backing"], row["runs_on"], row["pmcr_n"], len(row["events"])) == (backing, runs_on, pmcr_n, events)
    assert row["counts_on"] == runs_on


def test_the_events_of_the_intersection_are_those_of_every_core_type():
    platform = load_platform("rk3588")
    row = next(row for row in policies_shown(platform) if row["policy"] == "intersection")
    assert row["events"] == event_differences(platform)["on_every_core_type"]


def test_strict_shows_slots_and_their_events():
    platform = load_platform("sm8550")
    shown = {row["policy"]: row for row in policies_shown(platform)}
    slots = {"STALL_SLOT_BACKEND", "STALL_SLOT_FRONTEND", "STALL_SLOT"}
    usual, strict = shown["set-pmu:armv9_cortex_x3"], shown["strict:armv9_cortex_x3"]
    assert set(strict["events"]) - set(usual["events"]) == slots == set(usual["masked"])
    assert strict["masked"] == []
    assert "PMMIR_EL1.SLOTS: not known" in explain_text.explanation(explain_platform(platform))
    cores = tuple(replace(core, pmu=replace(core.pmu, pmmir_slots=6)) for core in platform.core_types)
    known = replace(platform, core_types=cores)
    assert {row["slots"] for row in policies_shown(known)} == {0, 6}
    assert "6 under strict:armv9_cortex_x3" in explain_text.explanation(explain_platform(known))


def test_every_policy_says_what_kernel_has_it():
    text = explain_text.explanation(explain_platform(load_platform("rk3588")))
    for policy, kernel in {
        "none": "mainline",
        "strict:<pmu>": "merged for Linux 7.3",
        "composite": "RFC v1 (2025-03-19)",
        "intersection": "what-if: no kernel",
        "scaled-time": "what-if: no kernel",
        "fixed-counters-only": "not merged",
    }.items():
        lines = [line for line in text.splitlines() if line.startswith(f"{policy} ")]
        assert any(kernel in line for line in lines), policy


def test_who_is_shown_a_counter_is_said_of_every_policy():
    """Policies that run when named show event counters too, and `none` is one of them: it is no word for nowhere."""
    shown = {row["counter"]: row["shown_under"] for row in counter_features(load_platform("rk3588"))}
    assert (shown["PMCCNTR_EL0"], shown["PMICNTR_EL0"]) == ("all but none", "nowhere")
    assert {shown[name] for name in ("PMEVCNTR0_EL0..PMEVCNTR5_EL0", "SW_INCR", "CHAIN")} == {"where N > 0"}


def test_a_pmu_hidden_by_an_earlier_one_is_never_the_default():
    from pmu.host import Host

    host = Host.from_platform(load_platform("sc7280"))
    assert [pmu.name for pmu in default_pmus(host)] == ["armv8_cortex_a55"]
    policies = [row["policy"] for row in policies_shown(load_platform("sc7280"))]
    assert policies == [
        "default", "set-pmu:armv8_cortex_a55", "set-pmu:armv8_cortex_a78", "fixed-counters-only",
        "strict:armv8_cortex_a55", "strict:armv8_cortex_a78", "composite", "intersection", "scaled-time",
    ]  # fmt: skip


def test_differences_between_core_types():
    diff = event_differences(load_platform("rk3588"))
    assert diff["missing_on"]["cortex-a55"] == ["REMOTE_ACCESS"]
    assert diff["besides_on"]["cortex-a76"] == ["REMOTE_ACCESS"]
    assert "LD_RETIRED" in diff["missing_on"]["cortex-a76"]
    assert "CPU_CYCLES" in diff["on_every_core_type"]


def test_differences_equal_the_collected_table():
    """`socs_event_diff.toml` of the collected facts says 25 events are common to both core types of the A311D2."""
    assert len(event_differences(load_platform("amlogic-t7"))["on_every_core_type"]) == 25


def test_clusters_and_energy():
    rows = clusters(load_platform("hikey960"))
    assert [(row["cpus"], row["capacity"], row["max_khz"]) for row in rows] == [
        ([0, 1, 2, 3], 462, 1_844_000),
        ([4, 5, 6, 7], 1024, 2_362_000),
    ]
    assert has_energy_model(load_platform("rk3588"))
    assert not has_energy_model(load_platform("sc8280xp"))
    assert not has_energy_model(load_platform("juno-r0"))


def test_what_is_lacking_is_said():
    assumed = {row["key"]: row["value"] for row in platform_row(load_platform("tegra186"))["assumptions"]}
    assert assumed["core.nvidia-denver2.pmuver"] == "unknown"
    assert assumed["core.nvidia-denver2.events"] == "estimate: as cortex-a76"
    assert assumed["capacity_dmips_mhz"] == "capacity 1024 for every CPU"
    assert assumed["perf_domain.power"] == "no energy model"
    assert "one OPP of" in assumed["perf_domain.cortex-a57.khz"]


def test_every_platform_explains_itself_in_readable_text():
    for name in list_platforms():
        found = explain_platform(load_platform(name))
        assert json.loads(json.dumps(found)) == found
        text = explain_text.explanation(found)
        assert text.startswith(f"{name}: ")
        assert max(map(len, text.splitlines())) <= 120


def test_the_table_of_all_has_a_row_for_each():
    rows = verdict_table(map(load_platform, list_platforms()))
    lines = explain_text.verdicts(rows).splitlines()
    assert len(lines) == 56
    assert lines[0].split()[:4] == ["SoC", "vPMU", "stalls", "N"]
    rk3588 = next(line.split() for line in lines if line.startswith("rk3588 "))
    assert rk3588[:5] == ["rk3588", "yes", "yes", "6", "41/47"]


def test_the_list_of_platforms_says_what_is_assumed():
    rows = [platform_row(load_platform("bcm2711"))]
    assert "perf_domain.cortex-a72.khz: one OPP of 1800000 kHz" in explain_text.platforms(rows)
    assert "sbc-bench" not in explain_text.platforms(rows)
    assert "sbc-bench" in explain_text.platforms(rows, reasons=True)


def test_cpu_lists():
    assert cpu_list([0, 1, 2, 3, 5, 7, 8]) == "0-3,5,7-8"
    assert cpu_list([]) == ""
