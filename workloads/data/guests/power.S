// Turns vCPU 1 on by PSCI, which sends an interrupt back and turns itself off; SKIP where there is one vCPU alone.
        .include "guest.inc"
        begin
        quiet
        gic_on 3
        mov x19, #0
        isb
        movz x0, #0xc400, lsl #16       // CPU_ON of 64 bits
        movk x0, #3
        mov x1, #1
        adr x2, second
        mov x3, #77
        hvc #0
        cmn x0, #2                      // INVALID_PARAMETERS
        b.ne 1f
        say "SKIP: there is no vCPU 1\n"
        b end
1:      cmp x0, #0
        verdict "CPU_ON succeeds"
        msr daifclr, #2
2:      cbnz x19, 3f
        wfi
        b 2b
3:      cmp x19, #3
        verdict "the interrupt of vCPU 1 arrives"
        adr x1, cell
        ldr x0, [x1]
        cmp x0, #78
        verdict "its argument was 77, and memory is shared"
        finish
second: add x0, x0, #1
        adr x1, cell
        str x0, [x1]
        dsb sy
        movz x0, #0x0300, lsl #16       // SGI 3 to 0.0.0.0
        orr x0, x0, #1
        msr s3_0_c12_c11_5, x0
        isb
        movz x0, #0x8400, lsl #16       // CPU_OFF
        movk x0, #2
        hvc #0
        b .
        .balign 8
cell:   .quad 0
        vectors_with IRQ_SAME, handler
handler:
        mrs x10, s3_0_c12_c12_0
        mov x19, x10
        msr s3_0_c12_c12_1, x10
        eret
