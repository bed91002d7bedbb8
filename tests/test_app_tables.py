"""The text of a comparison: short numbers, at most 120 columns, the same for the same rows."""

import pytest

from simcore.app import columns, heads, tables
from tests.app_samples import figures, row

LONGEST = "set-pmu-unpinned:armv8_cortex_a76"


def hard_rows():
    """Return rows with the longest names and numbers that occur."""
    worst = figures(
        crashed=True, stalled_ns=1_899_999_999, longest_stall_ns=123_456_789_012, zero_deltas=123_456_789,
        ledger=(10**13, 0, 0, 0, 0, 10**14, 0, 0), clock_error_ppm=(-999_999,), migrations=10**7, crossings=10**7,
        reloads=10**8, event_creations=10**8, overhead_ns=10**11, fail_entries=10**8,
        pmceid0=(1 << 64) - 1, pmceid1=(1 << 64) - 1,
    )  # fmt: skip
    return [row(LONGEST, "mainline", [worst] * 20), row("fixed-counters-only", "v8"), row("default", "v6", [])]


def text(**options):
    sensitivity = {
        "note": "4 seeds",
        "rows": [
            {
                "policy": LONGEST,
                "kernel": "mainline",
                "parameter": "cost interrupt_latency",
                "crash_probability": {"low": 0.25, "high": 1.0},
                "stalled_fraction": {"low": 0.123, "high": 0.123},
                "throughput": None,
                "energy_j": {"low": 12345.6, "high": 123456.7},
            },
        ],
    }
    return tables.comparison_text(["head"], hard_rows(), sensitivity, **options)


def test_no_line_is_wider_than_a_terminal():
    assert max(map(len, text().splitlines())) <= columns.WIDTH == 120


def test_every_policy_stands_in_every_table_of_rows():
    for label in (f"{LONGEST}@mainline", "fixed-counters-only@v8", "default@v6"):
        assert sum(line.startswith(label) for line in text().splitlines()) >= 2


def test_the_text_depends_on_the_rows_only():
    assert text() == text()
    assert "\x1b" not in text()


def test_colour_adds_escapes_and_nothing_else():
    plain = text(colour=True)
    for escape in (columns.BOLD, columns.RED, columns.PLAIN):
        assert escape in plain
        plain = plain.replace(escape, "")
    assert plain == text()


def test_columns_line_up():
    lines = columns.render(tables.GUEST, [row("a" * 30), row("b")])
    assert (
        len({line.index("@mainline") - len(name) for line, name in zip(lines[-2:], ("a" * 30, "b"), strict=True)}) == 1
    )
    assert lines[-2].endswith(lines[-1][-5:])
    assert len(lines[-1]) == len(lines[-2])


def test_what_the_guest_reads_is_split_by_pmu():
    found = tables.shown_rows([row(runs=[figures(), figures(init_pmu="armv8_cortex_a76", pmceid0=3, pmceid1=0)])])
    lines = columns.render(tables.SHOWN, found)
    assert [line.split()[1] for line in lines[-2:]] == ["armv8_cortex_a55", "armv8_cortex_a76"]
    assert lines[-1].split()[-4:] == ["6", "0x3", "0x0", "2"]


def test_heads_say_what_is_special():
    answer = {
        "platform": "rk3588", "guest": "windows", "workload": "429.mcf", "vcpus": 4, "vmm": "qemu", "seconds": 0.2,
        "seeds": [1, 2],
    }  # fmt: skip
    assert "QUICK" not in "".join(heads.head(answer, "eevdf", 1e9, False))
    assert "QUICK" in heads.head(answer, "eevdf", None, True)[0]
    interrupted = {**answer, "interrupted": {"finished": 3, "planned": 18}}
    assert "3 of 18 runs" in heads.head(interrupted, "eevdf", 1e9, False)[0]
    assert "1.000 G instructions/s" in "".join(heads.head(answer, "eevdf", 1e9, False))


@pytest.mark.parametrize(
    "form, value, shown",
    [
        (columns.percent, None, "-"),
        (columns.percent, 0.0, "0"),
        (columns.percent, 1e-6, "<0.01%"),
        (columns.percent, 0.004321, "0.43%"),
        (columns.percent, 0.4321, "43.2%"),
        (columns.percent, 0.9999, "100%"),
        (columns.percent, 1.0, "100%"),
        (columns.count, 0, "0"),
        (columns.count, 9_999, "9999"),
        (columns.count, 12_345, "12.3k"),
        (columns.count, 999_999, "1000k"),
        (columns.count, 3_210_000_000, "3.2G"),
        (columns.duration, 0, "0"),
        (columns.duration, 999, "999ns"),
        (columns.duration, 1_500, "1.5us"),
        (columns.duration, 1_830_000_000, "1.83s"),
        (columns.parts, 999, "999ppm"),
        (columns.parts, 1_000, "0.10%"),
        (columns.parts, 412_345, "41.2%"),
    ],
)
def test_numbers_are_short(form, value, shown):
    assert form(value) == shown


def test_what_moves_nothing_is_folded():
    def span(parameter, low, high, policy="default"):
        figures = {
            key: {"low": low, "high": high}
            for key in ("crash_probability", "stalled_fraction", "throughput", "energy_j")
        }
        return {"policy": policy, "kernel": "v8", "parameter": parameter, **figures}

    rows = [
        span("nothing", 0.5, 0.5),
        span("wake rate", 0.5, 0.7),
        span("cost trap", 0.5, 0.5),
        span("cost wfi", 0.5, 0.50001),
        span("nothing", 0.1, 0.1, "other"),
        span("wake rate", 0.1, 0.2, "other"),
    ]
    shown = [(row["policy"], row["parameter"]) for row in tables.moved_rows(rows)]
    assert shown == [
        ("default", "nothing, or 2 others"),
        ("default", "wake rate"),
        ("other", "nothing"),
        ("other", "wake rate"),
    ]


def test_policies_one_after_the_other_fit_the_width():
    """A VM that was live-migrated has a long name, which is broken only where it must be."""
    short, long = "default@mainline>fixed-counters-only", "set-pmu-unpinned:armv8_cortex_a55@mainline>default"
    lines = columns.render(tables.GUEST, [row(short), row("default")])
    assert lines[-2].startswith("default@mainline>fixed-counters-only@mainline ")
    lines = columns.render(tables.GUEST, [row(long), row("default")])
    assert [line.split()[0] for line in lines[-3:]] == [
        "set-pmu-unpinned:armv8_cortex_a55@mainline", ">default@mainline", "default@mainline",
    ]  # fmt: skip
    assert max(map(len, lines)) <= columns.WIDTH
