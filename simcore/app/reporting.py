"""The report of a result directory: what kind it is, and the page made of what it holds.

Sections that several kinds have stand in `simcore.app.report_parts`, how a page is drawn in `simcore.app.report_page`.
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from simcore import __version__
from simcore.app import report_repeat as repeat
from simcore.app import report_verdict as verdict
from simcore.app import report_verdict_other as verdict_other
from simcore.app.aggregating import run_answer
from simcore.app.columns import Row, label, without_folder
from simcore.app.finding import found_blocks
from simcore.app.heads import guest_named, run_rows
from simcore.app.replay_text import replay_head
from simcore.app.report_blocks import Page, Section
from simcore.app.report_lanes import watched_plot
from simcore.app.report_parts import (
    SOURCE,
    assumed,
    clocks,
    comparison_tables,
    continuity,
    crashes,
    kept_parts,
    ledger,
    named_seat,
    repeated,
    replay_assumed,
    replay_tables,
    trade,
    watch_tables,
)
from simcore.app.report_sweep import sweep_page
from simcore.app.showing import Contents, contents
from simcore.app.sweep_directory import is_sweep
from simcore.app.watch_text import watch_head
from simcore.errors import InputError, first_line
from simcore.result import Result

Sections = list[Section | None]


def report_of(directory: Path) -> Page:
    """Return the page of a result directory; raises InputError for one that is none, is damaged or has no report."""
    if is_sweep(directory):
        return sweep_page(directory)
    found = contents(directory)
    if found.kind not in PAGES:
        raise InputError(
            f"no report of a {found.kind}",
            where=str(directory),
            valid="a directory that compare, run, replay, watch or sweep wrote",
        )
    try:
        return PAGES[found.kind](found)
    except InputError:
        raise
    except (LookupError, TypeError, ValueError, AttributeError) as error:
        if found.answer is None:  # a run has digests, which are right: the fault is ours
            raise
        raise InputError("damaged answer", where=str(directory), why=first_line(error)) from error


def _comparison(found: Contents) -> Page:
    answer = _answer(found)
    rows = answer["policies"]
    results = [run.result for run in found.runs]
    once = f" (of the runs that are kept: seed {results[0].scenario.seed})" if results else ""
    blocks = found_blocks((results[0].scenario.vms[0].guest, row) for row in rows) if results else []
    sections: Sections = [
        comparison_tables(rows, answer.get("sensitivity"), blocks),
        crashes(rows),
        *kept_parts(results, once),
        ledger(rows, label),
        clocks(rows, label),
        trade(rows, label, "throughput"),
        _assumed(results, answer["platform"]),
        repeated(repeat.comparison_repeat(answer, found.runs)),
    ]
    texts = verdict.comparison_verdict(answer, _shadows(found))
    return _page(f"PMU policies for {_guest(answer)}", _head(found), texts, sections)


def _run(found: Contents) -> Page:
    [run] = found.runs
    answer = run_answer(run.result)
    rows = run_rows(answer)
    blocks = found_blocks(zip((vm.guest for vm in run.result.scenario.vms), rows, strict=True))
    sections: Sections = [
        comparison_tables(rows, None, blocks),
        *kept_parts([run.result], ""),
        ledger(rows, label),
        clocks(rows, label),
        trade(rows, label, "instructions"),
        assumed(run.result.scenario, run.result.scenario.platform),
        repeated(repeat.run_repeat(found.runs)),
    ]
    texts = verdict.run_verdict(answer, rows, _shadows(found))
    return _page(f"One run of {_guest(answer)}", _head(found), texts, sections)


def _replay(found: Contents) -> Page:
    answer = _answer(found)
    rows = answer["policies"]
    results = [run.result for run in found.runs]
    sections: Sections = [
        replay_tables(answer),
        *kept_parts(results, ""),
        ledger(rows, named_seat),
        clocks(rows, named_seat),
        replay_assumed([result.scenario for result in results], answer["platform"]),
        repeated(repeat.replay_repeat(answer, found.runs)),
    ]
    near = _near(answer, "trace", "platform", "workload")
    return _page(f"Replay of {near['trace']}", replay_head(near), verdict_other.replay_verdict(answer), sections)


def _watch(found: Contents) -> Page:
    answer = _answer(found)
    plot = watched_plot(found.tables.get("samples"), answer)
    sections: Sections = [
        watch_tables(answer),
        continuity(plot, None),
        ledger(answer["policies"], named_seat),
        assumed(None, answer["platform"]),
        repeated(repeat.watch_repeat(answer)),
    ]
    near = _near(answer, "directory", "platform")
    title = f"Other policies on the schedule of {near['directory']}"
    return _page(title, [watch_head(near)], verdict_other.watch_verdict(answer), sections)


def _page(title: str, head: Sequence[str], texts: verdict.Verdict, sections: Sections) -> Page:
    """Return the page; below the title stands what the command printed first, `head`."""
    known = tuple(section for section in sections if section is not None)
    return Page(title, tuple(head), tuple(texts), known, (f"Made by hetpmu {__version__}.", SOURCE))


def _head(found: Contents) -> list[str]:
    """Return what a command printed first."""
    return found.text.partition("\n\n")[0].replace("\n    ", " ").splitlines()


def _near(answer: Row, *keys: str) -> Row:
    """Return an answer that names its files without a folder: a page is for others' machines."""
    return answer | {key: without_folder(answer[key]) for key in keys}


def _assumed(results: Sequence[Result], platform: str) -> Section | None:
    """Return what is assumed, by the scenario of the runs that are kept, if there are any."""
    scenario = results[0].scenario if results else None
    return assumed(scenario, scenario.platform if scenario else platform)


def _shadows(found: Contents) -> list[str]:
    """Name the shadows of the first VM, which is the one that the plot shows."""
    return list(found.runs[0].result.scenario.vms[0].shadows) if found.runs else []


def _answer(found: Contents) -> Row:
    """Return the answer of a command; contents() reads one for every kind but runs."""
    return found.answer or {}


def _guest(answer: Row) -> str:
    guest = guest_named(answer["guest"])
    article = "" if guest.startswith("guest ") else "a "
    return f"{article}{guest} on {without_folder(answer['platform'])}"


PAGES: Mapping[str, Callable[[Contents], Page]] = {
    "comparison": _comparison,
    "run": _run,
    "replay": _replay,
    "watch": _watch,
}
"""How a page is made of each kind of directory; a sweep has a module of its own."""
