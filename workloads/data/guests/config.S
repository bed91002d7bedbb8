// Sets event counter 1 through PMSELR_EL0 and reads it directly; a counter of an event that is not there keeps its value.
        .include "guest.inc"
        .include "pmu.inc"
        begin
        quiet
        needs 2, SW_INCR
        fresh
        mov x0, #1
        msr pmselr_el0, x0
        isb
        mov x0, #0xea
        msr pmxevtyper_el0, x0
        number x20, 0xdeadbeef
        msr pmxevcntr_el0, x20
        isb
        mrs x0, pmevtyper1_el0
        and x0, x0, #0xfff
        cmp x0, #0xea
        verdict "PMEVTYPER1_EL0 is what PMXEVTYPER_EL0 was set to"
        mrs x0, pmevcntr1_el0
        cmp x0, x20
        verdict "PMEVCNTR1_EL0 is what PMXEVCNTR_EL0 was set to"
        mrs x0, pmceid0_el0
        mrs x1, pmceid1_el0
        orr x0, x0, #1                  // SW_INCR would count nothing here either
        mvn w0, w0
        mvn w1, w1
        orr x0, x0, x1, lsl #32
        cbz x0, 1f
        rbit x0, x0
        clz x20, x0                     // the first event that is not there
        msr pmselr_el0, xzr
        isb
        msr pmxevtyper_el0, x20
        mov x0, #20
        msr pmxevcntr_el0, x0
        enable 1
        instructions 20
        mrs x0, pmxevcntr_el0
        cmp x0, #20
        verdict "a counter of an event that is not there keeps its value"
        b 2f
1:      say "SKIP: every event up to 0x3f is there\n"
2:      finish
        lacks
        no_vectors
