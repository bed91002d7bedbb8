"""What the figures were measured on: processor, caches, memory, clocks, versions. Reads files below /proc and /sys."""

import os
import platform
import shutil
import subprocess
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

ROOT = Path("/")
CPUS = Path("sys/devices/system/cpu")
DISTRIBUTIONS = ("hetpmu", "numba", "llvmlite", "numpy", "simpy")
COMPILERS = ("gcc", "clang")
EXTENSIONS = ("avx2", "avx512f", "avx512dq", "asimd", "sve")
"""Instruction sets that the kernels may use, as /proc/cpuinfo names them."""

SUFFIXES = {"K": 1 << 10, "M": 1 << 20}
"""Of the sizes of caches."""

TURBO = {"intel_pstate/no_turbo": {"0": True, "1": False}, "cpufreq/boost": {"1": True, "0": False}}
"""File that tells whether a processor may exceed its nominal clock, and what its content means."""


def describe(root: Path = ROOT) -> dict[str, Any]:
    """Return the machine's description; None where the machine does not tell."""
    cpus = root / CPUS
    info = cpu_info(root)
    return {
        "cpu": info.get("model name") or info.get("CPU part"),
        "cpus": os.cpu_count(),
        "usable_cpus": len(os.sched_getaffinity(0)),
        "nominal_mhz": float(info["cpu MHz"]) if "cpu MHz" in info else None,
        "extensions": [name for name in EXTENSIONS if name in flags(info)],
        "virtualised": "hypervisor" in flags(info) if info else None,
        "caches": caches(cpus / "cpu0"),
        "memory_kib": memory_kib(root),
        "smt": {"1": True, "0": False}.get(text_of(cpus / "smt/active") or ""),
        "governor": text_of(cpus / "cpu0/cpufreq/scaling_governor"),
        "turbo": turbo(cpus),
        "load_average": load_average(root),
        "architecture": platform.machine(),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "versions": {name: installed(name) for name in DISTRIBUTIONS} | {name: compiler(name) for name in COMPILERS},
    }


def cpu_info(root: Path) -> dict[str, str]:
    """Return what /proc/cpuinfo says of the first CPU."""
    first = (text_of(root / "proc/cpuinfo") or "").split("\n\n")[0]
    fields = (line.partition(":") for line in first.splitlines())
    return {key.strip(): value.strip() for key, _, value in fields}


def flags(info: dict[str, str]) -> list[str]:
    """Return the features of the first CPU."""
    return (info.get("flags") or info.get("Features") or "").split()


def caches(cpu: Path) -> dict[str, str]:
    """Return the sizes of a CPU's caches by level and type."""
    found = {}
    for index in sorted((cpu / "cache").glob("index*")):
        level, kind, size = (text_of(index / name) for name in ("level", "type", "size"))
        if level and kind and size:
            found[f"L{level} {kind.lower()}"] = size
    return found


def data_cache_bytes(sizes: Mapping[str, str]) -> dict[str, int]:
    """Return the bytes of the caches that hold data, by level, from their sizes as ``caches`` tells them."""
    held = {name.split()[0]: size for name, size in sizes.items() if not name.endswith("instruction")}
    return {level: int(size[:-1]) * SUFFIXES[size[-1]] for level, size in held.items()}


def turbo(cpus: Path) -> bool | None:
    """Tell whether the processor may exceed its nominal clock."""
    told = (meanings.get(text_of(cpus / name) or "") for name, meanings in TURBO.items())
    return next((value for value in told if value is not None), None)


def memory_kib(root: Path) -> int | None:
    """Return the memory of the machine."""
    lines = (line.split() for line in (text_of(root / "proc/meminfo") or "").splitlines())
    return next((int(words[1]) for words in lines if words[0] == "MemTotal:"), None)


def load_average(root: Path) -> float | None:
    """Return how many threads wanted a CPU in the last minute."""
    text = text_of(root / "proc/loadavg")
    return float(text.split()[0]) if text else None


def installed(name: str) -> str | None:
    """Return the version of an installed distribution."""
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def compiler(name: str) -> str | None:
    """Return what a compiler calls itself."""
    program = shutil.which(name)
    if program is None:
        return None
    done = subprocess.run([program, "--version"], capture_output=True, text=True, check=False)
    return next(iter(done.stdout.splitlines()), None)


def text_of(path: Path) -> str | None:
    """Return the stripped text of a file, or None when it cannot be read."""
    try:
        return path.read_text().strip()
    except OSError:
        return None
