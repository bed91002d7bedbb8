"""The guests that test the PMU: what each says where counters stall, and where they do not (docs/guest_code.md)."""

import pytest

from simcore.app.code_running import Question, answer
from tests.tools import need_unicorn

need_unicorn()

FAILS = {
    "cycles": (0, 2),
    "introspect": (3, 0),  # registers alone
    "config": (3, 0),
    "basic": (7, 2),
    "access": (1, 3),
    "swinc": (3, 0),  # KVM counts PMSWINC_EL0 itself
    "chain": (0, 3),
    "chainsw": (4, 0),
    "promote": (1, 5),
    "interrupts": (1, 4),
}
"""PASS and FAIL of each guest that runs where its PMU does not count."""


def verdicts(name: str, policy: str, plan: str) -> tuple[int, int, int]:
    found = answer(Question(name, policy=policy, migrate=plan, init_cpu=4))
    assert found["outcome"] == "off", found["where"]
    counts = found["verdicts"]
    return counts["PASS"], counts["FAIL"], counts["SKIP"]


@pytest.mark.parametrize("name", FAILS)
def test_a_stalled_pmu_fails_what_counts_on_the_host(name):
    assert verdicts(name, "default", "at=1:0") == (*FAILS[name], 0)


@pytest.mark.parametrize("name", FAILS)
def test_all_pass_on_the_cores_of_their_pmu(name):
    assert verdicts(name, "set-pmu:armv8_cortex_a76", "random:50000") == (sum(FAILS[name]), 0, 0)


@pytest.mark.parametrize("name", FAILS)
def test_under_fixed_counters_only_there_is_the_cycle_counter(name):
    whole = (2, 0, 0) if name == "cycles" else (0, 0, 1)
    assert verdicts(name, "fixed-counters-only", "random:50000") == whole
