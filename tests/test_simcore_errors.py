"""Input errors: at most three lines, and near matches; `simcore` itself imports nothing at import."""

import subprocess
import sys

import pytest

import simcore
from simcore.errors import InputError, near_matches, unknown_name


def test_at_most_three_lines():
    error = InputError("bad\nthing", "file.toml: key", "because\r\nof this", "1 to 3")
    assert str(error).splitlines() == ["file.toml: key: bad thing", "because of this", "valid: 1 to 3"]
    assert str(InputError("bad")) == "bad"


def test_near_matches():
    assert near_matches("eevfd", ["eas", "eevdf", "random"]) == "did you mean eevdf?"
    assert near_matches("xyz", ["a", "b", "c"], shown=2) == "a, b and 1 more"
    assert str(unknown_name("guest", "window", ["windows", "none"], "--guest")) == (
        "--guest: unknown guest 'window'\nvalid: did you mean windows?"
    )


def test_importing_simcore_imports_nothing_heavy():
    code = "import simcore, sys; print(sorted({'numpy', 'numba', 'pydantic', 'simcore.app'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_public_names():
    assert {"Result", "compare", "run"} <= set(dir(simcore))
    with pytest.raises(AttributeError, match="no attribute 'ran'"):
        _ = simcore.ran
