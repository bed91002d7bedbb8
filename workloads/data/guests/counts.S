// Counts what a loop of 1000 rounds executes: 5 instructions, 1 branch, 2 loads and 1 store a round, in event counters.
        .include "guest.inc"
        begin
        quiet
        mov x0, #0x41
        msr pmcr_el0, x0
        mrs x0, pmcr_el0
        ubfx x19, x0, #11, #5           // N
        cmp x19, #4
        b.hs 1f
        say "SKIP: fewer than four event counters\n"
        b end
1:      mov x0, #0x08                   // INST_RETIRED
        msr pmevtyper0_el0, x0
        mov x0, #0x21                   // BR_RETIRED
        msr pmevtyper1_el0, x0
        mov x0, #0x06                   // LD_RETIRED
        msr pmevtyper2_el0, x0
        mov x0, #0x13                   // MEM_ACCESS
        msr pmevtyper3_el0, x0
        mov x0, #0x43                   // P: event counters to 0
        msr pmcr_el0, x0
        adr x1, cell
        mov x2, #1000
        mov x3, #0xf
        isb
        msr pmcntenset_el0, x3
2:      ldr x4, [x1]
        ldr x5, [x1, #8]
        str x4, [x1, #8]
        subs x2, x2, #1
        b.ne 2b
        msr pmcntenclr_el0, x3
        mrs x20, pmevcntr0_el0
        mrs x21, pmevcntr1_el0
        mrs x22, pmevcntr2_el0
        mrs x23, pmevcntr3_el0
        mov x0, #5001                   // the write that enables counts, that which disables does not
        cmp x20, x0
        verdict "INST_RETIRED is exact"
        cmp x21, #1000
        verdict "BR_RETIRED is exact"
        mov x0, #2000
        cmp x22, x0
        verdict "LD_RETIRED is exact"
        mov x0, #3000
        cmp x23, x0
        verdict "MEM_ACCESS is exact"
        finish
        .balign 16
cell:   .quad 1, 2
        no_vectors
