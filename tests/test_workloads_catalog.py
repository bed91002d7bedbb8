"""The catalog: every workload on measured, scaled and invented core types, and the fit against its own rows."""

import statistics

import pytest

from simcore.errors import InputError
from simcore.platform import CoreType, PmuSpec
from workloads.catalog import WORKLOADS, load_workload, read_data
from workloads.phase import CPU_CYCLES, INST_RETIRED, MAX_RATE

WORST_FIT = 0.05
MEDIAN_FIT = 0.001


def core(name, like, relative_ipc=1.0):
    return CoreType(name, name, PmuSpec(4, 6, 0, 0), frozenset(), (), like, relative_ipc)


LITTLE, BIG = core("cortex-a55", "cortex-a55"), core("cortex-a76", "cortex-a76")


def fit_errors(name):
    """Yield |predicted / measured - 1| of CPI over the rows of a file, by way of the quantised phase."""
    phase = load_workload(name, (LITTLE, BIG)).phases[0]
    for rates in read_data(name)["rates"]:
        for row in rates["rows"]:
            ipc = phase.ipc_q32(rates["core"], row["freq_khz"]) / 2**32
            yield rates["core"], abs(row["ipc"] / ipc - 1)


@pytest.mark.parametrize("name", WORKLOADS)
def test_predicted_cpi_is_near_the_measured_one(name):
    errors = list(fit_errors(name))
    stated = {rates["core"]: rates["fit_error"] for rates in read_data(name)["rates"]}
    assert len(errors) >= 4
    for core_id, error in errors:
        assert error <= min(stated[core_id] * 1.01 + 1e-5, WORST_FIT), (core_id, error)


def test_median_error_of_the_fits():
    assert statistics.median(error for name in WORKLOADS for _, error in fit_errors(name)) < MEDIAN_FIT


@pytest.mark.parametrize("name", WORKLOADS)
def test_every_rate_fits_the_kernel_at_every_measured_frequency(name):
    workload = load_workload(name, (LITTLE, BIG))
    for rates in read_data(name)["rates"]:
        events = tuple(int(code, 16) for code in rates["events"])
        for row in rates["rows"]:
            for phase in (*workload.phases, workload.kernel):
                quantised = phase.quantise(rates["core"], row["freq_khz"], (CPU_CYCLES, INST_RETIRED, *events))
                assert all(0 <= rate < MAX_RATE for rate in quantised)


@pytest.mark.parametrize("name", WORKLOADS)
def test_rows_name_their_source_and_both_core_types(name):
    data = read_data(name)
    assert data["name"] == name
    assert [rates["core"] for rates in data["rates"]] == ["cortex-a55", "cortex-a76"]
    for rates in data["rates"]:
        assert len({row["freq_khz"] for row in rates["rows"]}) == len(rates["rows"]) >= 2
        assert all("@" in row["source"] and row["instructions"] > 10**6 for row in rates["rows"])


def test_catalog_lists_exactly_the_files():
    from importlib.resources import files

    stored = {path.name.removesuffix(".toml") for path in (files("workloads") / "data").iterdir()}
    assert stored == set(WORKLOADS)


def test_workloads_reach_from_cache_friendly_to_memory_bound():
    def stall_share(name):
        rates = load_workload(name, (LITTLE,)).phases[0].on("cortex-a55")
        return 1 - rates.core_cpi / float(rates.cpi(1_800_000))

    shares = sorted(stall_share(name) for name in WORKLOADS)
    assert shares[0] == 0
    assert shares[-1] > 0.7


def test_phases_run_at_the_level_that_the_file_says_and_the_kernel_at_el1():
    workload = load_workload("429.mcf", (LITTLE, BIG))
    assert [phase.level for phase in workload.phases] == [0]
    assert workload.kernel.level == 1
    assert workload.burst_permille == 0


def test_measured_core_takes_its_own_rates():
    rates = load_workload("429.mcf", (BIG,)).phases[0].on("cortex-a76")
    assert rates.core_cpi == read_data("429.mcf")["rates"][1]["core_cpi"]
    assert rates.estimate == ""


def test_the_core_that_was_really_measured_is_no_estimate():
    phase = load_workload("429.mcf", (core("qcom-kryo-4xx-gold", "cortex-a76"),)).phases[0]
    assert phase.on("qcom-kryo-4xx-gold").estimate == ""


def test_invented_core_scales_the_core_part_only():
    invented = core("my-core", "cortex-a76", relative_ipc=2.0)
    phase = load_workload("429.mcf", (BIG, invented)).phases[0]
    big, mine = phase.on("cortex-a76"), phase.on("my-core")
    assert mine.core_cpi == big.core_cpi / 2
    assert mine.stall_ns_per_inst == big.stall_ns_per_inst
    assert dict(mine.per_kinst)[0x03] == dict(big.per_kinst)[0x03]
    assert dict(mine.per_kinst)[0x24] == dict(big.per_kinst)[0x24] / 2
    assert "cortex-a76" in mine.estimate


def test_unknown_names_are_refused_with_near_matches():
    with pytest.raises(InputError, match=r"429\.mcf"):
        load_workload("429.mfc", (LITTLE,))
    with pytest.raises(InputError, match="rates_like"):
        load_workload("429.mcf", (core("x", "cortex-a99"),))
