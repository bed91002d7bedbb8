"""The directory of compiled kernels: one for each state of the kernel files, never a stale one."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from simcore import kernelcache

ROOT = Path(kernelcache.__file__).parents[1]


@pytest.fixture
def project(tmp_path):
    """Two packages with a kernel file each, and a home directory."""
    for package in ("pmu", "scheduler"):
        (tmp_path / "root" / package).mkdir(parents=True)
        (tmp_path / "root" / package / "kernel.py").write_text("A = 1\n")
    (tmp_path / "root" / "pmu" / "bank.py").write_text("B = 1\n")
    return tmp_path / "root"


@pytest.fixture
def environ(tmp_path):
    return {"HOME": str(tmp_path / "home")}


def chosen(environ, project):
    kernelcache.choose(environ, project)
    return Path(environ[kernelcache.VARIABLE])


def test_directory_is_made_below_the_cache_home(project, environ, tmp_path):
    path = chosen(environ, project)
    assert path.parent == tmp_path / "home" / ".cache" / "hetpmu"
    assert path.is_dir()


def test_xdg_cache_home_wins(project, environ, tmp_path):
    environ["XDG_CACHE_HOME"] = str(tmp_path / "xdg")
    assert chosen(environ, project).parent == tmp_path / "xdg" / "hetpmu"


def test_relative_xdg_cache_home_is_ignored(project, environ, tmp_path):
    environ["XDG_CACHE_HOME"] = "xdg"
    assert chosen(environ, project).parent == tmp_path / "home" / ".cache" / "hetpmu"


def test_the_users_choice_stays(project, environ, tmp_path):
    environ[kernelcache.VARIABLE] = str(tmp_path / "mine")
    assert chosen(environ, project) == tmp_path / "mine"
    assert not (tmp_path / "mine").exists()


@pytest.mark.parametrize("package", ["pmu", "scheduler"])
def test_a_changed_kernel_file_changes_the_directory(project, environ, package):
    before = chosen(dict(environ), project)
    (project / package / "kernel.py").write_text("A = 2\n")
    assert chosen(environ, project) != before


def test_a_new_kernel_file_changes_the_directory(project, environ):
    before = chosen(dict(environ), project)
    (project / "pmu" / "kernel_record.py").write_text("")
    assert chosen(environ, project) != before


def test_other_files_do_not(project, environ):
    before = chosen(dict(environ), project)
    (project / "pmu" / "bank.py").write_text("B = 2\n")
    assert chosen(environ, project) == before


def test_bounds_checks_have_a_directory_of_their_own(project, environ):
    assert chosen(dict(environ), project) != chosen(environ | {"NUMBA_BOUNDSCHECK": "1"}, project)


def test_a_directory_inherited_from_a_parent_process_is_chosen_anew(project, environ):
    before = chosen(environ, project)
    (project / "pmu" / "kernel.py").write_text("A = 2\n")
    assert chosen(environ, project) != before


def test_unwritable_home_gives_a_private_directory(project, tmp_path):
    (tmp_path / "file").write_text("")
    path = chosen({"HOME": str(tmp_path / "file")}, project)
    assert path.is_dir()
    assert path.stat().st_mode & 0o077 == 0


def test_importing_pmu_chooses_the_directory_before_numba_reads_it(tmp_path):
    environ = {k: v for k, v in os.environ.items() if not k.startswith("NUMBA_")}
    environ |= {"XDG_CACHE_HOME": str(tmp_path), "PYTHONPATH": str(ROOT)}
    code = "import pmu, sys; assert 'numba' not in sys.modules; import numba; print(numba.config.CACHE_DIR)"
    done = subprocess.run([sys.executable, "-c", code], env=environ, capture_output=True, text=True, check=True)
    assert Path(done.stdout.strip()).parent == tmp_path / "hetpmu"


@pytest.mark.parametrize(
    "module", ["pmu.kernel", "scheduler.kernel_warm", "simcore.app.comparing", "simcore.app.running"]
)
def test_whatever_is_imported_first_numba_gets_the_keyed_directory(module, tmp_path):
    code = f"import {module}, numba; print(numba.config.CACHE_DIR)"
    environ = {name: value for name, value in os.environ.items() if name != kernelcache.VARIABLE}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=environ | {"XDG_CACHE_HOME": str(tmp_path)},
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout.startswith(str(tmp_path / "hetpmu" / "kernels-"))


def test_what_one_installation_has_compiled_is_not_there_for_another(project, environ, tmp_path):
    """The same files elsewhere, or the same ones written again: numba would compile all of them anew."""
    path = chosen(environ, project)
    kernelcache.note_complete(path, project)
    assert kernelcache.is_complete(path, project)
    other = shutil.copytree(project, tmp_path / "other")
    assert chosen(environ, other) == path
    assert not kernelcache.is_complete(path, other)
    os.utime(project / "pmu" / "kernel.py", ns=(1, 1))
    assert not kernelcache.is_complete(path, project)
