"""The alternatives to the model's rules, on the programs with three rows: their middle row, from the other two.

For tests/test_validation.py, which holds docs/validation.md to these figures.
"""

from collections import defaultdict
from functools import cache

import numpy as np

from workloads.curve import along, along_inverse
from workloads.fitting import sag
from workloads.regress import everything, fit_bend, without

EVENTS = {
    "L1D_CACHE_REFILL": 0x03,
    "BR_MIS_PRED_RETIRED": 0x22,
    "L1D_TLB_REFILL": 0x05,
    "L1I_CACHE_REFILL": 0x01,
    "EXC_TAKEN": 0x09,
    "L2D_CACHE_REFILL": 0x17,
    "BUS_ACCESS": 0x19,
    "BUS_CYCLES": 0x1D,
    "STALL_FRONTEND": 0x23,
    "STALL_BACKEND": 0x24,
}
RULES = ("unchanged", "frequency", "time")
CLASSES = {"in order": True, "out of order": False}


@cache
def triples():
    """Return the programs with three rows."""
    return [one for one in everything() if len(one.rows) == 3]


def two_figures(errors):
    """Return median and 90th percentile, in per cent."""
    return 100 * float(np.median(errors)), 100 * float(np.quantile(errors, 0.9))


def event_errors(in_order, event, rule):
    """Return |error| of an event's count at the middle frequency under a rule; counts of 0 left out."""
    errors = []
    for one in triples():
        low, mid, high = one.rows
        if one.silicon.in_order != in_order or not mid.per_kinst.get(event):
            continue
        knots = tuple((row.khz, row.per_kinst[event]) for row in (low, high))
        if rule == "unchanged":
            found = (knots[0][1] + knots[1][1]) / 2
        else:
            found = (along if rule == "frequency" else along_inverse)(knots, mid.khz)
        errors.append(abs(found / mid.per_kinst[event] - 1))
    return errors


def cpi_table():
    """Return {(class, how): (median, 90th percentile)} of IPC by a straight line, and by one that bends."""
    measured, errors = everything(), defaultdict(list)
    for one in triples():
        low, mid, high = one.rows
        share = (mid.ghz - low.ghz) / (high.ghz - low.ghz)
        line = low.cpi + share * (high.cpi - low.cpi)
        name = "in order" if one.silicon.in_order else "out of order"
        errors[name, "straight"].append(abs(mid.cpi / line - 1))
        if not one.silicon.in_order:
            bent = line * (1 + sag(low, high, mid.ghz, fit_bend(without(measured, one.program))))
            errors[name, "bent"].append(abs(mid.cpi / bent - 1))
    return {key: two_figures(found) for key, found in errors.items()}


@cache
def event_table():
    """Return {(event, class, rule): (median, 90th percentile)}."""
    return {
        (event, name, rule): two_figures(event_errors(in_order, code, rule))
        for event, code in EVENTS.items()
        for name, in_order in CLASSES.items()
        for rule in RULES
    }
