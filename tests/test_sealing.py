"""SHA256SUMS of a directory with an answer: what is there is what was written, and nothing is missing."""

import shutil
import subprocess

import pytest

from simcore.app.cli import exit_code
from simcore.app.sealing import SUMS
from tests.report_dirs import made

ANSWERING = ("compare", "replay", "watch")


@pytest.fixture(params=ANSWERING)
def copy(request, tmp_path):
    return shutil.copytree(made(request.param), tmp_path / "copy")


def refusal(directory, capsys):
    """Return why `show` and `report` refuse a directory, both for the same reason."""
    told = []
    for command in (["show", str(directory)], ["report", str(directory), "-o", str(directory.parent / "page.html")]):
        capsys.readouterr()
        assert exit_code(command) == 2
        told.append(capsys.readouterr().err)
    assert told[0] == told[1]
    assert "damaged result directory" in told[0]
    assert len(told[0].splitlines()) <= 3
    return told[0]


def test_it_is_what_sha256sum_writes(copy):
    if shutil.which("sha256sum") is None:
        pytest.skip("no sha256sum")
    subprocess.run(["sha256sum", "--check", "--strict", "--quiet", SUMS], cwd=copy, check=True)


def test_all_is_in_it_that_has_no_digest_of_its_own(copy):
    listed = {line.split("  ")[1] for line in (copy / SUMS).read_text().splitlines()}
    there = {str(path.relative_to(copy)) for path in copy.rglob("*") if path.is_file()}
    apart = {name for name in there if name.startswith("runs/") and not name.endswith("meta.json")}
    assert listed == {name for name in there - apart if not name.endswith((".png", ".svg"))} - {SUMS}


def test_every_change_and_every_loss_is_found(copy, capsys):
    for name in [line.split("  ")[1] for line in (copy / SUMS).read_text().splitlines()]:
        before = (copy / name).read_bytes()
        (copy / name).write_bytes(before.replace(b"1", b"2", 1) if b"1" in before else before + b" ")
        assert f"{name} is not what was written" in refusal(copy, capsys)
        (copy / name).unlink()
        assert f"{name} is gone" in refusal(copy, capsys)
        (copy / name).write_bytes(before)
    assert exit_code(["show", str(copy)]) == 0


def test_a_run_that_was_taken_away_is_missed(tmp_path, capsys):
    copy = shutil.copytree(made("compare"), tmp_path / "copy")
    folder = sorted((copy / "runs").iterdir())[1]
    shutil.rmtree(folder)
    assert f"runs/{folder.name}/meta.json is gone" in refusal(copy, capsys)


@pytest.mark.parametrize("line", ["nonsense", "0" * 64, "0" * 64 + "  ../secret", "0" * 64 + "  /etc/passwd"])
def test_a_file_of_a_stranger_reaches_no_other(line, copy, tmp_path, capsys):
    (tmp_path / "secret").write_text("secret")
    (copy / SUMS).write_text(line + "\n")
    assert exit_code(["show", str(copy)]) == 2
    told = capsys.readouterr().err
    assert "is no digest and file" in told or "leads out" in told


def test_a_directory_of_an_older_version_has_none(copy):
    (copy / SUMS).unlink()
    assert exit_code(["show", str(copy)]) == 0
