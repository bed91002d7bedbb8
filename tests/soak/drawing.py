"""Random valid scenarios over the whole schema: the host, what changes while it runs, and its other threads."""

import json
from dataclasses import dataclass, field

from scheduler.governors import PERFORMANCE, POWERSAVE, SCHEDUTIL, USERSPACE
from simcore.costs import COST_NAMES
from simcore.scenario import ALL_CAUSES
from tests.soak.dice import Dice
from tests.soak.drawing_vms import draw_thread, draw_vm
from tests.soak.drawn_platforms import FILE, Site, draw_site
from tests.soak.toml import Tables, toml_text

MS = 1_000_000
SCENARIO, RTAPP, WORKLOAD = "scenario.toml", "app.json", "workload.toml"
DESTINATIONS = ["default@mainline", "fixed-counters-only@v8", "default@v6", "fixed-counters-only@v6"]
"""Policies under which a VM may go on after a live migration."""
LENGTHS_MS = {1: 22, 2: 24, 5: 26, 10: 16, 20: 8, 50: 3, 100: 1}
"""How long a scenario is, and how often."""
SCHEDULERS = {"eas": 40, "eevdf": 25, "random": 15, "round-robin": 10, "pinned": 10}


@dataclass(frozen=True, slots=True)
class Draft:
    """A drawn scenario as tables, and the files that it refers to by name."""

    tables: Tables
    files: dict[str, str] = field(default_factory=dict)

    @property
    def text(self) -> str:
        """Return the scenario's file."""
        return toml_text(self.tables)


def draw_draft(seed: int, index: int) -> Draft:
    """Draw scenario number ``index`` of a soak with this seed."""
    dice = Dice(seed, index)
    site, platform = draw_site(dice)
    length = dice.weighted(LENGTHS_MS) * MS
    scheduler = _scheduler(dice)
    files = {FILE: toml_text(platform)} if platform else {}
    if dice.chance(10):
        files[RTAPP] = json.dumps(draw_rtapp(dice, site))
    vms = [draw_vm(dice, site, length, scheduler) for _ in range(dice.weighted({1: 60, 2: 30, 3: 10}))]
    if RTAPP in files and dice.chance(50):
        _give_rtapp(dice, vms[0])
    if dice.chance(20):
        files[WORKLOAD] = toml_text(draw_workload(dice, site))
        dice.choice(vms)["guest"]["workload"] = WORKLOAD
    tables: Tables = {
        "format": "hetpmu-scenario/1",
        "platform": site.name,
        "seconds": f"{length}ns",
        "seed": dice.below(1 << 32),
        "scheduler": scheduler,
        "vms": vms,
        **_host(dice, site, length),
        **_observation(dice, length),
        **_changes(dice, site, length, vms, scheduler),
    }
    if RTAPP in files and "rt-app" not in vms[0]["guest"]["name"]:
        tables["rtapp"] = {"file": RTAPP}
    return Draft(tables, files)


def _scheduler(dice: Dice) -> str:
    name = dice.weighted(SCHEDULERS)
    if name == "random" and dice.chance(80):
        return f"random:{dice.span(20, 20_000)}"
    if name == "round-robin" and dice.chance(80):
        return f"round-robin:{dice.span(100_000, 20 * MS)}ns"
    return name


def _host(dice: Dice, site: Site, length: int) -> Tables:
    tables: Tables = {"governor": _governor(dice, site), "hz": dice.choice([100, 250, 250, 300, 1000])}
    if dice.chance(30):
        tables |= {"rate_limit": dice.time(1, 4 * MS), "margin": dice.between(1, 100)}
    if dice.chance(50):
        tables["halt_poll"] = dice.choice(["0s", dice.time(1000, 2 * MS)])
    if dice.chance(25):
        tables["causes"] = sorted(cause for cause in ALL_CAUSES if dice.chance(70))
    if dice.chance(25):
        tables["idle"] = {
            "latency_limit": dice.choice(["0s", dice.time(1000, 2 * MS)]),
            "wfi_power": dice.below(1001), "sleep_power": dice.below(1001),
        }  # fmt: skip
    if dice.chance(50):
        most = dice.choice([0, 1, 1000, 30_000])
        tables["costs"] = {name: f"{dice.below(most + 1)}ns" for name in COST_NAMES}
    if site.host.pmus and dice.chance(20):
        pmu = dice.choice(site.host.pmus)
        tables["busy_counters"] = {pmu.name: dice.below(pmu.counters + 2)}
    tables |= {"quirks": dice.chance(50), "icntr": dice.chance(30)}
    if dice.chance(70):
        tables["background"] = [_background(dice, site) for _ in range(dice.below(7))]
    return {key: value for key, value in tables.items() if value != []} | (
        {"background": []} if tables.get("background") == [] else {}
    )


def _governor(dice: Dice, site: Site) -> str:
    name = dice.weighted({SCHEDUTIL: 60, PERFORMANCE: 20, POWERSAVE: 10, USERSPACE: 10})
    if name != USERSPACE:
        return name
    speeds = [dice.choice(domain.opps).khz for domain in site.platform.perf_domains]
    return f"{USERSPACE}:{','.join(map(str, speeds))}"


