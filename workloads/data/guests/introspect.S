// Finds in PMCEIDn_EL0 the events that PMUv3 requires, of its version as ID_AA64DFR0_EL1 says it.
        .include "guest.inc"
        .include "pmu.inc"
        begin
        quiet
        needs 1, SW_INCR
        mrs x20, pmceid0_el0
        mrs x21, pmceid1_el0
        tst x20, #1 << CPU_CYCLES
        cset w0, eq
        cmp w0, #0
        verdict "CPU_CYCLES is there"
        mov x0, #(1 << INST_RETIRED)
        orr x0, x0, #1 << 27            // INST_SPEC
        tst x20, x0
        cset w0, eq
        cmp w0, #0
        verdict "INST_RETIRED or INST_SPEC is there"
        mrs x0, id_aa64dfr0_el1
        ubfx x0, x0, #8, #4
        cmp x0, #4                      // PMUv3 for Armv8.1
        b.lo 1f
        ubfx x0, x21, #3, #2            // STALL_FRONTEND, STALL_BACKEND
        cmp x0, #3
        verdict "STALL_FRONTEND and STALL_BACKEND are there"
1:      finish
        lacks
        no_vectors
