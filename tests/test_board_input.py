"""What a copy of sysfs may lack or have wrong: concluded and said, or refused with the file and what is valid."""

import io
import tarfile
import tomllib

import pytest

from simcore.app import board_parsing
from simcore.app.board_parsing import Counters, bogomips_hz, counters, cpu_list, midrs, size
from simcore.app.boarding import board_file
from simcore.app.cli import exit_code
from simcore.errors import InputError
from simcore.loader import load_platform
from simcore.platform import cpu_list as shown
from tests.board_sysfs import CPUS, DEVICE_TREE, make

PMUS = "sys/bus/event_source/devices"
A55 = f"{PMUS}/armv8_cortex_a55"
UNKNOWN = "0x00000000410fd8a0"


@pytest.fixture
def sysfs(tmp_path):
    return make(tmp_path / "copy", "rk3588")


def read(sysfs, *assume):
    return board_file(str(sysfs.root), assume)


def refused(sysfs, *assume):
    """Return the message, of three lines at most."""
    with pytest.raises(InputError) as error:
        read(sysfs, *assume)
    assert len(str(error.value).splitlines()) <= 3
    return str(error.value)


# --- offline, absent and uncovered CPUs ------------------------------------------------------------------


def take_offline(sysfs, *cpus):
    online = [cpu for cpu in range(8) if cpu not in cpus]
    sysfs.write(f"{CPUS}/online", shown(online))
    text = (sysfs.root / "proc/cpuinfo").read_text().split("\n\n")
    sysfs.write("proc/cpuinfo", "\n\n".join(block for number, block in enumerate(text) if number in online))
    for cpu in cpus:
        for name in ("regs", "topology", "cache", "cpuidle"):
            sysfs.remove(f"{CPUS}/cpu{cpu}/{name}")


def test_an_offline_cpu_is_taken_for_its_neighbours_core_type(sysfs):
    take_offline(sysfs, 5)
    found = read(sysfs)
    assert [cpu.core for cpu in found.platform.cpus] == [cpu.core for cpu in load_platform("rk3588").cpus]
    assert found.platform.cpus[5].idle_states == found.platform.cpus[4].idle_states
    assert any("CPU 5 is offline" in note and "policy4/related_cpus" in note for note in found.notes)


def test_a_cluster_that_is_offline_is_concluded_from_its_pmu(sysfs):
    take_offline(sysfs, 4, 5)
    found = read(sysfs)
    assert found.platform.cpus[4].core == found.platform.cpus[5].core == "cortex-a76"
    assert any("CPU 4 is offline" in note and "armv8_cortex_a76" in note for note in found.notes)


def test_an_offline_cpu_that_nothing_tells_of_must_be_brought_online(sysfs):
    take_offline(sysfs, 4, 5, 6, 7)
    message = refused(sysfs)
    assert "the core type of CPU 4 is unknown" in message
    assert "echo 1 > /sys/devices/system/cpu/cpu4/online" in message


def test_a_hole_in_the_present_cpus_is_refused(sysfs):
    sysfs.write(f"{CPUS}/present", "0-3,6")
    assert f"{CPUS}/present: CPU 4 is not present" in refused(sysfs)


def test_possible_cpus_that_are_not_present_are_left_out(sysfs):
    sysfs.write(f"{CPUS}/possible", "0-7")
    sysfs.write(f"{CPUS}/present", "0-5")
    sysfs.write(f"{CPUS}/online", "0-5")
    found = read(sysfs)
    assert len(found.platform.cpus) == 6
    assert found.platform.pmu_named("armv8_cortex_a76").cpus == (4, 5)


def test_cpus_without_a_pmu_stay_without(sysfs):
    sysfs.remove(A55)
    assert read(sysfs).platform.pmus_of(0) == ()


def test_two_pmus_stand_in_the_order_of_their_types(sysfs):
    sysfs.write(f"{A55}/type", "11")
    assert [row.name for row in read(sysfs).platform.pmus] == ["armv8_cortex_a76", "armv8_cortex_a55"]


# --- core types -----------------------------------------------------------------------------------------


def as_unknown(sysfs, cpus=range(4, 8)):
    for cpu in cpus:
        sysfs.write(f"{CPUS}/cpu{cpu}/regs/identification/midr_el1", UNKNOWN)


