"""What the figures were measured on: processor, caches, governor, versions. Reads files below /proc and /sys."""

import os
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

CPU = Path("/sys/devices/system/cpu/cpu0")
VERSIONS = ("numba", "numpy", "simpy", "hetpmu")


def describe() -> dict[str, object]:
    """Return the machine's description; None where the machine does not tell."""
    return {
        "cpu": processor(),
        "cpus": os.cpu_count(),
        "usable_cpus": len(os.sched_getaffinity(0)),
        "caches": caches(),
        "governor": text_of(CPU / "cpufreq/scaling_governor"),
        "architecture": platform.machine(),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "versions": {name: installed(name) for name in VERSIONS},
    }


def processor() -> str | None:
    """Return the model name of the first CPU."""
    lines = (text_of(Path("/proc/cpuinfo")) or "").splitlines()
    fields = (line.partition(":") for line in lines)
    return next((value.strip() for key, _, value in fields if key.strip() in ("model name", "CPU part")), None)


def caches() -> dict[str, str]:
    """Return the sizes of the first CPU's caches by level and type."""
    found = {}
    for index in sorted((CPU / "cache").glob("index*")):
        level, kind, size = (text_of(index / name) for name in ("level", "type", "size"))
        if level and kind and size:
            found[f"L{level} {kind.lower()}"] = size
    return found


def installed(name: str) -> str | None:
    """Return the version of an installed distribution."""
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def text_of(path: Path) -> str | None:
    """Return the stripped text of a file, or None when it cannot be read."""
    try:
        return path.read_text().strip()
    except OSError:
        return None
