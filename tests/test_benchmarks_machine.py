"""The description of the machine, read from made-up /proc and /sys, and where they tell nothing."""

import json

import pytest

from benchmarks import machine, report

FILES = {
    "proc/cpuinfo": "processor\t: 0\nmodel name\t: Some CPU\ncpu MHz\t: 2100.000\nflags\t: fpu avx2 hypervisor\n\n"
    "processor\t: 1\nmodel name\t: Another CPU\nflags\t: fpu\n",
    "proc/meminfo": "MemTotal:       1024 kB\nMemFree: 5 kB\n",
    "proc/loadavg": "1.25 2.00 3.00 1/100 4242\n",
    "sys/devices/system/cpu/smt/active": "0\n",
    "sys/devices/system/cpu/cpu0/cpufreq/scaling_governor": "performance\n",
    "sys/devices/system/cpu/cpufreq/boost": "1\n",
    "sys/devices/system/cpu/cpu0/cache/index0/level": "1\n",
    "sys/devices/system/cpu/cpu0/cache/index0/type": "Data\n",
    "sys/devices/system/cpu/cpu0/cache/index0/size": "48K\n",
}


@pytest.fixture
def root(tmp_path):
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


def test_what_the_files_say(root):
    found = machine.describe(root)
    assert found["cpu"] == "Some CPU"
    assert found["nominal_mhz"] == 2100.0
    assert found["extensions"] == ["avx2"]
    assert found["virtualised"] is True
    assert found["memory_kib"] == 1024
    assert found["load_average"] == 1.25
    assert (found["smt"], found["governor"], found["turbo"]) == (False, "performance", True)
    assert found["caches"] == {"L1 data": "48K"}


def test_the_bytes_of_what_holds_data():
    sizes = {"L1 data": "48K", "L1 instruction": "32K", "L2 unified": "2M"}
    assert machine.data_cache_bytes(sizes) == {"L1": 48 << 10, "L2": 2 << 20}


def test_turbo_as_intel_tells_it(root):
    path = root / "sys/devices/system/cpu/intel_pstate/no_turbo"
    path.parent.mkdir()
    path.write_text("1\n")
    assert machine.describe(root)["turbo"] is False


def test_a_machine_that_tells_nothing(tmp_path):
    found = machine.describe(tmp_path)
    unknown = ("cpu", "nominal_mhz", "virtualised", "memory_kib", "smt", "governor", "turbo", "load_average")
    assert {found[key] for key in unknown} == {None}
    assert found["caches"] == {}
    assert report.machine_lines(found)


def test_versions_of_what_makes_the_code_are_there():
    found = machine.describe()
    assert set(found["versions"]) == {"hetpmu", "numba", "llvmlite", "numpy", "simpy", "gcc", "clang"}
    assert found["versions"]["numba"]
    assert json.loads(json.dumps(found)) == found


def test_a_busy_machine_is_told(root):
    calm = machine.describe(root) | {"load_average": 0.1}
    assert "busy" not in "\n".join(report.machine_lines(calm))
    assert "busy" in "\n".join(report.machine_lines(calm | {"load_average": 9.0}))
