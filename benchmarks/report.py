"""A benchmark result as plain text of at most 120 columns. Computes nothing."""

import textwrap
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

COLUMNS = 120
BUSY = 0.5
"""Load average a CPU, at the start, from which a result is said to be of a busy machine."""

Row = Mapping[str, Any]

BANDS = {
    "hot": "the counter kernels",
    "mechanism": "single mechanisms, by the functions of the product",
    "whole": "whole simulations and commands",
}

UNITS = {
    "counter updates/s": "one counter through one tick, with residual, ledger and sample period",
    "s": "time of one call",
    "segments/s": "segments of a schedule (one vCPU on one pCPU at one OPP), under every policy of the case",
    "reads/s": "trapped reads of a counter register",
    "writes/s": "trapped writes of a counter register",
    "loads/s": "vcpu_put on one core and vcpu_load on another of the same host PMU",
    "crossings/s": "the same between host PMUs, the host event made anew",
    "placements/s": "choices of a CPU for a waking thread",
    "updates/s": "steps of PELT's averages of one thread",
    "M instructions/s": "millions of A64 instructions executed with exact counts (extra `guest`)",
    "sequences/s": "recorded sequences of KVM calls, replayed and compared",
    "decisions/s": "events that the host handles: wakeups, ends of slices and of work, HZ ticks, balances",
    "simulated s/s": "simulated seconds a second of wall time",
    "packets/s": "values of a counter as packets of a Perfetto trace",
    "exported s/s": "simulated seconds of a kept run, from its directory to the file, a second of wall time",
    "traced s/s": "seconds of a recorded schedule a second of wall time",
    "runs/s": "simulations with their figures",
}
"""What one of each unit is."""


def text(result: Row) -> str:
    """Return the machine, the cases by band with their peers, the comparison, what the units are, and the targets."""
    lines = [*machine_lines(result["machine"]), ""]
    for band, about in BANDS.items():
        cases = [case for case in result["cases"] if case["band"] == band]
        if cases:
            lines += [f"{band}: {about}", *(line for case in cases for line in case_lines(case)), ""]
    lines += [*against_lines(result), *unit_lines(result["cases"]), *target_lines(result["cases"])]
    return "\n".join(lines).rstrip()


def machine_lines(machine: Row) -> list[str]:
    """Return what the figures were measured on."""
    clock = f" of nominally {machine['nominal_mhz']:g} MHz" if machine["nominal_mhz"] else ""
    guest = {True: ", virtualised", False: ", not virtualised", None: ""}[machine["virtualised"]]
    memory = f"{machine['memory_kib'] / (1 << 20):.1f} GiB" if machine["memory_kib"] else "not told"
    switches = [f"{name} {told(machine[name])}" for name in ("governor", "turbo", "smt")]
    caches = ", ".join(f"{name} {size}" for name, size in machine["caches"].items()) or "not told"
    versions = [found if name in found else f"{name} {found}" for name, found in machine["versions"].items() if found]
    lines = [
        f"{machine['cpu'] or machine['architecture']}, {machine['usable_cpus']} CPUs{clock}{guest}",
        f"caches: {caches}; memory: {memory}; {', '.join([*switches, *machine['extensions']])}",
        f"Python {machine['python']}, {', '.join(versions)}",
        *busy_lines(machine),
    ]
    return [part for line in lines for part in wrapped(line, "")]


def busy_lines(machine: Row) -> Iterator[str]:
    """Yield a warning where others wanted the CPUs as well."""
    load = machine["load_average"]
    if load is not None and load > BUSY * machine["usable_cpus"]:
        yield f"The machine was busy at the start (load average {load:g}): figures are low, and intervals wide."


def told(value: object) -> str:
    """Return a setting of the machine in words."""
    if value is None:
        return "not told"
    return str(value) if isinstance(value, str) else "on" if value else "off"


def case_lines(case: Row) -> list[str]:
    """Return the lines of one case."""
    if case["median"] is None:
        return [f"  {case['name']:<14} skipped: {case['skipped']['']}"]
    head = f"  {case['name']:<14} {case['median']:.3g} {case['unit']}{interval(case['low'], case['high'])}"
    others = [line for unit, found in case["also"].items() for line in other_lines(unit, found, case)]
    skipped = [line for peer, reason in case["skipped"].items() for line in wrapped(f"- {peer} skipped: {reason}")]
    facts = [line for name, value in case.get("facts", {}).items() for line in wrapped(f"{name}: {fact(value)}")]
    return [f"{head}, {case['runs']} runs{wanted(case['unit'], case)}", *ratio_lines(case), *others, *skipped, *facts]


