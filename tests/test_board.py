"""`hetpmu platforms --from-sysfs`: a board's sysfs as a platform file, against the shipped facts of the same boards."""

import subprocess
import tarfile
import tomllib
from pathlib import Path

import pytest

from simcore.app.boarding import board_file
from simcore.app.cli import exit_code
from simcore.loader import load_platform
from tests.board_sysfs import CPUS, DEVICE_TREE, make

SCRIPT = Path(__file__).resolve().parents[1] / "simcore" / "data" / "collect-sysfs.sh"
PMUS = "sys/bus/event_source/devices"


def facts(board, power=True):
    """Return what a platform says of its CPUs, clocks, host PMUs and caches, without the names of groups."""
    domains = {cpu: domain for domain in board.perf_domains for cpu in domain.cpus}
    return {
        "cores": [cpu.core for cpu in board.cpus],
        "capacities": board.capacities(),
        "khz": [[opp.khz for opp in domains[cpu.number].opps] for cpu in board.cpus],
        "domains": sorted(domain.cpus for domain in board.perf_domains),
        "idle": [[(s.entry_us + s.exit_us, s.min_residency_us) for s in cpu.idle_states] for cpu in board.cpus],
        "pmus": board.pmus,
        "caches": sorted(board.caches, key=lambda cache: (cache.level, cache.cpus)),
        "timer": board.cntfrq_hz,
        "vpmu": board.vpmu(),
        "clusters": sorted({tuple(o.number for o in board.cpus if o.cluster == c.cluster) for c in board.cpus}),
        "power": [
            ([opp.microvolt for opp in domain.opps], domain.dynamic_power_coefficient) for domain in board.perf_domains
        ]
        if power
        else None,
    }


def loaded(tmp_path, *arguments):
    """Run the command as a user does, and load the file that it wrote."""
    output = tmp_path / "board.toml"
    assert exit_code(["platforms", "--from-sysfs", *map(str, arguments), "-o", str(output)]) == 0
    return load_platform(str(output))


@pytest.mark.parametrize("platform_id", ["rk3588", "sm8150", "rk3568", "rk3399", "sm8550", "juno-r0"])
def test_a_board_comes_back_as_it_is_shipped(tmp_path, platform_id):
    make(tmp_path / "copy", platform_id)
    shipped = load_platform(platform_id)
    assert facts(loaded(tmp_path, tmp_path / "copy")) == facts(shipped)


@pytest.mark.parametrize("platform_id", ["rk3588", "sm8150", "rk3568", "sm8550", "x1e80100"])
def test_without_a_device_tree_capacities_and_latencies_are_those_of_linux(tmp_path, platform_id):
    make(tmp_path / "copy", platform_id, device_tree=False)
    board = loaded(tmp_path, tmp_path / "copy")
    assert facts(board, power=False) == facts(load_platform(platform_id), power=False)
    assert all(state.entry_us == 0 for cpu in board.cpus for state in cpu.idle_states), "the split is not known"


def test_two_core_types_with_one_midr_are_told_apart_by_their_clock(tmp_path):
    sysfs = make(tmp_path / "copy", "sm8150")
    assert [loaded(tmp_path, tmp_path / "copy").cpus[cpu].core for cpu in (6, 7)] == [
        "qcom-kryo-4xx-gold",
        "qcom-kryo-4xx-prime",
    ]
    slower = (tmp_path / "copy" / CPUS / "cpufreq/policy4/scaling_available_frequencies").read_text()
    sysfs.write(f"{CPUS}/cpufreq/policy7/scaling_available_frequencies", slower)
    assert loaded(tmp_path, tmp_path / "copy").cpus[7].core == "qcom-kryo-4xx-gold"


def test_explain_validate_and_compare_take_the_file(tmp_path, capsys):
    make(tmp_path / "copy", "rk3588")
    output = str(tmp_path / "my.toml")
    assert exit_code(["platforms", "--from-sysfs", str(tmp_path / "copy"), "-o", output, "--id", "my-board"]) == 0
    assert exit_code(["validate", output]) == 0
    assert exit_code(["explain", output]) == 0
    text = capsys.readouterr().out
    assert "my-board" in text
    assert "armv8_cortex_a76" in text
    arguments = ["compare", "--platform", output, "--policies", "fixed-counters-only", "--seconds", "20ms"]
    assert exit_code([*arguments, "--seeds", "1", "--vcpus", "1"]) == 0


