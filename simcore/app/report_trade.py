"""Energy against throughput in a report: a point a policy, and the figures behind it."""

import math
from collections.abc import Callable, Sequence

from simcore.app.columns import NONE, Row, count, joules
from simcore.app.report_blocks import Picture, Pictures, Shape, Table
from simcore.app.report_tables import plain_table

WIDTH, HEIGHT = 420.0, 260.0
PLOT = (52.0, 12.0, 352.0, 198.0)
NICE = (1, 2, 2.5, 5, 10)
MOST_POINTS = 60
Named = Callable[[Row], str]
Speed = Callable[[Row], float | None]


def trade_table(
    rows: Sequence[Row], named: Named, heading: str, speed: Speed, form: Callable[[float], str]
) -> Table | None:
    """Return throughput, instructions, energy and energy for an instruction by row, numbered as in the picture."""
    cells = [
        (
            number,
            named(row),
            _shown(speed(row), form),
            count(row["instructions"]),
            _energy(row),
            _shown(_nanojoules(row), "{:.2f}".format),
        )
        for number, row in enumerate(rows, 1)
    ]
    heads = ("point", "policy@kernel", heading, "instructions", "energy", "nJ an instruction")
    return plain_table("Energy and throughput", heads, 2, cells)


def trade_picture(rows: Sequence[Row], named: Named, title: str, speed: Speed, scale: float) -> Pictures | None:
    """Draw the energy for an instruction against throughput; None where fewer than two rows have both."""
    known = [
        (number, row, x / scale, y)
        for number, row in enumerate(rows, 1)
        if (x := speed(row)) and (y := _nanojoules(row)) is not None
    ][:MOST_POINTS]
    if len(known) < 2:
        return None
    x_step, y_step = (_step(max(point[axis] for point in known)) for axis in (2, 3))
    x_ticks, y_ticks = (_ticks(max(point[axis] for point in known), step) for axis, step in ((2, x_step), (3, y_step)))
    left, top, width, height = PLOT
    shapes = tuple(
        Shape(
            left + width * x / x_ticks[-1], top + height * (1 - y / y_ticks[-1]), 0, 0,
            "point-died" if row.get("crashes") else "point", f"{named(row)}: {title} {x:.3f}, {y:.2f} nJ an instruction", str(number),
        )
        for number, row, x, y in known
    )  # fmt: skip
    picture = Picture(
        "", WIDTH, HEIGHT, PLOT, shapes,
        tuple((left + width * tick / x_ticks[-1], f"{tick:g}") for tick in x_ticks),
        tuple((top + height * (1 - tick / y_ticks[-1]), f"{tick:g}") for tick in y_ticks),
        title, "nJ an instruction",
    )  # fmt: skip
    legend = (("point", "a row of the table below, by its number"), ("point-died", "some of its guests died"))
    died = any(row.get("crashes") for _, row, _, _ in known)
    caption = "Energy for an instruction against throughput: the lower right is best"
    return Pictures(caption, (picture,), legend if died else legend[:1])


def _nanojoules(row: Row) -> float | None:
    """Return the energy of the host for an instruction of the guest."""
    return 1e9 * row["energy_j"] / row["instructions"] if row["energy_j"] is not None and row["instructions"] else None


def _shown(value: float | None, form: Callable[[float], str]) -> str:
    return NONE if value is None else form(value)


def _energy(row: Row) -> str:
    return NONE if row["energy_j"] is None else f"{joules(row['energy_j'])}J"


def _step(most: float) -> float:
    """Return a round distance of about five ticks up to a value."""
    rough = most / 5 or 1.0
    scale = 10.0 ** math.floor(math.log10(rough))
    return next(nice * scale for nice in NICE if nice * scale >= rough * 0.999)


def _ticks(most: float, step: float) -> list[float]:
    return [number * step for number in range(0, math.ceil(most / step * 1.02) + 1)]
