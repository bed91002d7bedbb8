"""The command `migrate`."""

import click

from simcore.app.cli_options import json_option, json_target, narrator

EPILOG = """\b
Examples:
  hetpmu migrate --from rk3588 --to apple-m1 --policy default
  hetpmu migrate --from rk3588 --to rk3399 --policy fixed-counters-only@v6 --to-policy default@mainline
  hetpmu migrate --from rk3588 --to rk3588 --to-counters 2 --order descending --json -

A changed register is a finding, not an error: the exit code is 0. docs/policies.md explains the findings."""


@click.command(epilog=EPILOG)
@click.option("--from", "source", metavar="ID|FILE", required=True, help="The host that the VM leaves.")
@click.option("--to", "destination", metavar="ID|FILE", required=True, help="The host that it goes to.")
@click.option("--policy", metavar="P", default="default", show_default=True, help="PMU policy, P or P@KERNEL.")
@click.option("--to-policy", metavar="P", help="Policy on the destination.  [default: that of the source]")
@click.option("--kernel", metavar="K", help="Kernel revision.  [default: as in compare]")
@click.option("--to-kernel", metavar="K", help="Revision on the destination.  [default: that of --kernel, or as there]")
@click.option(
    "--from-cpu",
    type=click.IntRange(0),
    metavar="C",
    help="CPU of the source's VCPU_INIT.  [default: the first allowed]",
)
@click.option(
    "--to-cpu", type=click.IntRange(0), metavar="C", help="CPU of the destination's.  [default: the first allowed]"
)
@click.option("--from-counters", type=click.IntRange(0), metavar="N", help="Also call SET_NR_COUNTERS on the source.")
@click.option("--to-counters", type=click.IntRange(0), metavar="N", help="Also call it on the destination.")
@click.option(
    "--order",
    type=click.Choice(["ascending", "descending", "random"]),
    default="ascending",
    show_default=True,
    help="Order of the registers, by id (QEMU's is ascending).",
)
@click.option("--seed", type=click.IntRange(0), default=1, metavar="BASE", show_default=True, help="For random orders.")
@click.option("--all", "every", is_flag=True, help="Every event counter on a line of its own.")
@json_option
def migrate(
    source: str,
    destination: str,
    policy: str,
    to_policy: str | None,
    kernel: str | None,
    to_kernel: str | None,
    from_cpu: int | None,
    to_cpu: int | None,
    from_counters: int | None,
    to_counters: int | None,
    order: str,
    seed: int,
    every: bool,
    json_path: str | None,
) -> int:
    """Save a guest's PMU on one host, restore it on another, and say what became of each register, and why."""
    from simcore.app.migrate_text import report
    from simcore.app.migrating import Wish, sides
    from simcore.app.migrating import migrate as move
    from simcore.loader import load_platform

    source_wish = Wish(load_platform(source), policy, kernel, from_cpu, from_counters)
    wish = Wish(load_platform(destination), to_policy or policy, to_kernel or kernel, to_cpu, to_counters)
    with json_target(json_path) as write:
        answer = move(*sides(source_wish, wish, repeated=to_policy is None), order, seed).as_json()
        write(answer)
    narrator(json_path)(report(answer, every).rstrip("\n"))
    return 0


COMMANDS = (migrate,)
