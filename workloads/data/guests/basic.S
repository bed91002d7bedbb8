// Counts cycles and instructions of a short loop after a look at every enable, clear and overflow register.
        .include "guest.inc"
        .include "pmu.inc"
        begin
        quiet
        needs 2, CPU_CYCLES, INST_RETIRED
        types CPU_CYCLES, INST_RETIRED
        mov x21, #1
        lsl x21, x21, x19
        sub x21, x21, #1                // the event counters that are there
        mov x0, #-1
        msr pmcntenclr_el0, x0
        both pmcntenclr_el0, 0, pmcntenset_el0, 0, "PMCNTENCLR_EL0 disables all counters"
        fresh
        mrs x0, pmcr_el0
        and x0, x0, #0xff
        cmp x0, #0x40
        verdict "PMCR_EL0.C and P read as 0"
        preset 0, PRE
        both pmevcntr0_el0, PRE, pmevcntr1_el0, 0, "a counter holds what is written, the other one is cleared"
        number x0, 0x7fffffff
        msr pmcntenset_el0, x0
        mrs x0, pmcntenset_el0
        cmp x0, x21
        verdict "only the counters that are there can be enabled"
        mov x0, #-4
        msr pmcntenclr_el0, x0
        both pmcntenset_el0, 3, pmcntenclr_el0, 3, "counters 0 and 1 alone stay enabled"
        mov x0, #-1
        msr pmovsclr_el0, x0
        msr pmintenclr_el1, x0
        both pmovsclr_el0, 0, pmintenclr_el1, 0, "no overflow, no interrupt enabled"
        number x0, 0x7fffffff
        msr pmintenset_el1, x0
        mrs x0, pmintenset_el1
        cmp x0, x21
        verdict "only interrupts of counters that are there can be enabled"
        mov x0, #-1
        msr pmintenclr_el1, x0
        instructions 40
        holds pmovsclr_el0, 1, "counter 0 alone overflows"
        holds pmevcntr1_el0, 83, "INST_RETIRED is exact"
        finish
        lacks
        no_vectors