def test_an_unknown_core_type_has_what_sysfs_shows(sysfs):
    as_unknown(sysfs)
    found = read(sysfs)
    core, shipped = found.platform.core(4), load_platform("rk3588").core(4)
    assert core.id == "core-0x41-0xd8a"
    assert core.pmu.event_counters == 6
    assert core.events == shipped.events
    assert core.event_name(0x11) == "CPU_CYCLES"
    assert found.platform.vpmu() == "unknown", "sysfs does not show PMUVer"
    hidden = "assumed: SW_INCR and CHAIN, which Linux does not show"
    assert found.sources["core[0].events"] == f"sysfs: /{PMUS}/armv8_cortex_a76/events; {hidden}"
    assert any("--assume core-0x41-0xd8a.pmuver=VALUE" in note for note in found.notes)


def test_what_is_assumed_of_an_unknown_core_type_is_marked(sysfs):
    as_unknown(sysfs)
    sysfs.remove("dmesg")
    found = read(sysfs, "pmuver=4", "core-0x41-0xd8a.event_counters=20", "rates_like=cortex-a55")
    core = found.platform.core(4)
    assert (core.pmu.pmuver, core.pmu.event_counters, core.rates_like) == (4, 20, "cortex-a55")
    assert found.platform.vpmu() == "yes"
    assert {"core.core-0x41-0xd8a.pmuver", "core.core-0x41-0xd8a.event_counters"} <= {
        row.key for row in found.platform.assumptions
    }


def test_another_number_of_counters_makes_a_core_type_of_its_own(sysfs):
    log = (sysfs.root / "dmesg").read_text().replace("armv8_cortex_a76 PMU driver, 7 (0,8000003f)", "{}")
    sysfs.write("dmesg", log.replace("{}", "armv8_cortex_a76 PMU driver, 5 (1,80000007)"))
    found = read(sysfs)
    core = found.platform.core(7)
    assert (core.id, core.pmu.event_counters, core.pmu.icntr, core.pmu.pmuver) == ("cortex-a76-3-counters", 3, True, 4)
    assert core.rates_like == load_platform("rk3588").core(7).rates_like
    assert core.events == load_platform("rk3588").core(7).events


def test_relatives_of_core_types_are_recognised(sysfs):
    for cpu in range(8):
        sysfs.write(f"{CPUS}/cpu{cpu}/regs/identification/midr_el1", "0x00000000611f0250")
    sysfs.remove("dmesg")
    assert {cpu.core for cpu in read(sysfs, "cntfrq_hz=24000000").platform.cpus} == {"apple-firestorm"}


def test_midr_may_come_from_cpuinfo(sysfs):
    for cpu in range(8):
        sysfs.remove(f"{CPUS}/cpu{cpu}/regs")
    found = read(sysfs)
    assert [cpu.core for cpu in found.platform.cpus] == [cpu.core for cpu in load_platform("rk3588").cpus]
    assert found.sources["cluster[0].core"] == "proc: /proc/cpuinfo"


# --- messages -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "path, text, message",
    [
        (f"{CPUS}/present", None, f"{CPUS}/present: the file is not there"),
        (f"{CPUS}/present", "0-x", "valid: a list such as 0-3,6"),
        (f"{CPUS}/online", "7-0", f"{CPUS}/online: not a list of CPUs"),
        (f"{CPUS}/cpu0/cpu_capacity", "big", "'big' is no number"),
        (
            f"{CPUS}/cpu0/regs/identification/midr_el1",
            "0xzz",
            f"{CPUS}/cpu0/regs/identification/midr_el1: '0xzz' is no",
        ),
        (f"{CPUS}/cpufreq/policy0/related_cpus", None, "it says which CPUs share a clock"),
        (f"{CPUS}/cpufreq/policy0/related_cpus", "0 1 2 x", "'x' is no CPU number"),
        (f"{CPUS}/cpufreq/policy0/scaling_available_frequencies", "1008000 fast", "'fast' is no number"),
        (f"{CPUS}/cpufreq/policy0/scaling_available_frequencies", "5 6", "perf_domain[0].khz[0]"),
        (f"{CPUS}/cpufreq/policy0/scaling_available_frequencies", "0", "a frequency of 0 kHz"),
        (
            f"{CPUS}/cpufreq/policy4/scaling_available_frequencies",
            "5 6",
            f"from sysfs: /{CPUS}/cpufreq/policy4/scaling",
        ),
        (f"{CPUS}/cpu0/cache/index1/size", "128 kB", "valid: a size such as 512K"),
        (f"{CPUS}/cpu0/cache/index1/shared_cpu_list", "0-999", "no range up to 511"),
        (f"{A55}/cpus", None, "armv8_cortex_a55 is a core PMU by its name"),
        (f"{A55}/cpus", "64-71", "the PMU covers no CPU that is present"),
        (f"{A55}/type", None, "it says the type of a host PMU"),
    ],
)
def test_a_file_that_is_wrong_is_named(sysfs, path, text, message):
    if text is None:
        sysfs.remove(path)
    else:
        sysfs.write(path, text)
    told = refused(sysfs)
    assert str(sysfs.root) in told
    assert message in told


