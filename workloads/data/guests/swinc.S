// Writes PMSWINC_EL0 100 times: nothing without PMCR_EL0.E, else 100, over a wrap.
        .include "guest.inc"
        .include "pmu.inc"
        begin
        quiet
        needs 2, SW_INCR
        fresh
        types SW_INCR, SW_INCR
        enable 3
        preset 0, PRE
        isb
        increments 100, 1
        holds pmevcntr0_el0, PRE, "nothing is counted while PMCR_EL0.E is clear"
        fresh
        preset 0, PRE
        enable 3
        start
        increments 100, 3
        both pmevcntr0_el0, 84, pmevcntr1_el0, 100, "100 increments, in counter 0 over a wrap"
        holds pmovsclr_el0, 1, "counter 0 alone overflows"
        finish
        lacks
        no_vectors
