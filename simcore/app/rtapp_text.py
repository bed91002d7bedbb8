"""What the threads of rt-app files ran, as text."""

from collections.abc import Sequence
from typing import Any

from simcore.app.columns import duration, table

Row = dict[str, Any]


def rtapp_lines(rows: Sequence[Row]) -> list[str]:
    """Show what each thread of an rt-app file ran, beside what the file asks for."""
    if not rows:
        return []
    head = ("rt-app thread", "on", "phases done", "ran", "asked", "least slack", "latest wakeup")
    cells = [
        (
            f"{row['thread']} {row['name']}",
            "host" if row["vm"] < 0 else f"VM {row['vm']}",
            row["repetitions"],
            *(duration(row[key]) for key in ("run_ns", "asked_run_ns")),
            _signed(row["least_slack_ns"]),
            duration(row["worst_latency_ns"]),
        )
        for row in rows
    ]
    return table(head, cells).splitlines()


def _signed(ns: int | None) -> str:
    return f"-{duration(-ns)}" if ns is not None and ns < 0 else duration(ns)