def test_a_machine_that_is_not_arm64_is_told_so(sysfs):
    for cpu in range(8):
        sysfs.remove(f"{CPUS}/cpu{cpu}/regs")
    sysfs.write("proc/cpuinfo", "processor\t: 0\nmodel name\t: something else")
    assert "no arm64 board, or files are missing" in refused(sysfs)


def test_without_a_timer_the_frequency_is_asked_for(sysfs):
    sysfs.remove("dmesg")
    sysfs.remove("proc/cpuinfo")
    assert "--assume cntfrq_hz=24000000" in refused(sysfs)
    assert read(sysfs, "cntfrq_hz=25000000").platform.cntfrq_hz == 25_000_000


@pytest.mark.parametrize("text", ["pmuver", "pmuver=x", "speed=3", "core.cntfrq_hz=1", "pmuver=4", "nothing.pmuver=4"])
def test_a_wrong_assumption_is_refused(sysfs, text):
    assert "--assume" in refused(sysfs, text)


def test_an_assumption_for_a_core_type_that_is_not_there_names_those_that_are(sysfs):
    as_unknown(sysfs)
    assert "core-0x41-0xd8a" in refused(sysfs, "core-0x41-0xd8b.pmuver=4")


def test_notes_tell_what_was_left_out(sysfs):
    sysfs.write(f"{CPUS}/cpu0/cpuidle/state1/disable", "1")
    sysfs.remove(f"{CPUS}/cpu1/cpu_capacity")
    sysfs.remove(f"{DEVICE_TREE}/cpus/cpu@000")
    notes = " ".join(read(sysfs).notes)
    assert "cpu0/cpuidle/state1 (CPU_SLEEP) is disabled, left out" in notes
    assert "cpu_capacity or cpufreq is not there for every CPU" in notes


def test_any_text_of_the_device_tree_makes_a_file(sysfs):
    sysfs.write(f"{DEVICE_TREE}/model", b'a "board" \\ \x01\xff of # mine\n' + b"x" * 500 + b"\0")
    sysfs.write(f"{DEVICE_TREE}/compatible", b'maker,"b\\oard"\xc3\xa9\0')
    found = read(sysfs)
    assert tomllib.loads(found.text) == found.tables
    assert found.platform.id == "maker-b-oard"


def test_the_command_says_what_goes_with_what(tmp_path, capsys):
    assert exit_code(["platforms", "-o", "x.toml"]) == 2
    assert exit_code(["platforms", "--collector", "--json", "-"]) == 2
    assert exit_code(["platforms", "--from-sysfs", str(tmp_path / "nowhere"), "-o", str(tmp_path / "x.toml")]) == 2
    assert "there is no such file or directory" in capsys.readouterr().err
    assert not list(tmp_path.iterdir()), "nothing half-written stays"


# --- tar files ------------------------------------------------------------------------------------------


def tar_of(tmp_path, *members):
    """Write a tar file of (name, content or link) members."""
    path = tmp_path / "board.tar"
    with tarfile.open(path, "w") as archive:
        for name, content in members:
            member = tarfile.TarInfo(name)
            if isinstance(content, str):
                member.type, member.linkname = tarfile.SYMTYPE, content
                archive.addfile(member)
            else:
                member.size = len(content)
                archive.addfile(member, io.BytesIO(content))
    return str(path)


@pytest.mark.parametrize("name", ["../sys/x", "/etc/passwd", "a/../../b"])
def test_a_tar_file_that_leads_out_is_refused(tmp_path, name):
    with pytest.raises(InputError, match="leads out of the tar file"):
        board_file(tar_of(tmp_path, (name, b"x")))


def test_links_are_not_followed(tmp_path, sysfs):
    outside = tmp_path / "outside"
    outside.write_text("0-7\n")
    sysfs.remove(f"{CPUS}/present")
    (sysfs.root / CPUS / "present").symlink_to(outside)
    assert "the file is not there" in refused(sysfs)
    with pytest.raises(InputError, match="the file is not there"):
        board_file(tar_of(tmp_path, (f"{CPUS}/online", b"0"), (f"{CPUS}/present", str(outside))))


