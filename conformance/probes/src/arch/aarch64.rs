//! AArch64: a guest at EL1 with a GIC, started as Linux is.
//!
//! ## What it needs
//!
//! Linux's boot protocol for arm64: entered at the image's first byte, at EL1, MMU off, the
//! tree's address in x0. The image places no demand on where it lies, is smaller than 80 KiB and
//! takes less than 256 KiB of RAM. From the tree come the console (`stdout-path`, else the first
//! `arm,sbsa-uart` or `arm,pl011` under the root, else 0x2200_0000), the RAM, the GICv3 or GICv2,
//! the ramdisk and the PSCI conduit. Whatever is missing or nonsense has a default, and what
//! depends on it says so when it is asked for. A whole PL011 is switched on, an SBSA UART is used
//! as it is found.
//!
//! ## How it runs
//!
//! * **Translation.** Stage 1 maps everything where it is, below 2^48, on demand above 2^39: own
//!   RAM (the tree's memory nodes) as Normal write-back, the rest as Device-nGnRE, or Normal
//!   after `attr normal`, and never executable but during `exec`. So a fault is the hypervisor's
//!   answer. Addresses from 2^48 on answer `cannot map`; beyond the CPU's physical range the
//!   answer is an address size fault.
//! * **Faults.** An access, call, register read or `exec` that raises an exception comes back
//!   with ESR and, where the exception class has one, FAR. SError is unmasked, and a barrier
//!   after each access makes an asynchronous abort come with the access that caused it.
//! * **Interrupts.** The GIC is switched on by the first op that needs it. The virtual timer (INTID 27)
//!   ends every wait in WFI; it has priority 0x20 where others have 0xa0.
//! * **`off`, `reset` and `cpuon`** are PSCI's.
//!
//! ## Under QEMU
//!
//! ```text
//! qemu-system-aarch64 -M virt,gic-version=3 -cpu max -nographic -kernel probe.img -append "n=1 d=1;r32 0x9030fe0;off"
//! ```
//!
//! TCG checks the alignment of Device accesses only for machines with more than one CPU (10.0).

pub mod board;
pub mod cpu;
pub mod gic;
pub mod ops;
pub mod paging;
pub mod xen;

#[cfg(all(target_os = "none", target_arch = "aarch64"))]
#[expect(unsafe_code, reason = "the machine is reached here and nowhere else")]
mod hw;

use wire::Irq;

/// The virtual timer's interrupt (BSA, and Xen's guests).
pub const TIMER: Irq = Irq(27);
