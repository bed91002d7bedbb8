"""Platforms of random scenarios: mostly one of the product's, now and then a made-up mix of its core types."""

from dataclasses import dataclass
from functools import cache

from pmu.host import Host
from simcore.loader import list_cores, list_platforms, load_core_table, load_platform, platform_of_tables
from simcore.platform import Platform
from tests.soak.dice import Dice
from tests.soak.toml import Tables

FILE = "platform.toml"
DRAWN_PERCENT = 12
IDLE_STATES = [
    {"name": "retention", "entry_us": 40, "exit_us": 60, "min_residency_us": 300},
    {"name": "off", "entry_us": 200, "exit_us": 400, "min_residency_us": 2000},
]


@dataclass(frozen=True, slots=True)
class Site:
    """Where a scenario happens: its platform under the name that a scenario has for it, and the host that it makes."""

    name: str
    platform: Platform
    host: Host

    @property
    def cpus(self) -> list[int]:
        """Return the numbers of all pCPUs."""
        return list(range(len(self.platform.cpus)))

    def places_of(self, cpu: int) -> list[str]:
        """Return the names of the cluster and the host PMUs that a pCPU belongs to."""
        return [self.platform.cpus[cpu].cluster, *(node.name for node in self.platform.pmus_of(cpu))]


@cache
def _product(name: str) -> Site:
    platform = load_platform(name)
    return Site(name, platform, Host.from_platform(platform))


@cache
def _cores() -> list[str]:
    """Return the product's core types that have a measured stand-in."""
    return [core for core in list_cores() if load_core_table(core).pmu.pmuver not in (None, 0, 15)]


def draw_site(dice: Dice) -> tuple[Site, Tables | None]:
    """Return where a scenario happens, and the tables of its platform's file if it has one of its own."""
    if not dice.chance(DRAWN_PERCENT):
        return _product(dice.choice(list_platforms())), None
    tables = draw_platform(dice)
    platform = platform_of_tables(tables, FILE)
    return Site(FILE, platform, Host.from_platform(platform)), tables


def draw_platform(dice: Dice) -> Tables:
    """Draw a SoC of one to three clusters, each with a host PMU, now and then with none or with a common one."""
    clusters, domains, pmus, cores, first = [], [], [], [], 0
    pmuver = dice.choice([1, 4, 4, 4, 6, 7])
    for number in range(dice.between(1, 3)):
        cpus = list(range(first, first + dice.between(1, 4)))
        first += len(cpus)
        cores.append(_variant(dice, f"core{number}", pmuver if dice.chance(95) else 5))
        clusters.append({
            "name": f"cluster{number}", "cpus": cpus, "core": f"core{number}", "perf_domain": f"domain{number}",
            "capacity_dmips_mhz": dice.between(200, 1024), "idle_states": dice.choice([[], ["retention"], ["off"]]),
        })  # fmt: skip
        domains.append(_domain(dice, f"domain{number}"))
        pmus.append({"name": f"pmu_{number}", "cpus": cpus})
    if len(pmus) > 1 and dice.chance(25):
        pmus = [{"name": "pmu_all", "cpus": list(range(first))}] if dice.chance(50) else pmus[:-1]
    tables = {
        "format": "hetpmu-soc/1", "id": "drawn", "name": "A drawn SoC",
        "cntfrq_hz": dice.choice([1_000_000, 19_200_000, 24_000_000, 1_000_000_000]),
        "cluster": clusters, "perf_domain": domains, "pmu": pmus, "core": cores,
        "idle_state": IDLE_STATES, "cache": [],
    }  # fmt: skip
    return {key: value for key, value in tables.items() if value != []}


def _domain(dice: Dice, name: str) -> Tables:
    khz = sorted({dice.between(200, 3500) * 1000 + dice.below(1000) for _ in range(dice.between(1, 6))})
    domain: Tables = {"name": name, "khz": khz}
    if dice.chance(60):
        domain["microvolt"] = [600_000 + 20_000 * place for place in range(len(khz))]
        domain["dynamic_power_coefficient"] = dice.between(50, 900)
    return domain


def _variant(dice: Dice, name: str, pmuver: int) -> Tables:
    """Return a core type of its own: another PMU, with the rates of a product's."""
    base = dice.choice(_cores())
    table = load_core_table(base)
    pmu: Tables = {"pmuver": pmuver, "event_counters": dice.choice([2, 4, 6, 6, 20])}
    if pmuver == 7 and dice.chance(80):
        pmu["icntr"] = True
    return {
        "id": name, "in_order": table.in_order, "el0_aarch32": dice.chance(50),
        "rates_like": table.rates_like or base, "pmu": pmu, "events": dict(table.events),
    }  # fmt: skip
