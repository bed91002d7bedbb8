"""The text of `hetpmu uapi`: the table of results, the rules that decided, the VM's state; ASCII for a mail.

The answer is that of `simcore.app.uapi_running.as_json`.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from textwrap import wrap
from typing import Any, Final

from simcore.app.columns import BOLD, PLAIN
from simcore.platform import cpu_list

Answer = dict[str, Any]
YELLOW: Final = "\x1b[33m"
MARK: Final = "*"
_GAP: Final = "  "


@dataclass(frozen=True, slots=True)
class Style:
    """How text is laid out: columns of a line, the longest result in a cell, shortest column of steps, colour."""

    width: int
    cell: int
    step: int
    colour: bool = False

    def strong(self, text: str) -> str:
        """Show a heading."""
        return f"{BOLD}{text}{PLAIN}" if self.colour else text

    def different(self, text: str) -> str:
        """Show a line about which the revisions disagree."""
        return f"{BOLD}{YELLOW}{text}{PLAIN}" if self.colour else text


SCREEN: Final = Style(width=118, cell=18, step=30)
MAIL: Final = Style(width=76, cell=11, step=20)


def report(answer: Answer, style: Style) -> str:
    """Return the table, the rules and the states of one sequence."""
    parts = [head(answer, style), _tables(answer, style), _rules(answer, style), _states(answer, style)]
    return "\n\n".join("\n".join(part) for part in parts) + "\n"


def head(answer: Answer, style: Style) -> list[str]:
    """Return what the VM and its host are."""
    pmus = [
        f"{row['name']} (type {row['type_id']}, CPU {cpu_list(row['cpus'])}, N {row['nr_counters']})"
        for row in answer["host_pmus"]
    ]
    vcpus = f"{answer['vcpus']} vCPU{'s' if answer['vcpus'] > 1 else ''}"
    irqchip = "irqchip in user space" if answer["irqchip"] == "user" else answer["irqchip"]
    lines = [
        f"{answer['platform']}: {', '.join(pmus) or 'no host PMU that KVM can use'}",
        f"PMUVer {answer['pmuver']}, {vcpus}, {irqchip}",
    ]
    if any(column["set_nr_counters"] == "documented" for column in answer["columns"]):
        lines.append("+doc: SET_NR_COUNTERS as KVM's documentation has it")
    return [ascii_only(part) for line in lines for part in wrap(line, style.width, subsequent_indent="    ")]


def ascii_only(text: str) -> str:
    """Return the text with anything but ASCII replaced."""
    return text.encode("ascii", "replace").decode("ascii")


# The table


def _tables(answer: Answer, style: Style) -> list[str]:
    """Return the table of results, in parts where the revisions do not fit beside each other."""
    names = [column["name"] for column in answer["columns"]]
    cells = {name: [_cell(step, name, style) for step in answer["steps"]] for name in names}
    widths = {name: max(len(name), *map(len, cells[name])) for name in names}
    labels = [step["text"] for step in answer["steps"]]
    lines: list[str] = []
    for part in _parts(names, widths, style):
        used = sum(widths[name] + len(_GAP) for name in part)
        room = min(max(map(len, labels)), max(style.step, style.width - used - 5))
        lines += [""] if lines else []
        lines.append(style.strong(_line("", "step", room, [(name, widths[name]) for name in part])))
        for index, step in enumerate(answer["steps"]):
            row = [(cells[name][index], widths[name]) for name in part]
            lines += _step_lines(step, room, row, style)
    return lines


def _parts(names: Sequence[str], widths: dict[str, int], style: Style) -> Iterator[list[str]]:
    """Yield the columns that fit beside each other."""
    part: list[str] = []
    left = room = style.width - style.step - 5
    for name in names:
        left -= widths[name] + len(_GAP)
        if part and left < 0:
            yield part
            part, left = [], room - widths[name] - len(_GAP)
        part.append(name)
    yield part


def _step_lines(step: Answer, room: int, row: Sequence[tuple[str, int]], style: Style) -> Iterator[str]:
    mark = MARK if step["differs"] else ""
    first, *rest = wrap(step["text"], room, break_on_hyphens=False)
    shown = style.different if step["differs"] else str
    yield shown(_line(mark + str(step["step"]), first, room, row))
    yield from (shown(f"{'':5}{text}") for text in rest)


def _line(number: str, text: str, room: int, cells: Sequence[tuple[str, int]]) -> str:
    results = "".join(_GAP + cell.rjust(width) for cell, width in cells)
    return f"{number:>4} {text.ljust(room)}{results}".rstrip()


def _cell(step: Answer, name: str, style: Style) -> str:
    """Return a result, or the letter of its rule below the table where it is too long for a cell."""
    text = result_text(step["results"][name], step["text"])
    if len(text) <= style.cell:
        return text
    groups = list(_groups(step))
    return f"[{_letter(next(index for index, group in enumerate(groups) if name in group[0]))}]"


def _letter(index: int) -> str:
    return "abcdefghijklmnopqrstuvwxyz"[index % 26]


def result_text(result: Any, step: str) -> str:
    """Return a result as it is shown; PMCR_EL0 with its field N."""
    text = ", ".join(map(str, result)) if isinstance(result, list) else str(result)
    reads = " get PMCR_EL0" in step or " read PMCR_EL0" in step
    return f"{text} N={int(text, 16) >> 11 & 0x1F}" if reads and text.startswith("0x") else text


# The rules


def _groups(step: Answer) -> Iterator[tuple[list[str], Any, Answer]]:
    """Yield (columns, result, rule) of each distinct outcome of a step."""
    found: list[tuple[list[str], Any, Answer]] = []
    for name, result in step["results"].items():
        rule = step["rules"][name]
        same = next((group for group in found if group[1:] == (result, rule)), None)
        if same is None:
            found.append(([name], result, rule))
        else:
            same[0].append(name)
    yield from found


def rule_text(rule: Answer) -> str:
    """Return a rule with its function's name."""
    return f"{rule['function']}: {rule['text']}" if rule["function"] else rule["text"]


