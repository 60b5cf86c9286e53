// Start code: Linux arm64 Image header (Documentation/arch/arm64/booting.rst), self-relocation,
// first translation tables, MMU and caches on. Runs anywhere; only the booting CPU comes here.

    .section .head, "ax"
    .global _start
_start:
    b       start_code              // code0
    .long   0                       // code1
    .quad   0                       // text_offset
    .quad   _image_size             // image_size, the uncleared pools included
    .quad   0xa                     // little endian, 4 KiB pages, anywhere in memory
    .quad   0
    .quad   0
    .quad   0
    .ascii  "ARM\x64"
    .long   0

    .section .text.boot, "ax"
    .balign 4
start_code:
    msr     daifset, #0xf
    mov     x19, x0                 // device tree
    adrp    x20, _start

    // Apply R_AARCH64_RELATIVE: the image is linked at 0 and runs at x20.
    adrp    x1, __rela_start
    add     x1, x1, :lo12:__rela_start
    adrp    x2, __rela_end
    add     x2, x2, :lo12:__rela_end
1:  cmp     x1, x2
    b.hs    2f
    ldp     x3, x4, [x1], #16
    ldr     x5, [x1], #8
    cmp     w4, #0x403
    b.ne    halt
    add     x5, x5, x20
    str     x5, [x20, x3]
    b       1b

    // Clear what Rust takes to be zero. 64 bytes a turn: the linker script aligns both ends.
2:  adrp    x1, __bss_start
    add     x1, x1, :lo12:__bss_start
    adrp    x2, __bss_end
    add     x2, x2, :lo12:__bss_end
3:  cmp     x1, x2
    b.hs    4f
    stp     xzr, xzr, [x1], #16
    stp     xzr, xzr, [x1], #16
    stp     xzr, xzr, [x1], #16
    stp     xzr, xzr, [x1], #16
    b       3b

4:  msr     spsel, #1
    adrp    x1, __stack_top
    add     x1, x1, :lo12:__stack_top
    mov     sp, x1
    mov     x29, xzr
    mov     x30, xzr

    mrs     x21, CurrentEL
    cmp     x21, #(2 << 2)
    b.ne    wrong_level

    // Known state before the first compiled instruction: RES1 bits only, MMU and caches off, and
    // no trap of the SIMD registers that compiled code uses (CPTR_EL2.TFP, E2H = 0 layout).
    ldr     x1, =0x30c50830
    msr     sctlr_el2, x1
    mov     x1, #(1 << 31)
    msr     hcr_el2, x1
    isb
    mov     x1, #0x33ff
    msr     cptr_el2, x1
    adrp    x1, vectors
    add     x1, x1, :lo12:vectors
    msr     vbar_el2, x1
    isb

    mov     x0, x19
    bl      refhv_early_tables      // x0 = table base, x1 = TCR_EL2
    mov     x21, x0
    mov     x22, x1

    // All written so far went past the caches. Lines that a cache may still hold for it are stale
    // and must be gone before the first cacheable access (Arm ARM D7.5.11, B2.10 mismatched attributes).
    adrp    x0, __text_end
    adrp    x1, __early_end
    mrs     x2, ctr_el0
    ubfx    x2, x2, #16, #4         // CTR_EL0.DminLine: log2 of words
    mov     x3, #4
    lsl     x2, x3, x2
    // Eight a turn: beyond the end is the first heap, which nobody has written yet.
5:  .rept   8
    dc      ivac, x0
    add     x0, x0, x2
    .endr
    cmp     x0, x1
    b.lo    5b
    dsb     sy

    ldr     x1, =0xff04             // attribute 0: Device-nGnRE; 1: Normal write-back
    msr     mair_el2, x1
    msr     tcr_el2, x22
    msr     ttbr0_el2, x21
    isb
    tlbi    alle2
    ic      iallu
    dsb     nsh
    isb
    // M, C, I on; SA (stack alignment), WXN (what is writable is never executable).
    ldr     x1, =0x30cd183d
    msr     sctlr_el2, x1
    isb

    mov     x0, x19
    bl      refhv_start
    b       halt

wrong_level:
    mov     x0, x19
    lsr     x1, x21, #2
    cmp     x1, #1
    b.ne    6f
    mov     x2, #(3 << 20)          // CPACR_EL1.FPEN: compiled code uses SIMD registers
    msr     cpacr_el1, x2
    isb
6:  bl      refhv_wrong_level
halt:
    wfi
    b       halt

    .ltorg
