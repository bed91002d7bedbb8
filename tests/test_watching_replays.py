"""Policies on the kept schedule of a replay: equal, bit for bit, to what the replay itself shows to each of them."""

from types import SimpleNamespace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simcore.app.storing import load_result, save_result
from simcore.app.trace_replay import replay
from simcore.app.watching import watch
from simcore.errors import InputError
from tests.test_app_watching import assert_equal, rows_of
from tests.test_replay_exact import EVENTS, REAL, VCPUS, Event, Recorded, replayed, sights, total

BIG, LITTLE = "armv8_cortex_a57", "armv8_cortex_a53"
POLICIES = ("default@v6", "set-pmu:armv8_cortex_a53@mainline", "composite", "scaled-time", "fixed-counters-only@v8")
EXAMPLES = 12


def assert_watched(found):
    """Watch one result for each host PMU of VCPU_INIT through all that began there; demand what each result shows."""
    seen = []
    for init_pmu in dict.fromkeys(seat.init_pmu for seat in found.seats):
        places = [n for n, seat in enumerate(found.seats) if seat.init_pmu == init_pmu]
        any_result = found.results[places[-1]]
        labels = [found.seats[place].pair.label for place in places]
        watched = watch(any_result, labels, any_result.scenario.sample_ns)
        for number, place in enumerate(places):
            tables = found.results[place].tables
            assert_equal(of_policy(watched, number), tables, 1, first=0)
            assert watched.backing[number] == tables["guests"]["init_pmu"][0]
        seen.append(watched)
    return seen


def of_policy(watched, number):
    """Return what was watched through one policy, as it were number 0."""
    return SimpleNamespace(
        **{
            name: rows_of(getattr(watched, name), number, getattr(watched, name).dtype.names)
            for name in ("ledger", "interrupts", "samples")
        }
    )


def test_a_real_trace_with_frequencies_that_are_no_opp():
    found = replay(REAL, "rt-app|task_r20", "juno-r0", policies=POLICIES, schedule=True)
    seen = assert_watched(found)
    assert [watched.backing for watched in seen] == [(BIG, LITTLE, BIG, "", BIG), (LITTLE,)]
    assert "not-an-opp" in {row["kind"] for row in found.as_json()["findings"]}
    assert sum(len(watched.interrupts) for watched in seen) > 0
    assert sum(int(watched.ledger["off_pmu"].sum()) for watched in seen) > 0


def test_any_recording():
    """Fails unless the examples together saw crossings, reloads, changes of frequency within a run, and lost cycles."""
    seen: set[str] = set()

    @settings(max_examples=EXAMPLES)
    @given(events=EVENTS, kvm=st.booleans())
    def check(events, kvm):
        recorded = Recorded(events, kvm)
        if not total([run for run in recorded.runs if run[3] <= VCPUS]):
            return
        found = replayed(recorded, policies=POLICIES, schedule=True)
        assert_watched(found)
        seen.update(sights(recorded, found.as_json(), []))

    check()
    assert {"crossing", "reload", "off its PMU", "frequency in a run", "others"} <= seen


def by_hand():
    """Return a recording: vcpu1 runs on a LITTLE core, on a big one, whose frequency changes, and on the first again.

    900,000 and 70,000 ns at 1,416,000 kHz; 300 at 1,800,000 and 800,000 at 777,777: 1,373,520 and 622,761 whole cycles.
    """
    steps = [
        Event(0, 0, 1, "switch", 0),
        Event(900_000, 0, 0, "switch", 0),
        Event(0, 4, 1, "switch", 0),
        Event(300, 4, 1, "khz", 777_777),
        Event(800_000, 4, 0, "switch", 0),
        Event(0, 0, 1, "switch", 0),
        Event(70_000, 0, 0, "switch", 0),
    ]
    return Recorded(steps, kvm=False)


def test_a_schedule_survives_the_disk_and_changes_no_figure(tmp_path):
    kept, plain = (replayed(by_hand(), policies=POLICIES[:1], schedule=schedule) for schedule in (True, False))
    assert kept.rows == plain.rows
    with pytest.raises(InputError, match="kept no schedule"):
        watch(plain.results[0], POLICIES)
    save_result(kept.results[0], tmp_path)
    again = load_result(tmp_path)
    watched = watch(again, POLICIES[:1], again.scenario.sample_ns)
    assert_equal(watched, again.tables, 1, first=0)
    cycles = watched.ledger[watched.ledger["slot"] == 31]
    assert cycles[["counted", "off_pmu"]].tolist() == [(1_373_520, 622_761)]


def test_no_policy_pins_what_was_recorded():
    """What ran stays where it ran: VCPU_INIT on a LITTLE core, too, under a policy that would have kept it off that."""
    found = replayed(by_hand(), policies=("set-pmu:armv8_cortex_a72",), schedule=True)
    assert [watched.ledger["counted"][31] for watched in assert_watched(found)] == [622_761]
