"""Where numba keeps compiled kernels: one directory for each state of all kernel files.

numba's cache looks at the file of a kernel only, not at what that file imports, nor at bounds checks; so
the directory's name is a digest over everything that decides the machine code. In it numba keeps what it compiled apart
for each place of the files and each time at which they were written, and so is noted for which all is there. Imports no
numba.
"""

import atexit
import contextlib
import hashlib
import os
import platform
import shutil
import tempfile
from collections.abc import Iterator, MutableMapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("simcore", "pmu", "workloads", "scheduler", "benchmarks")
VARIABLE, PLAIN = "NUMBA_CACHE_DIR", "NUMBA_DISABLE_JIT"
PREFIX = "kernels-"
COMPLETE, LOCK = "complete-", "compiling"


def key_cache_directory() -> None:
    """Point numba at the cache directory of this state of the kernels; call it before numba is imported."""
    choose(os.environ, ROOT)


def choose(environ: MutableMapping[str, str], root: Path) -> Path:
    """Set NUMBA_CACHE_DIR in ``environ`` for the packages below ``root``, unless the user has set it; return it."""
    current = Path(environ.get(VARIABLE, ""))
    if not environ.get(VARIABLE) or is_keyed(current):
        wanted = cache_home(environ) / "hetpmu" / f"{PREFIX}{digest(environ, root)}"
        environ[VARIABLE] = str(wanted if _is_writable(wanted) else _temporary())
    return Path(environ[VARIABLE])


def is_complete(cache: Path | None = None, root: Path = ROOT) -> bool:
    """Tell whether all kernels below ``root`` are in a cache directory, by default the one chosen."""
    return ((cache or _chosen()) / f"{COMPLETE}{_installation(root)}").exists()


def note_complete(cache: Path | None = None, root: Path = ROOT) -> None:
    """Note that all kernels below ``root`` are in a directory, if that is for one state of them."""
    if is_keyed(cache or _chosen()):
        ((cache or _chosen()) / f"{COMPLETE}{_installation(root)}").touch()


def is_keyed(path: Path) -> bool:
    """Tell whether a cache directory is that of one state of the kernels, chosen here or by a parent process."""
    return path.parent.name == "hetpmu" and path.name.startswith(PREFIX)


def is_locked(cache: Path) -> bool:
    """Tell whether a process that compiles everything is at work in a cache directory."""
    with locked(cache) as alone:
        return not alone


@contextlib.contextmanager
def locked(cache: Path | None = None) -> Iterator[bool]:
    """Say inside the block whether this process has the right to compile, without waiting."""
    import fcntl

    with ((cache or _chosen()) / LOCK).open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            yield False
            return
        yield True


def sign_lock() -> None:
    """Let LOCK of the chosen directory, which this process holds, name it."""
    (_chosen() / LOCK).write_text(f"{os.getpid()}\n")


def _chosen() -> Path:
    return Path(os.environ[VARIABLE])


def cache_home(environ: MutableMapping[str, str]) -> Path:
    """Return the user's cache directory as the XDG base directory specification defines it."""
    given = Path(environ.get("XDG_CACHE_HOME", ""))
    return given if given.is_absolute() else Path(environ.get("HOME") or Path.home()) / ".cache"


def digest(environ: MutableMapping[str, str], root: Path) -> str:
    """Return a digest over kernel files, Python, numba, and the variables that change generated code."""
    state = hashlib.sha256(f"{platform.python_version()} {_numba_version()}".encode())
    for name in sorted(environ):
        if name.startswith("NUMBA_") and name not in (VARIABLE, PLAIN):
            state.update(f"\n{name}={environ[name]}".encode())
    for path in kernel_files(root):
        state.update(f"\n{path.relative_to(root)}\n".encode())
        state.update(path.read_bytes())
    return state.hexdigest()[:16]


def kernel_files(root: Path) -> list[Path]:
    """Return the kernel files of all packages below ``root``, sorted (this module is none)."""
    found = (path for package in PACKAGES for path in (root / package).glob("kernel*.py"))
    return sorted(path for path in found if path.name != Path(__file__).name)


def _installation(root: Path) -> str:
    """Return a digest over where the kernel files are and when they were written, of which numba makes its index."""
    places = (f"{path} {path.stat().st_mtime_ns}\n" for path in kernel_files(root))
    return hashlib.sha256("".join(places).encode()).hexdigest()[:16]


def _numba_version() -> str:
    try:
        return version("numba")
    except PackageNotFoundError:
        return "none"


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
