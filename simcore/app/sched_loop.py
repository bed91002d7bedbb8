"""Replay of a recorded run of threads on one pCPU: what each thread does, and the order of what happens at one instant.

The kernel's part is in ``scheduler.kernel_*``; here is only the harness of the recording: programs of threads, timers,
the HZ tick, and the log.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from scheduler import kernel_core, kernel_switch
from scheduler import kernel_state as ks
from scheduler.bare import bare_state
from scheduler.kernel_average import average
from scheduler.kernel_handle import handle_of
from scheduler.layout import base_slice_ns, weight_of
from simcore.app.sched_signals import CPU, START_NS, set_policy, signals_of

Entry = list[Any]

TICK_NS: Final = 4_000_000
POLICIES: Final[Mapping[str, int]] = {"NORMAL": ks.NORMAL, "BATCH": ks.BATCH, "IDLE": ks.IDLE_POLICY}
"""Names of policies in the recordings."""

RUN: Final = "R"
TIMER, BLOCKED = range(2)
ENTITY: Final = (ks.VRUNTIME, ks.DEADLINE, ks.LAG, ks.SLICE)


def parsed(op: str) -> tuple[str, int]:
    """Return name and number of an operation such as "R5000"; the number is 0 where it has none."""
    return op[0], int(op[1:] or 0)


@dataclass(slots=True)
class Thread:
    """A thread of the recording and where it is in its program."""

    nice: int
    slice_ns: int
    policy: int
    repeats: bool
    ops: Sequence[tuple[str, int]]
    at: int = 0
    left: int = 0
    wake_at: int | None = None
    started: bool = False
    asleep: bool = False
    dead: bool = False

    def next_op(self) -> tuple[str, int]:
        """Return the next operation; a program that does not repeat ends with an exit."""
        if self.at == len(self.ops):
            if not self.repeats:
                return "X", 0
            self.at = 0
        self.at += 1
        return self.ops[self.at - 1]


class Loop:
    """One recorded run: threads, the pCPU and the log so far."""

    def __init__(self, vector: Mapping[str, Any]) -> None:
        """Make the threads, none of which has started."""
        self.threads = {
            row["id"]: Thread(
                nice=row["nice"],
                slice_ns=row["slice"],
                policy=POLICIES[row["policy"]],
                repeats=bool(row["loop"]),
                ops=[parsed(op) for op in row["ops"]],
                wake_at=row["start"] if row["start"] >= 0 else None,
            )
            for row in vector["tasks"]
        }
        self.with_signals = "capacity" in vector
        self.end = vector["end"]
        self.next_tick = START_NS + vector["tick_phase"]
        self.state = bare_state(1, max(self.threads, default=0) + 1)
        self.handle = handle_of(self.state)
        self.state.glob[ks.NOW] = START_NS
        self.base_slice = base_slice_ns(vector["ncpus"])
        self.state.glob[ks.BASE_SLICE] = self.base_slice
        self.state.cpu[CPU, ks.CAPACITY] = vector.get("capacity", 1024)
        self.state.dom[0, ks.KHZ] = vector.get("freq_scale", 1024)

    @property
    def now(self) -> int:
        """Return the present time."""
        return int(self.state.glob[ks.NOW])

    @property
    def current(self) -> int:
        """Return the id of the running thread, -1 in idle."""
        return int(self.state.cpu[CPU, ks.CURRENT])

    @property
    def resched(self) -> int:
        """Return 1 if a reschedule is pending."""
        return int(self.state.cpu[CPU, ks.RESCHED])

    def run(self) -> Iterator[Entry]:
        """Yield the entries of the log."""
        while True:
            while self.current >= 0 and self.threads[self.current].left == 0:
                yield from self._operate(self.current)
            self._advance()
            if self.now == self.end:
                yield self._entry("end", [self.now, self.current, 0])
                return
            yield from self._tick()
            for task, thread in sorted(self.threads.items()):
                if thread.wake_at == self.now:
                    yield self._expire(task, thread)
            yield from self._reschedule()

    def _advance(self) -> None:
        """Let time go on to the nearest of tick, timer, end of CPU need and end of the run."""
        now = self.now
        while self.next_tick < now or (self.current < 0 and self.next_tick == now):
            self.next_tick += TICK_NS
        times = [self.end, *(thread.wake_at for thread in self.threads.values() if thread.wake_at is not None)]
        if self.current >= 0:
            running = self.threads[self.current]
            times += [now + running.left, self.next_tick]
        then = min(times)
        if self.current >= 0:
            running.left -= then - now
        self.state.glob[ks.NOW] = then

    def _tick(self) -> Iterator[Entry]:
        if self.now == self.next_tick:
            self.next_tick += TICK_NS
            if self.current >= 0:
                kernel_core.tick(self.handle, CPU)
                if self.with_signals:
                    yield self._entry("tick", [self.now, self.current, self.resched], self.current)

    def _expire(self, task: int, thread: Thread) -> Entry:
        return self._wake(task) if thread.started else self._start("new", task)

    def _start(self, name: str, task: int) -> Entry:
        thread = self.threads[task]
        thread.started = True
        thread.wake_at = None
        set_policy(self.state, task, thread.policy, thread.nice, thread.slice_ns)
        kernel_core.start(self.handle, CPU, task)
        return self._entry(name, [self.now, task, self.resched], task)

    def _wake(self, task: int) -> Entry:
        self.threads[task].asleep = False
        self.threads[task].wake_at = None
        kernel_core.wake(self.handle, CPU, task)
        return self._entry("wake", [self.now, task, self.resched], task)

    def _reschedule(self) -> Iterator[Entry]:
        if self.resched:
            yield from self._schedule()

    def _schedule(self) -> Iterator[Entry]:
        previous = self.current
        if kernel_switch.schedule(self.handle, CPU):
            yield self._entry("sw", [self.now, previous, self.current], previous)

    # Operations of the running thread

    def _operate(self, task: int) -> Iterator[Entry]:
        """Execute one operation of the running thread; a reschedule that it causes happens at once."""
        name, number = self.threads[task].next_op()
        if name == RUN:
            self.threads[task].left = number
            return
        yield from OPERATIONS[name](self, task, number)
        yield from self._reschedule()

    def _sleep(self, task: int, number: int) -> Iterator[Entry]:
        self.threads[task].wake_at = self.now + number
        yield from self._fall_asleep(task, TIMER)

    def _block(self, task: int, _: int) -> Iterator[Entry]:
        yield from self._fall_asleep(task, BLOCKED)

    def _fall_asleep(self, task: int, how: int) -> Iterator[Entry]:
        self.threads[task].asleep = True
        kernel_core.block(self.handle, CPU, ks.SLEEP)
        yield from self._schedule()
        yield self._entry("slept", [self.now, task, how], task)

    def _wake_other(self, _: int, number: int) -> Iterator[Entry]:
        if self.threads[number].asleep:
            yield self._wake(number)

    def _yield(self, _task: int, _number: int) -> Iterator[Entry]:
        kernel_core.give_way(self.handle, CPU)
        yield from self._schedule()

    def _fork(self, task: int, number: int) -> Iterator[Entry]:
        child, parent = self.threads[number], self.threads[task]
        if not child.started:
            child.nice, child.slice_ns, child.policy = parent.nice, parent.slice_ns, parent.policy
            yield self._start("fork", number)

    def _renice(self, task: int, number: int) -> Iterator[Entry]:
        thread = self.threads[task]
        if number != thread.nice:
            weight = int(self.state.task[task, ks.WEIGHT]) if thread.policy == ks.IDLE_POLICY else weight_of(number)
            kernel_core.renice(self.handle, task, weight, int(number > thread.nice))
            thread.nice = number
        yield self._entry("nice", [self.now, task, self.resched], task)

    def _exit(self, task: int, _: int) -> Iterator[Entry]:
        self.threads[task].dead = True
        kernel_core.block(self.handle, CPU, ks.DEATH)
        yield from self._schedule()
        kernel_core.bury(self.handle, task)
        yield ["exit", self.now, task]

    # The log

    def _entry(self, name: str, head: Sequence[int], signals: int | None = None) -> Entry:
        cpu = self.state.cpu[CPU]
        entry: Entry = [name, *head, int(average(self.handle, CPU)), int(cpu[ks.N_QUEUED]), self._entities()]
        if self.with_signals and signals is not None:
            shown = None if signals < 0 else signals
            entry.append({"t": self.now, **signals_of(self.state, shown)})
        return entry

    def _entities(self) -> list[list[int]]:
        return [
            [task, *(int(row[column]) for column in ENTITY), int(row[ks.ON_RQ] | row[ks.DELAYED] << 1)]
            for task, thread in sorted(self.threads.items())
            if thread.started and not thread.dead
            for row in (self.state.task[task],)
        ]


OPERATIONS: Final = {
    "S": Loop._sleep,
    "B": Loop._block,
    "W": Loop._wake_other,
    "Y": Loop._yield,
    "F": Loop._fork,
    "N": Loop._renice,
    "X": Loop._exit,
}
