"""From the members of an rt-app file to its threads, phases and events.

The meaning of each key is that of rt-app's tutorial and sources (docs/imports.md). What is not modelled is refused by
name, or left out where the user names it.
"""

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from simcore.errors import InputError, near_matches
from simcore.limits import on_one_line
from simcore.scenario import ThreadSpec
from simcore.tomlfile import read_text
from simcore.units import NS_PER_S
from workloads.rtapp_file import Event, RtApp, RtPhase, RtTask
from workloads.rtapp_json import Members, loads

NS_PER_US = 1_000
MOST_US = 10**12
MOST_THREADS = 512
DEFAULT_RT_PRIORITY = 10
UNIQUE = "unique"

EVENTS = (
    "lock", "unlock", "wait", "signal", "broad", "sync", "sleep", "runtime", "run", "timer", "suspend", "resume", "mem",
    "iorun", "yield", "barrier", "fork",
)  # fmt: skip
"""rt-app takes a key for the first of these that it begins with: `run0` is a `run`."""
NOT_MODELLED = {
    "mem": "no memory traffic is modelled",
    "iorun": "no storage is modelled",
    "yield": "sched_yield is not modelled",
    "fork": "threads are not made while a run goes on",
    "nodes_membind": "no NUMA is modelled",
    "taskgroup": "rt-app's cgroups are not modelled",
    "dl-runtime": "SCHED_DEADLINE is not modelled",
    "dl-period": "SCHED_DEADLINE is not modelled",
    "dl-deadline": "SCHED_DEADLINE is not modelled",
    "SCHED_DEADLINE": "SCHED_DEADLINE is not modelled",
    "pi_enabled": "priority inheritance is not modelled",
}
"""Events, keys and values that rt-app has and this model has not, and why."""
SCHED_KEYS = ("policy", "priority", "util_min", "util_max")
TASK_KEYS = ("loop", "instance", "delay", "phases", "cpus", *SCHED_KEYS)
PHASE_KEYS = ("loop", "cpus")
GLOBAL_KEYS = ("duration", "calibration", "default_policy", "cumulative_slack")
NO_EFFECT = (
    "lock_pages", "logdir", "log_basename", "log_size", "ftrace", "gnuplot", "io_device", "mem_buffer_size", "frag",
)  # fmt: skip
"""Global keys about rt-app's logs and memory: they change nothing here (`frag`: of old versions)."""
POLICIES = {"SCHED_OTHER": "other", "SCHED_IDLE": "idle", "SCHED_FIFO": "fifo", "SCHED_RR": "rr"}


def load_rtapp(path: str, ignore: Collection[str] = ()) -> RtApp:
    """Read a file; ``ignore`` names what is left out although it is not modelled. Raises InputError."""
    return parse(read_text(path), path, ignore)


