"""Law 10: every recorded sequence replays with the recorded results, with the kernel's quirks and without."""

import copy
from pathlib import Path
from typing import Any

import pytest

from simcore.errors import InputError
from tests import replay_vectors

HERE = Path(__file__).parent / "data" / "vectors"
SHARED = Path(__file__).parents[2] / "shared" / "vectors"
FILES = ("kvm_uapi.json.gz", "kvm_regs.json.gz", "kvm_migrate.json.gz")
VARIANTS = ("mainline", "v6", "v8")


def _failures(path: Path, variant: str, quirks: bool) -> list[str]:
    content = replay_vectors.load(path)
    assert content["sequences"]
    found = ((row["id"], replay_vectors.mismatch(row, variant, quirks)) for row in content["sequences"])
    return [f"{name}: {difference}" for name, difference in found if difference is not None]


@pytest.mark.parametrize("quirks", (True, False))
@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("name", FILES)
def test_kept_sequences_replay(name: str, variant: str, quirks: bool):
    assert _failures(HERE / name, variant, quirks) == []


@pytest.mark.parametrize("quirks", (True, False))
@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("name", FILES)
def test_all_sequences_replay(name: str, variant: str, quirks: bool):
    path = SHARED / name
    if not path.exists():
        pytest.skip(f"the full set of recorded sequences is not here: {name}")
    assert _failures(path, variant, quirks) == []


def test_quirks_make_a_difference():
    content = replay_vectors.load(HERE / "kvm_migrate.json.gz")
    quirky = [row for row in content["sequences"] if "period_quirk" in row]
    assert quirky
    for row in quirky:
        variant = next(iter(row["period_quirk"]))
        assert replay_vectors.expected_results(row, variant, True) != replay_vectors.expected_results(
            row, variant, False
        )


def _tiny() -> dict[str, Any]:
    plat = {"ncpus": 1, "host_pmuver": 4, "el0_32": 1, "impdef": 0, "pmus": []}
    vm = {"gic": 1, "nr_spis": 64, "el2": 0, "el3": 0}
    sequence = {"id": "s0", "plat": plat, "vm": vm, "ops": [["create_vcpu"]], "res": {"mainline": [0], "v6": "="}}
    return {"header": {"schema": replay_vectors.SCHEMA}, "sequences": [sequence]}


def test_a_sound_file_passes_the_check():
    replay_vectors.check(_tiny(), "f")


@pytest.mark.parametrize(
    "field, value, named",
    (
        ("ops", [["create_cpu"]], "create_cpu"),
        ("ops", [["get_reg", 0, "PMCRR_EL0"]], "PMCRR_EL0"),
        ("ops", [["run", 0]], "1 arguments"),
        ("res", {"mainline": [0], "v7": "="}, "v7"),
        ("res", {"mainline": "="}, "mainline"),
        ("res", {"mainline": [0, 0]}, "mainline"),
        ("res", {"mainline": ["perhaps"]}, "perhaps"),
        ("res", {"mainline": [None]}, "None"),
        ("extra", 1, "extra"),
    ),
)
def test_an_unknown_word_is_an_error_that_names_it(field: str, value: Any, named: str):
    content = copy.deepcopy(_tiny())
    content["sequences"][0][field] = value
    with pytest.raises(InputError, match=named):
        replay_vectors.check(content, "f")


def test_an_unknown_schema_is_an_error():
    with pytest.raises(InputError, match="hetpmu-vectors/2"):
        replay_vectors.check({"header": {"schema": "hetpmu-vectors/2"}, "sequences": []}, "f")


def test_a_file_that_is_not_gzip_is_an_error(tmp_path: Path):
    path = tmp_path / "x.json.gz"
    path.write_text("{}")
    with pytest.raises(InputError, match="not a gzip file"):
        replay_vectors.load(path)
