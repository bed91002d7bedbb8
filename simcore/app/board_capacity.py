"""capacity-dmips-mhz of a board's CPUs: as the device tree has it, or so that Linux' cpu_capacity comes out."""

from simcore.app.board_facts import Board
from simcore.platform import cpu_list, scaled_capacities

FULL = 1024
SCALES = (1, 10, 100)
"""By which 1024 is multiplied for the largest capacity-dmips-mhz, until the others fit."""


def capacity_dmips_mhz(board: Board, notes: list[str]) -> dict[int, int]:
    """Return capacity-dmips-mhz of each CPU: the device tree's, or what gives the capacities that Linux shows."""
    capacities = {cpu.number: cpu.capacity for cpu in board.cpus if cpu.capacity is not None}
    fmax = {cpu: policy.opps.khz[-1] for policy in board.policies for cpu in policy.cpus}
    stated = {cpu.number: cpu.dmips for cpu in board.cpus if cpu.dmips}
    if len(stated) == len(board.cpus):
        _compare_capacities(board, stated, fmax, capacities, notes)
        return stated
    if len(capacities) < len(board.cpus) or len(fmax) < len(board.cpus):
        notes.append("cpu_capacity or cpufreq is not there for every CPU: all are taken to have capacity 1024")
        return {}
    if set(capacities.values()) == {FULL} and len(set(fmax.values())) > 1:
        notes.append(
            "cpu_capacity is 1024 for every CPU though their frequencies differ, as without capacity-dmips-mhz"
        )
        return {}
    return _fitted(capacities, fmax, notes)


def _fitted(capacities: dict[int, int], fmax: dict[int, int], notes: list[str]) -> dict[int, int]:
    biggest = max(capacities, key=lambda cpu: (capacities[cpu], fmax[cpu]))
    fitted: dict[int, int] = {}
    for scale in SCALES:
        most = FULL * scale * fmax[biggest]
        fitted = {cpu: max(1, -(-capacity * most // (FULL * fmax[cpu]))) for cpu, capacity in capacities.items()}
        if _capacities(fitted, fmax) == capacities:
            return fitted
    shown = {cpu: value for cpu, value in _capacities(fitted, fmax).items() if value != capacities[cpu]}
    notes.append(f"cpu_capacity is met to the nearest only, for CPUs {cpu_list(shown)}")
    return fitted


def _capacities(dmips: dict[int, int], fmax: dict[int, int]) -> dict[int, int]:
    raw = [dmips[cpu] * fmax[cpu] for cpu in sorted(dmips)]
    return dict(zip(sorted(dmips), scaled_capacities(raw), strict=True))


def _compare_capacities(
    board: Board, dmips: dict[int, int], fmax: dict[int, int], capacities: dict[int, int], notes: list[str]
) -> None:
    if len(fmax) < len(board.cpus) or len(capacities) < len(board.cpus):
        return
    made = _capacities(dmips, fmax)
    unlike = [cpu for cpu in made if abs(made[cpu] - capacities[cpu]) > 1]
    if unlike:
        cpu = unlike[0]
        notes.append(f"CPU {cpu} has cpu_capacity {capacities[cpu]}; dmips x fmax of the device tree give {made[cpu]}")
