"""The documentation against the code: commands, example files, links, defaults and the tables of a result.

That the commands run and print what is shown is for tests/test_examples.py.
"""

import contextlib
import re
import shlex
from collections.abc import Iterator
from dataclasses import MISSING, fields
from importlib import import_module
from pathlib import Path

import click
import pytest

from simcore.app.aggregating import compare_row, run_answer
from simcore.app.cli import cli
from simcore.app.comparing import Comparison
from simcore.app.running import run
from simcore.app.sweep_text import sweep_answer
from simcore.app.sweeping import sweep
from simcore.app.table_page import page, type_of
from simcore.app.trace_replay import replay
from simcore.costs import Costs
from simcore.guest_columns import GUEST_COLUMNS
from simcore.loader import validate_file
from simcore.run_columns import RUN_COLUMNS
from simcore.scenario import (
    AffinityChange,
    BackgroundTask,
    CgroupSpec,
    CpusetChange,
    GuestSpec,
    IdleSpec,
    LiveMigration,
    OppChange,
    PinSpec,
    RtappSpec,
    Scenario,
    ThreadSpec,
    VmmThreadsSpec,
    VmSpec,
)
from simcore.study import Axis, Study
from simcore.units import parse_time_ns
from workloads.guests import GUESTS

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", *sorted(DOCS.glob("*.md"))]
EXAMPLES = sorted((DOCS / "examples").glob("*.toml"))
SPECS = {
    "vms.N.guest.": GuestSpec,
    "vms.N.sched.": ThreadSpec,
    "vms.N.cgroup.": CgroupSpec,
    "vms.N.vmm_threads.": VmmThreadsSpec,
    "vms.N.pin.": PinSpec,
    "vms.N.": VmSpec,
    "background.N.": BackgroundTask,
    "opp_changes.N.": OppChange,
    "affinity_changes.N.": AffinityChange,
    "idle.": IdleSpec,
    "rtapp.": RtappSpec,
    "cpuset_changes.N.": CpusetChange,
    "live_migrations.N.": LiveMigration,
    "costs.": Costs,
    "": Scenario,
}
TABLES = {"vms.N.guest", "vms.N.sched", "vms.N.cgroup", "vms.N.vmm_threads", "vms.N.pin", "idle", "rtapp", "costs"}
SHELL = re.compile(r"^(?:\$ )?(?:\.venv/bin/)?(hetpmu\s.+)$", re.MULTILINE)
INLINE = re.compile(r"`(?:\.venv/bin/)?(hetpmu [a-z-][^`]*)`")
FENCED = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
FORMAT = {"format": "hetpmu-scenario/1"}
TRACE = "tests/data/traces/rtapp_6cpu.report.txt.gz"
HEADING = re.compile(r"^#+ (.*)$", re.MULTILINE)


def blocks(page: Path) -> str:
    """Return what stands in a page's code blocks without a language, or with that of a shell."""
    fenced = FENCED.findall(page.read_text())
    return "\n".join(body for language, body in fenced if language in ("", "sh", "console"))


def split(lines: list[str]) -> list[list[str]]:
    """Return the arguments of command lines, up to a pipe, a redirection or a second command."""
    return [shlex.split(re.split(r"\s[|>]|&&", line)[0], comments=True)[1:] for line in lines]


def command_lines(page: Path) -> list[list[str]]:
    """Return the arguments of each hetpmu command line in the code blocks of a page."""
    return split(SHELL.findall(blocks(page).replace("\\\n", " ")))


def mentions(page: Path) -> list[list[str]]:
    """Return the arguments of each hetpmu command in running text; `N` there is a number."""
    found = split(INLINE.findall(FENCED.sub("", page.read_text())))
    return [["5" if word == "N" else word for word in arguments] for arguments in found]


