"""Where the devices of a guest's machine are, as in QEMU's `virt` (hw/arm/virt.c, base_memmap)."""

from typing import Final

FLASH: Final = 0x00000000
FLASH_SIZE: Final = 2 << 26
"""Two banks, without content; the device tree does not name them."""
DISTRIBUTOR: Final = 0x08000000
REDISTRIBUTORS: Final = 0x080A0000
UART: Final = 0x09000000
WINDOW: Final = 0x10000
"""The size of a device's registers."""
