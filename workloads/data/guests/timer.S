// Waits for the virtual timer in WFI: time passes, the interrupt is taken, and the cycle counter hardly moves.
        .include "guest.inc"
        begin
        quiet
        gic_on 27
        mov x0, #0x41
        msr pmcr_el0, x0
        mov x0, #0x80000000
        msr pmcntenset_el0, x0
        mov x19, #0
        isb
        mrs x20, cntvct_el0
        mrs x22, pmccntr_el0
        mrs x21, cntfrq_el0
        mov x1, #100
        udiv x21, x21, x1               // 10 ms
        msr cntv_tval_el0, x21
        mov x0, #1
        msr cntv_ctl_el0, x0
        msr daifclr, #2
1:      cbnz x19, 2f
        wfi
        b 1b
2:      mrs x23, cntvct_el0
        mrs x24, pmccntr_el0
        cmp x19, #1
        verdict "the timer interrupts once"
        sub x23, x23, x20
        cmp x23, x21
        cset x0, lo
        cmp x0, #0
        verdict "10 ms have passed"
        sub x24, x24, x22
        mov x1, #10000
        cmp x24, x1
        cset x0, hs
        cmp x0, #0
        verdict "the cycle counter stands still in WFI"
        finish
        vectors_with IRQ_SAME, handler
handler:
        mrs x10, s3_0_c12_c12_0
        msr cntv_ctl_el0, xzr
        add x19, x19, #1
        msr s3_0_c12_c12_1, x10
        eret
