"""`compare` with policies that run only when named, as a user types it."""

import json
from pathlib import Path

import pytest

from simcore.app.cli import exit_code

NAMES = "none,strict:pmu_big,composite,composite@v2,intersection,scaled-time"
DUO = ("--platform", str(Path(__file__).parent / "data" / "platforms" / "duo.toml"), "--workload", "dhrystone")
SHORT = (*DUO, "--seconds", "0.01", "--seeds", "1", "--workers", "1", "--vcpus", "1")


@pytest.fixture(scope="module")
def rows(tmp_path_factory):
    out = tmp_path_factory.mktemp("named") / "answer.json"
    assert exit_code(["compare", "--policies", NAMES, *SHORT, "--json", str(out)]) == 0
    return {f"{row['policy']}@{row['kernel']}": row for row in json.loads(out.read_text())["policies"]}


def test_a_row_for_each_on_its_own_kernel(rows):
    assert list(rows) == [
        "none@mainline",
        "strict:pmu_big@7.3",
        "composite@v1",
        "composite@v2",
        "intersection@what-if",
        "scaled-time@what-if",
    ]


def test_what_has_no_meaning_is_null(rows):
    timed = rows["scaled-time@what-if"]
    for field in ("lost_cycles", "ledger", "pmccntr_rate_mhz"):
        assert timed[field] is None
        assert rows["composite@v2"][field] is not None or field == "pmccntr_rate_mhz"
    assert (timed["event_creations"], timed["overhead_ns"], timed["by_init_pmu"]) == (0, 0, {})


def test_what_the_guest_reads(rows):
    (shown,) = rows["intersection@what-if"]["by_init_pmu"].values()
    assert (shown["pmcr_n"], shown["pmceid0"], shown["pmceid1"]) == (4, 1 << 0x1E | 1 << 0x11 | 1 << 8 | 1, 0)
    (shown,) = rows["composite@v2"]["by_init_pmu"].values()
    assert (shown["pmcr_n"], shown["pmceid0"]) == (0, 0)
    assert list(rows["strict:pmu_big@7.3"]["by_init_pmu"]) == ["pmu_big"]


@pytest.mark.parametrize(
    "policies, kernel, said",
    [
        ("composite", "v8", "v8 has no counters made of several host events"),
        ("strict", "", "strict:pmu_little"),
        ("scaled-time@v8", "", "scaled-time@what-if"),
        ("intersection", "what-is", "what-if"),
    ],
)
def test_bad_names_say_what_is_valid(capsys, policies, kernel, said):
    arguments = ["compare", "--policies", policies, *SHORT, *(["--kernel", kernel] if kernel else [])]
    assert exit_code(arguments) == 2
    message = capsys.readouterr().err
    assert said in message
    assert len(message.strip().splitlines()) <= 3
