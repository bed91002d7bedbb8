"""The host as KVM sees it: host PMUs from platforms, version limit, default choice, PMCEID."""

import pickle

import pytest

from pmu.events import event_name
from pmu.host import Host, guest_pmceid
from simcore.errors import InputError
from simcore.loader import load_platform
from simcore.pmceid import pmceid_events, pmceid_position
from tests.pmu_machine import A, B, pmu


def test_host_pmus_of_rk3588_in_probe_order():
    host = Host.from_platform(load_platform("rk3588"))
    rows = [(row.name, row.type_id, sorted(row.cpus), row.counters) for row in host.pmus]
    assert rows == [("armv8_cortex_a55", 8, [0, 1, 2, 3], 6), ("armv8_cortex_a76", 9, [4, 5, 6, 7], 6)]
    assert (host.pmuver_limit, host.impdef, host.ncpus) == (4, False, 8)


def test_one_node_over_two_core_types():
    host = Host.from_platform(load_platform("sc8280xp"))
    assert [sorted(row.cpus) for row in host.pmus] == [list(range(8))]


def test_apple_shows_version_1_and_one_counter():
    host = Host.from_platform(load_platform("apple-m1"))
    assert (host.impdef, host.pmuver_limit) == (True, 1)
    for row in host.pmus:
        assert host.max_counters(row) == 1
        assert guest_pmceid(row) == (0x40020101, 0x6)
        assert [row.native_event(event) for event in (0x08, 0x11, 0x21, 0x22, 0x03)] == [0x8C, 0x02, 0x8D, 0xCB, None]


@pytest.mark.parametrize("pmuver, limit, usable", ((0, 0, 0), (1, 1, 2), (5, 5, 2), (7, 6, 2), (15, 0, 0)))
def test_version_limit(pmuver: int, limit: int, usable: int):
    host = Host(8, (A, B), pmuver)
    assert (host.pmuver_limit, len(host.usable_pmus)) == (limit, usable)


def test_first_pmu_follows_the_order_of_registration():
    over = pmu("over", 10, range(2, 6), 8)
    host = Host(8, (A, over, B), 4)
    assert [host.first_pmu(cpu) for cpu in range(8)] == [A] * 4 + [over] * 2 + [B] * 2
    assert host.first_pmu(8) is None
    assert host.covered_cpus == frozenset(range(8))
    assert (host.pmu_of_type(10), host.pmu_of_type(11)) == (over, None)


def test_pmceid_forces_software_events_and_hides_slots():
    row = pmu("a", 8, range(4), 6, pmceid0=0, pmceid1=0xFFFFFFFFFFFFFFFF)
    assert guest_pmceid(row) == (0x40000001, 0xFFFFFFFF1FFFFFFF)


def test_busy_counters_name_a_host_pmu():
    platform = load_platform("rk3588")
    host = Host.from_platform(platform, busy_counters={"armv8_cortex_a76": 3})
    assert [row.busy_mask for row in host.pmus] == [0, 0b111]
    with pytest.raises(InputError, match="armv8_cortex_a76"):
        Host.from_platform(platform, busy_counters={"armv8_cortex_a77": 3})


@pytest.mark.parametrize("name", ("rk3588", "apple-m1"))
def test_hosts_pickle_and_compare(name: str):
    host = Host.from_platform(load_platform(name))
    copy = pickle.loads(pickle.dumps(host))
    assert copy == host
    assert hash(copy) == hash(host)
    assert copy.first_pmu(0) == host.first_pmu(0)


@pytest.mark.parametrize(
    "event, position",
    (
        (0x00, (0, 0)),
        (0x1F, (0, 31)),
        (0x20, (1, 0)),
        (0x4004, (0, 36)),
        (0x4020, (1, 32)),
        (0x40, None),
        (0x8000, None),
    ),
)
def test_pmceid_position(event: int, position: tuple[int, int] | None):
    assert pmceid_position(event) == position
    if position is not None:
        registers = [0, 0]
        registers[position[0]] = 1 << position[1]
        assert pmceid_events(*registers) == {event}


def test_event_names():
    assert (event_name(0x11), event_name(0x4004), event_name(0xC0DE)) == ("CPU_CYCLES", "CNT_CYCLES", "0xc0de")


def test_host_users_cannot_hold_more_counters_than_there_are():
    platform = load_platform("rk3588")
    assert Host.from_platform(platform, busy_counters={"armv8_cortex_a76": 7}).pmus[1].busy_mask == 0x8000003F
    with pytest.raises(InputError, match="has no 8 counters"):
        Host.from_platform(platform, busy_counters={"armv8_cortex_a76": 8})
