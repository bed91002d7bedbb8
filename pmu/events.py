"""PMUv3 event numbers and names (Arm's common and recommended events), and where PMCEID shows them.

Which events a core type has is platform data; which a guest may count is decided in ``pmu.kvm``.
"""

from collections.abc import Mapping
from types import MappingProxyType

SW_INCR = 0x00
INST_RETIRED = 0x08
CPU_CYCLES = 0x11
CHAIN = 0x1E
STALL_SLOT_BACKEND = 0x3D
STALL_SLOT_FRONTEND = 0x3E
STALL_SLOT = 0x3F
CNT_CYCLES = 0x4004

SOFTWARE_EVENTS = frozenset({SW_INCR, CHAIN})
"""Events that KVM counts itself: no host event, no event filter, no exception-level filter."""

EVENT_NAMES: Mapping[int, str] = MappingProxyType(
    {
        0x0000: "SW_INCR",
        0x0001: "L1I_CACHE_REFILL",
        0x0002: "L1I_TLB_REFILL",
        0x0003: "L1D_CACHE_REFILL",
        0x0004: "L1D_CACHE",
        0x0005: "L1D_TLB_REFILL",
        0x0006: "LD_RETIRED",
        0x0007: "ST_RETIRED",
        0x0008: "INST_RETIRED",
        0x0009: "EXC_TAKEN",
        0x000A: "EXC_RETURN",
        0x000B: "CID_WRITE_RETIRED",
        0x000C: "PC_WRITE_RETIRED",
        0x000D: "BR_IMMED_RETIRED",
        0x000E: "BR_RETURN_RETIRED",
        0x000F: "UNALIGNED_LDST_RETIRED",
        0x0010: "BR_MIS_PRED",
        0x0011: "CPU_CYCLES",
        0x0012: "BR_PRED",
        0x0013: "MEM_ACCESS",
        0x0014: "L1I_CACHE",
        0x0015: "L1D_CACHE_WB",
        0x0016: "L2D_CACHE",
        0x0017: "L2D_CACHE_REFILL",
        0x0018: "L2D_CACHE_WB",
        0x0019: "BUS_ACCESS",
        0x001A: "MEMORY_ERROR",
        0x001B: "INST_SPEC",
        0x001C: "TTBR_WRITE_RETIRED",
        0x001D: "BUS_CYCLES",
        0x001E: "CHAIN",
        0x001F: "L1D_CACHE_ALLOCATE",
        0x0020: "L2D_CACHE_ALLOCATE",
        0x0021: "BR_RETIRED",
        0x0022: "BR_MIS_PRED_RETIRED",
        0x0023: "STALL_FRONTEND",
        0x0024: "STALL_BACKEND",
        0x0025: "L1D_TLB",
        0x0026: "L1I_TLB",
        0x0027: "L2I_CACHE",
        0x0028: "L2I_CACHE_REFILL",
        0x0029: "L3D_CACHE_ALLOCATE",
        0x002A: "L3D_CACHE_REFILL",
        0x002B: "L3D_CACHE",
        0x002C: "L3D_CACHE_WB",
        0x002D: "L2D_TLB_REFILL",
        0x002E: "L2I_TLB_REFILL",
        0x002F: "L2D_TLB",
        0x0030: "L2I_TLB",
        0x0031: "REMOTE_ACCESS",
        0x0032: "LL_CACHE",
        0x0033: "LL_CACHE_MISS",
        0x0034: "DTLB_WALK",
        0x0035: "ITLB_WALK",
        0x0036: "LL_CACHE_RD",
        0x0037: "LL_CACHE_MISS_RD",
        0x0038: "REMOTE_ACCESS_RD",
        0x0039: "L1D_CACHE_LMISS_RD",
        0x003A: "OP_RETIRED",
        0x003B: "OP_SPEC",
        0x003C: "STALL",
        0x003D: "STALL_SLOT_BACKEND",
        0x003E: "STALL_SLOT_FRONTEND",
        0x003F: "STALL_SLOT",
        0x0040: "L1D_CACHE_RD",
        0x0041: "L1D_CACHE_WR",
        0x0042: "L1D_CACHE_REFILL_RD",
        0x0043: "L1D_CACHE_REFILL_WR",
        0x0044: "L1D_CACHE_REFILL_INNER",
        0x0045: "L1D_CACHE_REFILL_OUTER",
        0x0046: "L1D_CACHE_WB_VICTIM",
        0x0047: "L1D_CACHE_WB_CLEAN",
        0x0048: "L1D_CACHE_INVAL",
        0x004C: "L1D_TLB_REFILL_RD",
        0x004D: "L1D_TLB_REFILL_WR",
        0x004E: "L1D_TLB_RD",
        0x004F: "L1D_TLB_WR",
        0x0050: "L2D_CACHE_RD",
        0x0051: "L2D_CACHE_WR",
        0x0052: "L2D_CACHE_REFILL_RD",
        0x0053: "L2D_CACHE_REFILL_WR",
        0x0056: "L2D_CACHE_WB_VICTIM",
        0x0057: "L2D_CACHE_WB_CLEAN",
        0x0058: "L2D_CACHE_INVAL",
        0x005C: "L2D_TLB_REFILL_RD",
        0x005D: "L2D_TLB_REFILL_WR",
        0x005E: "L2D_TLB_RD",
        0x005F: "L2D_TLB_WR",
        0x0060: "BUS_ACCESS_RD",
        0x0061: "BUS_ACCESS_WR",
        0x0062: "BUS_ACCESS_SHARED",
        0x0063: "BUS_ACCESS_NOT_SHARED",
        0x0064: "BUS_ACCESS_NORMAL",
        0x0065: "BUS_ACCESS_PERIPH",
        0x0066: "MEM_ACCESS_RD",
        0x0067: "MEM_ACCESS_WR",
        0x0068: "UNALIGNED_LD_SPEC",
        0x0069: "UNALIGNED_ST_SPEC",
        0x006A: "UNALIGNED_LDST_SPEC",
        0x006C: "LDREX_SPEC",
        0x006D: "STREX_PASS_SPEC",
        0x006E: "STREX_FAIL_SPEC",
        0x006F: "STREX_SPEC",
        0x0070: "LD_SPEC",
        0x0071: "ST_SPEC",
        0x0072: "LDST_SPEC",
        0x0073: "DP_SPEC",
        0x0074: "ASE_SPEC",
        0x0075: "VFP_SPEC",
        0x0076: "PC_WRITE_SPEC",
        0x0077: "CRYPTO_SPEC",
        0x0078: "BR_IMMED_SPEC",
        0x0079: "BR_RETURN_SPEC",
        0x007A: "BR_INDIRECT_SPEC",
        0x007C: "ISB_SPEC",
        0x007D: "DSB_SPEC",
        0x007E: "DMB_SPEC",
        0x0081: "EXC_UNDEF",
        0x0082: "EXC_SVC",
        0x0083: "EXC_PABORT",
        0x0084: "EXC_DABORT",
        0x0086: "EXC_IRQ",
        0x0087: "EXC_FIQ",
        0x0088: "EXC_SMC",
        0x008A: "EXC_HVC",
        0x008B: "EXC_TRAP_PABORT",
        0x008C: "EXC_TRAP_DABORT",
        0x008D: "EXC_TRAP_OTHER",
        0x008E: "EXC_TRAP_IRQ",
        0x008F: "EXC_TRAP_FIQ",
        0x0090: "RC_LD_SPEC",
        0x0091: "RC_ST_SPEC",
        0x00A0: "L3D_CACHE_RD",
        0x00A1: "L3D_CACHE_WR",
        0x00A2: "L3D_CACHE_REFILL_RD",
        0x00A3: "L3D_CACHE_REFILL_WR",
        0x00A6: "L3D_CACHE_WB_VICTIM",
        0x00A7: "L3D_CACHE_WB_CLEAN",
        0x00A8: "L3D_CACHE_INVAL",
        0x4000: "SAMPLE_POP",
        0x4001: "SAMPLE_FEED",
        0x4002: "SAMPLE_FILTRATE",
        0x4003: "SAMPLE_COLLISION",
        0x4004: "CNT_CYCLES",
        0x4005: "STALL_BACKEND_MEM",
        0x4006: "L1I_CACHE_LMISS",
        0x4009: "L2D_CACHE_LMISS_RD",
        0x400A: "L2I_CACHE_LMISS",
        0x400B: "L3D_CACHE_LMISS_RD",
        0x400C: "TRB_WRAP",
        0x400D: "PMU_OVFS",
        0x400E: "TRB_TRIG",
        0x400F: "PMU_HOVFS",
        0x4010: "TRCEXTOUT0",
        0x4011: "TRCEXTOUT1",
        0x4012: "TRCEXTOUT2",
        0x4013: "TRCEXTOUT3",
        0x4018: "CTI_TRIGOUT4",
        0x4019: "CTI_TRIGOUT5",
        0x401A: "CTI_TRIGOUT6",
        0x401B: "CTI_TRIGOUT7",
        0x4020: "LDST_ALIGN_LAT",
        0x4021: "LD_ALIGN_LAT",
        0x4022: "ST_ALIGN_LAT",
        0x4024: "MEM_ACCESS_CHECKED",
        0x4025: "MEM_ACCESS_CHECKED_RD",
        0x4026: "MEM_ACCESS_CHECKED_WR",
    }
)


def event_name(event: int) -> str:
    """Return the architectural name of an event, or its number in hex."""
    return EVENT_NAMES.get(event, f"0x{event:04x}")


def pmceid_position(event: int) -> tuple[int, int] | None:
    """Return (register 0 or 1, bit) of an event in PMCEID0/1_EL0, or None if neither describes it."""
    block, rest = divmod(event, 0x4000)
    if block > 1 or rest >= 0x40:
        return None
    return rest // 32, rest % 32 + 32 * block


def pmceid_events(pmceid0: int, pmceid1: int) -> tuple[int, ...]:
    """Return the events whose bits are set in PMCEID0/1_EL0, ascending."""
    registers = (pmceid0, pmceid1)
    numbers = (base + offset for base in (0, 0x4000) for offset in range(0x40))
    return tuple(event for event in numbers if _bit(registers, event))


def _bit(registers: tuple[int, int], event: int) -> bool:
    position = pmceid_position(event)
    return position is not None and bool(registers[position[0]] >> position[1] & 1)
