"""The device tree of a guest's machine, as QEMU's `virt` describes the same devices."""

from collections.abc import Sequence
from typing import Any, Final

from simcore.app.code_gic import REDISTRIBUTOR_SIZE
from simcore.app.code_loader import RAM
from simcore.app.code_map import DISTRIBUTOR, REDISTRIBUTORS, UART, WINDOW
from simcore.app.code_tree import flatten

_INTC, _CLOCK = 1, 2
_PPI, _SPI, _HIGH = 1, 0, 4
_UART_HZ: Final = 24_000_000


def device_tree(vcpus: int, ram_bytes: int, arguments: str, pmu_interrupt: int | None) -> bytes:
    """Return the tree: ``arguments`` are the guest's, ``pmu_interrupt`` is the PMU's PPI (None: there is no PMU)."""
    root: dict[str, Any] = {
        "#address-cells": 2,
        "#size-cells": 2,
        "compatible": "linux,dummy-virt",
        "interrupt-parent": _INTC,
        "chosen": {"bootargs": arguments, "stdout-path": f"/pl011@{UART:x}"},
        f"memory@{RAM:x}": {"device_type": "memory", "reg": _reg(RAM, ram_bytes)},
        "psci": {
            "compatible": ["arm,psci-1.0", "arm,psci-0.2"],
            "method": "hvc",
            "cpu_on": 0xC4000003,
            "cpu_off": 0x84000002,
        },
        "cpus": {"#address-cells": 1, "#size-cells": 0, **{f"cpu@{n:x}": _cpu(n) for n in range(vcpus)}},
        f"intc@{DISTRIBUTOR:x}": {
            "compatible": "arm,gic-v3",
            "#interrupt-cells": 3,
            "interrupt-controller": None,
            "reg": _reg(DISTRIBUTOR, WINDOW) + _reg(REDISTRIBUTORS, vcpus * REDISTRIBUTOR_SIZE),
            "#redistributor-regions": 1,
            "phandle": _INTC,
        },
        "timer": {
            "compatible": "arm,armv8-timer",
            "always-on": None,
            "interrupts": [cell for ppi in (13, 14, 11, 10) for cell in (_PPI, ppi, _HIGH)],
        },
        "apb-pclk": {
            "compatible": "fixed-clock",
            "#clock-cells": 0,
            "clock-frequency": _UART_HZ,
            "clock-output-names": "clk24mhz",
            "phandle": _CLOCK,
        },
        f"pl011@{UART:x}": {
            "compatible": ["arm,pl011", "arm,primecell"],
            "reg": _reg(UART, 0x1000),
            "interrupts": [_SPI, 1, _HIGH],
            "clocks": [_CLOCK, _CLOCK],
            "clock-names": ["uartclk", "apb_pclk"],
        },
    }
    if pmu_interrupt is not None:
        root["pmu"] = {"compatible": "arm,armv8-pmuv3", "interrupts": [_PPI, pmu_interrupt - 16, _HIGH]}
    return flatten(root)


def _cpu(number: int) -> dict[str, Any]:
    return {"device_type": "cpu", "compatible": "arm,armv8", "reg": number, "enable-method": "psci"}


def _reg(address: int, size: int) -> list[int]:
    pairs: Sequence[int] = (address >> 32, address & 0xFFFFFFFF, size >> 32, size & 0xFFFFFFFF)
    return list(pairs)
