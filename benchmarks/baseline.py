"""Compare a benchmark result with a saved one, and say which case is slower beyond noise.

Two runs at different times may meet a machine of different speed, so a case counts as slower only when its
interval lies wholly on the slow side of the saved one *and* it lost as much against every peer that both
runs measured: peers are timed interleaved with it and slow down with the machine.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from simcore.errors import InputError

SCHEMA = "hetpmu-bench/1"
LEAST_NOISE = 0.05

Case = Mapping[str, Any]


def save(result: Mapping[str, Any], path: Path) -> None:
    """Write a result as JSON, replacing an older one only when all of it is written."""
    partial = path.with_name(f"{path.name}.partial")
    try:
        partial.write_text(json.dumps(result, indent=1) + "\n")
        partial.replace(path)
    except OSError as error:
        raise InputError("cannot write the baseline", str(path), error.strerror or str(error)) from error


def load(path: Path) -> dict[str, Case]:
    """Return the cases of a saved result by name."""
    try:
        result = json.loads(path.read_text())
        if result["schema"] != SCHEMA:
            raise InputError(f"schema {result['schema']!r}", str(path), valid=SCHEMA)
        return {case["name"]: checked(case) for case in result["cases"]}
    except OSError as error:
        raise InputError("cannot read the baseline", str(path), error.strerror or str(error)) from error
    except (ValueError, KeyError, TypeError) as error:
        raise InputError("not a benchmark result", str(path), valid="a file written by bench --save") from error


def checked(case: Case) -> Case:
    """Return the case when it has what a comparison needs."""
    if not all(float(case[key]) > 0 for key in ("median", "low", "high")):
        raise ValueError(case["name"])
    return {**case, "unit": str(case["unit"]), "ratios": {k: float(v) for k, v in case["ratios"].items()}}


def compare(cases: list[dict[str, Any]], saved: Mapping[str, Case]) -> list[dict[str, Any]]:
    """Return one row for each case that both have: its speed over the saved one's, and whether it is slower."""
    pairs = [(case, saved[case["name"]]) for case in cases if case["name"] in saved]
    return [{"name": now["name"], "speed": speed(now, then), "slower": slower(now, then)} for now, then in pairs]


def speed(now: Case, then: Case) -> float:
    """Return how fast a case is now in units of its saved speed."""
    ratio = float(now["median"]) / float(then["median"])
    return ratio if more_is_faster(now) else 1 / ratio


def slower(now: Case, then: Case) -> bool:
    """Tell whether a case is slower than saved, beyond the noise of both runs."""
    bound = 1 - max(LEAST_NOISE, spread(now) + spread(then))
    apart = now["high"] < then["low"] if more_is_faster(now) else now["low"] > then["high"]
    against_peers = [now["ratios"][peer] / then["ratios"][peer] for peer in now["ratios"] if peer in then["ratios"]]
    return bool(apart) and speed(now, then) < bound and all(ratio < bound for ratio in against_peers)


def spread(case: Case) -> float:
    """Return half the width of a case's interval, relative to its median."""
    return float(case["high"] - case["low"]) / (2 * float(case["median"]))


def more_is_faster(case: Case) -> bool:
    """Tell throughputs from times by their unit."""
    return str(case["unit"]).endswith("/s")
