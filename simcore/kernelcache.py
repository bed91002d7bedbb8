"""Where numba keeps compiled kernels: one directory for each state of all kernel files.

numba's cache looks at the file of a kernel only, not at what that file imports, nor at bounds checks; so
the directory's name is a digest over everything that decides the machine code. Imports no numba.
"""

import atexit
import hashlib
import os
import platform
import shutil
import tempfile
from collections.abc import MutableMapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

PACKAGES = ("simcore", "pmu", "workloads", "scheduler", "benchmarks")
VARIABLE = "NUMBA_CACHE_DIR"
PREFIX = "kernels-"


def key_cache_directory() -> None:
    """Point numba at the cache directory of this state of the kernels; call it before numba is imported."""
    choose(os.environ, Path(__file__).resolve().parents[1])


def choose(environ: MutableMapping[str, str], root: Path) -> None:
    """Set NUMBA_CACHE_DIR in ``environ`` for the packages below ``root``, unless the user has set it."""
    current = Path(environ.get(VARIABLE, ""))
    if environ.get(VARIABLE) and not _is_ours(current):
        return
    wanted = cache_home(environ) / "hetpmu" / f"{PREFIX}{digest(environ, root)}"
    environ[VARIABLE] = str(wanted if _is_writable(wanted) else _temporary())


def cache_home(environ: MutableMapping[str, str]) -> Path:
    """Return the user's cache directory as the XDG base directory specification defines it."""
    given = Path(environ.get("XDG_CACHE_HOME", ""))
    return given if given.is_absolute() else Path(environ.get("HOME") or Path.home()) / ".cache"


def digest(environ: MutableMapping[str, str], root: Path) -> str:
    """Return a digest over kernel files, Python, numba, and the variables that change generated code."""
    state = hashlib.sha256(f"{platform.python_version()} {_numba_version()}".encode())
    for name in sorted(environ):
        if name.startswith("NUMBA_") and name != VARIABLE:
            state.update(f"\n{name}={environ[name]}".encode())
    for path in kernel_files(root):
        state.update(f"\n{path.relative_to(root)}\n".encode())
        state.update(path.read_bytes())
    return state.hexdigest()[:16]


def kernel_files(root: Path) -> list[Path]:
    """Return the kernel files of all packages below ``root``, sorted (this module is none)."""
    found = (path for package in PACKAGES for path in (root / package).glob("kernel*.py"))
    return sorted(path for path in found if path.name != Path(__file__).name)


def _numba_version() -> str:
    try:
        return version("numba")
    except PackageNotFoundError:
        return "none"


def _is_ours(path: Path) -> bool:
    """Tell whether a parent process of ours has set the directory, maybe for other kernels."""
    return path.parent.name == "hetpmu" and path.name.startswith(PREFIX)


def _is_writable(path: Path) -> bool:
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError:
        return False
    return os.access(path, os.W_OK | os.X_OK)


def _temporary() -> Path:
    """Make a directory that nobody else can write to and that goes away with this process."""
    path = Path(tempfile.mkdtemp(prefix="hetpmu-kernels-"))
    atexit.register(shutil.rmtree, path, ignore_errors=True)
    return path
