"""The command `compare`, the main job."""

import contextlib
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from simcore.app.cli_options import (
    NAMES,
    Ticker,
    coloured,
    force_option,
    json_option,
    json_target,
    narrator,
    out_option,
    scenario_options,
    vcpu_option,
)

if TYPE_CHECKING:
    from simcore.app.comparing import Comparison
    from simcore.app.interrupting import Interruption
    from simcore.scenario import Scenario

EPILOG = """\b
Examples:
  hetpmu compare
  hetpmu compare --platform rk3399 --policies default,fixed-counters-only --kernel mainline,v6,v8
  hetpmu compare --policies strict:armv8_cortex_a76,composite,composite@v2,intersection,scaled-time
  hetpmu compare --quick --json - | jq '.policies[] | {policy, kernel, crash_probability}'

A suffix fixes the kernel revision of one policy: default@v6. Rows that make no sense (fixed-counters-only
on mainline) are left out with a line on stderr. Only when named: none, strict:PMU, composite, intersection,
scaled-time; explain says what kernel has each."""

QUICK_SEEDS, QUICK_NS, SEEDS = 2, 200_000_000, 20
USUAL_PAIRS = 8


@click.command(epilog=EPILOG)
@scenario_options
@click.option("--policies", type=NAMES, metavar="P,..", help="Policies by name.  [default: all that apply]")
@click.option(
    "--kernel", "kernels", type=NAMES, metavar="K,..", help="Revisions: mainline, v4, v6, v8, review; v1, v2, 7.3, "
    "what-if.  [default: v8 for fixed-counters-only, v1 composite, 7.3 strict, what-if for what-ifs, else mainline]",
)  # fmt: skip
@click.option("--seeds", type=click.IntRange(1), metavar="N", help=f"How many seeds.  [default: {SEEDS}]")
@click.option("--seed", type=click.IntRange(0), default=1, metavar="BASE", show_default=True, help="The first seed.")
@click.option("--quick", is_flag=True, help="A rough answer: 2 seeds, 0.2 s.")
@click.option("--workers", type=click.IntRange(1), metavar="N", help="Processes.  [default: one for each CPU]")
@click.option("--sensitivity", is_flag=True, help="Also vary what is assumed, and show the range of the verdict.")
@vcpu_option
@json_option
@out_option
@force_option
def compare(
    policies: tuple[str, ...] | None,
    kernels: tuple[str, ...] | None,
    seeds: int | None,
    seed: int,
    quick: bool,
    workers: int | None,
    sensitivity: bool,
    vcpu: int | None,
    json_path: str | None,
    out: Path | None,
    force: bool,
    **scenario: Any,
) -> int:
    """Run one guest under every PMU policy, each with the same seeds, and show what that does to it.

    SCENARIO is a TOML file; without it the options below describe the guest and the host.
    """
    if quick:
        scenario["seconds"] = scenario["seconds"] or QUICK_NS
    count = seeds or (QUICK_SEEDS if quick else SEEDS)
    base = _described(scenario, 0 if sensitivity else count, policies, kernels)

    from simcore.app.checking import checked
    from simcore.app.comparing import compare as compare_policies
    from simcore.app.heads import head
    from simcore.app.interrupting import Interruption
    from simcore.app.running import scheduler_in_words
    from simcore.app.sensitivity import sensitivity as vary
    from simcore.app.storing import result_directory
    from simcore.app.tables import comparison_text
    from simcore.scenario import check_vcpu

    base = checked(base)
    if vcpu is not None:
        check_vcpu(base, vcpu)
    say, warn = narrator(json_path), narrator("-")
    ticker = Ticker("compare")
    with contextlib.ExitStack() as stack:
        write = stack.enter_context(json_target(json_path))
        directory = stack.enter_context(result_directory(out, force=force, source=scenario["file"])) if out else None
        stop = stack.enter_context(Interruption())
        found = compare_policies(
            base, policies=policies or (), kernels=kernels or (), seeds=range(seed, seed + count),
            workers=workers, progress=ticker, stop=stop,
        )  # fmt: skip
        if sensitivity and not stop.requested:
            found = vary(found, workers, Ticker("sensitivity"), stop)
        ticker.clear()
        for line in found.left_out:
            warn(line)
        if not found.finished:
            raise KeyboardInterrupt
        title = head(found.as_json(), scheduler_in_words(base), found.baseline, quick)
        text = partial(comparison_text, title, found.rows, found.sensitivity, found=found.blocks)
        write(found.as_json())
        if directory is not None:
            from simcore.app.keeping import keep_comparison

            keep_comparison(found, text(), directory, vcpu, workers, stop)
    say(text(colour=coloured() and json_path != "-"))
    if out:
        say(f"written: {out}/")
    return _outcome(found, stop, warn)


def _outcome(found: "Comparison", stop: "Interruption", warn: Callable[[str], None]) -> int:
    """Say what an interruption left out, and return the exit code."""
    if found.interrupted:
        warn(f"interrupted: {found.finished} of {found.planned} runs were finished, and are what is shown")
    elif stop.requested:
        warn("interrupted: the table is complete, but not what follows it (sensitivity, pictures and their runs)")
    else:
        return 0
    return 3


def _described(
    options: dict[str, Any], seeds: int, policies: Sequence[str] | None, kernels: Sequence[str] | None
) -> "Scenario":
    """Give the scenario, not checked yet, after choosing how its runs are simulated: compiled for 0 seeds."""
    from simcore.app.describing import described
    from simcore.app.tier import choose_tier

    base = described(**options)
    pairs = len(policies or range(USUAL_PAIRS)) * len(kernels or range(1))
    if seeds and (note := choose_tier(base, seeds * (pairs + 1))):
        click.echo(note, err=True)
    return base


COMMANDS = (compare,)
