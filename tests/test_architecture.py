"""The shape of the project: packages, layers and borders that import-linter's contracts cannot say by pattern."""

import ast
import re
import subprocess
import sys
import tomllib
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from shutil import copytree, ignore_patterns
from zipfile import ZipFile

import pytest

from tests.conftest import ONCE
from tests.tools import unavailable

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("simcore", "pmu", "workloads", "scheduler", "benchmarks")
SOURCES = sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))
KERNELS = [path for path in SOURCES if path.name.startswith("kernel") and path.name != "kernelcache.py"]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())

# who may import what: a border is crossed only by modules that match its pattern
BORDERS = {
    "simpy": r"simcore\.engine|scheduler(\..*)?|benchmarks(\..*)?",
    "numba": r"\w+\.kernel(?!cache)\w*|benchmarks(\..*)?",
    "llvmlite": r"\w+\.kernel(?!cache)\w*",
    "matplotlib": r"simcore\.app\.plotting(_\w+)?",
    "pyarrow": r"simcore\.app\.parquet",
    "jinja2": r"simcore\.app\.report_page",
    "markupsafe": r"simcore\.app\.report_page",
    "distributed": r"simcore\.app\.crew_dask",
    "click": r"simcore\.app\.cli\w*",
    "rich": r"simcore\.app\.cli\w*",
    "pydantic": r"simcore\.(loader|schema\w*)",
}


def module_name(path):
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports(path):
    """Return the absolute names that a file imports, those within functions included."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def bound_names(node, in_class=False):
    """Yield the names that code binds otherwise than by import; fields and methods of a class are no variables."""
    for child in ast.iter_child_nodes(node):
        match child:
            case ast.Name(id=name, ctx=ast.Store()) | ast.FunctionDef(name=name) | ast.ClassDef(name=name):
                if not in_class:
                    yield name
            case ast.arg(arg=str(name)) | ast.ExceptHandler(name=str(name)) | ast.MatchAs(name=str(name)):
                yield name
        field = in_class and isinstance(child, ast.Assign | ast.AnnAssign | ast.Tuple)
        yield from bound_names(child, in_class=isinstance(child, ast.ClassDef) or field)


def ids(paths):
    return [str(path.relative_to(ROOT)) for path in paths]


def test_all_packages_come_from_one_directory():
    places = {Path(str(import_module(package).__file__)).parents[1] for package in PACKAGES}
    assert len(places) == 1


def test_pyproject_lists_exactly_the_packages_there_are():
    found = {".".join(path.parent.relative_to(ROOT).parts) for path in SOURCES}
    assert set(PROJECT["tool"]["setuptools"]["packages"]) == found


@pytest.mark.parametrize("package", PACKAGES)
def test_every_package_is_typed(package):
    assert (ROOT / package / "py.typed").is_file()


@pytest.mark.parametrize("path", SOURCES, ids=ids(SOURCES))
def test_no_name_shadows_a_package(path):
    shadowed = [name for name in bound_names(ast.parse(path.read_text())) if name in PACKAGES]
    assert not shadowed


@pytest.mark.parametrize("path", SOURCES, ids=ids(SOURCES))
def test_third_party_packages_stay_within_their_borders(path):
    tops = {name.partition(".")[0] for name in imports(path)}
    crossed = {top for top in tops & set(BORDERS) if not re.fullmatch(BORDERS[top], module_name(path))}
    assert not crossed


@pytest.mark.parametrize("path", KERNELS, ids=ids(KERNELS))
def test_a_kernel_file_imports_numpy_numba_and_kernel_files_only(path):
    allowed = {"numpy", "numba", "llvmlite", *sys.stdlib_module_names}  # llvmlite: what numba builds code with
    kernels = {module_name(kernel) for kernel in KERNELS}
    others = {name for name in imports(path) if name.partition(".")[0] not in allowed}
    assert not {name for name in others if not {name, name.rpartition(".")[0]} & kernels}


def test_every_module_of_simcore_has_a_layer():
    contract = PROJECT["tool"]["importlinter"]["contracts"][0]
    layered = {name.strip(" ()") for layer in contract["layers"] for name in layer.split(":")}
    modules = {module_name(path) for path in SOURCES if path.name != "__init__.py"}
    assert {name for name in modules if name.startswith("simcore.")} <= layered


def test_every_kernel_file_stands_in_the_contracts():
    kernels = {module_name(path) for path in KERNELS}
    contracts = {contract["name"]: contract for contract in PROJECT["tool"]["importlinter"]["contracts"]}
    assert set(contracts["kernel files stand alone"]["source_modules"]) == kernels
    assert set(contracts["numba belongs to kernel files"]["ignore_imports"]) == {f"{k} -> numba" for k in kernels}


@pytest.mark.parametrize("path", SOURCES, ids=ids(SOURCES))
def test_a_file_stays_short_enough_to_read(path):
    assert len(path.read_text().splitlines()) <= 400


@pytest.mark.parametrize("path", SOURCES, ids=ids(SOURCES))
def test_no_function_is_longer_than_sixty_lines(path):
    functions = (node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.FunctionDef))
    assert not {node.name for node in functions if body_lines(node) > 60}


def body_lines(function):
    """Return a function's lines without its docstring."""
    first = function.body[0]
    documented = isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant)
    docstring = first.end_lineno - first.lineno + 1 if documented else 0
    return function.end_lineno - function.lineno + 1 - docstring


