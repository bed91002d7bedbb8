// Turns the MMU on over an identity map that ends at 2 GiB, and aborts beyond: class, status code, WnR and address.
        .include "guest.inc"
        begin
        adr x1, table
        movz x0, #0x0401                // 0 to 1 GiB: device
        str x0, [x1]
        movz x0, #0x0705                // 1 to 2 GiB: normal, inner shareable
        movk x0, #0x4000, lsl #16
        str x0, [x1, #8]
        str xzr, [x1, #16]
        dsb sy
        movz x0, #0xff00                // attribute 0: device, 1: normal
        msr mair_el1, x0
        movz x0, #0x3519                // 39 bits, 4 KiB, cacheable, inner shareable
        movk x0, #0x0080, lsl #16       // no walks of TTBR1
        msr tcr_el1, x0
        msr ttbr0_el1, x1
        isb
        tlbi vmalle1
        dsb sy
        isb
        mrs x0, sctlr_el1
        orr x0, x0, #1
        msr sctlr_el1, x0
        isb
        movz x20, #0x9000, lsl #16
        mov x19, #0
        str x0, [x20, #24]
        cmp x19, #1
        verdict "a store beyond the map aborts"
        lsr x0, x21, #26
        cmp x0, #0x25
        verdict "its class is a data abort without a change of level"
        and x0, x21, #0x7f              // WnR, translation fault, level 1
        cmp x0, #0x45
        verdict "its syndrome says a write and a translation fault of level 1"
        add x0, x20, #24
        cmp x22, x0
        verdict "FAR_EL1 is the address"
        mov x19, #0
        ldr x0, [x20, #16]!
        and x0, x21, #0x7f
        cmp x0, #0x05
        verdict "a load says a read"
        mov x19, #0
        adr x23, 1f
        mov x0, #0
        br x20                          // to what is not mapped; the handler returns to x23
1:      lsr x0, x21, #26
        cmp x0, #0x21
        verdict "a fetch beyond the map aborts"
        finish
        .balign 4096
table:  .space 4096
        vectors_with SYNC_SAME, handler
handler:
        mrs x21, esr_el1
        mrs x22, far_el1
        mrs x10, elr_el1
        add x19, x19, #1
        add x10, x10, #4
        lsr x11, x21, #26
        cmp x11, #0x21
        csel x10, x23, x10, eq
        msr elr_el1, x10
        eret
