"""A study's runs, into one dataset: `sweep(study, out)`."""

from pathlib import Path

from simcore.app.run_rows import run_row
from simcore.app.running import run
from simcore.app.sweep_files import SweepFiles, save_study
from simcore.loader import load_study_file
from simcore.study import Study
from simcore.study_build import scenario_of


def sweep(study: Study | str, out: str | Path, workers: int | None = None) -> None:
    """Run a study (thin version)."""
    study = study if isinstance(study, Study) else load_study_file(str(study))
    Path(out).mkdir(parents=True, exist_ok=True)
    save_study(study, Path(out))
    files = SweepFiles(Path(out), study)
    for block in range(len(files.blocks)):
        rows = [
            (point, run_row(run(scenario_of(study, point, seed))))
            for point in files.blocks.points(block)
            for seed in study.seeds
        ]
        files.write_part(block, rows)
