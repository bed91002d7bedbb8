"""The commands `guest run` and `guest matrix`."""

from pathlib import Path
from typing import Any

import click

from simcore.app.cli_options import NAMES, TIME, AnyFunction, ParamType, json_option, json_target, narrator
from simcore.errors import InputError

RUN_EPILOG = """\b
Examples:
  hetpmu guest run calibration --init-cpu 4 --migrate at=3ms:0
  hetpmu guest run overflow --policy fixed-counters-only --migrate every=10us
  hetpmu guest run power --vcpus 2 --cpus 4 --turn 100us
  hetpmu guest run tests/pmu.flat --append 'pmu-basic-event-count' --migrate random:20000 --seed 3

IMAGE is a flat binary, an arm64 Image or an ELF for a machine like QEMU's `virt`, or one of the guests that
come with hetpmu: `hetpmu guest list`. docs/guest_code.md says what the machine has."""
MATRIX_EPILOG = """\b
Examples:
  hetpmu guest matrix calibration reads overflow el0
  hetpmu guest matrix calibration --policies default,fixed-counters-only --migrate random:2000 --seeds 20
  hetpmu guest matrix calibration --kernel mainline,v8 --out verdicts --markdown

With --out DIR the same command again goes on where it ended, also after a power cut, and `hetpmu show DIR` prints the
table again. Exit code 1: some runs could not be made; DIR/failures has each."""


class Cpus(ParamType):
    """pCPUs with commas between them."""

    name = "cpus"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[int, ...]:
        """Split at commas."""
        parts = [part.strip() for part in str(value).split(",")]
        if not all(part.isdecimal() for part in parts):
            raise InputError(f"bad pCPUs {value!r}", param.opts[0] if param else "", valid="numbers, as in 0,4,5")
        return tuple(map(int, parts))


MACHINE_OPTIONS = (
    click.option("--append", "arguments", metavar="ARGS", default="", help="The guest's arguments."),
    click.option("--platform", metavar="ID|FILE", default="rk3588", show_default=True, help="The host."),
    click.option("--vcpus", type=click.IntRange(1, 8), default=1, show_default=True, metavar="N", help="vCPUs."),
    click.option("--cpus", type=Cpus(), metavar="C,..", help="The pCPUs that the vCPUs may use.  [default: all]"),
    click.option("--init-cpu", type=click.IntRange(0), metavar="C", help="Of KVM_ARM_VCPU_INIT.  [default: drawn]"),
    click.option(
        "--mhz", multiple=True, metavar="PMU=MHZ", help="Frequency of a host PMU's pCPUs.  [default: the highest]"
    ),
    click.option(
        "--workload", metavar="W", default="dhrystone", show_default=True, help="Whose cycles per instruction to take."
    ),
    click.option("--cpi", metavar="X", default="", help="Cycles per instruction on every core instead."),
    click.option("--free", is_flag=True, help="The host's work takes no time."),
    click.option(
        "--cost", "costs", multiple=True, metavar="NAME=TIME", help="A cost of the host (docs/model.md, Costs)."
    ),
    click.option(
        "--turn",
        "turn_ns",
        type=TIME,
        metavar="T",
        default="3ms",
        show_default=True,
        help="How long a vCPU has a pCPU for which others wait (assumed).",
    ),
    click.option(
        "--quantum",
        "quantum_ns",
        type=TIME,
        metavar="T",
        default="1us",
        show_default=True,
        help="How far a vCPU may run ahead of another (assumed).",
    ),
    click.option(
        "--read-cycles",
        type=click.IntRange(0, 1000),
        metavar="N",
        default=1,
        show_default=True,
        help="Guest cycles of a read of a counter beside its own (assumed).",
    ),
    click.option(
        "--memory", "ram_mib", type=click.IntRange(4, 1024), default=64, show_default=True, metavar="MIB", help="RAM."
    ),
    click.option(
        "--seconds",
        "limit_ns",
        type=TIME,
        metavar="T",
        default="60s",
        show_default=True,
        help="The most simulated time.",
    ),
    click.option(
        "--instructions",
        "limit_instructions",
        type=click.IntRange(1),
        default=2_000_000_000,
        show_default=True,
        metavar="N",
        help="The most that a vCPU executes.",
    ),
)


def machine_options(command: AnyFunction) -> AnyFunction:
    """Add the options of the machine and its host."""
    for decorate in reversed(MACHINE_OPTIONS):
        command = decorate(command)
    return command


@click.group()
def guest() -> None:
    """Run real arm64 code as a guest on the simulated virtual PMU (extra `guest`)."""


