"""The platforms of the case tables as files, and short words for sequences on them."""

from pathlib import Path

from pmu.host import Host
from simcore.app.uapi_parsing import Step, parse
from simcore.app.uapi_running import Account, Column, columns_of, run_steps, vcpus_of
from simcore.loader import load_platform

PLATFORMS = Path(__file__).parent / "data" / "platforms"
MOST = 8
EVERY = ("mainline", "v6", "v8", "review")


def path(name: str) -> str:
    return str(PLATFORMS / f"{name.lower()}.toml")


def host(name: str) -> Host:
    return Host.from_platform(load_platform(path(name)))


def steps(text: str, where: Host | str = "HET", vcpus: int = MOST) -> tuple[Step, ...]:
    return parse(text, host(where) if isinstance(where, str) else where, vcpus)


def account(
    text: str, where: Host | str = "HET", kernels: tuple[str, ...] | tuple[Column, ...] = EVERY, irqchip: str = "gicv3"
) -> Account:
    """Run a sequence on a platform of the case tables."""
    machine = host(where) if isinstance(where, str) else where
    columns = tuple(kernel if isinstance(kernel, Column) else columns_of((kernel,))[0] for kernel in kernels)
    typed = steps(text, machine)
    return run_steps(machine, columns, typed, vcpus_of(typed), irqchip)


def results(found: Account, kernel: str) -> list[object]:
    """Return the results of the steps that were typed."""
    return [row.outcomes[kernel].result for row in found.rows if not row.implied]
