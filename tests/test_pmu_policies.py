"""Policies: what applies to a host, what a name means, and what is wrong with a bad name."""

import pytest

from pmu.host import Host
from pmu.policies import AFTER_INIT, BEFORE_INIT, POLICIES, all_that_apply, parse
from pmu.versions import KERNELS
from simcore.errors import InputError
from tests.pmu_machine import A, B, Machine

HOST = Host(8, (A, B), 4)


def test_all_that_apply_once_per_host_pmu():
    assert all_that_apply(HOST) == (
        "default",
        "default-pinned:a",
        "default-pinned:b",
        "set-pmu:a",
        "set-pmu:b",
        "set-pmu-unpinned:a",
        "set-pmu-unpinned:b",
        "fixed-counters-only",
    )
    assert all_that_apply(Host(8, (A, B), 0)) == ()


@pytest.mark.parametrize(
    "text, kernel, attributes, pins, cpus",
    (
        ("default", "mainline", (), "", ()),
        ("default@v6", "v6", (), "", ()),
        ("default-pinned:b", "mainline", (), AFTER_INIT, B.cpus),
        ("set-pmu:b", "mainline", (("SET_PMU", 9),), BEFORE_INIT, B.cpus),
        ("set-pmu:a@review", "review", (("SET_PMU", 8),), BEFORE_INIT, A.cpus),
        ("set-pmu-unpinned:a", "mainline", (("SET_PMU", 8),), "", ()),
        ("fixed-counters-only@v8", "v8", (("FIXED_COUNTERS_ONLY", None),), "", ()),
        ("strict:b@7.3", "7.3", (("SET_PMU", 9),), BEFORE_INIT, B.cpus),
        ("composite@v1", "v1", (), "", ()),
        ("composite@v2", "v2", (("COMPOSITION", None),), "", ()),
        ("intersection@what-if", "what-if", (("INTERSECTION", None),), "", ()),
        ("scaled-time@what-if", "what-if", (("SCALED_TIME", None),), "", ()),
    ),
)
def test_parse(text: str, kernel: str, attributes, pins: str, cpus):
    policy = parse(text, HOST)
    assert (policy.kernel, policy.revision) == (kernel, KERNELS[kernel])
    assert (policy.attributes, policy.pins, policy.pinned_cpus) == (attributes, pins, frozenset(cpus))
    assert policy.has_pmu


def test_a_suffix_wins_over_the_kernel():
    assert parse("default@v6", HOST, "v8").kernel == "v6"
    assert parse("default", HOST, "v8").kernel == "v8"


def test_none_has_no_pmu():
    assert not parse("none", HOST).has_pmu


@pytest.mark.parametrize(
    "text, said",
    (
        ("defalt", "did you mean default"),
        ("set-pmu", "needs a host PMU"),
        ("set-pmu:", "unknown host PMU ''"),
        ("set-pmu:armv8", "a, b"),
        ("default:a", "takes no host PMU"),
        ("default@v9", "unknown kernel 'v9'"),
        ("default@", "unknown kernel ''"),
        ("fixed-counters-only", "fixed-counters-only@v8"),
        ("fixed-counters-only@mainline", "mainline has no"),
        ("", "unknown policy ''"),
        ("strict", "strict:a, strict:b"),
        ("strict:a@v8", "strict:a@7.3"),
        ("composite@v8", "composite@v1, composite@v2"),
        ("scaled-time", "scaled-time@what-if"),
        ("intersect", "did you mean intersection"),
        ("default@v1", "mainline, "),
    ),
)
def test_bad_names(text: str, said: str):
    with pytest.raises(InputError) as caught:
        parse(text, HOST)
    assert said in str(caught.value)
    assert len(str(caught.value).splitlines()) <= 3


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("name", (*all_that_apply(HOST), "strict:a", "composite", "intersection", "scaled-time"))
def test_every_policy_can_be_set_up_where_it_exists(name: str, kernel: str):
    if not POLICIES[name.partition(":")[0]].exists(KERNELS[kernel]):
        with pytest.raises(InputError):
            parse(name, HOST, kernel)
        return
    policy = parse(name, HOST, kernel)
    machine = Machine(HOST, policy.revision, strict=policy.strict)
    assert [machine.set(*attribute) for attribute in policy.attributes] == [0] * len(policy.attributes)
    assert machine.prep().run(min(policy.pinned_cpus, default=0)) in ("guest", "FAIL_ENTRY")