def ratio_lines(case: Row) -> list[str]:
    """Return a line for each peer."""
    return [
        f"{ratio:>16.3g} x {peer_name(peer, case)}{interval(*case['ratio_intervals'][peer])}{wanted(peer, case)}"
        for peer, ratio in case["ratios"].items()
    ]


def interval(low: float, high: float) -> str:
    """Return an interval in brackets."""
    return f" [{low:.3g} .. {high:.3g}]"


def peer_name(peer: str, case: Row) -> str:
    """Return the peer's name, what kind of ratio it is, and from which case."""
    of_time = "the time of " if case["ratios_of"] == "time" else ""
    bound = ", a bound of the machine" if peer in case["bounds"] else ""
    origin = f" in {case['worst_of'][peer]}" if peer in case.get("worst_of", {}) else ""
    return f"{of_time}{peer}{bound}{origin}"


def other_lines(unit: str, found: Row, case: Row) -> list[str]:
    """Return the lines of the same runs in another unit."""
    values = f"{found['median']:>16.3g} {unit}{interval(found['low'], found['high'])}{wanted(unit, case)}"
    return [values, *(f"{ratio:>18.3g} x {peer}, {unit}" for peer, ratio in found["ratios"].items())]


def wanted(name: str, case: Row) -> str:
    """Return what is wanted of a peer or unit, and whether it is met."""
    words = {"targets": "at least", "limits": "at most"}
    bounds = [f"{word} {case[key][name]:g}" for key, word in words.items() if name in case[key]]
    verdict = {True: "met", False: "NOT MET", None: "not measured"}[case["met"].get(name)]
    return f"  (wanted {' and '.join(bounds)}: {verdict})" if bounds else ""


def fact(value: object) -> str:
    """Return a fact of a case on one line."""
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {number}" for name, number in value.items())
    return str(value)


def against_lines(result: Row) -> list[str]:
    """Return a line for each case that was compared with another result or version."""
    if "against" not in result:
        return []
    verdicts = {True: "SLOWER beyond noise", False: "no slowdown beyond noise"}
    lines = [
        f"  {row['name']:<14} {row['speed']:.2f} x the other's speed{interval(row['low'], row['high'])}: "
        f"{verdicts[row['slower']]}"
        for row in result["against"]
    ]
    changed = [f"{name} {now}, then {then}" for name, (now, then) in result.get("machine_differs", {}).items()]
    warning = wrapped(f"The saved figures are of another machine: {'; '.join(changed)}", "  ") if changed else []
    return ["against:", *(lines or ["  no case that both have"]), *warning, ""]


def unit_lines(cases: Sequence[Row]) -> list[str]:
    """Return what one of each unit is, and what the figures are."""
    units = dict.fromkeys(unit for case in cases for unit in (case["unit"], *case["also"]))
    known = [line for unit in units if unit in UNITS for line in wrapped(f"{unit}: {UNITS[unit]}", "  ")]
    about = (
        'Figures are medians with a 95 % interval. "x peer" is our throughput over the peer\'s, round by round; '
        '"x the time of" is time over time. The fraction of a bound says how much of the machine is used.'
    )
    return ["units:", *known, "", *wrapped(about, ""), ""] if cases else []


def target_lines(cases: Sequence[Row]) -> list[str]:
    """Return how many targets are met, and which are not."""
    met = [(f"{case['name']} ({name})", found) for case in cases for name, found in case["met"].items()]
    missed = [name for name, found in met if not found]
    if not met:
        return []
    names = f": {', '.join(missed)}" if missed else ""
    return wrapped(f"targets: {len(met) - len(missed)} met, {len(missed)} not met{names}", "")


def wrapped(line: str, indent: str = " " * 16) -> list[str]:
    """Return a line, indented, as lines that are not too wide."""
    return textwrap.wrap(line, COLUMNS, initial_indent=indent, subsequent_indent=f"{indent}  ", break_long_words=False)
