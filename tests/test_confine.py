"""What an input file names lies beside it or below; what the user names himself may lie anywhere."""

from pathlib import Path

import pytest

from simcore.app.cli import exit_code
from simcore.confine import within
from simcore.errors import InputError
from simcore.loader import load_scenario

BOARD = (Path(__file__).resolve().parents[1] / "docs" / "examples" / "board.toml").read_text()
NAMED = {
    "platform": 'platform = "{}"',
    "rtapp.file": '[rtapp]\nfile = "{}"',
    "vms.1.guest.workload": '[[vms]]\n[[vms]]\nguest = {{ workload = "{}" }}',
    "vms.0.guest.name": '[[vms]]\nguest = {{ name = "rt-app:{}" }}',
}


@pytest.fixture
def folder(tmp_path):
    """Return a folder for a scenario with a board beside it, one below, one outside, and links to them."""
    folder = tmp_path / "mine"
    for place in (folder, folder / "boards", tmp_path / "theirs"):
        place.mkdir()
        (place / "board.toml").write_text(BOARD)
    (folder / "link.toml").symlink_to("boards/board.toml")
    (folder / "out.toml").symlink_to(tmp_path / "theirs" / "board.toml")
    (folder / "outside").symlink_to(tmp_path / "theirs")
    (folder / "loop.toml").symlink_to("loop.toml")
    return folder


def scenario(folder, text):
    path = folder / "scenario.toml"
    path.write_text(f'format = "hetpmu-scenario/1"\nseconds = "1ms"\n{text}\n')
    return str(path)


@pytest.mark.parametrize("name", ["board.toml", "boards/board.toml", "boards/../board.toml", "./link.toml"])
def test_a_file_beside_or_below_is_read(folder, name):
    assert load_scenario(scenario(folder, f'platform = "{name}"')).platform == str(folder / name)


@pytest.mark.parametrize("name", ["../theirs/board.toml", "/etc/passwd", "out.toml", "outside/board.toml"])
@pytest.mark.parametrize("key", NAMED)
def test_a_file_elsewhere_is_refused(folder, key, name):
    with pytest.raises(InputError, match="leads out of the directory") as caught:
        load_scenario(scenario(folder, NAMED[key].format(name)))
    assert f"scenario.toml: {key}" in str(caught.value)
    assert len(str(caught.value).splitlines()) == 3


def test_a_loop_of_links_and_a_nul_are_refused_or_unreadable(folder):
    for name in ("loop.toml", "a/\\u0000b"):
        with pytest.raises(InputError):
            load_scenario(scenario(folder, f'platform = "{name}"'))
    with pytest.raises(InputError, match="leads out"):
        within(folder, "a\0b", "here")


def test_tables_of_a_wrong_type_are_found_by_the_schema(folder):
    for text in ("vms = 3", "rtapp = 5", "platform = 7", "vms = [1]", "[[vms]]\nguest = 4"):
        with pytest.raises(InputError):
            load_scenario(scenario(folder, text))


def test_the_user_may_name_any_file_himself(folder, tmp_path, capsys):
    outside = tmp_path / "theirs" / "board.toml"
    path = scenario(folder, "")
    assert exit_code(["run", path, "--set", f"platform={outside}"]) == 0
    assert exit_code(["compare", path, "--platform", str(outside), "--seeds", "1", "--policies", "none"]) == 0
    assert exit_code(["run", scenario(folder, f'platform = "{outside}"')]) == 2
    assert "leads out of the directory" in capsys.readouterr().err
