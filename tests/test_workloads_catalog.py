"""The catalog: every workload on measured, scaled and invented core types, and the fit against its own rows."""

import statistics

import pytest

from simcore.errors import InputError
from simcore.loader import load_platform
from simcore.platform import CoreType, PmuSpec
from workloads.catalog import find_preset, load_workload, presets
from workloads.phase import CPU_CYCLES, INST_RETIRED, MAX_RATE
from workloads.profiles import profiles_of, running_khz, silicon_table

NAMES = sorted(presets())
OLD_NAMES = (
    "400.perlbench", "403.gcc", "429.mcf", "433.milc", "444.namd", "456.hmmer", "458.sjeng", "462.libquantum",
    "464.h264ref", "470.lbm", "471.omnetpp", "482.sphinx3", "620.omnetpp_s", "bitcnts", "dhrystone", "lmbench-rd",
)  # fmt: skip
WORST_FIT = 0.10
MEDIAN_FIT = 0.001


def core(name, like, relative_ipc=1.0, silicon=""):
    return CoreType(name, name, PmuSpec(4, 6, 0, 0), frozenset(), (), like, relative_ipc, silicon=silicon)


LITTLE, BIG = core("cortex-a55", "cortex-a55"), core("cortex-a76", "cortex-a76")
MEASURED = tuple(core(silicon.file, silicon.design, silicon=silicon.name) for silicon in silicon_table())


def rows_behind(name, silicon):
    """Return the profiles that a workload names on a silicon."""
    program = find_preset(name).measured_on(silicon)
    return profiles_of(silicon.name)[program] if program else ()


def line_errors(name):
    """Yield |predicted / measured - 1| of CPI at a workload's rows by core part and stall time alone."""
    for silicon in silicon_table():
        rows = rows_behind(name, silicon)
        if rows:
            rates = load_workload(name, (core("x", silicon.design, silicon=silicon.name),)).phases[0].on("x")
            for row, khz in zip(rows, running_khz(rows), strict=True):
                yield abs((rates.core_cpi + rates.stall_ns_per_inst * khz / 1e6) / row.cpi - 1)


@pytest.mark.parametrize("name", NAMES)
def test_core_part_and_stall_time_are_near_every_measured_cpi(name):
    errors = list(line_errors(name))
    assert len(errors) >= 4
    assert max(errors) < WORST_FIT


def test_median_error_of_the_lines():
    assert statistics.median(error for name in NAMES for error in line_errors(name)) < MEDIAN_FIT


@pytest.mark.parametrize("name", NAMES)
def test_measured_silicon_gives_back_its_rows(name):
    for silicon in silicon_table():
        phase = load_workload(name, (core("x", silicon.design, silicon=silicon.name),)).phases[0]
        rows = rows_behind(name, silicon)
        for row, khz in zip(rows, running_khz(rows) if rows else (), strict=True):
            if khz == row.khz:
                assert phase.ipc_q32("x", row.khz) / 2**32 == pytest.approx(1 / row.cpi, rel=1e-8)
                for event in row.counts:
                    if event not in (CPU_CYCLES, INST_RETIRED):
                        limit = min(row.per_kinst(event), 1000 * row.cpi) if event in (0x1D, 0x23, 0x24) else None
                        expected = row.per_kinst(event) if limit is None else limit
                        assert float(phase.on("x").events_per_kinst(event, row.khz)) == pytest.approx(expected)


@pytest.mark.parametrize("name", NAMES)
def test_every_rate_fits_the_kernel_at_every_frequency_of_a_platform(name):
    platform = load_platform("sm8150")
    workload = load_workload(name, (*platform.core_types, LITTLE, BIG))
    for domain in platform.perf_domains:
        for core_id in {platform.cpus[cpu].core for cpu in domain.cpus} | {"cortex-a55", "cortex-a76"}:
            for khz in (domain.opps[0].khz, domain.max_khz):
                for phase in (*workload.phases, workload.kernel):
                    events = tuple(event for event, _ in phase.on(core_id).per_kinst)
                    quantised = phase.quantise(core_id, khz, (CPU_CYCLES, INST_RETIRED, *events))
                    assert all(0 <= rate < MAX_RATE for rate in quantised)


