"""The cases of the band ``hot``: the counter kernels against C, numpy, Python and what the machine allows."""

from collections.abc import Callable
from functools import partial

from benchmarks import assembly, limits, settling, threads, ticks, ticks_slow
from benchmarks.case import Case, Maker, Worst
from benchmarks.measure import Contender
from benchmarks.ticks import Arrays, arrays
from pmu.kernel_record import record_ticks
from pmu.kernel_ticks import advance_ticks

Of = Callable[[Arrays], Contender]

TICKED = (16, 1024, 1)
CACHED = (8, 512, 512)
MEMORY = (16, 1 << 16, 1 << 16)
"""vCPUs, ticks and samples: a record of 1 MiB, and one of 256."""

SLOW = 32  # ticks of the peers in Python


def of(shape: tuple[int, int, int], contender: Of) -> Maker:
    """Return a maker of a contender on drawn arrays."""
    return lambda: contender(arrays(*shape))


def in_c(shape: tuple[int, int, int], contender: Callable[..., Contender]) -> dict[str, Maker]:
    """Return makers of the peers in C."""
    return {
        "gcc": of(shape, contender),
        "clang": of(shape, partial(contender, compiler="clang")),
        "tuned": of(shape, partial(contender, source="tuned.c")),
        "tuned_clang": of(shape, partial(contender, source="tuned.c", compiler="clang")),
    }


def record_case(name: str, shape: tuple[int, int, int], slow: dict[str, Maker]) -> Case:
    """Return a case of the recording kernel."""
    memory = {name: of(shape, getattr(limits, name)) for name in ("fill", "memset", "copy")}
    return Case(
        name,
        "hot",
        "counter updates/s",
        of(shape, ticks.ours_recording),
        memory | in_c(shape, ticks.in_c_recording) | slow,
        targets={"fill": 0.8, "gcc": 1.5},
        bounds=tuple(memory),
    )


def vectors() -> dict[str, object]:
    """Return the vector instructions of the kernels."""
    a = arrays(1, 8, 8)
    return {
        "record_ticks": assembly.vector_instructions(assembly.machine_code(record_ticks, a.all())),
        "advance_ticks": assembly.vector_instructions(assembly.machine_code(advance_ticks, a.unrecorded())),
    }


CASES: tuple[Case | Worst, ...] = (
    Case(
        "tick",
        "hot",
        "counter updates/s",
        of(TICKED, ticks.ours),
        {
            **in_c(TICKED, ticks.in_c),
            "numpy": of(TICKED, ticks_slow.in_numpy),
            "python": of((1, SLOW, 1), ticks_slow.in_python),
            "multiply_add": limits.multiply_add,
        },
        targets={"gcc": 5},
        bounds=("multiply_add",),
    ),
    record_case(
        "record_cached",
        CACHED,
        {
            "numpy": of(CACHED, partial(ticks_slow.in_numpy, recording=True)),
            "python": of((1, SLOW, SLOW), partial(ticks_slow.in_python, recording=True)),
        },
    ),
    record_case("record_memory", MEMORY, {}),
    Worst("record", "hot", ("record_cached", "record_memory"), targets={"fill": 0.8, "gcc": 1.5}),
    Case(
        "settle",
        "hot",
        "s",
        settling.ours,
        {"two_calls": settling.two_calls, "dispatch": settling.dispatch},
        limits={"s": 0.6e-6},
        bounds=("dispatch",),
    ),
    Case(
        "threads2",
        "hot",
        "counter updates/s",
        threads.in_threads,
        {"two_processes": threads.in_processes, "one_thread": threads.part},
        targets={"two_processes": 0.9},
    ),
    Case("asm", "hot", "counter updates/s", of(CACHED, ticks.ours_recording), facts=vectors),
)