def _rules(answer: Answer, style: Style) -> list[str]:
    files = sorted({rule["file"] for step in answer["steps"] for rule in step["rules"].values() if rule["file"]})
    title = f"What decided (functions of {', '.join(files)})" if files else "What decided"
    lines = [style.strong(line) for line in wrap(title, style.width, break_on_hyphens=False)]
    for step in answer["steps"]:
        mark = MARK if step["differs"] else ""
        for index, (names, result, rule) in enumerate(_groups(step)):
            number = mark + str(step["step"]) if index == 0 else ""
            text = result_text(result, step["text"])
            letter = "" if len(text) <= style.cell else f"[{_letter(index)}] "
            who = "" if len(names) == len(answer["columns"]) else f"{', '.join(names)}: "
            note = f"{number:>4} {letter}{who}{text}  {rule_text(rule)}"
            parts = wrap(note, style.width, subsequent_indent=" " * 9, break_on_hyphens=False, drop_whitespace=True)
            lines += [style.different(part) if step["differs"] else part for part in parts]
    return lines


# The states


def _states(answer: Answer, style: Style) -> list[str]:
    lines = [style.strong("State of the VM after the last step")]
    groups = _equal(answer["state"].items())
    for names, state in groups:
        who = "all" if len(groups) == 1 else ", ".join(names)
        text = f"{MARK if len(groups) > 1 else '':>4} {who}: {_state_text(state)}"
        parts = wrap(text, style.width, subsequent_indent=" " * 9, break_on_hyphens=False)
        lines += [style.different(part) if len(groups) > 1 else part for part in parts]
    return lines


def _equal(states: Iterable[tuple[str, Answer]]) -> list[tuple[list[str], Answer]]:
    found: list[tuple[list[str], Answer]] = []
    for name, state in states:
        same = next((names for names, other in found if _seen(other) == _seen(state)), None)
        if same is None:
            found.append(([name], state))
        else:
            same.append(name)
    return found


def _seen(state: Answer) -> Answer:
    """Return the state with a mode that does not exist taken as off."""
    return state | {"fixed_counters_only": bool(state["fixed_counters_only"])}


def _state_text(state: Answer) -> str:
    parts = [
        f"N {state['nr_counters']}",
        f"backed by {state['backing_pmu'] or 'no host PMU'}",
        f"supported_cpus {cpu_list(state['supported_cpus'])}",
        "fixed counters only" if state["fixed_counters_only"] else "not fixed",
        _filter_text(state["filter"]),
        "has run" if state["ran"] else "has not run",
    ]
    return ", ".join(parts)


def _filter_text(state: Answer | None) -> str:
    if state is None:
        return "no filter"
    word = {"allow": "allows", "deny": "denies"}[state["action"]]
    if not state["ranges"]:
        return f"filter {word} nothing"
    ranges = [f"{first:#x}" + (f"-{first + count - 1:#x}" if count > 1 else "") for first, count in state["ranges"]]
    return f"filter {word} {' '.join(ranges[:4])}{' ...' if len(ranges) > 4 else ''}" + (
        " only" if state["action"] == "allow" else ""
    )
