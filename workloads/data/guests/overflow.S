// Takes PMU interrupts: the cycle counter is set 20000 before its wrap and must interrupt within 200000 loops, 5 times.
        .include "guest.inc"
        begin
        quiet
        gic_on 23
        mov x0, #0x41
        msr pmcr_el0, x0
        mov x0, #0x80000000
        msr pmcntenset_el0, x0
        msr pmintenset_el1, x0
        mov x19, #0                     // interrupts
        mov x20, #5                     // rounds
        isb
        msr daifclr, #2
1:      mov x21, x19
        mov x0, #-20000
        msr pmccntr_el0, x0
        movz x2, #0x0d40
        movk x2, #3, lsl #16
2:      cmp x19, x21
        b.ne 3f
        subs x2, x2, #1
        b.ne 2b
3:      subs x20, x20, #1
        b.ne 1b
        msr daifset, #2
        say "interrupts: "
        mov x0, x19
        bl putdec
        say "\n"
        cmp x19, #5
        verdict "each wrap of the cycle counter interrupts"
        finish
        vectors_with IRQ_SAME, handler
handler:
        mrs x10, s3_0_c12_c12_0         // ICC_IAR1_EL1
        mov x11, #0x80000000
        msr pmovsclr_el0, x11
        add x19, x19, #1
        msr s3_0_c12_c12_1, x10         // ICC_EOIR1_EL1
        eret
