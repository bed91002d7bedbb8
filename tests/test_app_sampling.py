"""The bias of perf record by host PMU: shares over runs, the field of a row, the block of `compare`."""

import json
import shutil

import numpy as np
import pytest

from simcore.app import tables
from simcore.app.cli import exit_code
from simcore.app.sampling import sampled_rows, samples_by_pmu, sampling
from simcore.result import Result
from simcore.scenario import GuestSpec, Scenario, VmSpec
from simcore.trace import DTYPES
from tests.app_samples import row
from tests.scenes import DUO

RECORDING = VmSpec(GuestSpec("linux-perf-record"))


def table(name, *rows):
    return np.array(list(rows), np.dtype(DTYPES[name]))


def result(*vms):
    """Two VMs of one vCPU. vCPU 1 samples once on each PMU and once where there is none; vCPU 0 twice on the second."""
    vcpus = np.zeros(2, np.dtype(DTYPES["vcpus"]))
    vcpus["vcpu"] = vcpus["vm"] = range(2)
    taken = [(1, 0), (1, 1), (1, -1), (0, 1), (0, 1)]
    samples = [(n, vcpu, 0, number, 0x11, 1, 0) for n, (vcpu, number) in enumerate(taken)]
    residence = [(0, 1, 10, 20), (1, 0, 30, 30), (1, 1, 5, 10), (1, -1, 1, 1)]
    found = {"perf_samples": table("perf_samples", *samples), "residence": table("residence", *residence)}
    return Result(Scenario(vms=vms), found | {"vcpus": vcpus}, {"host_pmus": ["little", "big"]})


def test_samples_and_residence_of_one_vm_by_host_pmu():
    both = result(RECORDING, RECORDING)
    assert samples_by_pmu(both, 0) == {"big": (2, 20, 10)}
    assert samples_by_pmu(both, 1) == {"little": (1, 30, 30), "big": (1, 10, 5), "": (1, 1, 1)}


def test_a_guest_that_does_not_sample_has_none():
    assert samples_by_pmu(result(VmSpec(), RECORDING), 0) is None
    assert sampling([None]) is None
    assert sampling([]) is None


def test_shares_are_those_of_sums_over_runs():
    assert sampling([{"a": (1, 10, 40)}, {"a": (2, 10, 40), "b": (1, 60, 20)}]) == {
        "a": {"samples": 3, "samples_share": 0.75, "cycles_share": 0.25, "time_share": 0.8},
        "b": {"samples": 1, "samples_share": 0.25, "cycles_share": 0.75, "time_share": 0.2},
    }


def test_a_share_of_no_samples_is_none():
    share = {"samples": 0, "samples_share": None, "cycles_share": 1, "time_share": 1}
    assert sampling([{"a": (0, 1, 1)}]) == {"a": share}


def test_the_block_stands_only_where_a_guest_samples_and_fits_the_width():
    plain = row("set-pmu-unpinned:armv8_cortex_a55")
    assert tables.SAMPLING_TITLE not in tables.comparison_text(["head"], [plain], None)
    biased = plain | {"sampling": sampling([{"armv8_cortex_a55": (5, 1, 1), "": (0, 3, 1)}])}
    text = tables.comparison_text(["head"], [biased], None)
    block = text[text.index(tables.SAMPLING_TITLE) :].splitlines()[1:6]
    assert [line.split()[1:] for line in block[3:]] == [
        ["no", "PMU", "0", "0", "75.0%", "50.0%"],
        ["armv8_cortex_a55", "5", "100%", "25.0%", "50.0%"],
    ]
    assert max(map(len, text.splitlines())) <= 120
    assert len(sampled_rows([plain, biased])) == 2


@pytest.mark.parametrize("guest", ["linux-perf-record", "linux-watchdog", "rr"])
def test_a_user_compares_the_guest(guest, capsys):
    small = ["--platform", DUO, "--vcpus", "1", "--seconds", "0.12", "--seeds", "1", "--workers", "1"]
    assert (
        exit_code(["compare", "--guest", guest, *small, "--policies", "default,fixed-counters-only", "--json", "-"])
        == 0
    )
    rows = json.loads(capsys.readouterr().out)["policies"]
    assert [bool(each["sampling"]) for each in rows] == [guest == "linux-perf-record"] * 2
    refusal = {"linux-perf-record": "cpu-clock", "linux-watchdog": "none", "rr": "refused"}[guest]
    assert refusal in rows[1]["guest_findings"].values()


def test_parameters_come_from_a_scenario_file(tmp_path, capsys):
    path = tmp_path / "record.toml"
    shutil.copy(DUO, tmp_path)
    path.write_text(
        """format = "hetpmu-scenario/1"
platform = "duo.toml"
seconds = "10ms"
background = []
[[vms]]
vcpus = 1
init_placement = "small"
cpus = [0]
[vms.guest]
name = "linux-perf-record"
boot = "1ms"
sleep = "0ms"
record_period = 100000
record_event = 8
watchdog_thresh = "10ms"
lockup_for = "0ms"
rr_skid = 0
""",
        encoding="utf-8",
    )
    assert exit_code(["run", str(path), "--json", "-"]) == 0
    (found,) = json.loads(capsys.readouterr().out)["policies"]
    assert found["sampling"]["pmu_little"]["samples"] > 0
    assert found["guest_findings"]["sampled_by"] == "counter"


@pytest.mark.parametrize(
    "line",
    [
        "record_freq = 0",
        "record_period = -1",
        'watchdog_thresh = "0ms"',
        "rr_syscalls = 0",
        'perf_interval = "1500us"',
        'perf_interval = "1ns"',
    ],
)
def test_impossible_parameters_are_refused_by_name(line, tmp_path, capsys):
    path = tmp_path / "bad.toml"
    path.write_text(f'format = "hetpmu-scenario/1"\n[[vms]]\n[vms.guest]\n{line}\n', encoding="utf-8")
    assert exit_code(["run", str(path)]) == 2
    assert line.split()[0] in capsys.readouterr().err
