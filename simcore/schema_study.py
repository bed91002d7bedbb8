"""The format of the study file `hetpmu-study/1` as pydantic models; used only while loading.

What its keys of a scenario may be is checked when the scenario of each point is built (`simcore.study_build`).
"""

from typing import Annotated, Any, Literal

from pydantic import Field

from simcore.schema_platform import Table, Text
from simcore.schema_scenario import Label

StudyName = Annotated[str, Field(min_length=1, max_length=80, pattern=r"^[A-Za-z0-9][A-Za-z0-9_.+\-]*$")]
Values = Annotated[list[Any], Field(min_length=1, max_length=1_000_000)]


class SeedsTable(Table):
    """The seeds of every point: `count` of them, from `base` on."""

    count: Annotated[int, Field(ge=1, le=100_000)] = 20
    base: Annotated[int, Field(ge=0, lt=1 << 63)] = 1


class StopTable(Table):
    """When a point has had enough seeds."""

    metric: Label
    half_width: Annotated[float, Field(gt=0)]
    min_seeds: Annotated[int, Field(ge=2, le=100_000)] = 10


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
