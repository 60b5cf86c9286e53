// Exceptions taken to EL2 (Arm ARM D1.3.1: 16 entries of 128 bytes, table aligned to 2 KiB), and the
// way into a guest and back. Offsets are those of `Context` in vcpu.rs, asserted there.

    .equ    CTX_PC, 248
    .equ    CTX_FPCR, 264
    .equ    CTX_V, 288

    .macro  fatal kind
    .balign 0x80
    // Nothing resumes from here, so the guest's values of two registers may go for scratch space.
    msr     sp_el0, x0
    mov     x0, #\kind
    b       fatal_common
    .endm

    // As `fatal`, unless it is the one load that may fail (see refhv_probe).
    .macro  probed kind
    .balign 0x80
    msr     sp_el0, x0
    msr     tpidrro_el0, x1
    mrs     x0, elr_el2
    adrp    x1, probe_load
    add     x1, x1, :lo12:probe_load
    cmp     x0, x1
    b.eq    probe_failed
    mrs     x1, tpidrro_el0
    mov     x0, #\kind
    b       fatal_common
    .endm

    .macro  leave kind
    .balign 0x80
    stp     x0, x1, [sp, #-16]!
    mov     x1, #\kind
    b       leave_guest
    .endm

    .section .text.vectors, "ax"
    .balign 0x800
    .global vectors
vectors:
    fatal   0
    fatal   1
    fatal   2
    fatal   3
    probed  4
    fatal   5
    fatal   6
    fatal   7
    leave   0
    leave   1
    leave   2
    leave   3
    leave   0
    leave   1
    leave   2
    leave   3
    .balign 0x80

fatal_common:
    msr     tpidrro_el0, x1
    adrp    x1, refhv_crash
    add     x1, x1, :lo12:refhv_crash
    stp     x2, x3, [x1, #16]
    // A fault while reporting a fault: say no more.
    ldr     x2, [x1, #296]
    cbnz    x2, dead
    mov     x2, #1
    str     x2, [x1, #296]
    stp     x4, x5, [x1, #32]
    stp     x6, x7, [x1, #48]
    stp     x8, x9, [x1, #64]
    stp     x10, x11, [x1, #80]
    stp     x12, x13, [x1, #96]
    stp     x14, x15, [x1, #112]
    stp     x16, x17, [x1, #128]
    stp     x18, x19, [x1, #144]
    stp     x20, x21, [x1, #160]
    stp     x22, x23, [x1, #176]
    stp     x24, x25, [x1, #192]
    stp     x26, x27, [x1, #208]
    stp     x28, x29, [x1, #224]
    mov     x2, sp
    stp     x30, x2, [x1, #240]
    mrs     x2, sp_el0
    mrs     x3, tpidrro_el0
    stp     x2, x3, [x1]
    mrs     x2, elr_el2
    mrs     x3, spsr_el2
    stp     x2, x3, [x1, #256]
    mrs     x2, esr_el2
    mrs     x3, far_el2
    stp     x2, x3, [x1, #272]
    mrs     x2, hpfar_el2
    str     x2, [x1, #288]
    // The stack may be what failed.
    adrp    x2, refhv_crash_stack_end
    add     x2, x2, :lo12:refhv_crash_stack_end
    mov     sp, x2
    mov     x29, xzr
    mov     x30, xzr
    bl      refhv_fatal             // x0 = which vector
dead:
    wfi
    b       dead

    // fn refhv_probe(address: u64) -> Probed
    .global refhv_probe
refhv_probe:
    mov     x2, x0
    mov     x1, #1
probe_load:
    ldr     w0, [x2]
    ret
probe_failed:
    // Back to behind the load, with nothing read; what else an exception changes ERET puts back.
    adrp    x0, probe_nothing
    add     x0, x0, :lo12:probe_nothing
    msr     elr_el2, x0
    eret
    dsb     nsh
    isb
probe_nothing:
    mov     x0, #0
    mov     x1, #0
    ret

    // fn refhv_enter(context: *mut Context) -> u64
    .global refhv_enter
refhv_enter:
    stp     x29, x30, [sp, #-160]!
    stp     x19, x20, [sp, #16]
    stp     x21, x22, [sp, #32]
    stp     x23, x24, [sp, #48]
    stp     x25, x26, [sp, #64]
    stp     x27, x28, [sp, #80]
    stp     d8, d9, [sp, #96]
    stp     d10, d11, [sp, #112]
    stp     d12, d13, [sp, #128]
    stp     d14, d15, [sp, #144]
    msr     tpidr_el2, x0
    ldp     x1, x2, [x0, #CTX_PC]
    msr     elr_el2, x1
    msr     spsr_el2, x2
    ldp     x1, x2, [x0, #CTX_FPCR]
    msr     fpcr, x1
    msr     fpsr, x2
    add     x1, x0, #CTX_V
    ldp     q0, q1, [x1]
    ldp     q2, q3, [x1, #32]
    ldp     q4, q5, [x1, #64]
    ldp     q6, q7, [x1, #96]
    ldp     q8, q9, [x1, #128]
    ldp     q10, q11, [x1, #160]
    ldp     q12, q13, [x1, #192]
    ldp     q14, q15, [x1, #224]
    ldp     q16, q17, [x1, #256]
    ldp     q18, q19, [x1, #288]
    ldp     q20, q21, [x1, #320]
    ldp     q22, q23, [x1, #352]
    ldp     q24, q25, [x1, #384]
    ldp     q26, q27, [x1, #416]
    ldp     q28, q29, [x1, #448]
    ldp     q30, q31, [x1, #480]
    ldp     x2, x3, [x0, #16]
    ldp     x4, x5, [x0, #32]
    ldp     x6, x7, [x0, #48]
    ldp     x8, x9, [x0, #64]
    ldp     x10, x11, [x0, #80]
    ldp     x12, x13, [x0, #96]
    ldp     x14, x15, [x0, #112]
    ldp     x16, x17, [x0, #128]
    ldp     x18, x19, [x0, #144]
    ldp     x20, x21, [x0, #160]
    ldp     x22, x23, [x0, #176]
    ldp     x24, x25, [x0, #192]
    ldp     x26, x27, [x0, #208]
    ldp     x28, x29, [x0, #224]
    ldr     x30, [x0, #240]
    ldp     x0, x1, [x0]
    eret
    // Nothing behind the ERET may be executed ahead of it.
    dsb     nsh
    isb

leave_guest:
    mrs     x0, tpidr_el2
    stp     x2, x3, [x0, #16]
    stp     x4, x5, [x0, #32]
    stp     x6, x7, [x0, #48]
    stp     x8, x9, [x0, #64]
    stp     x10, x11, [x0, #80]
    stp     x12, x13, [x0, #96]
    stp     x14, x15, [x0, #112]
    stp     x16, x17, [x0, #128]
    stp     x18, x19, [x0, #144]
    stp     x20, x21, [x0, #160]
    stp     x22, x23, [x0, #176]
    stp     x24, x25, [x0, #192]
    stp     x26, x27, [x0, #208]
    stp     x28, x29, [x0, #224]
    str     x30, [x0, #240]
    ldp     x2, x3, [sp], #16
    stp     x2, x3, [x0]
    mrs     x2, elr_el2
    mrs     x3, spsr_el2
    stp     x2, x3, [x0, #CTX_PC]
    mrs     x2, fpcr
    mrs     x3, fpsr
    stp     x2, x3, [x0, #CTX_FPCR]
    add     x2, x0, #CTX_V
    stp     q0, q1, [x2]
    stp     q2, q3, [x2, #32]
    stp     q4, q5, [x2, #64]
    stp     q6, q7, [x2, #96]
    stp     q8, q9, [x2, #128]
    stp     q10, q11, [x2, #160]
    stp     q12, q13, [x2, #192]
    stp     q14, q15, [x2, #224]
    stp     q16, q17, [x2, #256]
    stp     q18, q19, [x2, #288]
    stp     q20, q21, [x2, #320]
    stp     q22, q23, [x2, #352]
    stp     q24, q25, [x2, #384]
    stp     q26, q27, [x2, #416]
    stp     q28, q29, [x2, #448]
    stp     q30, q31, [x2, #480]
    mov     x0, x1
    ldp     d14, d15, [sp, #144]
    ldp     d12, d13, [sp, #128]
    ldp     d10, d11, [sp, #112]
    ldp     d8, d9, [sp, #96]
    ldp     x27, x28, [sp, #80]
    ldp     x25, x26, [sp, #64]
    ldp     x23, x24, [sp, #48]
    ldp     x21, x22, [sp, #32]
    ldp     x19, x20, [sp, #16]
    ldp     x29, x30, [sp], #160
    ret

    .section .bss.crash, "aw", @nobits
    .balign 16
    .global refhv_crash
refhv_crash:
    .skip   304
    .balign 16
    .skip   8192
refhv_crash_stack_end:
