"""One run of real code as one flat row, in the order of `simcore.guest_columns.GUEST_COLUMNS`."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

from simcore.guest_columns import GUEST_COLUMNS
from simcore.run_columns import CATEGORIES

SUMS = {
    "host_ns": "host_ns",
    "idle_ns": "idle_ns",
    "waited_ns": "waited_ns",
    "instructions": "instructions",
    "stalls": "stalls",
    "stalled_ns": "stalled_ns",
    "pmu_reads": "reads",
    "pmu_writes": "writes",
    "overflows": "overflows",
    "interrupts": "interrupts",
    "migrations": "migrations",
    "crossings": "crossings",
    "refused_moves": "refused_moves",
    "fail_entries": "failed_entries",
}
"""Columns that are sums over the vCPUs of an account, and what they are there."""


def guest_row(answer: Mapping[str, Any], image: bytes) -> tuple[Any, ...]:
    """Return the row of a run: its account (`simcore.app.code_running.answer`), and the image that ran."""
    vcpus = answer["vcpus"]
    values = {name: sum(vcpu[key] for vcpu in vcpus) for name, key in SUMS.items()}
    values |= {name: sum(vcpu["ledger"][name] for vcpu in vcpus) for name in CATEGORIES}
    values |= _verdict(answer) | _work(vcpus)
    values |= {
        "seed": answer["seed"],
        "image_digest": hashlib.sha256(image).hexdigest(),
        "backing_pmu": answer["backing_pmu"] or "",
        "pmcr_n": answer["nr_counters"],
        "pmceid0": answer["pmceid"][0],
        "pmceid1": answer["pmceid"][1],
        "lived_ns": max(vcpu["ns"] for vcpu in vcpus),
        "longest_stall_ns": max(vcpu["longest_stall_ns"] for vcpu in vcpus),
        "digest": hashlib.sha256(json.dumps(answer, sort_keys=True).encode()).hexdigest(),
    }
    return tuple(values[column.name] for column in GUEST_COLUMNS)


def _verdict(answer: Mapping[str, Any]) -> dict[str, Any]:
    counts, status = answer["verdicts"], answer["status"]
    return {
        "ended": answer["outcome"],
        "where": answer["where"],
        "well": int(answer["well"]),
        "passes": counts["PASS"],
        "fails": counts["FAIL"],
        "skips": counts["SKIP"],
        "status": -1 if status is None else status,
        "first_failure": "" if answer["well"] else _why(answer),
    }


def _work(vcpus: Sequence[Mapping[str, Any]]) -> dict[str, int]:
    return {
        "reloads": sum(vcpu["work"]["load_reloads"] for vcpu in vcpus),
        "event_creations": sum(vcpu["work"]["creations"] for vcpu in vcpus),
    }


def _why(answer: Mapping[str, Any]) -> str:
    """Return the first line that says FAIL, unless something else ended the run."""
    if answer["outcome"] == "fail-entry":
        return "KVM_RUN fails entry where the VM's PMU does not cover the pCPU"
    if answer["where"]:
        return f"{answer['outcome']}: {answer['where']}"
    lines = (line.strip() for line in answer["console"].splitlines())
    if found := next((line for line in lines if line.startswith("FAIL")), ""):
        return found
    return f"status {answer['status']}" if answer["outcome"] == "off" else str(answer["outcome"])