@pytest.mark.parametrize("output", [(), ("-o", "-")])
def test_the_file_goes_to_stdout_and_what_to_know_to_stderr(tmp_path, monkeypatch, output, capsys):
    make(tmp_path / "copy", "rk3588")
    monkeypatch.chdir(tmp_path)
    assert exit_code(["platforms", "--from-sysfs", "copy", *output]) == 0
    assert not Path("-").exists()
    shown = capsys.readouterr()
    assert tomllib.loads(shown.out)["id"] == "maker-rk3588-board"
    source = "  # sysfs: /sys/devices/system/cpu/cpufreq/policy4/scaling_available_frequencies"
    assert f"khz = [1200000, 1416000, 1608000, 1800000, 2016000, 2208000, 2400000]{source}" in shown.out
    assert "4 x Arm Cortex-A55 (0-3), 4 x Arm Cortex-A76 (4-7)" in shown.err
    assert "no core PMUs, left out: arm_dsu_0, arm_spe_0, breakpoint, smmuv3_pmcg_2b442" in shown.err


def test_each_value_has_its_source_in_the_json(tmp_path):
    make(tmp_path / "copy", "rk3588")
    answer = board_file(str(tmp_path / "copy")).as_json()
    assert answer["schema"] == "hetpmu-board/1"
    assert answer["sources"]["cluster[1].core"] == f"sysfs: /{CPUS}/cpu4/regs/identification/midr_el1"
    assert answer["sources"]["pmu[0].cpus"] == f"sysfs: /{PMUS}/armv8_cortex_a55/cpus"
    assert answer["capacities"] == list(load_platform("rk3588").capacities())
    assert answer["platform"]["cluster"][0]["cpus"] == [0, 1, 2, 3]


# --- the collector --------------------------------------------------------------------------------------


def collect(sysfs, target, name="sh"):
    """Run the script on a synthetic board and return the tar file."""
    with target.open("wb") as file:
        subprocess.run([name, SCRIPT], stdout=file, check=True, env={"PATH": "/usr/bin:/bin", "SYSFS_ROOT": str(sysfs)})
    return target


@pytest.mark.parametrize("platform_id", ["rk3588", "sm8150"])
def test_what_the_script_collects_is_what_there_is(tmp_path, platform_id):
    make(tmp_path / "copy", platform_id, energy_model=platform_id == "rk3588")
    tar = collect(tmp_path / "copy", tmp_path / "board.tar")
    by_tar, by_folder = board_file(str(tar)), board_file(str(tmp_path / "copy"))
    assert by_tar.tables == by_folder.tables
    packed = subprocess.run(["gzip", "-k", tar], check=False).returncode == 0
    assert not packed or board_file(f"{tar}.gz").tables == by_folder.tables


def test_the_script_is_printed_as_it_is_shipped_and_runs_on_this_machine(tmp_path, capsys):
    assert exit_code(["platforms", "--collector"]) == 0
    assert capsys.readouterr().out == SCRIPT.read_text()
    if not Path(f"/{CPUS}").is_dir():
        pytest.skip("no sysfs on this machine")
    target = tmp_path / "here.tar"
    with target.open("wb") as file:
        subprocess.run(["sh", SCRIPT], stdout=file, check=True)
    with tarfile.open(target) as archive:
        names = archive.getnames()
    assert f"{CPUS}/present" in names
    assert not [name for name in names if "serial" in name]
    assert not list(Path("/tmp").glob(f"hetpmu-sysfs.{target.stem}*"))


