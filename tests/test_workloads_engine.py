"""The engine's own run of a workload, alone at one OPP, against what `predict` says, within quantisation."""

from pathlib import Path

import pytest

from simcore import run
from simcore.scenario import GuestSpec, Scenario, VmSpec
from workloads.phase import CPU_CYCLES, INST_RETIRED
from workloads.predicting import predict

KRYO_470 = str(Path(__file__).parent / "data" / "platforms" / "kryo470.toml")
MS = 1_000_000
SPEC = "SPECcpu2006"
ALONE = [
    # silicon, platform, pCPU, kHz of each perf domain, workload, suite, program there
    ("Kryo 485 Silver", "sm8150", 0, (1036800, 710400, 825600), "429.mcf", SPEC, "429.mcf"),
    ("Kryo 485 Silver", "sm8150", 1, (672000, 710400, 825600), "lmbench-cp", "LMbench bw_mem", "lmbench_cp_4XL"),
    ("Kryo 485 Gold", "sm8150", 4, (300000, 2016000, 825600), "429.mcf", SPEC, "429.mcf"),
    ("Kryo 485 Gold", "sm8150", 6, (300000, 1612800, 825600), "dhrystone", "Dhrystone", "dry"),
    ("Kryo 485 Prime", "sm8150", 7, (300000, 710400, 2649600), "bitcnts", "MiBench", "bitcnts_8640000_4XL"),
    ("Kryo 470 Silver", KRYO_470, 0, (768000, 300000), "605.mcf_s", "SPECcpu2017", "605.mcf_s"),
    ("Kryo 470 Gold", KRYO_470, 1, (300000, 979200), "433.milc", SPEC, "433.milc"),
    ("Kryo 470 Gold", KRYO_470, 1, (300000, 2208000), "lmbench-rd", "LMbench bw_mem", "rd"),
]


@pytest.mark.parametrize("silicon, platform, cpu, khz, workload, suite, program", ALONE)
def test_a_run_alone_agrees_with_the_prediction(silicon, platform, cpu, khz, workload, suite, program):
    guest = GuestSpec(name="busy", workload=workload)
    scenario = Scenario(
        platform=platform,
        seconds_ns=20 * MS,
        governor="userspace:" + ",".join(map(str, khz)),
        background=(),
        vms=(VmSpec(vcpus=1, cpus=(cpu,), guest=guest, policy="none"),),
    )
    table = run(scenario).tables["events"]
    found = {int(row["event"]): int(row["total"]) for row in table}
    domain = min(index for index, at in enumerate(khz) if cpu_is_in(platform, cpu, index))
    expected = predict(silicon, suite, program, khz[domain])
    cycles = found[CPU_CYCLES]
    assert cycles > 0.9 * 20 * khz[domain]
    rounding = 2 + cycles / 2**31  # of a whole count at each end, and of a rate in Q32.32
    assert abs(found[INST_RETIRED] - cycles * expected.ipc) <= rounding
    for event, per_kinst in expected.per_kinst:
        assert abs(found[event] - cycles * expected.ipc * per_kinst / 1000) <= rounding, hex(event)


def cpu_is_in(platform, cpu, domain):
    from simcore.loader import load_platform

    return cpu in load_platform(platform).perf_domains[domain].cpus
