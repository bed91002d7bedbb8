"""Result directories of each kind, of very short runs, made once for all tests of reports; and pages as tables."""

import atexit
import functools
import html.parser
import shutil
import tempfile
from pathlib import Path

import pytest

from simcore.app.cli import exit_code
from tests.sweeps import write_study

TRACE = Path(__file__).parent / "data" / "traces" / "report_classic.txt"
SCENARIO = """\
format = "hetpmu-scenario/1"
seconds = "50ms"
scheduler = "random:200"

[[vms]]
vcpus = 2
shadows = ["fixed-counters-only@v8"]

[vms.guest]
boot = "5ms"
window = "5ms"
"""
PINNED = "default-pinned:armv8_cortex_a76"
POLICIES = f"default,{PINNED},fixed-counters-only"
STUDY = """
[grid]
"vms.0.policy" = ["default", "fixed-counters-only@v8"]
[zip]
hz = [100, 1000]
scheduler = ["eas", "random:1000"]
[seeds]
count = 2
"""
NEVER = "never"
"""A run whose guest never enables the counter; not among the kinds, of which each has a command."""
KINDS = ("compare", "run", "replay", "watch", "sweep")


@functools.cache
def folder() -> Path:
    """Return a folder that is removed at the end."""
    made = Path(tempfile.mkdtemp(prefix="hetpmu-report-"))
    atexit.register(shutil.rmtree, made, ignore_errors=True)
    (made / "scenario.toml").write_text(SCENARIO)
    return made


@functools.cache
def made(kind: str) -> Path:
    """Return the directory that a command left, without its pictures."""
    out = folder() / kind
    with pytest.MonkeyPatch.context() as patch:
        for module in ("keeping", "trace_replay"):
            patch.setattr(f"simcore.app.{module}.draw", lambda *_: None)
        assert exit_code([*map(str, arguments(kind)), "--out", str(out)]) == 0
    return out


def arguments(kind: str) -> list[object]:
    """Return the command line of a kind of directory."""
    scenario = folder() / "scenario.toml"
    if kind == "compare":
        return ["compare", scenario, "--policies", POLICIES, "--seeds", "2", "--workers", "1"]
    if kind == "run":
        return ["run", scenario, "--sample", "1ms", "--set", "schedule=true"]
    if kind == NEVER:
        return ["run", scenario, "--sample", "1ms", "--set", "vms.0.guest.name=none"]
    if kind == "replay":
        return ["replay", TRACE, "--threads", "KVM", "--platform", "rk3588"]
    if kind == "watch":
        return ["watch", made("run"), "--step", "1ms"]
    return ["sweep", write_study(folder(), STUDY), "--workers", "1"]


@functools.cache
def page(kind: str) -> Path:
    """Return the report of a kind of directory."""
    path = folder() / f"{kind}.html"
    assert exit_code(["report", str(made(kind)), "-o", str(path)]) == 0
    return path


class Reader(html.parser.HTMLParser):
    """What a page says: `texts` outside of style and scripts, `tables` by caption, `links` and `scripts`."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.texts: list[str] = []
        self.tables: dict[str, list[list[str]]] = {}
        self.links: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.data: dict[str, str] = {}
        self._open: list[str] = []
        self._caption = ""
        self._rows: list[list[str]] = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        given = dict(attrs)
        self.tags.append((tag, given))
        if tag not in ("meta", "br", "wbr", "link", "img", "input", "option"):
            self._open.append(tag)
        self.links += [str(given[name]) for name in ("src", "href", "action", "data", "xlink:href") if name in given]
        if tag == "table":
            self._caption, self._rows = "", []
        elif tag == "tr":
            self._rows.append([])
        elif tag in ("td", "th"):
            self._rows[-1].append("")

    def handle_endtag(self, tag):
        while self._open and self._open.pop() != tag:
            pass
        if tag == "table":
            self.tables.setdefault(self._caption.strip(), self._rows)

    def handle_data(self, data):
        inside = set(self._open)
        if inside & {"style", "script"}:
            self.data[str(self.tags[-1][1].get("id") or self._open[-1])] = data
            return
        self.texts.append(data)
        if "caption" in inside:
            self._caption += data
        elif inside & {"td", "th"}:
            self._rows[-1][-1] += data

    @property
    def text(self) -> str:
        """Return all that is to be read, with single spaces."""
        return " ".join("".join(self.texts).split())


def read(kind: str) -> Reader:
    """Return the report of a kind of directory, read."""
    return Reader(page(kind).read_text())
