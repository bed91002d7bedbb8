"""The verdict of a report: sentences made of rows, and that they say no more than the rows do."""

from simcore.app.columns import label
from simcore.app.report_strips import clock_strips
from simcore.app.report_verdict import comparison_verdict, run_verdict
from simcore.app.report_verdict_sweep import sweep_verdict
from tests.report_rows import row
from workloads.self_test import CHECKS


def verdict(*rows):
    """Return the sentences of a comparison by what they are about."""
    return dict(comparison_verdict({"policies": rows}))


IDLE = " No guest had come so far as to enable the counter."


def test_deaths_in_words():
    one = row("default", 1, 1)
    assert verdict(one)["Deaths"] == "Guests die in 1 of 1 run (100%, 95 % interval 21-100%) under default@v8."
    assert verdict(row("a"))["Deaths"] == f"No guest died under a@v8 in 10 runs (95 % interval 0-28%).{IDLE}"
    counts = row("a", stalled_fraction=0.0, longest_stall_ns=0)
    assert verdict(counts)["Deaths"] == "No guest died under a@v8 in 10 runs (95 % interval 0-28%)."
    both = verdict(row("a"), row("b"))["Deaths"]
    assert both == f"No guest died under any of the two policies, in 10 runs each (95 % interval 0-28%).{IDLE}"
    mixed = verdict(row("a", 5), row("b", 5), row("c", 6), row("d"))["Deaths"]
    assert mixed == (
        "Guests die in 6 of 10 runs (60.0%, 95 % interval 31-83%) under c@v8 and 5 of 10 runs (50.0%, 95 % interval "
        "24-76%) each under a@v8 and b@v8. No guest died under d@v8 in 10 runs (95 % interval 0-28%)."
    )


def test_of_unlike_numbers_of_runs_the_fewest_tell_the_interval():
    text = verdict(row("a", runs=8), row("b", runs=7), row("c", 8, 8))["Deaths"]
    assert text.endswith(
        "No guest died under the other two policies, in 7 to 8 runs each (95 % interval of the fewest 0-35%)."
    )


def test_an_interruption_stands_in_the_verdict():
    rows = [row("a"), row("b", runs=1) | {"runs": 0}]
    found = dict(comparison_verdict({"policies": rows, "interrupted": {"finished": 30, "planned": 90}}))
    assert found["Missing"] == "The comparison was interrupted: 60 of its 90 runs are missing, all of those under b@v8."
    found = dict(comparison_verdict({"policies": rows[:1], "interrupted": {"finished": 30, "planned": 90}}))
    assert found["Missing"] == "The comparison was interrupted: 60 of its 90 runs are missing."
    assert "Missing" not in verdict(*rows)


def test_stalls_in_words():
    still = row("a", stalled_fraction=0.5, longest_stall_ns=1500)
    never = row("b", stalled_fraction=0.0, longest_stall_ns=0)
    text = verdict(still, never, row("none"))["Stalls"]
    share = "Of the guest time in which it is enabled PMCCNTR_EL0 stands still for 50.0% under a@v8 (at longest 1.5us)."
    assert text == f"{share} Under b@v8 it never does. No guest has it enabled under none@v8."
    assert verdict(row("none"))["Stalls"] == "No guest has PMCCNTR_EL0 enabled under none@v8."
    assert verdict(never)["Stalls"] == "PMCCNTR_EL0 never stands still under b@v8."
    both = verdict(never, never | {"policy": "c"})["Stalls"]
    assert both == "PMCCNTR_EL0 never stands still under any of the two policies."


def test_equal_clock_errors_are_neither_the_most_nor_the_least():
    same = [row(name, clock_error_ppm={"median": 92_000.0}) for name in ("a", "b")]
    told = "Kept by the calibrated cycle rate it is wrong by 9.2% under a@v8"
    assert verdict(*same)["Clock"] == f"{told} and b@v8 (medians, at the end)."
    assert verdict(same[0])["Clock"] == f"{told} (median over vCPUs and runs, at the end)."
    other = row("c", clock_error_ppm={"median": 1000.0})
    assert (
        verdict(*same, other)["Clock"] == f"{told}, the most, and by 0.10% under c@v8, the least (medians, at the end)."
    )


