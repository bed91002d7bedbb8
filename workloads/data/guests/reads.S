// Reads the cycle counter 2000 times with a little work between: it must advance each time.
        .include "guest.inc"
        begin
        quiet
        mov x0, #0x41
        msr pmcr_el0, x0
        mov x0, #0x80000000
        msr pmcntenset_el0, x0
        isb
        mov x20, #2000
        mov x21, #0                     // how often it stood still
        mrs x22, pmccntr_el0
1:      mov x2, #100
2:      subs x2, x2, #1
        b.ne 2b
        mrs x23, pmccntr_el0
        cmp x23, x22
        cinc x21, x21, ls
        mov x22, x23
        subs x20, x20, #1
        b.ne 1b
        say "stood still: "
        mov x0, x21
        bl putdec
        say "\n"
        cmp x21, #0
        verdict "the cycle counter advances between reads"
        finish
        no_vectors