def test_every_measured_program_is_a_workload_and_every_workload_names_measured_rows():
    programs = {program for silicon in silicon_table() for program in profiles_of(silicon.name)}
    named = {program for preset in presets().values() for program in preset.rows}
    assert named == programs
    assert set(OLD_NAMES) <= set(presets())
    assert all(preset.name in preset.title.split(":")[0] or ":" in preset.title for preset in presets().values())


def test_a_workload_answers_to_the_names_of_its_rows():
    assert find_preset("lmbench_cp_4XL") == find_preset("cp") == find_preset("lmbench-cp")
    assert load_workload("dry", (LITTLE,)).name == "dhrystone"


def test_workloads_reach_from_cache_friendly_to_memory_bound():
    def stall_share(name):
        rates = load_workload(name, (LITTLE,)).phases[0].on("cortex-a55")
        return 1 - rates.core_cpi / float(rates.cpi(1_800_000))

    shares = sorted(stall_share(name) for name in NAMES)
    assert shares[0] == 0
    assert shares[-1] > 0.7


def test_phases_run_at_the_level_that_the_file_says_and_the_kernel_at_el1():
    workload = load_workload("429.mcf", (LITTLE, BIG))
    assert [phase.level for phase in workload.phases] == [0]
    assert workload.kernel.level == 1
    assert workload.burst_permille == 0


def test_the_core_that_was_really_measured_is_no_estimate_and_has_its_curve():
    for platform_core in load_platform("sm8150").core_types:
        rates = load_workload("429.mcf", (platform_core,)).phases[0].on(platform_core.id)
        assert rates.estimate == ""
        assert rates.curve is not None
        assert len(rates.curve.cpi_factor) == 3


def test_three_core_types_of_one_soc_have_three_silicons():
    silicons = [core_type.silicon for core_type in load_platform("sm8150").core_types]
    assert silicons == ["Kryo 485 Silver", "Kryo 485 Gold", "Kryo 485 Prime"]
    assert {core_type.silicon for core_type in load_platform("sc7180").core_types} == {""}


def test_the_design_that_silicon_derives_from_takes_its_line_and_says_so():
    rates = load_workload("429.mcf", (BIG,)).phases[0].on("cortex-a76")
    gold = load_workload("429.mcf", MEASURED).phases[0].on("kryo-485-gold.csv")
    assert (rates.core_cpi, rates.stall_ns_per_inst) == (gold.core_cpi, gold.stall_ns_per_inst)
    assert (rates.core_cpi, rates.stall_ns_per_inst) == (1.05605, 0.379903)
    assert rates.curve is None
    assert rates.estimate == "as Kryo 485 Gold, derived from cortex-a76"


def test_invented_core_scales_the_core_part_only():
    invented = core("my-core", "cortex-a76", relative_ipc=2.0)
    phase = load_workload("429.mcf", (BIG, invented)).phases[0]
    big, mine = phase.on("cortex-a76"), phase.on("my-core")
    assert mine.core_cpi == big.core_cpi / 2
    assert mine.stall_ns_per_inst == big.stall_ns_per_inst
    assert dict(mine.per_kinst)[0x03] == dict(big.per_kinst)[0x03]
    assert dict(mine.per_kinst)[0x24] == dict(big.per_kinst)[0x24] / 2
    assert mine.estimate == "as Kryo 485 Gold, derived from cortex-a76, core part / 2"


def test_a_program_that_a_silicon_did_not_run_comes_from_the_next_of_its_design():
    gold = core("g", "cortex-a76", silicon="Kryo 485 Gold")
    rates = load_workload("605.mcf_s", (gold,)).phases[0].on("g")
    assert rates.estimate == "as Kryo 470 Gold, derived from cortex-a76"
    prime = core("p", "cortex-a76", silicon="Kryo 485 Prime")
    assert load_workload("dhrystone", (prime,)).phases[0].on("p").estimate.startswith("as Kryo 485 Gold")


def test_unknown_names_are_refused_with_near_matches():
    with pytest.raises(InputError, match=r"429\.mcf"):
        load_workload("429.mfc", (LITTLE,))
    with pytest.raises(InputError, match="rates_like"):
        load_workload("429.mcf", (core("x", "cortex-a99"),))
    with pytest.raises(InputError, match="Kryo 485 Silver"):
        load_workload("429.mcf", (core("x", "cortex-a55", silicon="Kryo 485 Sliver"),))
