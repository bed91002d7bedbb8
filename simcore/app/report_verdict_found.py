"""What guests found, in sentences of the verdict: checks of a PMU test that fail, the bias of samples by core type."""

from collections.abc import Sequence

from simcore.app.columns import Row, label, percent
from simcore.app.report_words import listed, sentence, some
from workloads.self_test import CHECKS

BIASED = 0.005
"""From this difference of shares on samples are called biased."""
MOST_NAMED = 3


def checks_sentence(rows: Sequence[Row]) -> str:
    """Say which checks of guest self-test fail under which policies; nothing for another guest."""
    tested = [row for row in rows if row["guest_findings"] and row["guest_findings"].keys() >= CHECKS.keys()]
    done = [row for row in tested if row["guest_findings"]["passed"] is not None]
    groups: dict[tuple[str, ...], list[str]] = {}
    for row in done:
        groups.setdefault(_failing(row), []).append(_share(row, "failed"))
    good = [_share(row, "skipped") for row in done if not _failing(row)]
    never = [label(row) for row in tested if row["guest_findings"]["passed"] is None]
    texts = [f"{_checks(names)} under {listed(policies)}" for names, policies in groups.items() if names]
    texts += [f"no check fails under {listed(good)}"] if good else []
    texts += [f"no check ends under {listed(never)}"] if never else []
    return " ".join(map(sentence, texts))


def samples_sentence(rows: Sequence[Row]) -> str:
    """Say how far samples are from where the guest executes, by core type; nothing for a guest without samples."""
    sampling = [row for row in rows if row["sampling"]]
    if not sampling:
        return ""
    taken = [row for row in sampling if any(figures["samples"] for figures in row["sampling"].values())]
    ranked = sorted(((_bias(row), row) for row in taken), key=lambda pair: -abs(pair[0][0]))
    biased = [(bias, row) for bias, row in ranked if abs(bias[0]) >= BIASED]
    fair = [label(row) for bias, row in ranked if abs(bias[0]) < BIASED]
    none = [label(row) for row in sampling if row not in taken]
    texts = [_biased(row, name) for (_, name), row in biased[:MOST_NAMED]]
    texts += [f"samples are where the guest executes, to within 0.5 % points, under {some(fair)}"] if fair else []
    texts += [f"no sample is taken under {some(none)}"] if none else []
    return " ".join(map(sentence, texts))


def _failing(row: Row) -> tuple[str, ...]:
    return tuple(name for name in CHECKS if _number(row["guest_findings"][name]))


def _number(found: float | str | None) -> float:
    """Return a finding's number; 0 for one that nobody reported, and for a word such as "skip"."""
    return 0 if found is None or isinstance(found, str) else found


def _share(row: Row, what: str) -> str:
    """Name a row, and how many of its checks failed or were skipped, if any."""
    found = row["guest_findings"]
    number = _number(found[what])
    total = sum(_number(found[name]) for name in ("passed", "failed", "skipped"))
    return f"{label(row)} ({number} of {total} {what})" if number else label(row)


def _checks(names: Sequence[str]) -> str:
    return f"the check {names[0]} fails" if len(names) == 1 else f"the checks {listed(names)} fail"


def _bias(row: Row) -> tuple[float, str]:
    """Return by how much the share of samples is above that of cycles where it is so most, and where that is."""
    differences = [
        ((figures["samples_share"] or 0) - (figures["cycles_share"] or 0), name)
        for name, figures in row["sampling"].items()
    ]
    return max(differences)


def _biased(row: Row, name: str) -> str:
    figures = row["sampling"][name]
    where = f"on CPUs of {name}" if name else "on CPUs without a PMU"
    samples, cycles = percent(figures["samples_share"]), percent(figures["cycles_share"])
    return (
        f"{samples} of the samples under {label(row)} are taken {where}, which execute {cycles} of the guest's cycles"
    )
