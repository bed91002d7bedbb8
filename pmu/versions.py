"""Every kernel by name: the revisions of ``pmu.revisions``, and those of the policies that exist beside them.

``v1`` and ``v2`` are the series' first two postings: several host events a counter (RFC of 2025-03-19 and 2025-08-06,
arch/arm64/kvm/pmu-emul.c). ``7.3`` has the vCPU feature PMU_V3_STRICT (Linux commit ad220e275c39, merged for 7.3).
``what-if`` is no kernel: mainline with attributes that nobody has proposed.
"""

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Final

from pmu import attributes as rules
from pmu.modes import COMPOSED_DEFAULT
from pmu.revisions import (
    MAINLINE,
    MAINLINE_ROWS,
    REVISIONS,
    Revision,
    attribute_table,
    if_local,
    reload_crossing,
)

_SELECTING: Final = (*MAINLINE_ROWS, replace(rules.SET_PMU_ROW, apply=rules.select_pmu_and_unfix))
"""Mainline's attributes; SET_PMU ends another mode."""

V1: Final = replace(MAINLINE, name="v1", mode=COMPOSED_DEFAULT)

V2: Final = replace(
    MAINLINE,
    name="v2",
    attributes=attribute_table(*_SELECTING, rules.COMPOSITION_ROW),
    load_always=True,
    rearms=True,
)

STRICT: Final = replace(MAINLINE, name="7.3", has_strict=True)

WHAT_IF: Final = replace(
    MAINLINE,
    name="what-if",
    attributes=attribute_table(*_SELECTING, rules.INTERSECTION_ROW, rules.SCALED_TIME_ROW),
    load_reloads=reload_crossing,
    recreates_off_pmu=if_local,
    keeps_last_cpu=True,
)

KERNELS: Final[Mapping[str, Revision]] = MappingProxyType(
    {**REVISIONS, **{row.name: row for row in (V1, V2, STRICT, WHAT_IF)}}
)
