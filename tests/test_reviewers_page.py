"""docs/reviewers.md: the row of a later revision, added to a copy of the package, does what the page shows."""

import os
import shlex
import shutil
import subprocess
import sys

import pytest

from tests.examples import BLOCK, ROOT, differs

PAGE = ROOT / "docs" / "reviewers.md"
SECTION = PAGE.read_text(encoding="utf-8").partition("## The next revision")[2].partition("\n## ")[0]
BLOCKS = BLOCK.findall(SECTION)


@pytest.fixture(scope="module")
def clone(tmp_path_factory):
    """Return a directory with a copy of `pmu` to which the row was added as the page says."""
    folder = tmp_path_factory.mktemp("clone")
    shutil.copytree(ROOT / "pmu", folder / "pmu", ignore=shutil.ignore_patterns("__pycache__"))
    target = folder / "pmu" / "revisions.py"
    text = target.read_text(encoding="utf-8")
    row = next(body for language, body in BLOCKS if language == "python")
    head, end, tail = text.partition("\n\nREVISIONS: Final")
    assert end
    target.write_text(head + "\n\n\n" + row + end + tail.replace("REVIEW)", "REVIEW, V12)", 1), encoding="utf-8")
    return folder


def test_the_row_is_a_dozen_lines():
    row = next(body for language, body in BLOCKS if language == "python")
    assert len([line for line in row.splitlines() if line.strip()]) <= 12


@pytest.mark.parametrize("number", [1, 3], ids=["uapi", "compare"])
def test_a_command_with_the_row_prints_what_the_page_shows(number, clone):
    command, shown = BLOCKS[number][1].strip(), BLOCKS[number + 1][1]
    environment = os.environ | {
        "PYTHONPATH": f"{clone}{os.pathsep}{ROOT}", "NUMBA_DISABLE_JIT": "1", "NO_COLOR": "1", "COLUMNS": "120"
    }  # fmt: skip
    arguments = [sys.executable, "-m", "simcore.app.cli", *shlex.split(command)[1:]]
    done = subprocess.run(arguments, cwd=clone, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert differs(shown, done.stdout) == ""
