// Chains counter 1 to counter 0, which counts cycles: each wrap of the even one is one event of the odd one.
        .include "guest.inc"
        .include "pmu.inc"
        begin
        quiet
        needs 2, CPU_CYCLES, CHAIN
        fresh
        types CPU_CYCLES, CHAIN
        enable 3
        preset 0, PRE
        instructions 40
        both pmevcntr1_el0, 1, pmovsclr_el0, 1, "a wrap of the even counter is counted by the odd one"
        fresh
        enable 3
        preset 0, PRE
        preset 1, 1
        instructions 40
        both pmevcntr1_el0, 2, pmovsclr_el0, 1, "the odd counter goes on from its value"
        fresh
        enable 3
        preset 0, PRE
        preset 1, 0xffffffff
        instructions 40
        both pmevcntr1_el0, 0, pmovsclr_el0, 3, "the odd counter wraps and overflows too"
        finish
        lacks
        no_vectors
