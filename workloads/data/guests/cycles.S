// Reads the cycle counter in pairs, and over 4 to 292 instructions between PMCR_EL0.E on and off: it must always move.
        .include "guest.inc"
        .include "pmu.inc"
        begin
        quiet
        fresh
        mov x0, #0x80000000
        msr pmcntenset_el0, x0
        start
        mov x20, #0                     // pairs that do not increase
        mov x21, #10
1:      mrs x2, pmccntr_el0
        mrs x3, pmccntr_el0
        cmp x2, x3
        cinc x20, x20, hs
        subs x21, x21, #1
        b.ne 1b
        stop
        cmp x20, #0
        verdict "the cycle counter increases between two reads"
        mov x20, #0                     // measurements without a cycle, or with more than 32 bits of them
        mov x21, #1                     // rounds of two instructions
2:      msr pmccntr_el0, xzr
        mov x2, x21
        start
3:      subs x2, x2, #1
        b.gt 3b
        stop
        mrs x3, pmccntr_el0
        sub x3, x3, #1
        lsr x3, x3, #32
        cmp x3, #0
        cinc x20, x20, ne
        add x21, x21, #16
        cmp x21, #146
        b.lo 2b
        cmp x20, #0
        verdict "the cycle counter counts whenever instructions execute"
        finish
        no_vectors
