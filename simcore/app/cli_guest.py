"""The commands `guest run` and `guest matrix`."""

import click

from simcore.app.cli_options import NAMES, TIME, json_option, json_target, narrator

RUN_EPILOG = """\b
Examples:
  hetpmu guest run calibration --init-cpu 4 --migrate at=3ms:0
  hetpmu guest run overflow --policy fixed-counters-only --migrate every=10us
  hetpmu guest run tests/pmu.flat --append 'pmu-basic-event-count' --migrate random:20000 --seed 3

IMAGE is a flat binary, an arm64 Image or an ELF for a machine like QEMU's `virt`, or one of the guests that
come with hetpmu: abort, calibration, counts, el0, exact, overflow, power, reads, timer.
docs/guest_code.md says what the machine has."""
MATRIX_EPILOG = """\b
Examples:
  hetpmu guest matrix calibration reads overflow el0
  hetpmu guest matrix calibration --policies default,fixed-counters-only --migrate random:2000 --seeds 20

A cell is the share of runs in which the guest ended well."""

platform_option = click.option("--platform", metavar="ID|FILE", default="rk3588", show_default=True, help="The host.")
append_option = click.option("--append", "arguments", metavar="ARGS", default="", help="The guest's arguments.")
mhz_option = click.option(
    "--mhz", multiple=True, metavar="PMU=MHZ", help="Frequency of a host PMU's pCPUs.  [default: the highest]"
)
workload_option = click.option(
    "--workload", metavar="W", default="dhrystone", show_default=True, help="Whose cycles per instruction to take."
)
cpi_option = click.option("--cpi", metavar="X", default="", help="Cycles per instruction on every core instead.")
free_option = click.option("--free", is_flag=True, help="The host's work takes no time.")
limit_option = click.option(
    "--seconds", "limit_ns", type=TIME, metavar="T", default="60s", show_default=True, help="The most simulated time."
)
init_option = click.option(
    "--init-cpu", type=click.IntRange(0), metavar="C", help="pCPU of KVM_ARM_VCPU_INIT.  [default: drawn]"
)


@click.group()
def guest() -> None:
    """Run real arm64 code as a guest on the simulated virtual PMU (extra `guest`)."""


@guest.command(epilog=RUN_EPILOG)
@click.argument("image")
@append_option
@platform_option
@click.option("--policy", metavar="P", default="default", show_default=True, help="The PMU policy.")
@click.option("--kernel", metavar="K", default="", help="The kernel revision.  [default: the policy's]")
@click.option(
    "--migrate",
    metavar="PLAN",
    default="none",
    show_default=True,
    help="every=TIME, random:MOVES_PER_S, at=INSN:CPU,.., at=TIME:CPU,.. or schedule=DIR (of `hetpmu run --out`).",
)
@click.option("--vcpus", type=click.IntRange(1, 8), default=1, show_default=True, metavar="N", help="vCPUs.")
@click.option("--seed", type=int, default=1, show_default=True, metavar="BASE", help="Seed of all draws.")
@init_option
@mhz_option
@workload_option
@cpi_option
@free_option
@limit_option
@click.option(
    "--instructions", type=click.IntRange(1), default=2_000_000_000, show_default=True, metavar="N", help="The most."
)
@click.option(
    "--slice",
    "slice_instructions",
    type=click.IntRange(1),
    default=1_000_000,
    show_default=True,
    metavar="N",
    help="The most that the engine executes at once; no result depends on it.",
)
@click.option("--memory", type=click.IntRange(4, 1024), default=64, show_default=True, metavar="MIB", help="RAM.")
@json_option
def run(
    image: str,
    arguments: str,
    platform: str,
    policy: str,
    kernel: str,
    migrate: str,
    vcpus: int,
    seed: int,
    init_cpu: int | None,
    mhz: tuple[str, ...],
    workload: str,
    cpi: str,
    free: bool,
    limit_ns: int,
    instructions: int,
    slice_instructions: int,
    memory: int,
    json_path: str | None,
) -> int:
    """Run an image, print its console, then what its PMU did; exit 1 where it reported a failure or did not end."""
    from simcore.app.code_running import Question, answer
    from simcore.app.code_text import report
    from simcore.errors import InputError

    question = Question(
        image=image,
        arguments=arguments,
        platform=platform,
        policy=policy,
        kernel=kernel,
        migrate=migrate,
        vcpus=vcpus,
        seed=seed,
        init_cpu=init_cpu,
        workload=workload,
        cpi=cpi,
        mhz=mhz,
        free=free,
        ram_mib=memory,
        limit_ns=limit_ns,
        limit_instructions=instructions,
        slice_instructions=slice_instructions,
    )
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


@guest.command(epilog=MATRIX_EPILOG)
@click.argument("images", nargs=-1, required=True, metavar="IMAGE...")
@append_option
@platform_option
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
@click.option("--seed", type=int, default=1, show_default=True, metavar="BASE", help="The first seed.")
@init_option
@mhz_option
@workload_option
@cpi_option
@free_option
@limit_option
@click.option("--workers", type=click.IntRange(1), metavar="N", help="Processes.  [default: CPU count]")
@json_option
def matrix(
    images: tuple[str, ...],
    arguments: str,
    platform: str,
    policies: tuple[str, ...] | None,
    kernels: tuple[str, ...] | None,
    plans: tuple[str, ...],
    seeds: int,
    seed: int,
    init_cpu: int | None,
    mhz: tuple[str, ...],
    workload: str,
    cpi: str,
    free: bool,
    limit_ns: int,
    workers: int | None,
    json_path: str | None,
) -> int:
    """Run images under policies, kernel revisions, plans of migrations and seeds: a table of verdicts."""
    from simcore.app.cli_options import Ticker
    from simcore.app.code_matrix import Wish, judge, table
    from simcore.app.code_running import Question
    from simcore.app.interrupting import Interruption
    from simcore.app.pool import usable_cpus

    question = Question(
        image="",
        arguments=arguments,
        platform=platform,
        init_cpu=init_cpu,
        workload=workload,
        cpi=cpi,
        mhz=mhz,
        free=free,
        limit_ns=limit_ns,
    )
    wish = Wish(images, policies or (), kernels or (), plans, tuple(range(seed, seed + seeds)))
    ticker = Ticker("guest matrix", "runs")
    with json_target(json_path) as write, Interruption() as stop:
        found = judge(question, wish, workers or usable_cpus(), stop, ticker)
        ticker.clear()
        write(found)
    narrator(json_path)(table(found))
    return 3 if found["interrupted"] else 0


COMMANDS = (guest,)
