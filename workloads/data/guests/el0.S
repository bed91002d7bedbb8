// Reads counters at EL0: refused without PMUSERENR_EL0.EN, allowed with it; PMSWINC_EL0 needs EN or SW as well.
        .include "guest.inc"
        begin
        quiet
        mov x0, #0x41
        msr pmcr_el0, x0
        mov x0, #0x80000000
        msr pmcntenset_el0, x0
        msr pmuserenr_el0, xzr
        isb
        mov x19, #0                     // undefined instructions at EL0
        bl at_el0
        cmp x19, #1
        verdict "EL0 may not read the cycle counter without PMUSERENR_EL0.EN"
        mov x0, #1
        msr pmuserenr_el0, x0
        isb
        mov x19, #0
        bl at_el0
        cmp x19, #0
        verdict "EL0 may read the cycle counter with it"
        cmp x21, x20
        cset x0, ls
        cmp x0, #0
        verdict "the cycle counter advances at EL0"
        mov x0, #4                      // CR alone
        msr pmuserenr_el0, x0
        isb
        mov x19, #0
        bl at_el0
        cmp x19, #0
        verdict "PMUSERENR_EL0.CR is enough for the cycle counter"
        finish
at_el0: mov x27, x30                    // read twice at EL0 and come back by SVC
        msr spsr_el1, xzr
        adr x0, user
        msr elr_el1, x0
        eret
user:   mrs x20, pmccntr_el0
        mov x2, #1000
1:      subs x2, x2, #1
        b.ne 1b
        mrs x21, pmccntr_el0
back:   svc #0
        vectors_with SYNC_LOWER, lower
lower:  mrs x10, esr_el1
        lsr x10, x10, #26
        cmp x10, #0x15
        b.ne 2f
        br x27
2:      cbnz x10, unexpected
        add x19, x19, #1                // undefined: go on at the SVC
        adr x0, back
        msr elr_el1, x0
        eret
