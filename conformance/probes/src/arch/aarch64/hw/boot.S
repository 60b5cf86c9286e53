// Start of the image, exception vectors, and sequences that depend on the order of instructions.

    .section .head, "ax"
    .global _start
_start: // Linux Documentation/arch/arm64/booting.rst
    b       start_here
    .long   0
    .quad   0                       // text_offset
    .quad   image_size
    .quad   0xa                     // little endian, 4 KiB pages, anywhere in memory
    .quad   0, 0, 0
    .ascii  "ARM\x64"
    .long   0

    .section .text.boot, "ax"
start_here: // x0 = device tree; EL1h, MMU off
    msr     daifset, #0xf
    mov     x19, x0
    adrp    x20, _start
    add     x20, x20, :lo12:_start
    adrp    x1, rela_begin
    add     x1, x1, :lo12:rela_begin
    adrp    x2, rela_end
    add     x2, x2, :lo12:rela_end
0:  cmp     x1, x2
    b.hs    1f
    ldp     x3, x4, [x1], #16
    ldr     x5, [x1], #8
    cmp     x4, #1027               // R_AARCH64_RELATIVE; the linker must emit no other kind
    b.ne    .
    add     x5, x5, x20
    str     x5, [x20, x3]
    b       0b
1:  adrp    x1, bss_begin
    add     x1, x1, :lo12:bss_begin
    adrp    x2, bss_end
    add     x2, x2, :lo12:bss_end
2:  cmp     x1, x2
    b.hs    3f
    stp     xzr, xzr, [x1], #16
    b       2b
3:  adrp    x0, stack
    bl      prepare_cpu
    mov     x0, x19
    bl      probe_start
    b       .

