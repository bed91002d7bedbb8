"""The tables of what the host did (`simcore.table_columns`): each row has its place among those of all five."""

from simcore.table_spec import Column, TableSpec

# fmt: off
HISTORY: dict[str, TableSpec] = {
    "switches": TableSpec(
        "One row for each context switch; empty unless the scenario says `switches = true` or `trace = true`. With the "
        "four that follow it is what the host did ([model.md](model.md), \"Trace\").",
        (
            Column("t_ns", "i8", "ns", "time"),
            Column("cpu", "i8", "", "pCPU"),
            Column(
                "task", "i8", "",
                "thread that comes: vCPUs first, then background threads, then those of an rt-app file, then "
                "those of the VMMs by VM (main, I/O); -1: idle",
            ),
            Column(
                "state", "i8", "",
                "thread that leaves: 0 it still wants a pCPU (preempted, moved, throttled), 1 it blocks, 2 it ends; "
                "-1: the pCPU was idle",
            ),
            Column("order", "i8", "", "place among the rows of all five tables"),
        ),
    ),
    "wakings": TableSpec(
        "One row each time a thread that sleeps is woken, or a new one starts; empty unless the scenario says "
        "`trace = true`. A thread that is woken before it sleeps has none.",
        (
            Column("t_ns", "i8", "ns", "time"),
            Column("task", "i8", "", "thread, as in `switches`"),
            Column("cpu", "i8", "", "pCPU to whose queue it goes"),
            Column("by", "i8", "", "thread that wakes it; -1: an interrupt, or the host"),
            Column("by_cpu", "i8", "", "pCPU on which that happens"),
            Column("new", "i8", "", "1 where it starts"),
            Column("order", "i8", "", "place among the rows of all five tables"),
        ),
    ),
    "moves": TableSpec(
        "One row each time a thread, of a vCPU or not, goes to another pCPU; empty unless the scenario says "
        "`trace = true`.",
        (
            Column("t_ns", "i8", "ns", "time"),
            Column("task", "i8", "", "thread, as in `switches`"),
            Column("from_cpu", "i8", "", "pCPU that it leaves"),
            Column("to_cpu", "i8", "", "pCPU that it goes to"),
            Column("cause", "i8", "", "as in `migrations`"),
            Column("order", "i8", "", "place among the rows of all five tables"),
        ),
    ),
    "entries": TableSpec(
        "One row each time a vCPU enters or leaves its guest; empty unless the scenario says `trace = true`. An exit "
        "that takes no time in the model has none.",
        (
            Column("t_ns", "i8", "ns", "time"),
            Column("vcpu", "i8", "", "vCPU"),
            Column("cpu", "i8", "", "pCPU"),
            Column("enter", "i8", "", "1: it enters, 0: it leaves"),
            Column(
                "reason", "i8", "",
                "why it leaves: 0 not known (a recording does not tell), 1 an interrupt or another thread, 2 WFI, 3 a "
                "trapped register access; -1: it enters",
            ),
            Column("order", "i8", "", "place among the rows of all five tables"),
        ),
    ),
    "frequencies": TableSpec(
        "One row each time a perf domain takes another frequency, and the first of each at time 0; empty unless the "
        "scenario says `trace = true`.",
        (
            Column("t_ns", "i8", "ns", "time"),
            Column("cpu", "i8", "", "first pCPU of the perf domain"),
            Column("khz", "i8", "kHz", "frequency from now on"),
            Column("order", "i8", "", "place among the rows of all five tables"),
        ),
    ),
}
# fmt: on
