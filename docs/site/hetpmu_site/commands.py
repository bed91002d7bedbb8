"""The page of commands, made of click itself: each command with its usage, arguments, options and examples."""

import inspect
from collections.abc import Iterator

import click

from hetpmu_site.notebooks import fenced

LEVELS = "##", "###", "####"


def page(group: click.Group, name: str) -> str:
    """Return Markdown: a section for each command, those of groups below them."""
    context = click.Context(group, info_name=name, max_content_width=100)
    return "\n\n".join(_sections(group, context, 0)) + "\n"


def _sections(group: click.Group, context: click.Context, depth: int) -> Iterator[str]:
    for name, command in sorted(group.commands.items()):
        inner = click.Context(command, parent=context, info_name=name, max_content_width=100)
        yield f"{LEVELS[depth]} {inner.command_path}"
        yield from _section(command, inner)
        if isinstance(command, click.Group):
            yield from _sections(command, inner, depth + 1)


def _section(command: click.Command, context: click.Context) -> Iterator[str]:
    yield fenced(" ".join([context.command_path, *command.collect_usage_pieces(context)]), "text")
    yield from filter(None, _paragraphs(command.help))
    records = [record for parameter in command.get_params(context) if (record := parameter.get_help_record(context))]
    yield "\n".join(["| Option | Meaning |", "|---|---|", *(_row(*record) for record in records)])
    yield from _epilog(command.epilog)


def _paragraphs(text: str | None) -> list[str]:
    r"""Return paragraphs; one that begins with \b keeps its lines."""
    parts = inspect.cleandoc(text or "").split("\n\n")
    return [fenced(part.removeprefix("\b\n"), "text") if part.startswith("\b") else escaped(part) for part in parts]


def _epilog(text: str | None) -> Iterator[str]:
    """Yield the examples as a block, and the paragraphs around them."""
    for part in inspect.cleandoc(text or "").split("\n\n"):
        lines = part.removeprefix("\b\n").splitlines()
        if lines and lines[0].startswith("Example"):
            yield "Examples:"
            yield fenced(inspect.cleandoc("\n".join(["", *lines[1:]])), "text")
        elif lines:
            yield escaped("\n".join(lines))


def _row(option: str, meaning: str) -> str:
    return f"| `{option.replace('|', chr(92) + '|')}` | {escaped(meaning).replace('|', chr(92) + '|')} |"


def escaped(text: str) -> str:
    """Return plain text for Markdown: what would be markup is not."""
    return "".join(f"\\{sign}" if sign in "*_<[" else sign for sign in text)


def every_option(group: click.Group, above: str = "") -> Iterator[tuple[str, click.Parameter]]:
    """Yield (name of the command, after those of its groups; parameter) for all commands of a group."""
    for name, command in group.commands.items():
        yield from ((above + name, parameter) for parameter in command.params)
        if isinstance(command, click.Group):
            yield from every_option(command, f"{above}{name} ")