@guest.command(epilog=RUN_EPILOG)
@click.argument("image")
@click.option("--policy", metavar="P", default="default", show_default=True, help="The PMU policy.")
@click.option("--kernel", metavar="K", default="", help="The kernel revision.  [default: the policy's]")
@click.option(
    "--migrate",
    metavar="PLAN",
    default="none",
    show_default=True,
    help="every=TIME, random:MOVES_PER_S, at=INSN:CPU,.., at=TIME:CPU,.. or schedule=DIR (of `hetpmu run --out`).",
)
@click.option("--seed", type=click.IntRange(0), default=1, show_default=True, metavar="BASE", help="Of all draws.")
@click.option(
    "--slice",
    "slice_instructions",
    type=click.IntRange(1),
    default=1_000_000,
    show_default=True,
    metavar="N",
    help="The most that the engine executes at once; no result depends on it.",
)
@machine_options
@json_option
def run(image: str, json_path: str | None, cpus: tuple[int, ...] | None, **asked: Any) -> int:
    """Run an image, print its console, then what its PMU did; exit 1 where it reported a failure or did not end."""
    from simcore.app.code_running import Question, answer
    from simcore.app.code_text import report

    question = Question(image=image, cpus=cpus or (), **asked)
    say = narrator(json_path)
    with json_target(json_path) as write:
        found = answer(question)
        write(found)
    if found["console"]:
        say(found["console"].rstrip("\n"))
    if found["outcome"] == "failed":
        raise InputError(f"the guest could not go on: {found['where']}", image)
    say(report(found))
    return 0 if found["well"] else 1


@guest.command("list")
def list_guests() -> int:
    """List the guests that come with hetpmu, and what each of them tests."""
    from simcore.app.code_images import own_guests, purpose

    for name in own_guests():
        click.echo(f"{name:<13} {purpose(name)}")
    return 0


@guest.command(epilog=MATRIX_EPILOG)
@click.argument("images", nargs=-1, required=True, metavar="IMAGE...")
@click.option("--policies", type=NAMES, metavar="P,..", help="PMU policies.  [default: all that apply]")
@click.option("--kernel", "kernels", type=NAMES, metavar="K,..", help="Kernel revisions.  [default: the policy's]")
@click.option(
    "--migrate",
    "plans",
    multiple=True,
    metavar="PLAN",
    default=("none", "random:1000"),
    show_default=True,
    help="A plan of migrations; give several.",
)
@click.option("--seeds", type=click.IntRange(1), default=5, show_default=True, metavar="N", help="Seeds.")
@click.option("--seed", type=click.IntRange(0), default=1, show_default=True, metavar="BASE", help="The first seed.")
@machine_options
@click.option("--out", metavar="DIR", type=click.Path(path_type=Path), help="Keep the runs there, and go on with them.")
@click.option("--workers", type=click.IntRange(1), metavar="N", help="Processes.  [default: one for each CPU]")
@click.option("--retry", is_flag=True, help="Also run again what could not run.")
@click.option("--yes", is_flag=True, help="Do as told even if that is more than 100,000 runs.")
@click.option("--markdown", is_flag=True, help="Print the tables as Markdown.")
@json_option
def matrix(
    images: tuple[str, ...],
    policies: tuple[str, ...] | None,
    kernels: tuple[str, ...] | None,
    plans: tuple[str, ...],
    seeds: int,
    seed: int,
    out: Path | None,
    workers: int | None,
    retry: bool,
    yes: bool,
    markdown: bool,
    json_path: str | None,
    cpus: tuple[int, ...] | None,
    **asked: Any,
) -> int:
    """Run images under policies, kernel revisions, plans of migrations and seeds: a table of verdicts."""
    from simcore.app.cli_sweep import progress
    from simcore.app.code_matrix import Wish, Work, judge
    from simcore.app.code_running import Question
    from simcore.app.code_verdicts import verdict_text
    from simcore.app.interrupting import Interruption

    question = Question(image="", cpus=cpus or (), **asked)
    wish = Wish(images, policies or (), kernels or (), plans, range(seed, seed + seeds))
    with json_target(json_path) as write, Interruption() as stop, progress() as watch:
        found = judge(question, wish, Work(out, workers, retry, yes, watch, stop))
        write(found)
    say = narrator(json_path)
    say(verdict_text(found, markdown))
    if out is not None:
        say(f"written: {out}/")
    return _code(found, out)


def _code(found: dict[str, Any], out: Path | None) -> int:
    runs = found["runs"]
    if found["interrupted"]:
        kept = f"{runs['finished']} of {runs['planned']} runs are finished"
        click.echo(f"interrupted: {kept}{' and kept; the same command goes on' if out else ''}", err=True)
        return 3
    return 1 if runs["failed"] else 0


COMMANDS = (guest,)
