"""The text of `hetpmu uapi --explore`: groups of disagreements, each with command lines that show it.

The answer is that of `simcore.app.uapi_running.as_json` with its field ``explore``.
"""

from collections.abc import Iterator, Sequence
from shlex import quote
from textwrap import wrap
from typing import Any, Final

from simcore.app.uapi_running import DOCUMENTED, KERNELS
from simcore.app.uapi_text import Answer, Style, head, result_text, rule_text

_SHOWN: Final = 4
"""Sequences shown of a group; the JSON has all."""


def exploration(answer: Answer, style: Style) -> str:
    """Return the disagreements: those of the revisions, then those of code and documentation."""
    found = answer["explore"]
    groups = found["groups"]
    parts = [[*head(answer, style), *_counts(answer, style)]]
    for title, documents in (("Revisions disagree", False), ("Code and documentation disagree", True)):
        chosen = [group for group in groups if _is_about_documents(group) == documents]
        if chosen:
            parts.append([style.strong(title)])
            parts += [list(_group(answer, group, style)) for group in chosen]
    return "\n\n".join("\n".join(part) for part in parts) + "\n"


def _counts(answer: Answer, style: Style) -> list[str]:
    found = answer["explore"]
    calls = f"{found['calls']} attribute call{'s' if found['calls'] > 1 else ''}"
    after = f" after '{found['prefix']}'" if found["prefix"] else ""
    counts = (
        f"{found['compared']} compared, {found['replayed']} run, "
        f"{found['differing']} differ, {found['minimal']} of them minimal"
    )
    lines = wrap(f"Sequences of up to {calls}{after}: {counts}", style.width, subsequent_indent="    ")
    if found["prefix_differs"]:
        lines += wrap("The revisions disagree before that already: run it without --explore", style.width)
    if not found["groups"]:
        lines += ["", "Nothing differs."]
    return lines


def _is_about_documents(group: Answer) -> bool:
    """Tell whether the revisions agree, each with the others."""
    results = {_side(group, name) for name in group["results"] if not name.endswith(DOCUMENTED)}
    return len(results) == 1


def _side(group: Answer, name: str) -> tuple[Any, str]:
    return str(group["results"][name]), group["rules"][name]["function"]


def _group(answer: Answer, group: Answer, style: Style) -> Iterator[str]:
    yield style.different(f"* {group['step']}")
    sides: dict[tuple[Any, str], list[str]] = {}
    for name in group["results"]:
        sides.setdefault(_side(group, name), []).append(name)
    for names in sides.values():
        result = result_text(group["results"][names[0]], group["step"])
        text = f"{_who(names)}: {result}  {rule_text(group['rules'][names[0]])}"
        indents = {"initial_indent": " " * 4, "subsequent_indent": " " * 8}
        yield from wrap(text, style.width, break_on_hyphens=False, **indents)  # type: ignore[arg-type]
    for sequence in group["shortest"][:_SHOWN]:
        yield from _command(answer, group, sequence, style)
    if more := len(group["sequences"]) - len(group["shortest"][:_SHOWN]):
        yield f"    and {more} like {'it' if len(group['shortest']) == 1 else 'them'}, with other values or CPUs"


def _who(names: Sequence[str]) -> str:
    """Return the revisions of one side; those as documented together."""
    code = [name for name in names if not name.endswith(DOCUMENTED)]
    documents = [name.removesuffix(DOCUMENTED) for name in names if name.endswith(DOCUMENTED)]
    return "; ".join(filter(None, [", ".join(code), f"{', '.join(documents)} as documented" if documents else ""]))


def _command(answer: Answer, group: Answer, sequence: str, style: Style) -> Iterator[str]:
    """Yield a command line that shows the disagreement; it can be pasted, as a line's end ends a step too."""
    words = ["    hetpmu uapi", f"--platform {quote(answer['platform'])}"]
    kernels = _kernels(group)
    if not set(kernels) <= set(KERNELS):
        words.append(f"--kernel {','.join(kernels)}")
    if answer["irqchip"] != "gicv3":
        words.append(f"--irqchip {answer['irqchip']}")
    first, *rest = f"'{sequence}'".split("; ")
    yield from _broken(words, [f"{step};" for step in (first, *rest[:-1])] + rest[-1:] if rest else [first], style)


def _broken(options: Sequence[str], steps: Sequence[str], style: Style) -> Iterator[str]:
    """Yield the words in lines, which end in a backslash until the sequence begins."""
    line, *more = options
    for number, word in enumerate((*more, *steps)):
        if len(line) + len(word) + 3 > style.width:
            yield line + (" \\" if number <= len(more) else "")
            line = " " * 7
        line += f" {word}"
    yield line


def _kernels(group: Answer) -> list[str]:
    """Return the columns that show a disagreement: all, or one revision and its documentation."""
    names = list(group["results"])
    if not _is_about_documents(group):
        return names
    kernel = names[0].removesuffix(DOCUMENTED)
    return [kernel, kernel + DOCUMENTED] if kernel + DOCUMENTED in names else names
