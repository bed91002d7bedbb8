"""Governors by name, schedutil's rate limit and the margin of fitting, as a scenario sets them."""

import pytest

from scheduler import kernel_state as ks
from scheduler.governors import chosen_khz
from simcore.app.checking import checked
from simcore.app.running import Machine
from simcore.errors import InputError
from simcore.loader import load_platform
from simcore.scenario import Scenario
from tests.scenes import DUO, MS, SpinUntil, Stage, scene


@pytest.fixture
def stage(monkeypatch):
    return Stage(monkeypatch)


def spin(cpu):
    while True:
        yield SpinUntil(0, 1 << 40)


@pytest.mark.parametrize(
    "governor, cpu, cycles",
    [
        ("userspace:1000000", 0, 20_000_000),
        ("userspace:1000000", 1, 20_000_000),
        ("userspace:500000,2000000", 0, 10_000_000),
        ("userspace:500000,2000000", 1, 40_000_000),
    ],
)
def test_userspace_keeps_the_frequency_that_was_set(stage, governor, cpu, cycles):
    result = stage.run(scene(vm={"cpus": (cpu,)}, governor=governor), spin)
    assert result.tables["vcpus"]["guest_cycles"].tolist() == [cycles]


@pytest.mark.parametrize(
    "governor, valid",
    [
        ("ondemand", "schedutil"),
        ("userspace", "userspace:KHZ"),
        ("userspace:", "userspace:KHZ"),
        ("userspace:2000000", "500000, 1000000"),
        ("userspace:500000,500000", "1000000, 2000000"),
        ("userspace:500000,1000000,1000000", "one, or one each"),
    ],
)
def test_what_is_no_governor_is_refused_with_what_would_be_one(governor, valid):
    with pytest.raises(InputError) as refused:
        chosen_khz(load_platform(DUO), governor)
    assert valid in str(refused.value)
    with pytest.raises(InputError):
        checked(Scenario(platform=DUO, governor=governor))


def test_a_longer_rate_limit_holds_schedutil_back(stage):
    """It raises the frequency of CPU 1 at the tick of 4 ms, or at the first tick that the limit allows."""
    big = {"cpus": (1,)}
    for limit, raised in ((MS, 4), (4 * MS, 4), (5 * MS, 8)):
        machine = stage.machine(scene(vm=big, governor="schedutil", rate_limit_ns=limit), spin)
        machine.run()
        assert machine.host.state.busy[1].tolist() == [raised * MS, (20 - raised) * MS]


@pytest.mark.parametrize("percent, margin", [(80, 1280), (100, 1024), (50, 2048)])
def test_the_margin_is_the_share_of_a_capacity_that_fits(percent, margin):
    assert Machine(Scenario(margin=percent)).host.state.glob[ks.MARGIN] == margin


@pytest.mark.parametrize("percent", [0, 101])
def test_no_margin_beyond_a_whole_capacity(percent):
    with pytest.raises(InputError, match="margin"):
        Machine(Scenario(margin=percent))