def parse(text: str, where: str, ignore: Collection[str] = ()) -> RtApp:
    """Return what the text of a file says; ``where`` is its name in messages."""
    reader = Reader(frozenset(ignore))
    root = Node(loads(text, where), f"{where}: ").table(("tasks", "global", "resources"), reader)
    if "tasks" not in root:
        raise InputError("no object `tasks`", where, valid='{"tasks": {...}, "global": {...}}')
    if "resources" in root:
        root["resources"].members()
    settings = root["global"].table((*GLOBAL_KEYS, *NO_EFFECT), reader) if "global" in root else {}
    default = reader.policy(settings["default_policy"]) if "default_policy" in settings else "other"
    tasks = tuple(reader.task(name, node, default) for name, node in root["tasks"].renamed())
    if not any(task.instances for task in tasks):
        raise InputError("no thread to run", f"{where}: tasks", valid="at least one task with an instance")
    if sum(task.instances for task in tasks) > MOST_THREADS:
        raise InputError("too many threads", f"{where}: tasks", valid=f"at most {MOST_THREADS}")
    seconds = settings["duration"].integer(-1, MOST_US // 1_000_000) if "duration" in settings else -1
    return RtApp(
        _with_absolute_timers(tasks),
        seconds * NS_PER_S if seconds > 0 else None,
        _calibration_cpu(settings.get("calibration")),
        settings["cumulative_slack"].boolean() if "cumulative_slack" in settings else False,
    )


@dataclass(frozen=True, slots=True)
class Node:
    """A value of the file and the path to it, which messages begin with."""

    value: Any
    where: str

    def wrong(self, valid: str) -> InputError:
        """Return the error for a value that is not what it has to be."""
        return InputError(f"{_shown(self.value)} is not valid here", self.where.removesuffix(": "), valid=valid)

    def members(self) -> list[tuple[str, "Node"]]:
        """Return the members of an object, in order."""
        if not isinstance(self.value, Members):
            raise self.wrong("an object")
        joint = self.where if self.where.endswith(": ") else f"{self.where}."
        return [(key, Node(value, joint + key)) for key, value in self.value]

    def renamed(self) -> list[tuple[str, "Node"]]:
        """Return the members with keys that occur again numbered, as workgen does."""
        names: list[tuple[str, Node]] = []
        used: set[str] = set()
        following: dict[str, int] = {}
        for key, node in self.members():
            if on_one_line(key) != key:
                valid = "no control characters and no lone surrogates"
                raise InputError(f"a name with characters that are no text: {_shown(key)}", self.where, valid=valid)
            name = key
            while name in used:
                number = following.get(key, 1)
                name, following[key] = f"{key}{number}", number + 1
            used.add(name)
            names.append((name, node))
        return names

    def table(self, known: Collection[str], reader: "Reader", events: bool = False) -> dict[str, "Node"]:
        """Return the members that are no events by key; each may occur once, and must be known or ignored."""
        found: dict[str, Node] = {}
        for key, node in self.members():
            if (events and event_kind(key)) or reader.leaves_out(key, node, known):
                continue
            if key in found:
                raise InputError("this key occurs twice", node.where, valid="once; only events may be repeated")
            found[key] = node
        return found

    def integer(self, low: int, high: int) -> int:
        """Return a whole number within bounds."""
        if isinstance(self.value, bool) or not isinstance(self.value, int) or not low <= self.value <= high:
            raise self.wrong(f"a whole number from {low} to {high}")
        return self.value

    def boolean(self) -> bool:
        """Return a boolean; rt-app also takes 0 and 1."""
        if not isinstance(self.value, bool | int) or self.value not in (0, 1):
            raise self.wrong("true or false")
        return bool(self.value)

    def text(self) -> str:
        """Return a string that can stand in a line."""
        if not isinstance(self.value, str) or len(self.value) > 200 or on_one_line(self.value) != self.value:
            raise self.wrong("a string of at most 200 characters, none of them a control character")
        return self.value

    def time(self) -> int:
        """Return a duration in microseconds as ns."""
        return self.integer(0, MOST_US) * NS_PER_US

    def loops(self, of_task: bool = False) -> int:
        """Return how often something is done, -1 for ever; a phase is done at least once."""
        if self.value == 0 and not of_task:
            raise self.wrong("-1 (for ever) or a whole number from 1 on")
        return self.integer(-1, MOST_US)

    def cpus(self) -> tuple[int, ...]:
        """Return a list of CPUs."""
        if not isinstance(self.value, list) or not self.value:
            raise self.wrong("an array of CPU numbers, such as [0, 1]")
        return tuple(sorted({Node(cpu, self.where).integer(0, 511) for cpu in self.value}))


@dataclass(frozen=True, slots=True)
class Reader:
    """Reads tasks and phases; ``ignore`` is what the user lets it leave out."""

    ignore: frozenset[str]

    def leaves_out(self, key: str, node: Node, known: Collection[str]) -> bool:
        """Tell whether a key is left out as the user said; one that is neither known nor ignored is refused."""
        if key in self.ignore:
            return True
        if key in NOT_MODELLED:
            if key == "pi_enabled" and not node.boolean():
                return True
            self.refuse(key, node)
        if key not in known:
            raise InputError(f"unknown key {key!r}", node.where, valid=f"{near_matches(key, known)} {_hint(key)}")
        return False

    def refuse(self, name: str, node: Node) -> None:
        """Refuse what is not modelled."""
        raise InputError(f"{name} is not supported", node.where, NOT_MODELLED[name], f"without it, {_hint(name)}")

    def task(self, name: str, node: Node, default: str) -> RtTask:
        """Return a task."""
        has_phases = any(key == "phases" for key, _ in node.members())
        keys = node.table(TASK_KEYS, self, events=not has_phases)
        cpus = keys["cpus"].cpus() if "cpus" in keys else None
        loop = keys["loop"].loops(has_phases) if "loop" in keys else None
        if has_phases:
            phases = [self.phase(title, part) for title, part in keys["phases"].renamed()]
            task_loop = -1 if loop is None else loop
        else:  # rt-app: the loop is that of the only phase, and the task is done once; without one, for ever
            phases = [RtPhase(name, 1 if loop is None else loop, self.events(node, name))]
            task_loop = -1 if loop is None else 1
        if not phases:
            raise InputError("no phase", node.where, valid="at least one phase")
        phases = [replace(phase, events=_named(phase.events, name)) for phase in phases]
        return RtTask(
            name=name,
            instances=keys["instance"].integer(0, MOST_THREADS) if "instance" in keys else 1,
            delay_ns=keys["delay"].time() if "delay" in keys else 0,
            loop=task_loop,
            phases=tuple(phases),
            sched=self.sched(keys, default),
            cpus=cpus,
        )

    def phase(self, name: str, node: Node) -> RtPhase:
        """Return a phase of a task that has several."""
        for key, member in node.members():
            if key in SCHED_KEYS and key not in self.ignore:
                raise InputError(
                    f"{key} of a phase is not supported", member.where, valid=f"{key} of the task, {_hint(key)}"
                )
        keys = node.table((*PHASE_KEYS, *SCHED_KEYS), self, events=True)
        loop = keys["loop"].loops() if "loop" in keys else 1
        return RtPhase(name, loop, self.events(node, name), keys["cpus"].cpus() if "cpus" in keys else None)

    def events(self, node: Node, name: str) -> tuple[Event, ...]:
        """Return the events of a phase, in order."""
        found = []
        for key, member in node.members():
            kind = event_kind(key)
            if kind is None or {key, kind} & self.ignore:
                continue
            if kind in NOT_MODELLED:
                self.refuse(kind, member)
            found.append(READ_EVENT[kind](kind, member))
        if not found:
            raise InputError(f"phase {name!r} has no events", node.where, valid=", ".join(READ_EVENT))
        return tuple(found)

    def policy(self, node: Node) -> str:
        """Return a scheduling policy in the words of a scenario."""
        name = node.text()
        if name == "SCHED_DEADLINE":
            if name not in self.ignore:
                self.refuse(name, node)
            return "other"
        if name not in POLICIES:
            raise node.wrong(", ".join(POLICIES))
        return POLICIES[name]

    def sched(self, keys: Mapping[str, Node], default: str) -> ThreadSpec:
        """Return the scheduling attributes of a task: rt-app's priority is the nice value of a fair thread."""
        policy = self.policy(keys["policy"]) if "policy" in keys else default
        clamps = {key: keys[f"util_{key}"].integer(-1, 1024) for key in ("min", "max") if f"util_{key}" in keys}
        low, high = (None if clamps.get(key, -1) < 0 else clamps[key] for key in ("min", "max"))
        if policy in ("fifo", "rr"):
            priority = keys["priority"].integer(1, 99) if "priority" in keys else DEFAULT_RT_PRIORITY
            return ThreadSpec(policy=policy, priority=priority, uclamp_min=low, uclamp_max=high)
        nice = keys["priority"].integer(-20, 19) if "priority" in keys else 0
        return ThreadSpec(policy=policy, nice=nice if policy == "other" else 0, uclamp_min=low, uclamp_max=high)


def event_kind(key: str) -> str | None:
    """Return the kind of event that a key stands for, or None."""
    if key.startswith("nodes_") or key in TASK_KEYS:
        return None
    return next((kind for kind in EVENTS if key.startswith(kind)), None)


def _timed(kind: str, node: Node) -> Event:
    return Event(kind, ns=node.time())


def _referring(kind: str, node: Node) -> Event:
    return Event(kind, node.text())


def _waiting(kind: str, node: Node) -> Event:
    keys = _exactly(node, ("ref", "mutex"))
    return Event(kind, keys["ref"].text(), keys["mutex"].text())


def _timer(kind: str, node: Node) -> Event:
    keys = _exactly(node, ("ref", "period"), ("mode",))
    mode = keys["mode"].text() if "mode" in keys else "relative"
    if mode not in ("relative", "absolute"):
        raise keys["mode"].wrong("relative, absolute")
    return Event(kind, keys["ref"].text(), ns=keys["period"].time(), absolute=mode == "absolute")


READ_EVENT: Mapping[str, Callable[[str, Node], Event]] = {
    **dict.fromkeys(("run", "runtime", "sleep"), _timed),
    **dict.fromkeys(("lock", "unlock", "signal", "broad", "suspend", "resume", "barrier"), _referring),
    **dict.fromkeys(("wait", "sync"), _waiting),
    "timer": _timer,
}


def _exactly(node: Node, needed: Iterable[str], optional: Iterable[str] = ()) -> dict[str, Node]:
    """Return the members of an object that has these keys, each once."""
    members = node.members()
    keys = dict(members)
    if len(keys) < len(members) or not set(needed) <= set(keys) <= {*needed, *optional}:
        raise node.wrong(f"an object with {', '.join(needed)}" + "".join(f" and perhaps {key}" for key in optional))
    return keys


def _named(events: Iterable[Event], task: str) -> tuple[Event, ...]:
    """Return the events with the task's name where a `suspend` leaves it out."""
    return tuple(replace(event, ref=event.ref or task) if event.kind == "suspend" else event for event in events)


def _with_absolute_timers(tasks: Iterable[RtTask]) -> tuple[RtTask, ...]:
    """Return the tasks with every use of a timer absolute that is absolute somewhere; `unique` ones are a task's."""
    tasks = tuple(tasks)
    absolute = {_timer_of(task, event) for task in tasks for event in task.events() if event.absolute}

    def marked(task: RtTask, phase: RtPhase) -> RtPhase:
        return replace(
            phase, events=tuple(replace(event, absolute=_timer_of(task, event) in absolute) for event in phase.events)
        )

    return tuple(replace(task, phases=tuple(marked(task, phase) for phase in task.phases)) for task in tasks)


def _timer_of(task: RtTask, event: Event) -> tuple[str, str] | None:
    if event.kind != "timer":
        return None
    return task.name if event.ref.startswith(UNIQUE) else "", event.ref


def _calibration_cpu(node: Node | None) -> int | None:
    """Return the CPU that `run` is measured by: CPU0 unless said; None where the file has ns per loop."""
    if node is None:
        return 0
    if isinstance(node.value, int) and not isinstance(node.value, bool):
        node.integer(1, MOST_US)
        return None
    number = node.text().removeprefix("CPU")
    if number == node.text() or not number.isdecimal() or len(number) > 3:
        raise node.wrong('a CPU such as "CPU0", or ns per loop as a whole number')
    return int(number)


def _hint(name: str) -> str:
    return f"or --ignore {name}"


def _shown(value: object) -> str:
    text = "{...}" if isinstance(value, Members) else repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
