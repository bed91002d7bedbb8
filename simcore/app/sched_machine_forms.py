"""What a file of recorded placements or choices of frequency may say, checked strictly, but for its vectors.

Parts eas and schedutil of hetpmu-sched-vectors/1: the top of the file, platforms, figures of a CPU. Vectors are checked
in ``simcore.app.sched_place`` and ``simcore.app.sched_freq``.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from simcore.app.sched_machine import CPU_STATE, STATE_OF_MODEL, Row
from simcore.app.vector_forms import UINT32, at, integer, items, keys, known, shown, within, wrong
from simcore.errors import InputError

SCHEMA: Final = "hetpmu-sched-vectors/1"
INT64: Final = (1 << 63) - 1
MAX_CPUS: Final = 4096
MAX_KHZ: Final = 7_500_000
SCALE: Final = 1024
HIGHEST: Final[Mapping[str, int]] = {"uclamp_min": SCALE, "uclamp_max": SCALE, "uclamp_idle": 1}
"""Largest value of a figure of a CPU; UINT32 for the others."""


def check_file(content: Row, where: str, part: str, notes: Sequence[str], vector: Callable[[Row, Row], None]) -> None:
    """Raise InputError for the first thing without meaning in a file of a part.

    ``notes`` are keys of texts; ``vector`` checks a vector, given its platform.
    """
    try:
        keys(content, ("schema", "part", "count", "platforms", "vectors"), ("provenance", "cpu_state", "about", *notes))
        at("schema", known, "schema", content["schema"], (SCHEMA,))
        at("part", known, "part", content["part"], (part,))
        platforms = _named("platform", "name", content["platforms"], _platform)
        vectors = _named("vector", "id", content["vectors"], _vector, platforms, vector)
        at("count", integer, content["count"], len(vectors), INT64)
    except InputError as error:
        raise within(error, where, ": ") from None


def _named(kind: str, key: str, value: Any, check: Callable[..., None], *arguments: Any) -> dict[str, Row]:
    """Return the checked objects of a list by their names."""
    rows: dict[str, Row] = {}
    for number, row in enumerate(at(f"{kind}s", items, value)):
        name = row.get(key) if isinstance(row, dict) else None
        if not isinstance(name, str) or not name or not name.isprintable():
            raise within(wrong(name, "a string of printable characters"), f"{kind} number {number}, {key}")
        if name in rows:
            raise InputError(f"{kind} {name!r} stands there twice", valid=f"each {kind} once")
        at(f"{kind} {shown(name)}", check, row, *arguments)
        rows[name] = row
    if not rows:
        raise InputError(f"the file has no {kind}", where=f"{kind}s", valid="at least one")
    return rows


def _vector(row: Row, platforms: Mapping[str, Row], check: Callable[[Row, Row], None]) -> None:
    if "platform" not in row:
        raise InputError("missing key 'platform'", valid=", ".join(platforms))
    check(row, platforms[at("platform", known, "platform", row["platform"], platforms)])


# Parts of a vector


def flag(value: Any) -> bool:
    """Return a boolean."""
    if not isinstance(value, bool):
        raise wrong(value, "true or false")
    return value


def numbers(value: Any, length: int, high: int, low: int = 0) -> list[int]:
    """Return a list of so many integers."""
    if len(items(value, f"a list of {length} integers")) != length:
        raise wrong(value, f"a list of {length} integers")
    return [integer(number, low, high) for number in value]


def cpus_of(value: Any, ncpus: int, check: Callable[..., Any], *arguments: Any) -> list[int]:
    """Return the CPUs that are the keys of an object, whose values are checked."""
    if not isinstance(value, dict):
        raise wrong(value, 'an object {"CPU": ...}')
    names = {str(cpu): cpu for cpu in range(ncpus)}
    for key, entry in value.items():
        if key not in names:
            raise InputError(f"{shown(key)} is no CPU", valid=f'"0" to "{ncpus - 1}"')
        at(f"cpu {key}", check, entry, *arguments)
    return [names[key] for key in value]


def check_cpu(value: Any) -> None:
    """Check the figures of a CPU."""
    row = keys(value, CPU_STATE)
    for name in CPU_STATE:
        at(name, integer, row[name], 0, HIGHEST.get(name, UINT32))


# Platforms


def _platform(row: Row) -> None:
    keys(row, ("name", "ncpus", "cpus", "pds", "llc", "capacity"), ("pd_order", "domains", "asym_span", "no_em"))
    ncpus = at("ncpus", integer, row["ncpus"], 1, MAX_CPUS)
    everyone = (1 << ncpus) - 1
    cpus = at("cpus", items, row["cpus"])
    if len(cpus) != ncpus:
        raise InputError(f"{len(cpus)} rows", where="cpus", valid=f"[capacity-dmips-mhz, kHz] of each of {ncpus} CPUs")
    for cpu, figures in enumerate(cpus):
        at(f"cpus, cpu {cpu}", numbers, figures, 2, MAX_KHZ, 1)
    at("capacity", numbers, row["capacity"], ncpus, SCALE)
    _caches(at("llc", numbers, row["llc"], ncpus, everyone))
    at("no_em", flag, row.get("no_em", False))
    at("asym_span", integer, row.get("asym_span", 0), 0, everyone)
    for number, domain in enumerate(at("domains", items, row.get("domains", []))):
        at(f"domains, number {number}", numbers, domain, 2, max(everyone, UINT32))
    domains = at("pds", items, row["pds"])
    members = [cpu for number, pd in enumerate(domains) for cpu in at(f"pd {number}", _perf_domain, pd, row)]
    if sorted(members) != list(range(ncpus)):
        raise InputError(f"the perf domains have CPUs {shown(members)}", where="pds", valid="each CPU once")
    if "pd_order" in row:
        at("pd_order", numbers, row["pd_order"], len(domains), len(domains) - 1)


def _caches(masks: Sequence[int]) -> None:
    for cpu, mask in enumerate(masks):
        sharing = sum(1 << other for other, theirs in enumerate(masks) if theirs == mask)
        if mask != sharing:
            raise InputError(
                f"wrong value {mask}", where=f"llc, cpu {cpu}", valid=f"{sharing}, the CPUs that have the same"
            )


def _perf_domain(value: Any, platform: Row) -> list[int]:
    """Return the CPUs of a perf domain."""
    model = () if platform.get("no_em", False) else ("em_flags", "em")
    pd = keys(value, ("cpus", "opps_khz_uw", *model), ("coefficient", "uv"))
    cpus = [at("cpus", integer, cpu, 0, platform["ncpus"] - 1) for cpu in at("cpus", items, pd["cpus"])]
    opps = at("opps_khz_uw", items, pd["opps_khz_uw"])
    khz = [at(f"opps_khz_uw {number}", numbers, opp, 2, UINT32)[0] for number, opp in enumerate(opps)]
    at("cpus", _ascending, cpus)
    at("opps_khz_uw", _ascending, khz)
    for cpu in cpus:
        if platform["cpus"][cpu][1] != khz[-1]:
            why = f"its highest OPP has {khz[-1]} kHz"
            raise InputError(f"CPU {cpu} with {platform['cpus'][cpu][1]} kHz", why=why, valid="CPUs of that frequency")
    if ("coefficient" in pd) != ("uv" in pd):
        raise InputError("only one of coefficient and uv", valid="both or none")
    if "uv" in pd:
        at("coefficient", integer, pd["coefficient"], 0, UINT32)
        at("uv", numbers, pd["uv"], len(opps), UINT32)
    if model:
        at("em_flags", integer, pd["em_flags"], 0, UINT32)
        for number, state in enumerate(at("em", items, pd["em"])):
            at(f"em {number}", numbers, state, len(STATE_OF_MODEL), INT64)
    return cpus


def _ascending(values: Sequence[int]) -> None:
    if not values or list(values) != sorted(set(values)):
        raise wrong(values, "at least one, ascending")