def test_the_script_leaves_serial_numbers_out(tmp_path):
    sysfs = make(tmp_path / "copy", "rk3588")
    sysfs.write("proc/cpuinfo", (tmp_path / "copy/proc/cpuinfo").read_text() + "\nSerial\t: 0123456789abcdef")
    sysfs.write(f"{DEVICE_TREE}/serial-number", b"0123456789abcdef\0")
    assert b"0123456789abcdef" not in collect(tmp_path / "copy", tmp_path / "board.tar").read_bytes()


def test_what_it_collected_on_an_emulated_machine_is_a_platform():
    """Linux 6.1 on QEMU's `virt` with four Cortex-A76, the script run by busybox: tests/data/board."""
    board = board_file(str(Path(__file__).parent / "data" / "board" / "virt-a76-linux-6.1.tar.gz")).platform
    assert {cpu.core for cpu in board.cpus} == {"cortex-a76"}
    assert [(row.name, row.cpus) for row in board.pmus] == [("armv8_pmuv3", (0, 1, 2, 3))]
    assert [cpu.cluster for cpu in board.cpus] == ["cluster0", "cluster0", "cluster1", "cluster1"]
    assert (board.cntfrq_hz, board.vpmu(), board.id) == (62_500_000, "yes", "linux-dummy-virt")


# --- what sysfs has of the energy model ------------------------------------------------------------------


@pytest.mark.parametrize("unit", [1, 1000])
def test_the_energy_model_gives_voltages_that_the_device_tree_lacks(tmp_path, unit):
    sysfs = make(tmp_path / "copy", "rk3588", energy_model=True)
    for table in (0, 1, 2):
        sysfs.remove(f"{DEVICE_TREE}/opp-table-{table}")
    for path in (tmp_path / "copy").glob("sys/kernel/debug/energy_model/*/ps:*/power"):
        path.write_text(f"{round(int(path.read_text()) / unit)}\n")  # mW, as before Linux 6.0
    found = loaded(tmp_path, tmp_path / "copy")
    for mine, shipped in zip(found.perf_domains, load_platform("rk3588").perf_domains, strict=True):
        assert mine.dynamic_power_coefficient == shipped.dynamic_power_coefficient
        for one, other in zip(mine.opps, shipped.opps, strict=True):
            assert one.microvolt == pytest.approx(other.microvolt, rel=0.005)


def test_the_energy_model_alone_gives_its_power(tmp_path):
    from scheduler.energy import powers

    make(tmp_path / "copy", "rk3588", device_tree=False, energy_model=True)
    found, shipped = loaded(tmp_path, tmp_path / "copy"), load_platform("rk3588")
    for mine, other in zip(found.perf_domains, shipped.perf_domains, strict=True):
        assert powers(found, mine) == pytest.approx(powers(shipped, other), rel=0.005)
        assert mine.opps[-1].microvolt == pytest.approx(1_000_000, rel=0.002)


def test_frequencies_come_from_where_they_are(tmp_path):
    sysfs = make(tmp_path / "copy", "rk3588", device_tree=False)
    for policy in (0, 4, 6):
        sysfs.remove(f"{CPUS}/cpufreq/policy{policy}/scaling_available_frequencies")
    sysfs.write(f"{CPUS}/cpufreq/policy0/stats/time_in_state", "1800000 5\n1008000 7")
    board = loaded(tmp_path, tmp_path / "copy")
    assert [opp.khz for opp in board.perf_domains[0].opps] == [1_008_000, 1_800_000]
    assert [opp.khz for opp in board.perf_domains[1].opps] == [1_200_000, 2_400_000]
    assumed = {row.key for row in board.assumptions}
    assert {"perf_domain.policy4.khz", "perf_domain.policy6.khz"} <= assumed
    assert "perf_domain.policy0.khz" not in assumed


def test_the_timer_is_read_from_the_log_or_from_cpuinfo(tmp_path):
    sysfs = make(tmp_path / "copy", "sm8150", log=False)
    assert loaded(tmp_path, tmp_path / "copy").cntfrq_hz == 19_200_000
    sysfs.write(f"{DEVICE_TREE}/timer/clock-frequency", (24_000_000).to_bytes(4, "big"))
    assert loaded(tmp_path, tmp_path / "copy").cntfrq_hz == 24_000_000
