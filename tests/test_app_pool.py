"""Runs on several processes: all of them, each once, and an interruption keeps what is finished."""

import os
import signal
import time
from concurrent.futures import Future
from concurrent.futures.process import BrokenProcessPool

import pytest

from scheduler import kernel_warm
from simcore.app import pool
from simcore.app.interrupting import Interruption
from simcore.app.pool import beside, each_finished, start_method
from simcore.app.running import Machine
from simcore.scenario import Scenario


def square(number):
    return number * number


def fail(number):
    raise ValueError(f"task {number}")


def slow_after_three(number):
    if number >= 3:
        time.sleep(60)
    return number


def where(number):
    return os.getpid()


@pytest.mark.parametrize("workers", [1, 2, 5])
def test_the_answers_do_not_depend_on_the_number_of_workers(workers):
    found = dict(each_finished(square, range(7), workers, Interruption()))
    assert found == {number: number * number for number in range(7)}


def test_several_workers_are_other_processes():
    pids = {pid for _, pid in each_finished(where, range(8), 2, Interruption())}
    assert os.getpid() not in pids
    assert 1 <= len(pids) <= 2


@pytest.mark.parametrize("workers", [1, 2])
def test_an_error_in_a_task_reaches_the_caller(workers):
    with pytest.raises(ValueError, match="task"):
        list(each_finished(fail, range(4), workers, Interruption()))


@pytest.mark.parametrize("workers", [1, 2])
def test_an_interruption_keeps_what_is_finished_and_does_not_wait_for_the_rest(workers):
    begin = time.monotonic()
    with Interruption() as stop:
        found = {}
        for index, answer in each_finished(slow_after_three, range(9), workers, stop):
            found[index] = answer
            if len(found) == 3:
                os.kill(os.getpid(), signal.SIGINT)
                break_at = time.monotonic()
    assert found == {0: 0, 1: 1, 2: 2}
    assert time.monotonic() - break_at < 10
    assert time.monotonic() - begin < 30


def test_the_second_interruption_is_the_usual_one():
    def twice(stop):
        for _ in range(2):
            assert not stop.requested or seen == [False]
            seen.append(stop.requested)
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(0.01)

    seen: list[bool] = []
    with Interruption() as stop, pytest.raises(KeyboardInterrupt):
        twice(stop)
    assert seen == [False, True]


def test_the_handler_is_put_back():
    before = signal.getsignal(signal.SIGINT)
    with Interruption():
        assert signal.getsignal(signal.SIGINT) is not before
    assert signal.getsignal(signal.SIGINT) is before


def test_work_beside_is_done_when_the_block_ends_and_its_failure_is_silent(tmp_path, capfd):
    with beside(lambda path: path.write_text("done"), tmp_path / "note"):
        pass
    assert start_method() != "fork" or (tmp_path / "note").read_text() == "done"
    with beside(lambda number: 1 // number, 0):
        pass
    assert capfd.readouterr().err == ""


def test_what_is_compiled_beside_is_all_there():
    """Every function of the list compiles for a host; as plain Python there is nothing to compile."""
    machine = Machine(Scenario(seconds_ns=1_000))
    kernel_warm.compile_beside(machine.host.handle)
    off = os.environ.get("NUMBA_DISABLE_JIT") == "1"
    assert all(off or function.signatures for function, _ in kernel_warm.LAST_FIRST)


def test_workers_that_end_by_the_same_signal_are_no_error():
    finished: Future[str] = Future()
    broken: Future[str] = Future()
    finished.set_result("done")
    broken.set_exception(BrokenProcessPool("a worker ended"))
    stop = Interruption()
    found = pool._collect({finished: 0, broken: 1}, stop)
    assert next(found) == (0, "done")
    stop.requested = True
    assert list(found) == []
    with pytest.raises(BrokenProcessPool):
        list(pool._collect({broken: 0}, Interruption()))