def test_a_tar_file_without_sysfs_is_refused(tmp_path):
    with pytest.raises(InputError, match="no sysfs in this tar file"):
        board_file(tar_of(tmp_path, ("README", b"hello")))


@pytest.mark.parametrize("content", [b"", b"text", b"\x1f\x8bnot really", b"\0" * 100])
def test_what_is_no_tar_file_is_refused(tmp_path, content):
    path = tmp_path / "board.tar"
    path.write_bytes(content)
    with pytest.raises(InputError):
        board_file(str(path))


def test_a_file_that_is_too_large_is_refused(tmp_path):
    with pytest.raises(InputError, match="too large"):
        board_file(tar_of(tmp_path, (f"{CPUS}/present", b"0" * (1 << 20) + b"0")))


def test_a_folder_above_sys_does_not_matter(tmp_path, sysfs):
    path = tmp_path / "board.tar"
    with tarfile.open(path, "w") as archive:
        archive.add(sysfs.root, "my-board")
    assert board_file(str(path)).tables == read(sysfs).tables
    assert [cpu.core for cpu in board_file(str(sysfs.root / "sys"), ["cntfrq_hz=24000000"]).platform.cpus] == [
        cpu.core for cpu in load_platform("rk3588").cpus
    ]


# --- forms ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text, cpus", [("0-3,6\n", (0, 1, 2, 3, 6)), ("5", (5,)), ("\n", ()), ("4-5,0", (0, 4, 5)), ("0,0-1", (0, 1))]
)
def test_lists_of_cpus(text, cpus):
    assert cpu_list(text, "f") == cpus


def test_sizes_and_logs():
    assert (size("3072K", "f"), size("1M", "f"), size("64", "f")) == (3 << 20, 1 << 20, 64)
    old = "hw perfevents: enabled with armv8_pmuv3 PMU driver, 7 counters available"
    assert counters(old) == {"armv8_pmuv3": Counters(6, False)}
    new = "hw perfevents: enabled with armv8_pmuv3_0 PMU driver, 8 (1,8000003f) counters available, using NMIs"
    assert counters(new) == {"armv8_pmuv3_0": Counters(6, True)}
    most = "hw perfevents: enabled with armv9_x PMU driver, 32 (0,ffffffff) counters available"
    assert counters(most) == {"armv9_x": Counters(31, False)}
    assert bogomips_hz("processor : 0\nBogoMIPS\t: 38.40\n") == 19_200_000
    fields = "processor\t: 2\nCPU implementer\t: 0x51\nCPU variant\t: 0xd\nCPU part\t: 0x805\nCPU revision\t: 14\n"
    assert midrs(fields) == {2: 0x51DF805E}


@pytest.mark.parametrize(
    "name, kind, cpus", [("armv8_pmuv3_0", 8, "0-7"), ("apple_blizzard_pmu", 8, "0-3"), ("armv8_pmuv3", 9, "0-7")]
)
def test_names_of_posted_boards(sysfs, name, kind, cpus):
    """Names, types and CPUs as posted of servers (ACPI), an Apple M2 Pro and a phone."""
    sysfs.remove(A55)
    sysfs.remove(f"{PMUS}/armv8_cortex_a76")
    sysfs.write(f"{PMUS}/{name}/cpus", cpus)
    sysfs.write(f"{PMUS}/{name}/type", str(kind))
    (node,) = read(sysfs).platform.pmus
    assert (node.name, shown(node.cpus)) == (name, cpus)


def test_forms_that_only_look_like_numbers_are_none():
    """Controls that Python strips, more digits than it reads, a mask without a digit."""
    assert board_parsing.number("446\n\x1f", "there") == 446
    text = "processor : {}\nCPU implementer : 0x41\nCPU variant : 0x1\nCPU part : 0xd05\nCPU revision : 0\n"
    assert board_parsing.midrs(text.format("9" * 5000)) == {}
    assert board_parsing.midrs(text.format(3)) == {3: 0x411FD050}
    log = "hw perfevents: enabled with armv8_x PMU driver, 7 ({}) counters available"
    assert board_parsing.counters(log.format(",,,")) == {}
    assert board_parsing.counters(log.format("0,8000003f"))["armv8_x"].events == 6
