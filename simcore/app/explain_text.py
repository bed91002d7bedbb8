"""The text of `hetpmu explain` and `hetpmu platforms`: aligned, at most 120 columns, no colours."""

from collections.abc import Iterable, Sequence
from textwrap import wrap
from typing import Any

from simcore.app.columns import table
from simcore.platform import cpu_list

Row = dict[str, Any]
COLUMNS = 118
BACKING = {"local": "the local PMU", "each": "each host PMU", "none": "no host PMU"}
SAME_VIEW = (
    "default-pinned:<pmu> shows what default does and runs on the CPUs of <pmu> only;",
    "set-pmu-unpinned:<pmu> shows what set-pmu does, and KVM_RUN fails entry on other CPUs;",
    "composite is that of v1; composite@v2 shows what fixed-counters-only does, with an event on each host PMU",
)


def explanation(row: Row) -> str:
    """Return the text of one platform's explanation (a row of `explain_platform`)."""
    sections = (_head, _clusters, _core_types, _host_pmus, _events, _policies, _kinds, _counters, _verdict, _assumed)
    return "\n\n".join(text for section in sections if (text := section(row))) + "\n"


def verdicts(rows: Iterable[Row]) -> str:
    """Return the table of `hetpmu explain --all` (rows of `verdict_table`)."""
    head = ("SoC", "vPMU", "stalls", "N", "lost by fixed-only", "assumed", "host PMUs", "core types")
    return table(head, [_verdict_cells(row) for row in rows]) + "\n"


def platforms(rows: Iterable[Row], reasons: bool = False) -> str:
    """Return the list of `hetpmu platforms` (rows of `platform_row`), with what is assumed for each."""
    return "\n".join(_platform_lines(row, reasons) for row in rows) + "\n"


def _platform_lines(row: Row, reasons: bool) -> str:
    lines = [f"{row['id']:<14} {row['cpus']:>2} CPUs  {_core_counts(row)}  ({row['name']})"]
    for item in row["assumptions"]:
        lines += _item(f"{item['key']}: {item['value']}", item["why"] if reasons else "")
    return "\n".join(lines)


def _item(text: str, why: str) -> list[str]:
    whole = f"{text} ({why})" if why else text
    return wrap(whole, COLUMNS, initial_indent="    ", subsequent_indent="        ", break_on_hyphens=False)


def _core_counts(row: Row) -> str:
    return " + ".join(f"{count} {core}" for core, count in row["core_types"].items())


def _verdict_cells(row: Row) -> tuple[object, ...]:
    pmus = row["host_pmus"]
    names = ", ".join(cpu_list(host_pmu["cpus"]) for host_pmu in pmus)
    lost = row["events_lost_by_fixed"].values()
    return (
        row["id"],
        row["vpmu"],
        row["stalls"],
        _span(row["pmcr_n"].values()),
        f"{_span(lost)} events" if lost else "-",
        row["assumptions"],
        f"{len(pmus)}: {names}" if pmus else "none",
        _core_counts(row),
    )


def _span(values: Iterable[int]) -> str:
    found = sorted(set(values))
    return "/".join(map(str, found)) if found else "-"


def _head(row: Row) -> str:
    aarch32 = "yes" if row["el0_aarch32"] else "no"
    count = sum(len(cluster["cpus"]) for cluster in row["clusters"])
    lines = [f"{row['id']}: {row['name']}", f"{count} CPUs, CNTFRQ {row['cntfrq_hz']} Hz, AArch32 at EL0: {aarch32}"]
    for note in row["notes"]:
        lines += wrap(f"note: {note}", COLUMNS, subsequent_indent="      ")
    return "\n".join(lines)


def _clusters(row: Row) -> str:
    head = ("CPUs", "core type", "cluster", "capacity", "max MHz", "OPPs", "perf domain")
    rows = [
        (
            cpu_list(item["cpus"]),
            item["core"],
            item["cluster"],
            item["capacity"],
            item["max_khz"] // 1000,
            item["opps"],
            item["perf_domain"],
        )
        for item in row["clusters"]
    ]
    return table(head, rows)


def _core_types(row: Row) -> str:
    head = ("core type", "PMUVer", "counters", "in PMCEID", "others", "rates")
    rows = [
        (
            core["id"],
            _pmuver(core),
            core["event_counters"],
            len(core["common_events"]),
            len(core["other_events"]),
            _rates(core),
        )
        for core in row["core_types"]
    ]
    notes = [f"{core['id']}: {note}" for core in row["core_types"] for note in core["notes"]]
    return "\n".join([table(head, rows), *(line for note in notes for line in _wrapped(note))])


def _pmuver(core: Row) -> str:
    return "unknown" if core["pmuver"] is None else f"{core['pmuver']} ({core['pmuver_name']})"


def _rates(core: Row) -> str:
    if core["silicon"]:
        return f"measured ({core['silicon']})"
    if core["rates_like"] == core["id"]:
        return "measured"
    return f"as {core['rates_like']}, IPC x {core['relative_ipc']:.3g}"


def _names(names: Sequence[str]) -> str:
    """Join names; what three or more begin with stands once."""
    start = names[0].rpartition("-")[0]
    if len(names) < 3 or not start or not all(name.startswith(f"{start}-") for name in names):
        return ", ".join(names)
    return f"{start}-{{{','.join(name[len(start) + 1 :] for name in names)}}}"


