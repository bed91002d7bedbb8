"""Figures, rows and lanes made up for the tests of the app: nothing is simulated."""

import numpy as np

from simcore.app.aggregating import compare_row
from simcore.app.lanes import Lane, Segment
from simcore.app.metrics import RunMetrics


def figures(**changes):
    """Return the figures of a run in which nothing special happens, with changes."""
    usual = dict(  # noqa: C408
        crashed=False,
        outcome="alive",
        init_pmu="armv8_cortex_a55",
        pmcr_n=6,
        pmceid0=0x7FFF0F3F,
        pmceid1=0xF2AE7F,
        guest_ns=2_000_000_000,
        enabled_ns=1_900_000_000,
        stalled_ns=0,
        longest_stall_ns=0,
        zero_deltas=0,
        ledger=(3_900, 100, 0, 0, 0, 0, 0, 0),
        clock_error_ppm=(-10, 20),
        instructions=2_000_000_000,
        lived_ns=2_000_000_000,
        migrations=10,
        crossings=4,
        crossings_by={"wakeup": 3, "balance": 1, "misfit": 0, "affinity": 0, "other": 0},
        reloads=0,
        event_creations=4,
        overhead_ns=1000,
        fail_entries=0,
        energy_j=None,
        rate_mhz=(1800.0, 2400.0),
    )
    return RunMetrics(**{**usual, **changes})


def row(policy="default", kernel="mainline", runs=None, baseline=1e9):
    """Return a row of a comparison."""
    return compare_row(policy, kernel, [figures()] if runs is None else runs, baseline)


def lane(policy="default@mainline", dies=False, stalls=((200_000_000, 400_000_000),), cores=("A55", "A76")):
    """Return a lane of one second on each of two core types in turn."""
    t_ns = np.array([20, 31] if dies else range(20, 1000), dtype=np.int64) * 1_000_000
    true = (t_ns - t_ns[0]) * 2
    off = sum((np.clip(t_ns, start, end) - start for start, end in stalls), np.zeros_like(t_ns))
    rate_ns = t_ns[::10]
    return Lane(
        policy=policy,
        backing="armv8_cortex_a76",
        seed=1,
        vcpu=0,
        end_ns=int(t_ns[-1]),
        t_ns=t_ns,
        counted=true - 2 * off,
        true=true,
        enabled=True,
        cores=cores,
        segments=(Segment(0, 300_000_000, cores[0]), Segment(300_000_000, int(t_ns[-1]), cores[-1])),
        stalls_ns=stalls,
        migrations_ns=np.array([100_000_000]),
        crossings_ns=np.array([300_000_000]),
        interrupts_ns=np.array([500_000_000]),
        died_ns=31_000_000 if dies else None,
        outcome="division by zero" if dies else "alive",
        rate_ns=rate_ns,
        rate_mhz=np.full(len(rate_ns), 2000.0),
        true_mhz=np.full(len(rate_ns), 2000.0),
        clock_ns=rate_ns[:0] if dies else rate_ns,
        clock_error=np.zeros(0 if dies else len(rate_ns)),
    )
