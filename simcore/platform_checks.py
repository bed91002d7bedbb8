"""What must hold between the tables of a SoC file: names, CPU numbers, masks, OPPs. Each check raises `InputError`."""

from collections.abc import Iterable, Sequence

from simcore.errors import InputError, unknown_name
from simcore.pmceid import is_common, pmceid_events
from simcore.schema_platform import CoreTable, PerfDomainTable, PmuTable, SocFile

PMUVERS = (0, 1, 4, 5, 6, 7, 8, 9, 15)


def check_soc(soc: SocFile, file: str, product_cores: Iterable[str]) -> None:
    """Check everything in a SoC file that goes beyond one table."""
    for key in ("cluster", "perf_domain", "pmu", "idle_state"):
        _unique(key, [row.name for row in getattr(soc, key)], file)
    _unique("core", [row.id for row in soc.core], file, "id")
    _check_cpu_numbers(soc, file)
    _check_cluster_references(soc, file, set(product_cores) | {row.id for row in soc.core})
    _check_masks(soc, file)
    _check_domains_used(soc, file)
    for index, domain in enumerate(soc.perf_domain):
        _check_opps(domain, f"{file}: perf_domain[{index}]")
    for index, core in enumerate(soc.core):
        check_core(core, f"{file}: core[{index}].", product_cores)


def check_core(core: CoreTable, where: str, product_cores: Iterable[str]) -> None:
    """Check one core type; `where` is what goes before its keys in messages, such as `soc.toml: core[0].`."""
    if core.rates_like is not None and core.rates_like not in set(product_cores):
        raise unknown_name("core type", core.rates_like, product_cores, f"{where}rates_like")
    if core.pmu.pmuver is not None and core.pmu.pmuver not in PMUVERS:
        valid = ", ".join(map(str, PMUVERS))
        raise InputError(f"PMUVer {core.pmu.pmuver} is reserved", where=f"{where}pmu.pmuver", valid=valid)
    _check_event_numbers(core, where)
    _check_pmceid(core, core.pmu, where)


def _check_event_numbers(core: CoreTable, where: str) -> None:
    seen: dict[int, str] = {}
    for name, number in core.events.items():
        if number in seen:
            raise InputError(f"event {number:#x} is also {seen[number]}", where=f"{where}events.{name}")
        seen[number] = name
    mapped = [pair[0] for pair in core.pmu.event_map]
    _no_repeat(mapped, "event", f"{where}pmu.event_map")


def _check_pmceid(core: CoreTable, table: PmuTable, where: str) -> None:
    if (table.pmceid0 is None) != (table.pmceid1 is None):
        lone, lacking = ("pmceid0", "pmceid1") if table.pmceid1 is None else ("pmceid1", "pmceid0")
        raise InputError(f"{lone} is given without {lacking}", where=f"{where}pmu.{lone}", valid="both, or neither")
    if table.pmceid0 is None or table.pmceid1 is None:
        return
    listed = pmceid_events(table.pmceid0, table.pmceid1)
    for name, number in core.events.items():
        if is_common(number) and number not in listed:
            why = f"its PMCEID bit is clear (pmceid0 {table.pmceid0:#x}, pmceid1 {table.pmceid1:#x})"
            raise InputError(f"event {number:#x} does not fit", where=f"{where}events.{name}", why=why)


def _unique(key: str, names: Sequence[str], file: str, field: str = "name") -> None:
    for index, name in enumerate(names):
        if name in names[:index]:
            raise InputError(
                f"{name!r} is also the {field} of {key}[{names.index(name)}]", where=f"{file}: {key}[{index}].{field}"
            )


def _no_repeat(numbers: Sequence[int], kind: str, where: str) -> None:
    for index, number in enumerate(numbers):
        if number in numbers[:index]:
            raise InputError(f"{kind} {number} is listed twice", where=where)


def _check_cpu_numbers(soc: SocFile, file: str) -> None:
    owner: dict[int, str] = {}
    for index, cluster in enumerate(soc.cluster):
        for cpu in cluster.cpus:
            if cpu in owner:
                raise InputError(f"CPU {cpu} is also in {owner[cpu]}", where=f"{file}: cluster[{index}].cpus")
            owner[cpu] = f"cluster {cluster.name}"
    holes = sorted(set(range(max(owner) + 1)) - set(owner))
    if holes:
        raise InputError(
            f"CPU {holes[0]} is in no cluster", where=f"{file}: cluster", valid="CPU numbers 0, 1, 2 ... without a hole"
        )


def _check_cluster_references(soc: SocFile, file: str, cores: set[str]) -> None:
    domains = {row.name for row in soc.perf_domain}
    states = {row.name for row in soc.idle_state}
    silicon: dict[str, str | None] = {}
    for index, cluster in enumerate(soc.cluster):
        where = f"{file}: cluster[{index}]"
        if cluster.core not in cores:
            raise unknown_name("core type", cluster.core, cores, f"{where}.core")
        if cluster.perf_domain is not None and cluster.perf_domain not in domains:
            raise unknown_name("perf domain", cluster.perf_domain, domains, f"{where}.perf_domain")
        if silicon.setdefault(cluster.core, cluster.silicon) != cluster.silicon:
            valid = "one silicon for each core type; give the other a core type of its own"
            why = f"a cluster before has core type {cluster.core!r} as {silicon[cluster.core] or 'not measured'}"
            raise InputError(f"silicon is {cluster.silicon or 'not given'}", f"{where}.silicon", why, valid)
        for state in cluster.idle_states:
            if state not in states:
                raise unknown_name("idle state", state, states, f"{where}.idle_states")


def _check_masks(soc: SocFile, file: str) -> None:
    cpus = {cpu for cluster in soc.cluster for cpu in cluster.cpus}
    masks = [(f"pmu[{index}]", row.cpus) for index, row in enumerate(soc.pmu)]
    masks += [(f"cache[{index}]", row.cpus) for index, row in enumerate(soc.cache)]
    for key, mask in masks:
        where = f"{file}: {key}.cpus"
        _no_repeat(mask, "CPU", where)
        for cpu in mask:
            if cpu not in cpus:
                raise InputError(f"there is no CPU {cpu}", where=where, valid=f"0 to {max(cpus)}")


def _check_domains_used(soc: SocFile, file: str) -> None:
    used = {cluster.perf_domain for cluster in soc.cluster}
    for index, domain in enumerate(soc.perf_domain):
        if domain.name not in used:
            raise InputError(
                f"no cluster is in perf domain {domain.name!r}", where=f"{file}: perf_domain[{index}].name"
            )


def _check_opps(domain: PerfDomainTable, where: str) -> None:
    if not domain.khz:
        raise InputError("the OPP table is empty", where=f"{where}.khz", valid="at least one frequency in kHz")
    if any(low >= high for low, high in zip(domain.khz, domain.khz[1:], strict=False)):
        raise InputError("the OPPs are not in ascending order", where=f"{where}.khz")
    if domain.microvolt is not None and len(domain.microvolt) != len(domain.khz):
        why = f"{len(domain.khz)} frequencies, {len(domain.microvolt)} voltages"
        raise InputError("one voltage for each frequency is needed", where=f"{where}.microvolt", why=why)
