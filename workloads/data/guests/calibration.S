// Calibrates the cycle counter as the Windows loader does: cycles over a window of the architected timer, in MHz.
// Windows divides by what it finds, so 0 MHz is its death. The window is 10 ms from the first read of the timer on.
        .include "guest.inc"
        begin
        quiet
        mov x0, #0x41                   // PMCR_EL0: LC, E
        msr pmcr_el0, x0
        mov x0, #0x80000000
        msr pmcntenset_el0, x0
        isb
        mrs x20, cntfrq_el0
        mov x1, #100
        udiv x21, x20, x1               // ticks of 10 ms
        mrs x22, cntvct_el0
        mrs x23, pmccntr_el0
1:      mov x2, #500
2:      subs x2, x2, #1
        b.ne 2b
        mrs x24, cntvct_el0
        sub x25, x24, x22
        cmp x25, x21
        b.lo 1b
        mrs x26, pmccntr_el0
        sub x26, x26, x23
        mul x0, x26, x20                // cycles * ticks per s / (ticks * 10^6): MHz
        udiv x0, x0, x25
        movz x1, #0x4240
        movk x1, #0xf, lsl #16
        lsr x2, x1, #1                  // to the nearest
        add x0, x0, x2
        udiv x27, x0, x1
        say "MHz: "
        mov x0, x27
        bl putdec
        say "\n"
        cmp x27, #0
        cset x0, eq
        cmp x0, #0
        verdict "the cycle counter has a frequency"
        finish
        no_vectors
