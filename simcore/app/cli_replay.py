"""The commands `replay` and `probe`: recorded schedules, and what logs a real counter beside one."""

import contextlib
from pathlib import Path

import click

from simcore.app.cli_options import (
    NAMES,
    coloured,
    force_option,
    json_option,
    json_target,
    narrator,
    out_option,
    vcpu_option,
)

EPILOG = """\b
Examples:
  hetpmu replay trace.dat --threads 'CPU [0-9]+/KVM' --platform rk3588
  hetpmu replay report.txt --threads '^rt-app' --platform juno-r0 --policies default,fixed-counters-only --out seen
  hetpmu probe > probe.c; cc -O2 -o probe probe.c; ./probe -c 0 > vcpu0.log      # in the guest, while recording
  hetpmu replay trace.dat --threads 'CPU [0-9]+/KVM' --platform rk3588 --measured vcpu0.log --align clock --out seen

How to record is in docs/replay.md."""


@click.command(epilog=EPILOG)
@click.argument("trace", metavar="TRACE")
@click.option(
    "--threads", metavar="REGEX", required=True, help="Which threads are the vCPUs, by comm, comm-pid or comm:pid."
)
@click.option("--platform", metavar="ID|FILE", required=True, help="The SoC on which it was recorded.")
@click.option("--policies", type=NAMES, metavar="P,..", help="Policies by name.  [default: all but default-pinned]")
@click.option(
    "--kernel", "kernels", type=NAMES, metavar="K,..", help="Revisions: mainline, v4, v6, v8, review; v1, v2, 7.3, "
    "what-if.  [default: v8 for fixed-counters-only, v1 composite, 7.3 strict, what-if for what-ifs, else mainline]",
)  # fmt: skip
@click.option("--workload", metavar="W", default="429.mcf", show_default=True, help="What the guest runs.")
@click.option("--seed", type=click.IntRange(0), default=1, metavar="BASE", show_default=True, help="Seed of bursts.")
@click.option("--measured", metavar="LOG", help="A log of the probe in the guest, to lay over the simulated counter.")
@click.option(
    "--align", metavar="HOW", help="When its first sample was: first (the vCPU's first guest time), clock (the log's "
    "monotonic clock is the trace's), or the trace's seconds.  [default: first]",
)  # fmt: skip
@click.option("--schedule", is_flag=True, help="Keep the schedule in the result, for hetpmu watch; goes with --out.")
@click.option("--trace", "history", is_flag=True, help="Keep what the host did, for exports; goes with --out.")
@vcpu_option
@json_option
@out_option
@force_option
def replay(
    trace: str,
    threads: str,
    platform: str,
    policies: tuple[str, ...] | None,
    kernels: tuple[str, ...] | None,
    workload: str,
    seed: int,
    measured: str | None,
    align: str | None,
    schedule: bool,
    history: bool,
    vcpu: int | None,
    json_path: str | None,
    out: Path | None,
    force: bool,
) -> int:
    """Replay a recorded schedule, and show what each PMU policy would have shown to the guest.

    TRACE is a trace.dat, the text of trace-cmd report, ftrace or perf sched script, or a Perfetto trace.
    """
    from simcore.app.interrupting import Interruption
    from simcore.app.measuring import FIRST
    from simcore.app.replay_text import replay_text
    from simcore.app.storing import result_directory
    from simcore.app.trace_replay import Measured, keep
    from simcore.app.trace_replay import replay as replay_trace
    from simcore.scenario import check_vcpu

    if align is not None and measured is None:
        raise click.UsageError("--align goes with --measured")
    if schedule and out is None:
        raise click.UsageError("--schedule goes with --out")
    if history and out is None:
        raise click.UsageError("--trace goes with --out")
    say, warn = narrator(json_path), narrator("-")
    with contextlib.ExitStack() as stack:
        write = stack.enter_context(json_target(json_path))
        directory = stack.enter_context(result_directory(out, force=force, source=Path(trace))) if out else None
        stop = stack.enter_context(Interruption())
        found = replay_trace(
            trace, threads, platform, policies=policies or (), kernels=kernels or (), workload=workload, seed=seed,
            fine=out is not None, stopped=lambda: stop.requested, schedule=schedule, history=history,
            measured=Measured(measured, FIRST if align is None else align, vcpu) if measured is not None else None,
        )  # fmt: skip
        if vcpu is not None:
            check_vcpu(found.results[0].scenario, vcpu)
        for line in found.left_out:
            warn(line)
        answer = found.as_json()
        write(answer)
        if directory is not None:
            keep(found, replay_text(answer), directory, vcpu)
    say(replay_text(answer, colour=coloured() and json_path != "-"))
    if out:
        say(f"written: {out}/")
    return 0


@click.command(epilog="\b\nExample: hetpmu probe > probe.c; cc -O2 -o probe probe.c; ./probe -c 0 > vcpu0.log")
def probe() -> int:
    """Print the C program that logs PMCCNTR_EL0 beside CNTVCT_EL0 in a guest, for `replay --measured`."""
    from importlib.resources import files

    click.echo((files("simcore") / "data" / "probe.c").read_text(encoding="utf-8"), nl=False)
    return 0


COMMANDS = (replay, probe)
