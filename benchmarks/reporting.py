"""The page of a long run: how long `hetpmu report` takes, and how large the page is."""

import functools
import tempfile
from pathlib import Path

from benchmarks.case import Case
from benchmarks.measure import Contender
from simcore.app.report_page import page_html
from simcore.app.reporting import report_of
from simcore.app.running import run
from simcore.app.storing import save_result
from simcore.scenario import Scenario, VmSpec

RUN_NS, SAMPLE_NS = 60_000_000_000, 1_000_000


@functools.cache
def kept() -> "tempfile.TemporaryDirectory[str]":
    """Return the directory of a run of 60 s with four vCPUs and a shadow, sampled each millisecond."""
    folder = tempfile.TemporaryDirectory(prefix="hetpmu-bench-")
    vms = (VmSpec(policy="fixed-counters-only", kernel="v8", shadows=("default@mainline",)),)  # lives to the end
    save_result(run(Scenario(vms=vms, seconds_ns=RUN_NS, sample_ns=SAMPLE_NS)), Path(folder.name))
    return folder


def page() -> str:
    """Return the page of that run, from the files on."""
    return page_html(report_of(Path(kept().name)))


def report() -> Contender:
    """Return the making of that page."""
    kept()
    return Contender(page, 1)


def size() -> dict[str, object]:
    """Return how large the page is."""
    return {"page_bytes": len(page().encode())}


CASES = (Case("report", "whole", "s", report, facts=size),)