def parse(arguments: list[str]) -> None:
    """Resolve a command and parse its options and arguments; nothing runs."""
    with cli.make_context("hetpmu", list(arguments), help_option_names=[]) as context:
        if "--help" in arguments or "--version" in arguments:
            return
        group: click.Group = cli
        while True:
            _, command, arguments = group.resolve_command(context, arguments)
            assert command is not None
            if not isinstance(command, click.Group):
                break
            group = command
        command.make_context(command.name, arguments, parent=context)


def rows(text: str) -> Iterator[list[str]]:
    """Yield the cells of each line of the markdown tables of a text."""
    for line in text.splitlines():
        if line.startswith("|") and not line.startswith("|---"):
            yield [cell.strip() for cell in line.strip("|").split("|")]


def parameters() -> list[tuple[str, str]]:
    """Return (key, default) of the table of parameters."""
    section = (DOCS / "model.md").read_text().partition("## Parameters")[2].partition("Constants in the code")[0]
    return [(cells[0].strip("`"), cells[1]) for cells in rows(section) if cells[0].startswith("`")]


def constants() -> list[tuple[str, str]]:
    """Return (dotted name, value) of the table of constants."""
    section = (DOCS / "model.md").read_text().partition("Constants in the code")[2].partition("\n## ")[0]
    return [(cells[0].strip("`"), cells[1]) for cells in rows(section) if cells[0].startswith("`")]


def all_keys() -> dict[str, object]:
    """Return the default of every key of a scenario, by the key's name in files; MISSING: required."""
    keys: dict[str, object] = {}
    for prefix, spec in SPECS.items():
        for field in fields(spec):
            made = field.default_factory
            default = field.default if made is MISSING else made()
            keys[prefix + field.name.removesuffix("_ns")] = default
    return {key: default for key, default in keys.items() if key not in TABLES}


def is_time(key: str) -> bool:
    """Tell whether a key's field holds nanoseconds."""
    prefix = next(prefix for prefix in SPECS if key.startswith(prefix))
    name = key.removeprefix(prefix)
    return prefix == "costs." or f"{name}_ns" in {field.name for field in fields(SPECS[prefix])}


def written(key: str, text: str, default: object) -> object:
    """Return what a default's text in the table stands for, in the type of the real default."""
    if text == "required":
        return MISSING
    if is_time(key) and text != "none":
        return parse_time_ns(text)
    if re.fullmatch(r"\d+ (entry|entries)", text):
        return int(text.split()[0])
    if text == "none":
        return default if default in (None, ()) else text
    if isinstance(default, bool):
        return {"true": True, "false": False}.get(text)
    if isinstance(default, int):
        return int(text)
    if isinstance(default, frozenset):
        return frozenset(text.split(", "))
    return tuple(int(part, 0) for part in text.split(", ")) if isinstance(default, tuple) else text


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_command_line_is_accepted(page):
    for arguments in command_lines(page):
        parse(arguments)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_command_in_the_text_is_accepted_but_for_what_it_leaves_out(page):
    for arguments in mentions(page):
        with contextlib.suppress(click.MissingParameter):
            parse(arguments)


def test_the_tutorial_shows_every_command():
    assert {arguments[0] for arguments in command_lines(DOCS / "tutorial.md")} == set(cli.commands)


def test_an_option_that_is_none_is_refused():
    with pytest.raises(click.UsageError):
        parse(["compare", "--seed-count", "4"])
    with pytest.raises(click.UsageError):
        parse(["comparison"])


def test_there_are_examples():
    assert {path.name for path in EXAMPLES} >= {"boot.toml", "board.toml"}


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_every_example_is_valid(path):
    assert validate_file(str(path)) in ("scenario", "soc", "core", "workload", "study")


def test_the_tutorial_prints_the_scenario_as_it_is():
    assert (DOCS / "examples" / "boot.toml").read_text() in (DOCS / "tutorial.md").read_text()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_relative_link_leads_somewhere(page):
    text = FENCED.sub("", page.read_text())
    links = [link.partition("#")[0] for link in re.findall(r"\]\(([^)\s]+)[^)]*\)", text)]
    relative = [link for link in links if link and not re.match(r"[a-z]+:", link)]
    assert [link for link in relative if not (page.parent / link).exists()] == []


