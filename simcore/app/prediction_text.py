"""The text of `hetpmu predict`: aligned, at most 120 columns."""

from simcore.app.columns import table
from workloads.predicting import Prediction


def prediction_text(found: Prediction) -> str:
    """Return a prediction as a table for people."""
    rows = ", ".join(str(khz) for khz in found.rows_khz)
    head = [
        f"{found.workload} ({found.suite}) alone on {found.silicon} at {found.khz} kHz, from rows at {rows} kHz",
        f"IPC {found.ipc:.4f}" + ("" if found.seconds is None else f", {found.seconds:.6g} s on the CPU"),
    ]
    lines = [(name, f"0x{code:04x}", f"{count:.6g}") for name, code, count in found.named()]
    return "\n".join([*head, "", table(("event", "code", "per 1000 instructions"), lines)])
