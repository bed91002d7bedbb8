// Counts 20 loads as MEM_ACCESS in two counters, from 0 and from just before a wrap.
        .include "guest.inc"
        .include "pmu.inc"
        begin
        quiet
        needs 2, MEM_ACCESS
        fresh
        types MEM_ACCESS, MEM_ACCESS
        enable 3
        loads 20
        both pmevcntr0_el0, 20, pmevcntr1_el0, 20, "two counters count the 20 accesses"
        holds pmovsclr_el0, 0, "neither overflows"
        fresh
        preset 0, PRE
        preset 1, PRE
        enable 3
        loads 20
        both pmevcntr0_el0, 4, pmevcntr1_el0, 4, "both counters wrap"
        holds pmovsclr_el0, 3, "both overflow"
        finish
        lacks
        data
        no_vectors