@pytest.mark.parametrize("key, text", parameters(), ids=lambda value: value)
def test_a_default_in_the_table_is_that_of_the_code(key, text):
    default = all_keys()[key]
    shown = len(default) if key in ("vms", "background") and isinstance(default, tuple) else default
    assert written(key, text, default) == shown


def test_the_table_of_parameters_has_every_key():
    assert sorted(key for key, _ in parameters()) == sorted(all_keys())


def test_there_are_constants():
    assert len(constants()) > 20


@pytest.mark.parametrize("name, text", constants(), ids=lambda value: value)
def test_a_constant_in_the_table_is_that_of_the_code(name, text):
    module, _, constant = name.rpartition(".")
    assert getattr(import_module(module), constant) == int(text, 0)


def described_tables() -> dict[str, list[str]]:
    """Return the columns that docs/output.md describes, by table."""
    parts = HEADING.split((DOCS / "output.md").read_text())
    sections = zip(parts[1::2], parts[2::2], strict=True)
    first = {heading.strip("` "): [cells[0] for cells in rows(text)] for heading, text in sections}
    return {name: [cell.strip("`") for cell in cells if cell.startswith("`")] for name, cells in first.items()}


def test_the_page_on_tables_is_that_of_the_code():
    assert (DOCS / "tables.md").read_text() == page(), "make docs"


def test_the_page_on_sweeps_has_the_columns_and_the_study():
    text = (DOCS / "sweeps.md").read_text()
    table = [cells for cells in rows(text.partition("| Column |")[2]) if cells[0].startswith("`")]
    assert table == [[f"`{c.name}`", type_of(c), c.unit, c.meaning] for c in RUN_COLUMNS]
    study = (DOCS / "examples" / "study.toml").read_text()
    assert study.partition("format")[2] in text


def test_the_page_on_real_code_has_the_columns_of_its_matrix():
    text = (DOCS / "guest_code.md").read_text()
    table = [cells for cells in rows(text.partition("| Column |")[2].partition("\n## ")[0]) if cells[0].startswith("`")]
    assert table == [[f"`{c.name}`", type_of(c), c.unit, c.meaning] for c in GUEST_COLUMNS]


def described_keys(heading: str) -> set[str]:
    """Return the keys of the form that stands first under a heading of docs/output.md, those of nested objects not."""
    text = (DOCS / "output.md").read_text().partition(f"\n## {heading}\n")[2]
    form = re.search(r"`\{(.*?)\}`", text, re.DOTALL)
    assert form is not None
    return set(re.findall(r'"(\w+)"', re.sub(r"\[.*?\]", "", form[1]).replace('"hetpmu-', "")))


def test_the_page_on_output_describes_every_field_of_a_comparison():
    assert described_tables()["compare --json"] == list(compare_row("default", "mainline", [], None))


def test_the_page_on_output_describes_the_answers(tmp_path):
    tiny = Scenario(seconds_ns=1_000_000)
    assert described_keys("run --json") == set(run_answer(run(tiny)))
    nothing = Comparison(Scenario(), (1,), (), (), (), None, finished=0, planned=0, picture_seed=1)
    assert described_keys("compare --json") == set(nothing.as_json())
    assert described_keys("sweep --json") == set(sweep_answer(tiny_sweep(tmp_path)))
    replayed = replay(str(ROOT / TRACE), "rt-app", "juno-r0", policies=("fixed-counters-only",))
    assert described_keys("replay --json") == set(replayed.as_json())


def tiny_sweep(folder: Path) -> Path:
    """Return the directory of a sweep of one run."""
    sweep(Study("tiny", "?", {"seconds": "1ms"} | FORMAT, (Axis(("hz",), ((250,),)),), seed_count=1), folder, workers=1)
    return folder


@pytest.mark.parametrize("name", GUESTS)
def test_every_guest_has_a_section(name):
    assert f"\n## {name}\n" in (DOCS / "guests.md").read_text()
