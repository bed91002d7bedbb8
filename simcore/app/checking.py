"""Everything that can be wrong with a scenario is found before anything is simulated."""

from scheduler.governors import chosen_khz
from simcore.app.running import check, load_host_rtapp, plan_vm
from simcore.loader import load_platform
from simcore.scenario import Scenario


def checked(scenario: Scenario) -> Scenario:
    """Give the scenario back, or raise InputError for what no run could be made of."""
    check(scenario)
    platform = load_platform(scenario.platform)
    chosen_khz(platform, scenario.governor)
    load_host_rtapp(scenario, len(platform.cpus))
    for number in range(len(scenario.vms)):
        plan_vm(platform, scenario, number)
    return scenario
