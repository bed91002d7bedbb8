// Interrupts at the very instruction: INST_RETIRED set 1201 before its wrap, and an interrupt that waited for DAIFClr.
        .include "guest.inc"
        begin
        quiet
        gic_on 23
        mov x0, #0x41
        msr pmcr_el0, x0
        mrs x0, pmcr_el0
        ubfx x0, x0, #11, #5            // N
        cbnz x0, 1f
        say "SKIP: no event counter\n"
        b end
1:      mov x0, #0x08                   // INST_RETIRED
        msr pmevtyper0_el0, x0
        mov x1, #1
        msr pmintenset_el1, x1
        mov w0, #-1201                  // the write that enables counts
        msr pmevcntr0_el0, x0
        mov x21, #0
        mov x22, #-1
        mov x19, #0
        isb
        msr daifclr, #2
        msr pmcntenset_el0, x1
2:      add x21, x21, #1
        tbnz x21, #16, 4f               // it will not come
        cbz x19, 2b
4:      cmp x22, #400
        verdict "the interrupt comes behind the instruction that wraps the counter"
        msr daifset, #2
        mov w0, #-50
        msr pmevcntr0_el0, x0
        mov x19, #0
        mov x1, #1
        msr pmcntenset_el0, x1
        mov x2, #100
3:      subs x2, x2, #1
        b.ne 3b
        cmp x19, #0
        verdict "a masked interrupt waits"
        mov x21, #0
        msr daifclr, #2
        add x21, x21, #1
        add x21, x21, #1
        add x21, x21, #1
        cmp x19, #1
        verdict "it is taken once it is not masked"
        cmp x22, #0
        verdict "it is taken right behind DAIFClr"
        finish
        vectors_with IRQ_SAME, handler
handler:
        mov x22, x21
        mrs x10, s3_0_c12_c12_0         // ICC_IAR1_EL1
        mov x11, #1
        msr pmcntenclr_el0, x11
        msr pmovsclr_el0, x11
        mov x19, #1
        msr s3_0_c12_c12_1, x10         // ICC_EOIR1_EL1
        eret
