"""The command `uapi`."""

import click

from simcore.app.cli_options import MAX_VCPUS, NAMES, Ticker, coloured, json_option, json_target, narrator

EPILOG = """\b
Examples:
  hetpmu uapi 'set SET_PMU 8; set FIXED_COUNTERS_ONLY'
  hetpmu uapi --kernel v6,v8 --plain 'set FIXED_COUNTERS_ONLY; gic; set IRQ 23; set INIT; run cpu=4'
  hetpmu uapi --explore 2 --platform rk3588

A step: [vN] set|get|has ATTR [VALUE], [vN] init [cpu=C] [nopmu], gic, [vN] run [cpu=C],
[vN] reg get|set NAME [VALUE], [vN] guest read|write NAME [VALUE]. docs/uapi.md has the grammar."""


@click.command(epilog=EPILOG)
@click.argument("sequence", metavar="SEQUENCE|FILE", required=False)
@click.option("--platform", metavar="ID|FILE", default="rk3588", show_default=True, help="The host.")
@click.option("--vcpus", type=click.IntRange(1, MAX_VCPUS), metavar="N", help="vCPUs.  [default: as many as are named]")
@click.option(
    "--kernel",
    "kernels",
    type=NAMES,
    metavar="K,..",
    default="mainline,v6,v8,review",
    show_default=True,
    help="Revisions: mainline, v4, v6, v8, review; v1, v2, 7.3, what-if; K+doc: with SET_NR_COUNTERS as documented.",
)
@click.option(
    "--irqchip",
    type=click.Choice(["gicv3", "gicv5", "user"]),
    default="gicv3",
    show_default=True,
    help="The interrupt controller in the kernel, or none there (user).",
)
@click.option(
    "--set-nr-counters",
    type=click.Choice(["implemented", "documented"]),
    default="implemented",
    show_default=True,
    help="SET_NR_COUNTERS as the code or as KVM's documentation has it.",
)
@click.option(
    "--explore",
    "calls",
    type=click.IntRange(1),
    metavar="N",
    help="List the sequences of up to N attribute calls (after SEQUENCE) on which revisions disagree.",
)
@click.option("--plain", is_flag=True, help="ASCII, 76 columns, no colour: for a mail.")
@json_option
def uapi(
    sequence: str | None,
    platform: str,
    vcpus: int | None,
    kernels: tuple[str, ...],
    irqchip: str,
    set_nr_counters: str,
    calls: int | None,
    plain: bool,
    json_path: str | None,
) -> int:
    """Run a sequence of KVM calls under several kernel revisions and say which rule decided each result."""
    from dataclasses import replace

    from pmu.host import PMUVER_V3, Host
    from simcore.app.uapi_explore_text import exploration
    from simcore.app.uapi_exploring import explore
    from simcore.app.uapi_parsing import read_sequence
    from simcore.app.uapi_running import as_json, columns_of, run_steps, vcpus_of
    from simcore.app.uapi_text import MAIL, SCREEN, report
    from simcore.loader import load_platform

    if sequence is None and calls is None:
        raise click.UsageError("name a sequence or a file, or say --explore N")
    columns = columns_of(kernels, set_nr_counters == "documented")
    host = Host.from_platform(load_platform(platform), unknown_pmuver=PMUVER_V3)
    steps = () if sequence is None else read_sequence(sequence, host, vcpus or MAX_VCPUS)
    count = vcpus or vcpus_of(steps, at_least=1 if calls is None else 2)
    style = MAIL if plain else replace(SCREEN, colour=coloured() and json_path != "-")
    with json_target(json_path) as write:
        if calls is None:
            answer = as_json(platform, host, columns, count, irqchip, run_steps(host, columns, steps, count, irqchip))
        else:
            ticker = Ticker("explore", "pairs of revisions")
            found = explore(host, columns, calls, steps, irqchip, count, ticker)
            ticker.clear()
            answer = as_json(platform, host, columns, count, irqchip, None) | {"explore": found.as_json()}
        write(answer)
    text = report(answer, style) if calls is None else exploration(answer, style)
    narrator(json_path)(text.rstrip("\n"))
    return 0


COMMANDS = (uapi,)