def test_costs_in_words():
    pinned = row("set-pmu:p", throughput=0.25, overhead_ns=2000)
    free = row("fixed-counters-only", 1, reloads=1, crossings=1, overhead_ns=3000, throughput=1.0)
    text = verdict(pinned, free)
    assert text["Pinning"] == (
        "Of the throughput of an unpinned VM without a PMU pinning leaves 0.250 under set-pmu:p@v8; without pinning "
        "there is 1.000* under fixed-counters-only@v8 (* some guests died, and count until then)."
    )
    assert text["Reloads"] == (
        "There was 1 reload at 1 crossing under fixed-counters-only@v8, whose host events cost 3.0us of host time in "
        "10 runs. Of policies that never reload, host events cost at most 2.0us of host time in 10 runs, under "
        "set-pmu:p@v8."
    )
    assert "Pinning" not in verdict(row("default", throughput=1.0))
    assert verdict(row("a"))["Reloads"] == "No vCPU load asked for one."
    assert verdict(row("a", fail_entries=1))["Entry"].startswith("KVM_RUN failed entry once under a@v8: ")
    assert verdict(row("a", runs=1) | {"runs": 0}) == {"Nothing": "No run was finished, so there is no verdict."}


def test_a_run_says_how_its_guests_ended():
    guests = [{"vm": 0, "died_ns": None, "outcome": "alive"}, {"vm": 1, "died_ns": 5_000_000, "outcome": "division"}]
    found = dict(run_verdict({"guests": guests}, [row("a", runs=1), row("b", 1, 1)]))
    assert found["Guests"].startswith(
        "That of VM 0 is alive at the end. That of VM 1 died at 5.0ms: division. A single"
    )
    found = dict(run_verdict({"guests": guests[:1]}, [row("a", runs=1)]))
    assert found["Guest"].startswith("Under a@v8 it is alive at the end. A single run tells no probability")


def test_several_vms_of_a_run_are_no_policies():
    guests = [{"vm": vm, "died_ns": None, "outcome": "alive"} for vm in (0, 1)]
    rows = [row(f"VM {vm}: a", runs=1, stalled_fraction=0.0, longest_stall_ns=0) for vm in (0, 1)]
    found = dict(run_verdict({"guests": guests}, rows))
    assert found["Stalls"] == "PMCCNTR_EL0 never stands still in any of the two VMs."


def test_figures_of_a_run_with_shadows_say_that_they_are_not_of_these():
    guests = [{"vm": 0, "died_ns": None, "outcome": "alive"}]
    assert "Shadows" not in dict(run_verdict({"guests": guests}, [row("a", runs=1)]))
    found = dict(run_verdict({"guests": guests}, [row("a", runs=1)], ["b@v8", "c@v8"]))
    assert found["Shadows"] == (
        "All figures are of policies that VMs really have; the shadows b@v8 and c@v8 are in the plot alone, with the "
        "table below it."
    )


def test_a_median_is_over_runs_only_where_there_are_several():
    error = {"clock_error_ppm": {"median": 19.0, "max": 20.0}}
    assert "(median over vCPUs, at the end)" in verdict(row("a", runs=1, **error))["Clock"]
    assert "(median over vCPUs and runs, at the end)" in verdict(row("a", **error))["Clock"]
    for runs, over in ((1, "vCPUs"), (2, "vCPUs and runs")):
        bars = clock_strips([row("a", runs=runs, **error)], label)
        assert bars is not None
        assert bars.legend[0][1] == f"median over {over}"


def checked(policy, passed, failed, skipped, *failing):
    """Return a row of guest self-test."""
    found = dict.fromkeys(CHECKS, 0) | dict.fromkeys(failing, 2)
    return row(policy, guest_findings=found | {"passed": passed, "failed": failed, "skipped": skipped})


def test_the_verdict_names_checks_that_fail():
    never = row("d", guest_findings=dict.fromkeys((*CHECKS, "passed", "failed", "skipped")))
    skipped = checked("c", 1, 0, 9)
    skipped["guest_findings"] |= dict.fromkeys(["mem-access", "sw-incr"], "skip")
    rows = [checked("a", 8, 2, 0, "mem-access", "cycle-counter"), checked("b", 9, 1, 0, "sw-incr"), skipped, never]
    assert verdict(*rows)["Checks"] == (
        "The checks cycle-counter and mem-access fail under a@v8 (2 of 10 failed). The check sw-incr fails under b@v8 "
        "(1 of 10 failed). No check fails under c@v8 (9 of 10 skipped). No check ends under d@v8."
    )
    assert "Checks" not in verdict(row("a", guest_findings={"skid": 1.0}))