def _host_pmus(row: Row) -> str:
    if not row["host_pmus"]:
        return "host PMUs: none"
    head = ("host PMU", "type", "CPUs", "core types", "counters", "default when the first VCPU_INIT runs on")
    rows = [
        (
            host_pmu["name"],
            host_pmu["type_id"],
            cpu_list(host_pmu["cpus"]),
            _names(host_pmu["core_types"]),
            host_pmu["event_counters"],
            f"CPU {cpu_list(host_pmu['default_on'])}" if host_pmu["default_on"] else "never",
        )
        for host_pmu in row["host_pmus"]
    ]
    return table(head, rows)


def _events(row: Row) -> str:
    diff = row["differences"]
    lines = [_listing(f"events of every core type ({len(diff['on_every_core_type'])})", diff["on_every_core_type"])]
    for core, names in diff["besides_on"].items():
        if names:
            lines.append(_listing(f"{core} has besides ({len(names)})", names))
    if len(row["core_types"]) > 1 and not any(diff["missing_on"].values()):
        lines.append("the core types do not differ in common events")
    return "\n".join([*lines, *filter(None, map(_other_events, row["core_types"]))])


def _other_events(core: Row) -> str:
    if core["event_map"]:
        pairs = [f"{event}->{native}" for event, native in core["event_map"].items()]
        return _listing(f"{core['id']} translates PMUv3 events to its own", pairs)
    names = core["other_events"]
    return _listing(f"{core['id']} beyond PMCEID ({len(names)})", names) if names else ""


def _listing(title: str, names: Sequence[str]) -> str:
    text = f"{title}: {' '.join(names) or 'none'}"
    return "\n".join(wrap(text, COLUMNS, subsequent_indent="    ", break_on_hyphens=False))


def _policies(row: Row) -> str:
    if not row["policies"]:
        return "what a guest is shown: no PMU; VCPU_INIT with the PMU feature fails"
    head = ("policy", "backed by", "runs on", "counts on", "N", "PMCEID0", "PMCEID1", "events")
    rows = [_policy_cells(item) for item in row["policies"]]
    version = row["policies"][0]["pmuver"]
    lines = [f"what a guest is shown: ID_AA64DFR0_EL1.PMUVer {version}, and", table(head, rows), *SAME_VIEW]
    masked = sorted({name for item in row["policies"] for name in item["masked"]})
    if masked:
        slots = ", ".join(f"{item['slots']} under {item['policy']}" for item in row["policies"] if item["slots"])
        lines.append(f"masked by KVM but for strict: {' '.join(masked)}; PMMIR_EL1.SLOTS: {slots or 'not known'}")
    return "\n".join(lines)


def _kinds(row: Row) -> str:
    """Return the policies with what kernel has each, if any."""
    rows = [(item["policy"], item["kernel"], item["exists_in"]) for item in row["policy_kinds"]]
    return table(("policy", "runs on kernel", "exists in"), rows)


def _policy_cells(item: Row) -> tuple[object, ...]:
    return (
        item["policy"],
        BACKING.get(item["backing"]) or ", ".join(item["backed_by"]),
        cpu_list(item["runs_on"]),
        cpu_list(item["counts_on"]),
        item["pmcr_n"],
        f"{item['pmceid0']:#x}",
        f"{item['pmceid1']:#x}",
        len(item["events"]),
    )


def _counters(row: Row) -> str:
    if not row["counters"]:
        return ""
    rows = [line for item in row["counters"] for line in _counter_lines(item)]
    return table(("counter or event", "shown under", "depends on"), rows)


def _counter_lines(item: Row) -> list[tuple[str, str, str]]:
    first, *rest = item["depends_on"]
    return [(item["counter"], item["shown_under"], first), *(("", "", text) for text in rest)]


def _verdict(row: Row) -> str:
    found = row["verdict"]
    lines = [
        f"vPMU possible: {found['vpmu']} ({found['vpmu_reason']})",
        f"stalls possible under default: {found['stalls']} ({found['stalls_reason']})",
        *(
            f"    backed by {host_pmu}: still on CPU {cpu_list(cpus)}"
            for host_pmu, cpus in found["uncovered"].items()
            if cpus
        ),
    ]
    if found["no_pmu_cpus"]:
        lines.append(f"no host PMU covers CPU {cpu_list(found['no_pmu_cpus'])}: every policy stands still there")
    if lost := found["events_lost_by_fixed"]:
        counts = ", ".join(f"{len(names)} of {host_pmu}" for host_pmu, names in lost.items())
        lines.append(f"lost by fixed-counters-only: every event counter, so all events but CPU_CYCLES ({counts})")
        lines.append("kept: PMCCNTR_EL0; but PMCEID0 reads 0, so the perf of a Linux guest refuses even cycles")
    return "\n".join(part for line in lines for part in _wrapped(line))


def _wrapped(line: str) -> list[str]:
    return wrap(line, COLUMNS, subsequent_indent="        ", break_on_hyphens=False, drop_whitespace=True)


def _assumed(row: Row) -> str:
    if not row["assumptions"]:
        return "assumed: nothing"
    lines = [line for item in row["assumptions"] for line in _item(f"{item['key']}: {item['value']}", item["why"])]
    return "\n".join([f"assumed ({len(row['assumptions'])})", *lines])
