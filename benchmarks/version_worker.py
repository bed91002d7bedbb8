"""Times the cases of the version of hetpmu that its import path has; benchmarks.versions starts it.

Each line on stdin is a command, answered by one line: "cases" by their names, "make NAME SECONDS" by the calls
that take so long, "time CALLS" by the units a second of such a run of the case made last.
"""

import sys

from benchmarks import measure, suite


def main() -> None:
    """Answer commands until stdin ends."""
    answers, sys.stdout = sys.stdout, sys.stderr
    makers = {case.name: case.ours for case in suite.CASES if hasattr(case, "ours")}
    contender = measure.Contender(lambda: None, 1)
    timed = getattr(measure, "undisturbed", measure.timed)
    for line in sys.stdin:
        command, *words = line.split()
        if command == "cases":
            answer = " ".join(makers)
        elif command == "make":
            contender = makers[words[0]]()
            answer = str(measure.calls_for(contender, float(words[1])))
        else:
            answer = str(contender.work * int(words[0]) / timed(contender, int(words[0])))
        answers.write(f"{answer}\n")
        answers.flush()


if __name__ == "__main__":
    main()