def sampled(policy, **shares):
    """Return a row of a guest that samples: samples and shares of samples and cycles by host PMU."""
    keys = ("samples", "samples_share", "cycles_share", "time_share")
    return row(policy, sampling={name: dict(zip(keys, (*found, 0.5), strict=True)) for name, found in shares.items()})


def test_the_verdict_tells_the_bias_of_samples():
    rows = [
        sampled("a", little=(4, 1.0, 0.12), big=(0, 0.0, 0.88)),
        sampled("b", little=(1, 0.1, 0.1), big=(9, 0.9, 0.9)),
        sampled("c", little=(0, None, 0.5), big=(0, None, 0.5)),
    ]
    assert verdict(*rows)["Samples"] == (
        "100% of the samples under a@v8 are taken on CPUs of little, which execute 12.0% of the guest's cycles. "
        "Samples are where the guest executes, to within 0.5 % points, under b@v8. No sample is taken under c@v8."
    )


def point(number, crashes=0, runs=4, **figures):
    """Return a point of a sweep."""
    chance = {"crash_probability": {"estimate": None, "low": None, "high": None}}
    known = row("default", crashes, runs, **figures) if runs else row("default") | {"runs": 0} | chance
    return known | {"point": number, "values": {"hz": number}, "lived_ns": 0}


def swept(*points, missing=0):
    """Return the sentences of a sweep by what they are about."""
    done = sum(found["runs"] for found in points)
    runs = {"planned": done + missing, "finished": done, "failed": 0, "spared": 0}
    return dict(sweep_verdict({"points": points, "runs": runs}))


def test_a_sweep_without_an_enabled_counter_says_so():
    text = swept(point(0), point(1))
    assert text["Deaths"] == f"No guest died at any of the 2 points, in 4 runs each (95 % interval 0-49%).{IDLE}"
    assert text["Stalls"] == "No guest has PMCCNTR_EL0 enabled at any of the 2 points."


def test_a_sweep_speaks_only_of_points_that_have_runs():
    still = {"stalled_fraction": 0.0, "longest_stall_ns": 0}
    text = swept(point(0, **still), point(1, runs=3, **still), point(2, runs=0), missing=5)
    assert text["Deaths"] == (
        "No guest died at any of the 2 points that have runs, in 3 to 4 runs each (95 % interval of the fewest 0-56%)."
    )
    assert text["Stalls"] == "PMCCNTR_EL0 never stands still at any of the 2 points that have runs."
    assert text["Missing"] == "The sweep is not whole: 5 runs still missing."
    one = swept(point(0, **still), point(1, runs=0))
    assert one["Deaths"] == "No guest died at point 0 (hz 0) in 4 runs (95 % interval 0-49%)."
    assert one["Stalls"] == "PMCCNTR_EL0 never stands still at point 0 (hz 0)."
    half = swept(point(0, **still), point(1))["Stalls"]
    assert half == "PMCCNTR_EL0 never stands still at 1 point; at 1 point no guest has it enabled."


def test_a_sweep_in_which_guests_die():
    half = {"stalled_fraction": 0.5, "longest_stall_ns": 1}
    chance = "in 2 of 4 runs (50.0%, 95 % interval 15-85%)"
    assert swept(point(7, 2, **half), point(1, runs=0))["Deaths"] == f"Guests die at point 7 (hz 7): {chance}."
    text = swept(point(0, 2, **half), point(1), point(2))
    assert text["Deaths"] == (
        f"Guests die at one of 3 points, point 0 (hz 0): {chance}. At the other two points no guest died in 4 runs "
        "each (95 % interval 0-49%)."
    )
    share = "PMCCNTR_EL0 stands still most at point 0 (hz 0): 50.0% of the time in which it is enabled"
    assert text["Stalls"] == f"{share}; at 2 points no guest has it enabled."
    both = swept(point(0, 2, **half), point(1, 1, **half))["Deaths"]
    assert both == f"Guests die at each of the 2 points, most often at point 0 (hz 0): {chance}."
