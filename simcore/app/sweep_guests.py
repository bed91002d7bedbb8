"""The runs of a study of real code: images x policies and kernels x plans of migrations, as `guest matrix` asks."""

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from simcore.app.code_images import own_guests, read_image
from simcore.app.code_loader import parse_image
from simcore.app.code_plan import SCHEDULE
from simcore.app.code_rows import guest_row
from simcore.app.code_running import Question, answer, code_run
from simcore.app.code_unicorn import need_engine
from simcore.app.storing import META
from simcore.app.sweep_subject import RunRow
from simcore.errors import InputError
from simcore.study import GUESTS, Axis, Study

IMAGE, POLICY, KERNEL, MIGRATE = KEYS = ("image", "policy", "kernel", "migrate")
_NAME: Final = "guest-matrix"
_ASKS: Final = "Which images end well under which policies?"


def study_of_images(
    question: Question,
    images: tuple[str, ...],
    policies: tuple[tuple[str, str], ...],
    plans: tuple[str, ...],
    seeds: range,
) -> Study:
    """Return the study of all images under all (policy, kernel) and plans; the rest of ``question`` is common."""
    own = dataclasses.asdict(question)
    base = {name: list(value) if isinstance(value, tuple) else value for name, value in own.items()}
    for name in (*KEYS, "seed"):
        del base[name]
    axes = (
        Axis((IMAGE,), tuple((image,) for image in images)),
        Axis((POLICY, KERNEL), policies),
        Axis((MIGRATE,), tuple((plan,) for plan in plans)),
    )
    return Study(_NAME, _ASKS, base, axes, len(seeds), seeds.start, kind=GUESTS)


@dataclass
class Guests:
    """Runs of images; it keeps nothing."""

    study: Study

    def question(self, point: int, seed: int) -> Question:
        """Return what a run answers."""
        asked: dict[str, Any] = {**self.study.base, **self.study.values(point), "seed": seed}
        tuples: dict[str, Any] = {name: tuple(value) for name, value in asked.items() if isinstance(value, list)}
        return Question(**asked | tuples)

    def check(self) -> list[str]:
        """Check every image, policy and plan; return the user's files."""
        need_engine()
        questions = [self.question(point, self.study.first_seed) for point in range(self.study.points)]
        for question in {dataclasses.replace(question, image=""): None for question in questions}:
            code_run(question)
        for image in {question.image: None for question in questions}:
            parse_image(read_image(image), image, questions[0].ram_mib << 20)
        return list(dict.fromkeys(name for question in questions for name in _files(question)))

    def account(self, point: int, seed: int) -> Any:
        """Return the question of a run."""
        return dataclasses.asdict(self.question(point, seed))

    def load(self) -> None:
        """Find the engine's counters once."""
        need_engine()

    def row(self, point: int, seed: int, stopped: Callable[[], bool], keep: Path | None) -> RunRow:
        """Run an image; there is nothing to keep but the row."""
        question = self.question(point, seed)
        if keep is not None:
            raise InputError("a run of real code has no tables to keep", str(keep))
        return guest_row(answer(question, stopped), read_image(question.image))


def _files(question: Question) -> list[str]:
    """Return the files of the user that decide a run: image, platform, and a recorded schedule by its digest."""
    schedule = question.migrate.removeprefix(SCHEDULE)
    return [
        *([question.image] if question.image not in own_guests() else []),
        *([question.platform] if "/" in question.platform or question.platform.endswith(".toml") else []),
        *([str(Path(schedule) / META)] if schedule != question.migrate else []),
    ]
