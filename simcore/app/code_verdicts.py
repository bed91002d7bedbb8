"""The table of verdicts of a matrix as it goes into a mail: 100 columns of plain text, or Markdown."""

from collections.abc import Mapping, Sequence
from string import ascii_uppercase
from textwrap import wrap
from typing import Any, Final

WIDTH: Final = 100
_CUT: Final = 24
"""Characters of an image's or a plan's name in the plain table."""
_LETTERS: Final = len(ascii_uppercase)
Row = Mapping[str, Any]
Answer = Mapping[str, Any]
Grid = Sequence[Sequence[str]]


def verdict_text(answer: Answer, markdown: bool = False) -> str:
    """Return the policies with their sums, a row of verdicts for each image and plan, and why what failed."""
    policies = _policies(answer)
    letters = [_letter(number) for number in range(len(policies))]
    sums = [_SUM_HEAD, *(_sums(letter, name, answer) for letter, name in zip(letters, policies, strict=True))]
    tables = [sums, *_verdicts(answer, policies, letters, len(policies) if markdown else _per_table(answer))]
    lines = [*wrap(_head(answer), WIDTH), ""]
    for table in tables:
        lines += [*(_markdown(table) if markdown else _plain(table, 2)), ""]
    lines += wrap(_LEGEND, WIDTH)
    failures = _failures(answer["rows"])
    lines += ["", *([f"* {text}" for text in failures] if markdown else _wrapped(failures))] if failures else []
    if answer["interrupted"]:
        lines.append("interrupted: the table counts the runs that were finished")
    return "\n".join(lines)


_SUM_HEAD: Final = ("", "policy", "well", "PASS", "FAIL", "SKIP", "crossings", "stalls", "reloads")
_LEGEND: Final = "ok: every run ended well; skip: so, but with nothing to test; n/m: n of m did not; -: not run yet"


def _head(answer: Answer) -> str:
    seeds, runs = answer["seeds"], answer["runs"]
    missing = runs["planned"] - runs["finished"] - runs["failed"]
    states = [f"{runs['finished']} runs"]
    states += [f"{runs['failed']} could not run"] if runs["failed"] else []
    states += [f"{missing} still missing"] if missing else []
    return f"{', '.join(states)} on {answer['platform']}, {len(seeds)} seeds from {seeds[0]} on"


def _policies(answer: Answer) -> list[str]:
    return list(dict.fromkeys(map(_policy, answer["rows"])))


def _policy(row: Row) -> str:
    return f"{row['policy']}@{row['kernel']}"


def _letter(number: int) -> str:
    more, letter = divmod(number, _LETTERS)
    return ascii_uppercase[letter] + (str(more) if more else "")


def _sums(letter: str, policy: str, answer: Answer) -> tuple[str, ...]:
    rows = [row for row in answer["rows"] if _policy(row) == policy]
    verdicts = (sum(row["verdicts"][word] for row in rows) for word in ("PASS", "FAIL", "SKIP"))
    sums = (sum(row[name] for row in rows) for name in ("crossings", "stalls", "reloads"))
    well = f"{sum(row['well'] for row in rows)}/{sum(row['runs'] for row in rows)}"
    return (letter, policy, well, *map(str, verdicts), *map(str, sums))


def _per_table(answer: Answer) -> int:
    """Return how many policies stand side by side within the width."""
    cell = len(str(len(answer["seeds"]))) * 2 + 3
    return max(1, (WIDTH - 2 * (_CUT + 2)) // cell)


def _verdicts(answer: Answer, policies: Sequence[str], letters: Sequence[str], size: int) -> list[Grid]:
    """Return the table of verdicts, cut into several with so many policies each."""
    cells = {(row["image"], row["migrate"], _policy(row)): _cell(row) for row in answer["rows"]}
    lines = list(dict.fromkeys((row["image"], row["migrate"]) for row in answer["rows"]))
    tables: list[Grid] = []
    for start in range(0, len(policies), size):
        some = slice(start, start + size)
        table: list[Sequence[str]] = [("image", "migrations", *letters[some])]
        for image, plan in lines:
            found = (cells.get((image, plan, policy), "-") for policy in policies[some])
            table.append((_cut(image.rsplit("/", 1)[-1]), _cut(plan), *found))
        tables.append(table)
    return tables


def _cell(row: Row) -> str:
    bad = row["runs"] - row["well"] + row["failed"]
    if bad:
        return f"{bad}/{row['runs'] + row['failed']}"
    if not row["runs"]:
        return "-"
    counts = row["verdicts"]
    return "skip" if counts["SKIP"] and not counts["PASS"] else "ok"


def _cut(text: str) -> str:
    return text if len(text) <= _CUT else text[: _CUT - 2] + ".."


def _plain(table: Grid, names: int) -> list[str]:
    widths = [max(len(row[column]) for row in table) for column in range(len(table[0]))]
    return ["  ".join(_justified(row, widths, names)).rstrip() for row in table]


def _justified(row: Sequence[str], widths: Sequence[int], names: int) -> list[str]:
    return [
        cell.ljust(width) if column < names else cell.rjust(width)
        for column, (cell, width) in enumerate(zip(row, widths, strict=True))
    ]


def _markdown(table: Grid) -> list[str]:
    head, *rows = table
    rule = ["---" if column < 2 else "--:" for column in range(len(head))]
    return [f"| {' | '.join(row)} |" for row in (head, rule, *rows)]


def _failures(rows: Sequence[Row]) -> list[str]:
    """Say once for each reason which images it made fail, and where it came first."""
    first: dict[str, str] = {}
    images: dict[str, list[str]] = {}
    for row in rows:
        failure, image = row["first_failure"], row["image"].rsplit("/", 1)[-1]
        if failure is not None:
            first.setdefault(failure["why"], f"{_policy(row)}, {row['migrate']}, seed {failure['seed']}")
            images.setdefault(failure["why"], []).append(image)
    return [f"{', '.join(dict.fromkeys(images[why]))}: {why} (first: {where})" for why, where in first.items()]


def _wrapped(texts: Sequence[str]) -> list[str]:
    return [line for text in texts for line in wrap(text, WIDTH, subsequent_indent="    ", break_on_hyphens=False)]
