// Chains counter 1 to counter 0, which counts PMSWINC_EL0: no host counter, so it holds wherever the vCPU runs.
        .include "guest.inc"
        .include "pmu.inc"
        begin
        quiet
        needs 2, SW_INCR, CHAIN
        fresh
        types SW_INCR, CHAIN
        enable 3
        preset 0, PRE
        start
        increments 100, 1
        both pmevcntr0_el0, 84, pmevcntr1_el0, 1, "100 increments, and one wrap counted"
        holds pmovsclr_el0, 1, "the even counter alone overflows"
        fresh
        enable 3
        preset 0, PRE
        preset 1, 0xffffffff
        start
        increments 100, 1
        both pmevcntr0_el0, 84, pmevcntr1_el0, 0, "the odd counter wraps"
        holds pmovsclr_el0, 3, "both overflow"
        finish
        lacks
        no_vectors