def committed():
    """Return the files that git knows, or none outside a repository."""
    done = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False)
    return [ROOT / name for name in done.stdout.split("\0") if name]


def test_no_unfinished_work_and_no_path_of_a_machine():
    places = re.compile(r"\b(TODO|FIXME|XXX)\b|\bNotImplementedError\b|(?<![\w.])/(home|root|Users)/\w")
    mine = Path(__file__).resolve()
    for path in committed():
        if path.suffix in {".py", ".md", ".toml", ".c", ".txt", ""} and path != mine and path.is_file():
            found = places.search(path.read_text())
            assert not found, f"{path}: {found}"


def fresh_python(code, cwd=ROOT):
    """Run code in a new interpreter and return what it prints."""
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_help_imports_nothing_heavy():
    code = """
import contextlib, io, sys
from simcore.app.cli import main
sys.argv = ["hetpmu", "--help"]
with contextlib.redirect_stdout(io.StringIO()) as shown, contextlib.suppress(SystemExit):
    main()
assert "compare" in shown.getvalue(), shown.getvalue()
print(*sys.modules)
"""
    assert not set(fresh_python(code).split()) & {"numba", "numpy", "matplotlib", "simpy", "pydantic"}


def test_importing_simcore_imports_nothing_else():
    loaded = fresh_python("import sys; before = set(sys.modules); import simcore; print(*set(sys.modules) - before)")
    assert not {name for name in loaded.split() if name.startswith(("simcore.", "pmu", "numpy"))}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """Build the wheel from a copy of the project."""
    if int(version("setuptools").partition(".")[0]) < 77:
        unavailable("setuptools 77 or newer is not installed")
    place = tmp_path_factory.mktemp("wheel")
    for package in PACKAGES:
        copytree(ROOT / package, place / "source" / package, ignore=ignore_patterns("__pycache__"))
    for name in {"pyproject.toml", "README.md", "LICENSE"} & {path.name for path in ROOT.iterdir()}:
        (place / "source" / name).write_bytes((ROOT / name).read_bytes())
    code = f"from setuptools.build_meta import build_wheel; print(build_wheel({str(place)!r}))"
    return place / fresh_python(code, cwd=place / "source").splitlines()[-1]


@pytest.mark.slow
def test_the_wheel_has_all_sources_and_data_and_no_tests(wheel):
    with ZipFile(wheel) as archive:
        names = set(archive.namelist())
    files = (path for package in PACKAGES for path in (ROOT / package).rglob("*.[chst]*"))
    wanted = [*SOURCES, *(path for path in files if is_data(path))]
    assert {str(path.relative_to(ROOT)) for path in wanted} <= names
    assert not {name for name in names if name.startswith(("tests", "docs"))}


def is_data(path):
    return path.suffix in {".toml", ".c", ".h", ".sh"}


@pytest.mark.slow
def test_what_the_wheel_installs_finds_its_data(wheel, tmp_path):
    with ZipFile(wheel) as archive:
        archive.extractall(tmp_path / "site")
    code = f"""
import sys
sys.path.insert(0, {str(tmp_path / "site")!r})
from simcore.app import cli
assert cli.__file__.startswith({str(tmp_path)!r})
sys.argv = ["hetpmu", "platforms"]
cli.main()
"""
    assert "rk3588" in fresh_python(code, cwd=tmp_path)


def test_what_needs_one_pass_only_are_test_files():
    assert {path.stem for path in Path(__file__).parent.glob("test_*.py")} >= ONCE
