"""Pairs of policy and kernel: suffixes, multiplication, and what cannot exist."""

import pytest

from scheduler.vmm_rows import vmm_named
from simcore.app.pairing import Pair, expand
from simcore.errors import InputError
from simcore.loader import load_platform

RK3588 = load_platform("rk3588")


def labels(policies=(), kernels=(), platform=RK3588):
    return [pair.label for pair in expand(platform, policies, kernels)[0]]


def test_all_that_apply_is_each_policy_once_per_host_pmu():
    assert labels() == [
        "default@mainline",
        "default-pinned:armv8_cortex_a55@mainline",
        "default-pinned:armv8_cortex_a76@mainline",
        "set-pmu:armv8_cortex_a55@mainline",
        "set-pmu:armv8_cortex_a76@mainline",
        "set-pmu-unpinned:armv8_cortex_a55@mainline",
        "set-pmu-unpinned:armv8_cortex_a76@mainline",
        "fixed-counters-only@v8",
    ]


def test_a_platform_with_one_host_pmu_has_fewer():
    assert len(labels(platform=load_platform("bcm2711"))) == 5


def test_kernels_multiply_and_a_suffix_wins():
    assert labels(("default", "default@v4", "fixed-counters-only"), ("v6", "v8")) == [
        "default@v6", "default@v8", "default@v4", "fixed-counters-only@v6", "fixed-counters-only@v8",
    ]  # fmt: skip


def test_a_pair_twice_is_one_pair():
    assert labels(("default", "default@mainline", "default")) == ["default@mainline"]


def test_a_pair_that_cannot_exist_is_left_out_with_one_line():
    pairs, left_out = expand(RK3588, ("fixed-counters-only", "default"), ("mainline", "v6"))
    assert Pair("fixed-counters-only", "mainline") not in pairs
    assert len(pairs) == 3
    assert len(left_out) == 1
    assert "fixed-counters-only@mainline" in left_out[0]


@pytest.mark.parametrize(
    "vmm, kept, left_out",
    [
        ("libvirt", 8, 0),
        ("crosvm", 3, 5),  # default and default-pinned; neither SET_PMU nor FIXED_COUNTERS_ONLY can be asked for
        ("kvmtool", 5, 3),  # and set-pmu, by pinning kvmtool
        ("qemu-rfc", 8, 1),  # all but fixed-counters-only, and default on the kernel on which it chooses that
    ],
)
def test_what_a_vmm_cannot_ask_for_is_left_out(vmm, kept, left_out):
    pairs, lines = expand(RK3588, (), (), vmm_named(vmm))
    assert (len(pairs), len(lines)) == (kept, left_out)
    assert all(line.startswith("left out: ") and vmm in line and len(line) <= 140 for line in lines)
    assert (Pair("default", "v8") in pairs) == (vmm == "qemu-rfc")


@pytest.mark.parametrize("policies", [("set-pmu-unpinned:armv8_cortex_a55",), ("fixed-counters-only@v8", "default")])
def test_what_a_vmm_cannot_ask_for_is_bad_input_alone_or_with_a_suffix(policies):
    with pytest.raises(InputError, match="crosvm cannot be asked for"):
        expand(RK3588, policies, (), vmm_named("crosvm"))


@pytest.mark.parametrize(
    "policies, kernels, message",
    [
        (("fixed-counters-only",), ("mainline",), "no pair"),
        (("default", "fixed-counters-only@mainline"), (), "cannot exist"),
        (("defualt",), (), "did you mean default"),
        (("default",), ("v7",), "unknown kernel"),
        (("default@v7",), (), "unknown kernel"),
        (("set-pmu",), (), "needs a host PMU"),
        (("set-pmu:armv8_cortex_a57",), (), "armv8_cortex_a55"),
        (("fixed-counters-only:x",), ("mainline", "v8"), "takes no host PMU"),
        (("",), (), "policy"),
    ],
)
def test_bad_names_are_bad_input(policies, kernels, message):
    with pytest.raises(InputError, match=message):
        expand(RK3588, policies, kernels)


def test_no_vpmu_no_policy():
    with pytest.raises(InputError, match="no PMU node"):
        expand(load_platform("hikey620"))
