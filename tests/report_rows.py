"""Rows of a comparison with nothing to tell but what a test gives them."""

from simcore.app.aggregating import wilson

NOTHING = {"stalled_fraction": None, "longest_stall_ns": None, "clock_error_ppm": None, "throughput": None}


def row(policy, crashes=0, runs=10, **figures):
    """Return a row of a comparison with nothing to tell but what is given."""
    low, high = wilson(crashes, runs)
    chance = {"crash_probability": {"estimate": crashes / runs, "low": low, "high": high}}
    counts = dict.fromkeys(("reloads", "overhead_ns", "fail_entries", "crossings"), 0)
    head = {"policy": policy, "kernel": "v8", "runs": runs, "crashes": crashes, "by_init_pmu": {}}
    head |= {"guest_findings": None, "sampling": None}
    return head | chance | NOTHING | counts | figures