def _background(dice: Dice, site: Site) -> Tables:
    task: Tables = {"burst": dice.time(10_000, 5 * MS), "sleep": dice.time(1000, 10 * MS), **draw_thread(dice)}
    if dice.chance(30):
        task["cpus"] = dice.some(site.cpus)
    return task


def _observation(dice: Dice, length: int) -> Tables:
    """Draw the grid of samples, at most a few hundred points."""
    return {"sample": dice.choice(["0s", dice.time(max(1, length // 300), length)])}


def _changes(dice: Dice, site: Site, length: int, vms: list[Tables], scheduler: str) -> Tables:
    tables: Tables = {}
    domains = site.platform.perf_domains
    if dice.chance(40):
        tables["opp_changes"] = [_opp_change(dice, domains, length) for _ in range(dice.between(1, 6))]
    if scheduler != "pinned" and dice.chance(40):
        tables["affinity_changes"] = [_affinity_change(dice, site, length, vms) for _ in range(dice.between(1, 6))]
    if scheduler != "pinned" and dice.chance(15):
        tables["cpuset_changes"] = [
            {"time": dice.time_of(length), "vm": dice.below(len(vms)), "cpus": dice.some(site.cpus)}
            for _ in range(dice.between(1, 3))
        ]
    lives = [live for vm, spec in enumerate(vms) if dice.chance(12) for live in _lives(dice, site, length, vm, spec)]
    return tables | ({"live_migrations": lives} if lives else {})


def _opp_change(dice: Dice, domains: tuple, length: int) -> Tables:
    domain = dice.below(len(domains))
    return {"time": dice.time_of(length), "domain": domain, "khz": dice.choice(domains[domain].opps).khz}


def _affinity_change(dice: Dice, site: Site, length: int, vms: list[Tables]) -> Tables:
    vm = dice.below(len(vms))
    return {
        "time": dice.time_of(length), "vm": vm, "vcpu": dice.below(vms[vm]["vcpus"]), "cpus": dice.some(site.cpus)
    }  # fmt: skip


def _lives(dice: Dice, site: Site, length: int, vm: int, spec: Tables) -> list[Tables]:
    """Draw one or two live migrations of a VM, under policies that it can go to."""
    policies = (
        ["none"]
        if spec["policy"] == "none"
        else ["default@mainline", "fixed-counters-only@v8", "default@v6", "fixed-counters-only@v6"]
    )
    if spec["vmm"] in ("crosvm", "kvmtool", "qemu-rfc"):
        policies = [spec["policy"] if spec["policy"] == "none" else "default@mainline"]
    step, begin = length // 3, int(spec["pin_delay"].removesuffix("ns")) + 1
    return [
        {
            "time": f"{begin + number * step + dice.below(step // 3)}ns", "vm": vm, "policy": dice.choice(policies),
            "downtime": dice.time(1, step // 3), "order": dice.choice(["ascending", "descending", "random"]),
        }
        for number in range(dice.between(1, 2))
    ]  # fmt: skip


def draw_workload(dice: Dice, site: Site) -> Tables:
    """Draw a workload of the user's with rates for each core type, in bursts."""
    rates = [
        {
            "core": core.id, "core_cpi": dice.between(10, 300) / 100, "stall_ns_per_inst": dice.below(200) / 100,
            "stall_source": "drawn",
            "events": {f"{event:#x}": dice.below(30_000) / 100 for event in (0x03, 0x10, 0x13, 0x1B, 0x24)},
        }
        for core in site.platform.core_types
    ]  # fmt: skip
    return {
        "format": "hetpmu-workload/1", "name": "drawn", "title": "A drawn workload", "level": dice.below(2),
        "burst_cv": dice.between(1, 99) / 100, "rates": rates,
    }  # fmt: skip


def _give_rtapp(dice: Dice, vm: Tables) -> None:
    """Let a VM's guest be the rt-app file; its calibration alone takes some ms."""
    vm["vcpus"] = max(vm["vcpus"], 4)
    vm["guest"] |= {"name": f"rt-app:{RTAPP}", "rtapp_ignore": ["cpus"], "boot": "1us"}


def draw_rtapp(dice: Dice, site: Site) -> Tables:
    """Draw a file of rt-app with up to four threads."""
    tasks = {f"task{number}": _task(dice, site) for number in range(dice.between(1, 4))}
    return {"tasks": tasks, "global": {"duration": 1, "calibration": "CPU0"}}


def _task(dice: Dice, site: Site) -> Tables:
    task: Tables = {"priority": dice.between(-10, 10), "loop": -1}
    if dice.chance(30):
        task["cpus"] = dice.some(site.cpus)
    task["run"] = dice.span(20, 3000)
    if dice.chance(60):
        task["timer"] = {"ref": "unique", "period": dice.span(200, 8000)}
    else:
        task["sleep"] = dice.span(50, 4000)
    if dice.chance(30):
        task["runtime"] = dice.span(20, 1000)
    return task