secondary_start: // x0 = top of its stack; EL1h, MMU off
    msr     daifset, #0xf
    bl      prepare_cpu
    adrp    x3, probe_translation
    add     x3, x3, :lo12:probe_translation
    ldp     x0, x1, [x3]
    ldr     x2, [x3, #16]
    bl      mmu_enable
    bl      probe_secondary
    b       .
    .global secondary_start

prepare_cpu: // x0 = stack
    mov     sp, x0
    mov     x0, #(3 << 20)          // CPACR_EL1.FPEN: the compiler uses vector registers
    msr     cpacr_el1, x0
    adrp    x0, vectors
    add     x0, x0, :lo12:vectors
    msr     vbar_el1, x0
    msr     tpidr_el1, xzr          // no `exec` is under way
    isb
    msr     daifclr, #4             // an SError is an answer
    ret

// Writes with the MMU off went to memory, so the caches' lines of the image are stale (Arm ARM B2.10):
// invalidates them before the first cacheable access, then enables the MMU.
    .global mmu_first_enable
mmu_first_enable: // x0 = tables, x1 = TCR, x2 = MAIR
    mrs     x3, ctr_el0
    ubfx    x3, x3, #16, #4         // DminLine
    mov     x4, #4
    lsl     x4, x4, x3
    adrp    x5, _start
    add     x5, x5, :lo12:_start
    adrp    x6, image_end
    add     x6, x6, :lo12:image_end
    dsb     sy
0:  dc      ivac, x5
    add     x5, x5, x4
    cmp     x5, x6
    b.lo    0b
    dsb     sy

mmu_enable: // x0 = tables, x1 = TCR, x2 = MAIR
    msr     mair_el1, x2
    msr     tcr_el1, x1
    msr     ttbr0_el1, x0
    isb
    tlbi    vmalle1
    ic      iallu
    dsb     nsh
    isb
    ldr     x3, =0x30d0198d         // SCTLR_EL1: RES1 bits, I, C, SA, M; A = 0: the memory type decides on alignment
    msr     sctlr_el1, x3
    isb
    ret
    .ltorg

// Disables translation while the memory types change (Arm ARM D8.16).
    .global mmu_change_types
mmu_change_types: // x0 = MAIR
    dsb     sy
    mrs     x1, sctlr_el1
    bic     x2, x1, #1
    msr     sctlr_el1, x2
    isb
    msr     mair_el1, x0
    isb
    tlbi    vmalle1
    dsb     nsh
    isb
    msr     sctlr_el1, x1
    isb
    ret

// Calls foreign code, and returns when that code returns or raises an exception. TPIDR_EL1 holds the
// stack in the meantime. Returns x1 = 0, or ESR and FAR in x1 and x2.
    .global call_foreign
call_foreign: // x0 = code
    stp     x29, x30, [sp, #-96]!
    stp     x19, x20, [sp, #16]
    stp     x21, x22, [sp, #32]
    stp     x23, x24, [sp, #48]
    stp     x25, x26, [sp, #64]
    stp     x27, x28, [sp, #80]
    mov     x1, sp
    msr     tpidr_el1, x1
    blr     x0
    mov     x1, #0
call_foreign_end:
    mrs     x3, tpidr_el1
    msr     tpidr_el1, xzr
    msr     daifset, #0xb
    mov     sp, x3
    ldp     x19, x20, [sp, #16]
    ldp     x21, x22, [sp, #32]
    ldp     x23, x24, [sp, #48]
    ldp     x25, x26, [sp, #64]
    ldp     x27, x28, [sp, #80]
    ldp     x29, x30, [sp], #96
    ret

// Accesses that may abort. Each returns x1 = 0, or ESR and FAR in x1 and x2: at an exception from
// here the vectors return directly to the caller.
    .section .text.access, "ax"
    .macro access name, instruction:vararg
    .global \name
\name:
    \instruction
    dsb     sy                      // forces a pending external abort,
    isb                             // also one reported as SError
    mov     x1, #0
    ret
    .endm
    access  access_read8, ldrb w0, [x0]
    access  access_read16, ldrh w0, [x0]
    access  access_read32, ldr w0, [x0]
    access  access_read64, ldr x0, [x0]
    access  access_write8, strb w1, [x0]
    access  access_write16, strh w1, [x0]
    access  access_write32, str w1, [x0]
    access  access_write64, str x1, [x0]
    access  access_hvc, hvc #0
    access  access_smc, smc #0
    access  access_xen, hvc #0xea1

    .global access_copy
access_copy: // x0 = to, x1 = from, x2 = bytes
0:  subs    x2, x2, #16
    b.lo    1f
    ldp     x3, x4, [x1], #16
    stp     x3, x4, [x0], #16
    b       0b
1:  adds    x2, x2, #16
    b.eq    3f
2:  ldrb    w3, [x1], #1
    strb    w3, [x0], #1
    subs    x2, x2, #1
    b.ne    2b
3:  dsb     sy                      // as above
    isb
    mov     x1, #0
    ret

    .section .text.vectors, "ax"
    .macro unexpected kind
    .balign 128
    mov     x0, #\kind
    b       unexpected_exception
    .endm

    .macro expected kind
    .balign 128
    // Neither stack nor registers are trusted: foreign code may have been running.
    msr     tpidr_el0, x16
    msr     tpidrro_el0, x17
    mrs     x16, elr_el1
    adrp    x17, access_begin
    add     x17, x17, :lo12:access_begin
    cmp     x16, x17
    b.lo    0f
    adrp    x17, access_end
    add     x17, x17, :lo12:access_end
    cmp     x16, x17
    b.lo    access_aborted
0:  mrs     x16, tpidr_el1
    cbnz    x16, foreign_aborted
    mov     x0, #\kind
    b       unexpected_exception
    .endm

    .balign 2048
vectors:
    // Current EL with SP_EL0, which is never selected.
    unexpected 0
    unexpected 1
    unexpected 2
    unexpected 3
    // Current EL.
    expected 0
    .balign 128
    b       interrupt
    unexpected 2
    expected 3
    // Lower EL, where nothing runs.
    unexpected 0
    unexpected 1
    unexpected 2
    unexpected 3
    unexpected 0
    unexpected 1
    unexpected 2
    unexpected 3
    .balign 128

access_aborted:
    mrs     x16, tpidr_el0
    mrs     x17, tpidrro_el0
    mrs     x1, esr_el1
    mrs     x2, far_el1
    msr     elr_el1, x30
    eret

foreign_aborted:
    mrs     x1, esr_el1
    mrs     x2, far_el1
    adr     x3, call_foreign_end
    msr     elr_el1, x3
    mov     x3, #0x2c5              // EL1h, all masked except SError
    msr     spsr_el1, x3
    eret

unexpected_exception: // x0 = kind; never returns
    mrs     x1, esr_el1
    mrs     x2, elr_el1
    mrs     x3, far_el1
    adrp    x4, accident_stack
    mov     sp, x4
    bl      probe_accident
    b       .

// Taken only inside `open_window`, so every register that a call may change is free. Returns with
// interrupts masked, so that a line that stays high cannot stop the script.
interrupt:
    stp     x29, x30, [sp, #-32]!
    mrs     x0, elr_el1
    mrs     x1, spsr_el1
    stp     x0, x1, [sp, #16]
    bl      probe_interrupt
    ldp     x0, x1, [sp, #16]
    orr     x1, x1, #0x80
    msr     elr_el1, x0
    msr     spsr_el1, x1
    ldp     x29, x30, [sp], #32
    eret
