"""Contenders for real arm64 code: instructions per second of a plain loop and of two guests.

Without the extra `guest` they are skipped.
"""

from benchmarks.case import Case
from benchmarks.measure import Contender, Unavailable
from simcore.app.code_board import device_tree
from simcore.app.code_images import read_image
from simcore.app.code_loader import Image, parse_image
from simcore.app.code_machine import CodeMachine
from simcore.app.code_run import CodeRun
from simcore.app.code_running import Question, code_run
from simcore.app.code_unicorn import need_engine
from simcore.errors import InputError

INSTRUCTIONS = 5_000_000
SLICE = 1_000_000
LOOP = (
    0x91000400,  # add x0, x0, #1
    0x91000421,  # add x1, x1, #1
    0x8B010002,  # add x2, x0, x1
    0xF1000463,  # subs x3, x3, #1
    0x17FFFFFC,  # b to the first
)


def loop() -> Contender:
    """Return a loop of five instructions, counted exactly in slices, stopped after so many instructions."""
    words = b"".join(word.to_bytes(4, "little") for word in LOOP)
    return _contender(Question("", limit_instructions=INSTRUCTIONS, slice_instructions=SLICE), words)


def image() -> Contender:
    """Return the guest `calibration`: a loop that polls the timer every thousand instructions, and its console."""
    return _guest("calibration")


def reads() -> Contender:
    """Return the guest `reads`, whose every two hundredth instruction reads the cycle counter."""
    return _guest("reads")


def _guest(name: str) -> Contender:
    return _contender(Question("", policy="fixed-counters-only", init_cpu=0), read_image(name))


def _contender(question: Question, data: bytes) -> Contender:
    try:
        need_engine()
    except InputError as error:
        raise Unavailable(error.what) from None
    run = code_run(question)
    image = parse_image(data, "benchmark", run.ram_bytes)
    ready: list[CodeMachine] = []

    def setup() -> None:
        ready[:] = [_machine(run, image)]

    first = _machine(run, image)
    first.go()
    return Contender(lambda: ready[0].go(), first.cores[0].clock.instructions / 1e6, setup)


def _machine(run: CodeRun, image: Image) -> CodeMachine:
    return CodeMachine(run, image, device_tree(run.vcpus, run.ram_bytes, "", None))


CASES = (
    Case("guest_loop", "mechanism", "M instructions/s", loop, {}, {"M instructions/s": 100}),
    Case("guest_image", "mechanism", "M instructions/s", image, {}, {"M instructions/s": 20}),
    Case("guest_reads", "mechanism", "M instructions/s", reads, {}),
)
