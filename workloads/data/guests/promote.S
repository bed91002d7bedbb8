// Makes and ends a chain of MEM_ACCESS by turns: by enabling one half alone, and by another event type.
        .include "guest.inc"
        .include "pmu.inc"
        begin
        quiet
        needs 2, MEM_ACCESS, CHAIN
        types MEM_ACCESS, CHAIN
        fresh
        enable 2
        loads 20
        both pmevcntr0_el0, 0, pmevcntr1_el0, 0, "an even counter that is disabled does not count"
        fresh
        preset 0, PRE
        enable 1
        loads 20
        both pmevcntr1_el0, 0, pmovsclr_el0, 1, "an odd counter that is disabled does not count the wrap"
        fresh
        enable 3
        preset 0, FAR
        loads 20
        disable 2
        loads 20
        both pmevcntr0_el0, 4, pmevcntr1_el0, 0, "the odd counter was disabled before the wrap"
        fresh
        enable 1
        preset 0, FAR
        loads 20
        enable 3
        loads 20
        both pmevcntr1_el0, 1, pmovsclr_el0, 1, "the odd counter was enabled before the wrap"
        fresh
        types MEM_ACCESS, CPU_CYCLES
        enable 3
        preset 0, FAR
        loads 20
        types MEM_ACCESS, CHAIN
        preset 1, 0
        loads 20
        both pmevcntr1_el0, 1, pmovsclr_el0, 1, "a counter of cycles becomes the odd half"
        fresh
        types MEM_ACCESS, CHAIN
        enable 3
        preset 0, FAR
        loads 20
        types MEM_ACCESS, CPU_CYCLES
        loads 20
        both pmevcntr0_el0, 4, pmovsclr_el0, 1, "the odd half becomes a counter of cycles"
        finish
        lacks
        data
        no_vectors
