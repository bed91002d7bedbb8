"""Law 10: every recorded sequence replays with the recorded results, with the kernel's quirks and without."""

from pathlib import Path

import pytest

from simcore.app import vectors
from simcore.app.conforming import FileResult, run_files
from simcore.app.vector_files import load

DATA = Path(__file__).parent / "data"
SHARED = Path(__file__).parents[2] / "shared" / "vectors"
FILES = ("kvm_uapi.json.gz", "kvm_regs.json.gz", "kvm_migrate.json.gz")
VARIANTS = ("mainline", "v6", "v8")


def _failures(result: FileResult) -> list[str]:
    assert result.cases
    return [f"{row.case.id} {row.case.variant}: {row.mismatch}" for row in result.failures]


@pytest.mark.parametrize("quirks", (True, False))
@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("name", FILES)
def test_kept_sequences_replay(name: str, variant: str, quirks: bool):
    (result,) = run_files([str(DATA / "vectors" / name)], variant, quirks)
    assert _failures(result) == []


@pytest.mark.parametrize("quirks", (True, False))
@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("name", FILES)
def test_all_sequences_replay(name: str, variant: str, quirks: bool):
    path = SHARED / name
    if not path.exists():
        pytest.skip(f"the full set of recorded sequences is not here: {name}")
    (result,) = run_files([str(path)], variant, quirks)
    assert _failures(result) == []


@pytest.mark.parametrize("variant", VARIANTS)
def test_what_no_recorded_sequence_reaches_replays_as_described(variant: str):
    (result,) = run_files([str(DATA / "derived_sequences.json")], variant)
    assert _failures(result) == []


def test_a_quarter_is_kept_and_is_small():
    kept = [DATA / "vectors" / name for name in FILES]
    assert sum(len(vectors.read(load(str(path)))) for path in kept) > 463 // 4
    assert sum(path.stat().st_size for path in kept) < 150_000


def test_quirks_make_a_difference():
    recordings = [row for row in vectors.read(load(str(DATA / "vectors" / "kvm_migrate.json.gz"))) if row.patches]
    assert recordings
    for row in recordings:
        for variant in row.patches:
            assert row.expected(variant, quirks=True) != row.expected(variant, quirks=False)
