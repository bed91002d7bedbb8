"""The format of the study file `hetpmu-study/1` as pydantic models; used only while loading.

What its keys of a scenario may be is checked when the scenario of each point is built (`simcore.study_build`).
"""

from typing import Annotated, Any, Literal

from pydantic import Field

from simcore.schema_platform import Table, Text
from simcore.schema_scenario import Label

StudyName = Annotated[str, Field(min_length=1, max_length=80, pattern=r"^[A-Za-z0-9][A-Za-z0-9_.+\-]*$")]
Values = Annotated[list[Any], Field(min_length=1, max_length=1_000_000)]


Count = Annotated[int, Field(ge=1, le=100_000)]
Seed = Annotated[int, Field(ge=0, lt=1 << 63)]
Enough = Annotated[int, Field(ge=2, le=100_000)]


class SeedsTable(Table):
    """The seeds of every point: `count` of them, from `base` on."""

    count: Count = 20
    base: Seed = 1


class StopTable(Table):
    """When a point has had enough seeds."""

    metric: Label
    half_width: Annotated[float, Field(gt=0)]
    min_seeds: Enough = 10


class AxisTable(Table):
    """An axis as `simcore.study.Study.as_json` gives it."""

    keys: Annotated[list[Annotated[str, Field(max_length=200)]], Field(min_length=1, max_length=64)]
    rows: Annotated[list[list[Any]], Field(min_length=1, max_length=1_000_000)]


class KeptSeeds(SeedsTable):
    """Seeds as `simcore.study.Study.as_json` gives them: none is left to its default."""

    count: Count
    base: Seed


class KeptStop(StopTable):
    """When a point has had enough seeds, as `simcore.study.Study.as_json` gives it."""

    min_seeds: Enough


class KeptStudy(Table):
    """The study of a sweep's directory, as `simcore.study.Study.as_json` gives it."""

    name: StudyName
    question: Text
    base: dict[str, Any]
    axes: Annotated[list[AxisTable], Field(min_length=1, max_length=64)]
    seeds: KeptSeeds
    stop: KeptStop | None
    kind: Literal["guest"] | None = None


class SweepFile(Table):
    """The file study.json in the directory of a sweep."""

    schema_: Annotated[str, Field(alias="schema")]
    version: Text
    digest: Text
    folder: Annotated[str, Field(max_length=4096)]
    files: dict[str, str]
    study: KeptStudy


class StudyFile(Table):
    """A study."""

    format: Literal["hetpmu-study/1"]
    name: StudyName
    question: Annotated[Text, Field(min_length=1)]
    scenario: Label | None = None
    base: dict[str, Any] | None = None
    grid: dict[str, Any] | None = None
    zip: dict[str, Any] | None = None
    points: Annotated[list[dict[str, Any]], Field(max_length=1_000_000)] | None = None
    seeds: SeedsTable = SeedsTable()
    stop: StopTable | None = None
