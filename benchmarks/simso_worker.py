"""Runs SimSo on one periodic set, again and again, in an interpreter that has SimSo; benchmarks.peer_simso starts it.

Argument: JSON of cpus, duration_ns and tasks (period and execution time in ms). The first line of the answer says how
many events the model handles. Then each line on stdin is a command, answered when done: "build" makes a model,
"run" runs it.
"""

import importlib
import json
import sys
from collections.abc import Mapping
from typing import Any

NS_PER_MS = 1_000_000
SCHEDULER = "simso.schedulers.EDF"


def model_of(question: Mapping[str, Any]) -> Any:
    """Build SimSo's model: global EDF, no overheads, a cycle a nanosecond."""
    configuration = importlib.import_module("simso.configuration").Configuration()
    configuration.duration = question["duration_ns"]
    configuration.cycles_per_ms = NS_PER_MS
    for number, (period, work) in enumerate(question["tasks"]):
        configuration.add_task(
            name=f"T{number}", identifier=number, period=period, wcet=work, deadline=period, abort_on_miss=False
        )
    for number in range(question["cpus"]):
        configuration.add_processor(name=f"CPU{number}", identifier=number)
    configuration.scheduler_info.clas = SCHEDULER
    configuration.check_all()
    return importlib.import_module("simso.core").Model(configuration)


def events(model: Any) -> int:
    """Run a model and count the events that it handles."""
    step, times = model.step, 0

    def counted() -> None:
        nonlocal times
        times += 1
        step()

    model.step = counted
    model.run_model()
    return times


def main() -> None:
    """Answer commands until stdin ends."""
    answers, sys.stdout = sys.stdout, sys.stderr
    question = json.loads(sys.argv[1])
    answers.write(f"{events(model_of(question))}\n")
    answers.flush()
    model: Any = None
    for command in sys.stdin:
        if command.strip() == "build":
            model = model_of(question)
        else:
            model.run_model()
        answers.write("done\n")
        answers.flush()


if __name__ == "__main__":
    main()
