"""cpufreq policies and their OPPs: frequencies from sysfs, voltages from the device tree or the energy model."""

import math
from typing import NamedTuple

from simcore.app import board_parsing as parse
from simcore.app.board_devicetree import DeviceTree
from simcore.app.board_facts import OppFacts, PolicyFacts
from simcore.app.board_files import Files, source
from simcore.app.board_tree import CPUS
from simcore.errors import InputError

ENERGY_MODELS = "sys/kernel/debug/energy_model"
MILLIWATTS_BELOW = 20_000
"""Energy models whose greatest power is below this are taken to be in mW, as before Linux 6.0; others are in uW."""
REFERENCE_MILLIVOLT = 1000
"""Supply at the highest OPP where the energy model gives the power only; the coefficient is chosen to fit."""


class _Power(NamedTuple):
    """The states of an energy model: kHz to uW of one CPU."""

    cpus: tuple[int, ...]
    microwatt: dict[int, int]
    source: str


def policies(files: Files, device_tree: DeviceTree) -> tuple[PolicyFacts, ...]:
    """Read all cpufreq policies."""
    folder = f"{CPUS}/cpufreq"
    models = _energy_models(files)
    found = []
    for number in files.numbered(folder, "policy"):
        path = f"{folder}/policy{number}"
        related = f"{path}/related_cpus"
        text = files.needed(related, "which CPUs share a clock")
        cpus = parse.cpu_list(",".join(text.split()), files.where(related))
        if not cpus:
            raise InputError("the policy has no CPU", where=files.where(related), valid="CPU numbers such as 0 1 2 3")
        opps = _opps(files, device_tree, path, cpus, models)
        if opps is not None:
            found.append(PolicyFacts(number, cpus, source(related), opps))
    return tuple(found)


def _opps(
    files: Files, device_tree: DeviceTree, path: str, cpus: tuple[int, ...], models: list[_Power]
) -> OppFacts | None:
    model = next((row for row in models if set(row.cpus) & set(cpus)), None)
    khz, cited, only_range = _frequencies(files, path, model)
    if not khz:
        return None
    node = device_tree.cpu(cpus[0])
    stated = f"{node}/dynamic-power-coefficient"
    coefficient = device_tree.word(stated) if node else None
    cited_coefficient = f"device tree: /{stated}"
    table, volts = _voltages(device_tree, node)
    microvolt: tuple[int, ...] | None = None
    cited_volts = ""
    if all(value in volts for value in khz):
        microvolt, cited_volts = tuple(volts[value] for value in khz), f"device tree: /{table}"
    elif model is not None and all(value in model.microwatt for value in khz):
        if coefficient is None:
            coefficient = _fitting_coefficient(khz[-1], model.microwatt[khz[-1]])
            cited_coefficient = (
                f"assumed: what gives the power of {model.source} with {REFERENCE_MILLIVOLT} mV at the top"
            )
        microvolt = tuple(_microvolt(coefficient, value, model.microwatt[value]) for value in khz)
        cited_volts = f"{model.source}: what gives its power with the coefficient"
    return OppFacts(khz, cited, only_range, microvolt, coefficient, cited_volts, cited_coefficient)


def _voltages(device_tree: DeviceTree, node: str | None) -> tuple[str, dict[int, int]]:
    """Return where the OPPs of a CPU node stand, and uV by kHz; of two OPPs of one frequency the first counts."""
    table, rows = device_tree.opps(node) if node else ("", [])
    volts: dict[int, int] = {}
    for row in rows:
        if row.microvolt is not None:
            volts.setdefault(row.khz, row.microvolt)
    return table, volts


def _frequency(text: str, where: str) -> int:
    khz = parse.number(text, where)
    if not khz:
        raise InputError("a frequency of 0 kHz", where=where, valid="frequencies in kHz, such as 1008000")
    return khz


def _frequencies(files: Files, path: str, model: _Power | None) -> tuple[tuple[int, ...], str, bool]:
    """Return kHz in ascending order, where they stand, and whether only their range is known."""
    listed = f"{path}/scaling_available_frequencies"
    names = (listed, f"{path}/scaling_boost_frequencies")
    khz = [_frequency(part, files.where(name)) for name in names for part in (files.text(name) or "").split()]
    if khz:
        return tuple(sorted(set(khz))), source(listed), False
    spent = f"{path}/stats/time_in_state"
    khz = [
        _frequency(line.split()[0], files.where(spent))
        for line in (files.text(spent) or "").splitlines()
        if line.strip()
    ]
    if khz:
        return tuple(sorted(set(khz))), source(spent), False
    if model is not None:
        return tuple(sorted(model.microwatt)), model.source, False
    ends = [files.number(f"{path}/cpuinfo_{end}_freq") for end in ("min", "max")]
    khz = [value for value in ends if value]
    return tuple(sorted(set(khz))), source(f"{path}/cpuinfo_min_freq, cpuinfo_max_freq"), True


# --- energy model ---------------------------------------------------------------------------------------


def _energy_models(files: Files) -> list[_Power]:
    """Read the energy models of CPUs from debugfs."""
    found = []
    for name in files.tree.names(ENERGY_MODELS):
        folder = f"{ENERGY_MODELS}/{name}"
        text = files.text(f"{folder}/cpus")
        power = _states(files, folder)
        if text is not None and power:
            cpus = parse.cpu_list(text, files.where(f"{folder}/cpus"))
            found.append(_Power(cpus, power, source(folder)))
    greatest = max((value for row in found for value in row.microwatt.values()), default=0)
    if greatest >= MILLIWATTS_BELOW:
        return found
    return [row._replace(microwatt={khz: 1000 * value for khz, value in row.microwatt.items()}) for row in found]


def _states(files: Files, folder: str) -> dict[int, int]:
    power = {}
    for name in files.tree.names(folder):
        khz, value = (files.number(f"{folder}/{name}/{key}") for key in ("frequency", "power"))
        if name.startswith("ps:") and khz and value:
            power[khz] = value
    return power


def _fitting_coefficient(khz: int, microwatt: int) -> int:
    """Return the coefficient (uW/MHz/V^2) with which an OPP at the reference voltage has this power."""
    return max(1, round(microwatt * 1_000_000 / (REFERENCE_MILLIVOLT**2 * max(khz // 1000, 1))))


def _microvolt(coefficient: int, khz: int, microwatt: int) -> int:
    """Return the voltage at which the coefficient gives this power, to the mV."""
    return 1000 * round(math.sqrt(microwatt * 1_000_000 / (coefficient * max(khz // 1000, 1))))
