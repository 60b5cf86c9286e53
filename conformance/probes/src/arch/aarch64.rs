//! AArch64: a guest at EL1 with a GIC, started as Linux is.
//!
//! ## What it needs
//!
//! Linux's boot protocol for arm64: entry at the image's first byte, at EL1, MMU off, the tree's
//! address in x0. The image runs at any address, is smaller than 80 KiB and takes less than 256 KiB
//! of RAM. From the tree the probe takes the console (`stdout-path`, else the first `arm,sbsa-uart`
//! or `arm,pl011` under the root, else 0x2200_0000), the RAM, the GICv3 or GICv2, the ramdisk and the
//! PSCI conduit. Missing or malformed parts have defaults, and ops that need such a part report that
//! it is missing. The probe enables a full PL011, and uses an SBSA UART as it is.
//!
//! ## How it runs
//!
//! * **Translation.** Stage 1 maps every address below 2^48 to itself, on demand above 2^39: the
//!   probe's RAM (the tree's memory nodes) as Normal write-back, the rest as Device-nGnRE, or Normal
//!   after `attr normal`, and never executable except during `exec`. So a fault comes from the
//!   hypervisor. Addresses from 2^48 on answer `cannot map`; an address beyond the CPU's physical
//!   range raises an address size fault.
//! * **Faults.** An access, call, register read or `exec` that raises an exception returns ESR
//!   and, if the exception class has one, FAR. SError is unmasked, and a barrier after each access
//!   makes the CPU report an asynchronous abort with the access that caused it.
//! * **Interrupts.** The first op that needs the GIC switches it on. The virtual timer (INTID 27)
//!   ends every WFI; it has priority 0x20, other interrupts have 0xa0.
//! * **`off`, `reset` and `cpuon`** are PSCI calls.
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
