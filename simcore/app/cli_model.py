"""The commands `predict` and `validate-model`: the workload model, and the model against silicon."""

from pathlib import Path

import click

from simcore.app.cli_options import force_option, json_option, json_target, narrator, out_option

KINDS = ("between", "beyond", "from-one", "sibling", "crossing", "posted")


@click.command(
    epilog='\b\nExample: hetpmu predict --silicon "Kryo 485 Silver" --suite SPECcpu2006 --workload 429.mcf '
    "--freq-khz 1036800"
)
@click.option("--silicon", required=True, metavar="NAME", help='The measured core, such as "Kryo 485 Gold".')
@click.option("--suite", required=True, metavar="NAME", help="The suite, such as SPECcpu2006.")
@click.option("--workload", required=True, metavar="NAME", help="The program, such as 429.mcf.")
@click.option("--freq-khz", required=True, type=click.IntRange(1), metavar="KHZ", help="A frequency in its range.")
@click.option("--instructions", type=click.IntRange(1), metavar="N", help="Also predict the time for N instructions.")
@json_option
def predict(
    silicon: str, suite: str, workload: str, freq_khz: int, instructions: int | None, json_path: str | None
) -> int:
    """Predict IPC and every event of a measured program, alone on measured silicon, at any frequency of its range."""
    from workloads.predicting import predict as predict_program

    with json_target(json_path) as write:
        found = predict_program(silicon, suite, workload, freq_khz, instructions)
        events = {name: {"code": code, "per_kinst": count} for name, code, count in found.named()}
        answer = {
            "schema": "hetpmu-predict/1",
            "silicon": found.silicon,
            "workload": found.workload,
            "freq_khz": found.khz,
            "ipc": found.ipc,
            "seconds": found.seconds,
            "events": events,
        }
        write(answer)
    if json_path is None:
        from simcore.app.prediction_text import prediction_text

        click.echo(prediction_text(found))
    return 0


@click.command(name="validate-model", epilog="Example: hetpmu validate-model --kind crossing --out validation")
@click.option(
    "--kind", type=click.Choice(KINDS), default=KINDS[0], show_default=True, help="Whose errors by event to print."
)
@json_option
@out_option
@force_option
def validate_model(kind: str, json_path: str | None, out: Path | None, force: bool) -> int:
    """Predict every measured profile from the others, and print the errors; exit 1 if a target is missed."""
    from contextlib import ExitStack

    from simcore.app.storing import result_directory
    from simcore.app.validating import validation
    from simcore.app.validation_text import validation_text
    from workloads.holdout import hold_out

    with ExitStack() as stack:
        write = stack.enter_context(json_target(json_path))
        directory = stack.enter_context(result_directory(out, force=force)) if out else None
        comparisons = tuple(hold_out())
        answer = validation(comparisons)
        write(answer)
        if directory is not None:
            from simcore.app.validation_files import write_validation

            write_validation(directory, answer, comparisons)
    say = narrator(json_path)
    say(validation_text(answer, kind))
    if out:
        say(f"written: {out}/")
    return 0 if answer["passed"] else 1


COMMANDS = (predict, validate_model)
