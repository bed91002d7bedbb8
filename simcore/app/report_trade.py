"""Energy against throughput in a report: a point a policy, and the figures behind it."""

import math
from collections.abc import Callable, Sequence

from simcore.app.columns import NONE, Row, count, joules
from simcore.app.report_blocks import Picture, Pictures, Point, Table
from simcore.app.report_scales import decades, ticks
from simcore.app.report_tables import plain_table

WIDTH, HEIGHT = 460.0, 280.0
PLOT = (52.0, 16.0, 392.0, 214.0)
MOST_POINTS = 60
WIDE = 5
"""From this ratio of the largest to the least on the energy is drawn by decades."""
LABEL_WIDTH, LABEL_HEIGHT, LABEL_AWAY = 15.0, 12.0, 9.0
Named = Callable[[Row], str]
Speed = Callable[[Row], float | None]
Form = Callable[[float], str]


def trade_table(rows: Sequence[Row], named: tuple[str, Named], heading: str, speed: Speed, form: Form) -> Table | None:
    """Return throughput, instructions, energy and energy for an instruction by row, numbered as in the picture.

    `named` names a row, with the heading of these names. `heading` may be `instructions` itself.
    """
    names, name = named
    columns: dict[str, Callable[[Row], str]] = {
        heading: lambda row: _shown(speed(row), form),
        "instructions": lambda row: count(row["instructions"]),
        "energy": _energy,
        "nJ an instruction": lambda row: _shown(_nanojoules(row), "{:.2f}".format),
    }
    cells = [(number, name(row), *(text(row) for text in columns.values())) for number, row in _numbered(rows)]
    return plain_table("Energy and throughput", ("point", names, *columns), 2, cells)


def trade_picture(rows: Sequence[Row], named: Named, title: str, speed: Speed, scale: float) -> Pictures | None:
    """Draw the energy for an instruction, by decades, against throughput; None where fewer than two rows have both."""
    known = [
        (number, row, x / scale, y)
        for number, row in _numbered(rows)
        if (x := speed(row)) and (y := _nanojoules(row)) is not None
    ][:MOST_POINTS]
    if len(known) < 2:
        return None
    x_ticks = ticks(max(x for _, _, x, _ in known))
    low, high = min(y for *_, y in known), max(y for *_, y in known)
    y_ticks = decades(low, high) if high > WIDE * low else ticks(high)
    places = [(_along(x, x_ticks), _up(y, y_ticks)) for _, _, x, y in known]
    points = tuple(
        Point(*place, _look(row), f"{named(row)}: {title} {x:.3f}, {y:.2f} nJ an instruction", str(number), *label)
        for (number, row, x, y), place, label in zip(known, places, _labels(places), strict=True)
    )
    x_axis = tuple((_along(tick, x_ticks), f"{tick:g}") for tick in x_ticks)
    y_axis = tuple((_up(tick, y_ticks), f"{tick:g}") for tick in y_ticks)
    y_title = "nJ an instruction, logarithmic" if y_ticks[0] else "nJ an instruction"
    picture = Picture("", WIDTH, HEIGHT, PLOT, (), points, x_axis, y_axis, title, y_title)
    died = any(row["crashes"] for _, row, _, _ in known)
    legend = (("point", "a row of the table below, by its number"), ("point-died", "some of its guests died"))
    caption = "Energy for an instruction against throughput: the lower right is best"
    return Pictures(caption, (picture,), legend if died else legend[:1])


def _numbered(rows: Sequence[Row]) -> list[tuple[int, Row]]:
    """Number rows from 1 on, points of a study by their own numbers."""
    return [(row.get("point", place), row) for place, row in enumerate(rows, 1)]


def _along(x: float, x_ticks: Sequence[float]) -> float:
    left, _, width, _ = PLOT
    return left + width * x / x_ticks[-1]


def _up(y: float, y_ticks: Sequence[float]) -> float:
    _, top, _, height = PLOT
    if not y_ticks[0]:
        return top + height * (1 - y / y_ticks[-1])
    low, high = math.log(y_ticks[0]), math.log(y_ticks[-1])
    return top + height * (1 - (math.log(y) - low) / (high - low))


def _labels(places: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """Put a label above each point, higher where another label or point is in its way."""
    taken = list(places)
    found = []
    for x, y in places:
        above = y - LABEL_AWAY
        while any(abs(x - a) < LABEL_WIDTH and abs(above - 4 - b) < LABEL_HEIGHT for a, b in taken if (a, b) != (x, y)):
            above -= LABEL_HEIGHT / 2
        found.append((x, above))
        taken.append((x, above - 4))
    return found


def _look(row: Row) -> str:
    return "point-died" if row["crashes"] else "point"


def _nanojoules(row: Row) -> float | None:
    """Return the energy of the host for an instruction of the guest."""
    return 1e9 * row["energy_j"] / row["instructions"] if row["energy_j"] and row["instructions"] else None


def _shown(value: float | None, form: Form) -> str:
    return NONE if value is None else form(value)


def _energy(row: Row) -> str:
    return NONE if row["energy_j"] is None else f"{joules(row['energy_j'])}J"
