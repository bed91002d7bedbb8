"""The flattened device tree as a copy of sysfs has it: CPU nodes, their OPPs and their idle states.

Cells are big-endian words of 32 bits, as in the device tree; what is not there is None.
"""

from collections.abc import Iterator
from functools import cached_property
from typing import NamedTuple

from simcore.app.board_tree import CPUS, Tree

MAX_STRING = 200
BASES = ("sys/firmware/devicetree/base", "proc/device-tree")


class DtOpp(NamedTuple):
    """An OPP: kHz, and uV where given."""

    khz: int
    microvolt: int | None


class DtIdle(NamedTuple):
    """An idle state; times in us."""

    path: str
    name: str
    """Its label, or else that of its node."""
    entry_us: int
    exit_us: int
    min_residency_us: int

    @property
    def node(self) -> str:
        """Return the name of its node."""
        return self.path.rpartition("/")[2]


class DeviceTree:
    """What stands about CPUs in the device tree of a board; empty where the copy has none."""

    def __init__(self, tree: Tree) -> None:
        """Find the base of the device tree."""
        self.tree = tree
        self.base = next((base for base in BASES if tree.names(base)), BASES[0])

    def cpu(self, number: int) -> str | None:
        """Return the path of the node of a CPU: where `of_node` leads, or the one in this place by `reg`."""
        link = self.tree.link(f"{CPUS}/cpu{number}/of_node")
        if link is not None:
            path = f"{self.base}/cpus/{link.rstrip('/').rpartition('/')[2]}"
            return path if self.tree.names(path) else None
        return self._in_order[number] if number < len(self._in_order) else None

    def linked(self, number: int) -> bool:
        """Tell whether the copy says which node is that of a CPU."""
        return self.tree.link(f"{CPUS}/cpu{number}/of_node") is not None

    def word(self, path: str) -> int | None:
        """Return a property of one cell, or of two."""
        cells = self.cells(path)
        return None if not cells else cells[0] if len(cells) == 1 else cells[0] << 32 | cells[1]

    def cells(self, path: str) -> list[int]:
        """Return the cells of a property."""
        data = self.tree.data(path) or b""
        return [int.from_bytes(data[place : place + 4], "big") for place in range(0, len(data) // 4 * 4, 4)]

    def strings(self, path: str) -> list[str]:
        """Return the strings of a property, what cannot be printed as `?`."""
        parts = (self.tree.data(path) or b"").decode("utf-8", "replace").split("\0")
        return ["".join(char if char.isprintable() else "?" for char in part)[:MAX_STRING] for part in parts if part]

    def opps(self, cpu: str) -> tuple[str, list[DtOpp]]:
        """Return the table of OPPs of a CPU node and where it stands."""
        table = self._by_phandle.get(self.word(f"{cpu}/operating-points-v2") or 0)
        return (table, list(self._opps_of(table))) if table else ("", [])

    def idle_states(self, cpu: str) -> list[DtIdle]:
        """Return the idle states of a CPU node below WFI, the shallowest first."""
        nodes = [self._by_phandle.get(cell) for cell in self.cells(f"{cpu}/cpu-idle-states")]
        states = [self._idle(node) for node in nodes if node]
        return [state for state in states if state is not None]

    def _idle(self, node: str) -> DtIdle | None:
        names = ("entry-latency-us", "exit-latency-us", "min-residency-us")
        entry, leave, residency = (self.word(f"{node}/{name}") for name in names)
        if entry is None or leave is None or residency is None:
            return None
        label = self.strings(f"{node}/idle-state-name")
        return DtIdle(node, label[0] if label else node.rpartition("/")[2], entry, leave, residency)

    def _opps_of(self, table: str) -> Iterator[DtOpp]:
        for name in self.tree.names(table):
            hertz = self.word(f"{table}/{name}/opp-hz")
            if hertz is not None:
                volts = self.cells(f"{table}/{name}/opp-microvolt")
                yield DtOpp(hertz // 1000, volts[0] if volts else None)

    @cached_property
    def _in_order(self) -> list[str]:
        nodes = [f"{self.base}/cpus/{name}" for name in self.tree.names(f"{self.base}/cpus") if name.startswith("cpu@")]
        return sorted(nodes, key=lambda node: self.word(f"{node}/reg") or 0)

    @cached_property
    def _by_phandle(self) -> dict[int, str]:
        folders = ("", "/cpus", "/cpus/idle-states", "/cpus/domain-idle-states", "/idle-states")
        nodes = [f"{self.base}{folder}/{name}" for folder in folders for name in self.tree.names(self.base + folder)]
        handles = {node: self.word(f"{node}/phandle") for node in nodes}
        return {handle: node for node, handle in handles.items() if handle is not None}
