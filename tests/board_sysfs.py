"""A synthetic copy of sysfs: the files that Linux on a platform of the product would show, under a directory."""

import shutil
from pathlib import Path

from scheduler.energy import powers
from simcore.loader import load_core_table, load_platform
from simcore.platform import cpu_list

CPUS = "sys/devices/system/cpu"
DEVICE_TREE = "sys/firmware/devicetree/base"


class Sysfs:
    """Files below a root; paths as on a board without the first slash."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def write(self, path: str, text: str | bytes) -> None:
        place = self.root / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(text if isinstance(text, bytes) else f"{text}\n".encode())

    def remove(self, path: str) -> None:
        place = self.root / path
        if place.is_dir():
            shutil.rmtree(place)
        else:
            place.unlink()


def words(*cells: int) -> bytes:
    return b"".join(cell.to_bytes(4, "big") for cell in cells)


def make(
    root: Path, platform_id: str, *, device_tree: bool = True, energy_model: bool = False, log: bool = True
) -> Sysfs:
    """Write what a board of this platform shows."""
    board, sysfs = load_platform(platform_id), Sysfs(root)
    everything = cpu_list(cpu.number for cpu in board.cpus)
    for name in ("possible", "present", "online"):
        sysfs.write(f"{CPUS}/{name}", everything)
    for cpu, capacity in zip(board.cpus, board.capacities(), strict=True):
        _cpu(sysfs, board, cpu, capacity)
    for domain in board.perf_domains:
        _policy(sysfs, domain)
        if energy_model:
            _energy_model(sysfs, board, domain)
    for number, node in enumerate(board.pmus):
        _pmu(sysfs, board, node, 8 + number)
    for name in ("breakpoint", "software", "tracepoint"):
        sysfs.write(f"sys/bus/event_source/devices/{name}/type", "5")
    for name in ("arm_dsu_0", "arm_spe_0", "smmuv3_pmcg_2b442"):
        sysfs.write(f"sys/bus/event_source/devices/{name}/cpumask", "0")
        sysfs.write(f"sys/bus/event_source/devices/{name}/type", "20")
    mhz = board.cntfrq_hz // 10_000
    bogomips = f"{board.cntfrq_hz / 500_000:.2f}"
    midr = {cpu.number: load_core_table(cpu.core).midr or 0 for cpu in board.cpus}
    sysfs.write("proc/cpuinfo", "\n".join(_cpuinfo(number, value, bogomips) for number, value in midr.items()))
    if log:
        counters = [
            f"[    0.1] hw perfevents: enabled with {node.name} PMU driver, "
            f"{board.probed_core(node).pmu.event_counters + 1} (0,8000003f) counters available"
            for node in board.pmus
        ]
        timer = f"[    0.0] arch_timer: cp15 timer(s) running at {mhz // 100}.{mhz % 100:02}MHz (phys)."
        sysfs.write("dmesg", "\n".join([timer, *counters]))
    if device_tree:
        _device_tree(sysfs, board)
    return sysfs


def _cpu(sysfs, board, cpu, capacity):
    base = f"{CPUS}/cpu{cpu.number}"
    midr = load_core_table(cpu.core).midr
    sysfs.write(f"{base}/cpu_capacity", str(capacity))
    sysfs.write(f"{base}/regs/identification/midr_el1", f"0x{midr:016x}")
    mates = [other.number for other in board.cpus if other.cluster == cpu.cluster]
    sysfs.write(f"{base}/topology/cluster_cpus_list", cpu_list(mates))
    sysfs.write(f"{base}/topology/package_cpus_list", cpu_list(row.number for row in board.cpus))
    rows = [(1, (cpu.number,), 32768), *((c.level, c.cpus, c.size_bytes) for c in board.caches if cpu.number in c.cpus)]
    for index, (level, cpus, size) in enumerate(rows):
        sysfs.write(f"{base}/cache/index{index}/level", str(level))
        sysfs.write(f"{base}/cache/index{index}/shared_cpu_list", cpu_list(cpus))
        if size:
            sysfs.write(f"{base}/cache/index{index}/size", f"{size // 1024}K")
    states = [("WFI", 1, 1), *((s.name, s.entry_us + s.exit_us, s.min_residency_us) for s in cpu.idle_states)]
    for number, (name, latency, residency) in enumerate(states):
        for key, value in (("name", name[:15]), ("latency", latency), ("residency", residency), ("disable", 0)):
            sysfs.write(f"{base}/cpuidle/state{number}/{key}", str(value))


def _policy(sysfs, domain):
    base = f"{CPUS}/cpufreq/policy{domain.cpus[0]}"
    khz = [opp.khz for opp in domain.opps]
    sysfs.write(f"{base}/related_cpus", " ".join(map(str, domain.cpus)))
    sysfs.write(f"{base}/scaling_available_frequencies", " ".join(map(str, khz)) + " ")
    sysfs.write(f"{base}/cpuinfo_min_freq", str(khz[0]))
    sysfs.write(f"{base}/cpuinfo_max_freq", str(khz[-1]))


def _energy_model(sysfs, board, domain):
    base = f"sys/kernel/debug/energy_model/cpu{domain.cpus[0]}"
    sysfs.write(f"{base}/cpus", cpu_list(domain.cpus))
    for opp, microwatt in zip(domain.opps, powers(board, domain) or [], strict=True):
        for key, value in (("frequency", opp.khz), ("power", microwatt), ("cost", 1)):
            sysfs.write(f"{base}/ps:{opp.khz}/{key}", str(value))


def _pmu(sysfs, board, node, kind):
    base = f"sys/bus/event_source/devices/{node.name}"
    sysfs.write(f"{base}/type", str(kind))
    sysfs.write(f"{base}/cpus", cpu_list(node.cpus))
    sysfs.write(f"{base}/format/event", "config:0-15")
    sysfs.write(f"{base}/caps/slots", "0x00000000")
    for number, name in board.probed_core(node).event_names:
        if name in ("SW_INCR", "CHAIN"):
            continue  # Linux does not show them
        sysfs.write(f"{base}/events/{name.lower()}", f"event=0x{number:04x}")


def _cpuinfo(number, midr, bogomips):
    fields = (
        ("processor", number),
        ("BogoMIPS", bogomips),
        ("CPU implementer", f"0x{midr >> 24:02x}"),
        ("CPU architecture", 8),
        ("CPU variant", f"0x{midr >> 20 & 15:x}"),
        ("CPU part", f"0x{midr >> 4 & 0xFFF:03x}"),
        ("CPU revision", midr & 15),
    )
    return "\n".join(f"{key}\t: {value}" for key, value in fields) + "\n"


def _device_tree(sysfs, board):
    base, handle = DEVICE_TREE, 0x10
    sysfs.write(f"{base}/model", f"{board.name}\0".encode())
    sysfs.write(f"{base}/compatible", f"maker,{board.id}-board\0maker,{board.id}\0".encode())
    states = list(dict.fromkeys(state for cpu in board.cpus for state in cpu.idle_states))
    for number, state in enumerate(states):
        node = f"{base}/cpus/idle-states/state-{number}"
        sysfs.write(f"{node}/phandle", words(handle + number))
        sysfs.write(f"{node}/idle-state-name", f"{state.name}\0".encode())
        rows = ("entry-latency-us", "exit-latency-us", "min-residency-us")
        for key, value in zip(rows, (state.entry_us, state.exit_us, state.min_residency_us), strict=True):
            sysfs.write(f"{node}/{key}", words(value))
    for number, domain in enumerate(board.perf_domains):
        table = f"{base}/opp-table-{number}"
        sysfs.write(f"{table}/phandle", words(0x80 + number))
        for opp in domain.opps:
            node = f"{table}/opp-{opp.khz * 1000}"
            sysfs.write(f"{node}/opp-hz", words(opp.khz * 1000 >> 32, opp.khz * 1000 & 0xFFFF_FFFF))
            if opp.microvolt:
                sysfs.write(f"{node}/opp-microvolt", words(opp.microvolt, opp.microvolt, 1_000_000))
    for cpu in board.cpus:
        name = f"cpu@{cpu.number:x}00"
        node = f"{base}/cpus/{name}"
        link = sysfs.root / f"{CPUS}/cpu{cpu.number}/of_node"
        link.symlink_to(f"../../../../firmware/devicetree/base/cpus/{name}")
        sysfs.write(f"{node}/reg", words(0, cpu.number << 8))
        if cpu.dmips:
            sysfs.write(f"{node}/capacity-dmips-mhz", words(cpu.dmips))
        coefficient = board.perf_domains[cpu.perf_domain].dynamic_power_coefficient
        if coefficient:
            sysfs.write(f"{node}/dynamic-power-coefficient", words(coefficient))
        sysfs.write(f"{node}/operating-points-v2", words(0x80 + cpu.perf_domain))
        if cpu.idle_states:
            sysfs.write(f"{node}/cpu-idle-states", words(*(handle + states.index(state) for state in cpu.idle_states)))
