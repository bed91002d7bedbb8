// Takes overflow interrupts of MEM_ACCESS, SW_INCR and a chain: none while disabled, one for each counter that overflows.
        .include "guest.inc"
        .include "pmu.inc"
        .macro forget
        mov x24, #0                     // interrupts
        mov x25, #0                     // counters that overflowed
        .endm
        .macro taken number, mask, text
        cmp x24, #\number
        ccmp x25, #\mask, #0, eq
        verdict "\text"
        .endm
        begin
        quiet
        needs 2, MEM_ACCESS, SW_INCR, CHAIN
        gic_on 23
        fresh
        types MEM_ACCESS, SW_INCR
        enable 3
        preset 0, PRE
        preset 1, PRE
        forget
        msr daifclr, #2
        loads 200
        start
        increments 100, 2
        stop
        taken 0, 0, "no interrupt while none is enabled"
        fresh
        enable 3
        preset 0, PRE
        preset 1, PRE
        mov x0, #-1
        msr pmintenset_el1, x0
        forget
        loads 200
        start
        increments 100, 2
        stop
        taken 2, 3, "an interrupt from each of two counters"
        types MEM_ACCESS, CHAIN
        preset 0, PRE
        preset 1, 0
        forget
        loads 200
        taken 1, 1, "the even half of a chain interrupts"
        preset 0, PRE
        preset 1, 0xffffffff
        forget
        loads 200
        msr daifset, #2
        cmp x25, #3
        verdict "both halves of a chain overflow"
        holds pmevcntr1_el0, 0, "the odd half wraps"
        finish
        lacks
        data
        vectors_with IRQ_SAME, handler
handler:
        mrs x10, s3_0_c12_c12_0         // ICC_IAR1_EL1
        mrs x11, pmovsclr_el0
        orr x25, x25, x11
        cmp x10, #23
        cinc x24, x24, eq               // others, and none (1023), do not count
        mov x11, #-1
        msr pmovsclr_el0, x11
        isb
        msr s3_0_c12_c12_1, x10         // ICC_EOIR1_EL1
        eret
