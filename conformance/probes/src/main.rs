//! # probe: a guest that does as it is told and says what it saw
//!
//! One image an architecture, started by any boot loader or hypervisor, plays every guest of the suite. It
//! carries out a script, op by op, answers each op with one frame on the console, and judges
//! nothing.
//!
//! ## Synopsis
//!
//! The script is the guest's `bootargs`, or a ramdisk that they point to:
//!
//! ```text
//! n=0badcafe d=01;r32 0x9030fe0;irq on 39 level;irq wait 39 1 50;mark done
//! n=0badcafe d=01 script=ramdisk
//! ```
//!
//! `n` is the run's nonce and `d` the domain's number, both hexadecimal and repeated in every
//! frame. Ops are separated by `;` or line ends; [`wire::Op`] lists them with their answers. All
//! of them are read before the first one is carried out: a script with a mistake in it does
//! nothing.
//!
//! ## What it says
//!
//! One line a frame, at most 120 bytes, anywhere in what the console shows ([`wire::read`] finds
//! it):
//!
//! ```text
//! @pt1 0badcafe 01 0000 92facc35 h 2 1 3b9aca0 80000000.     hello: version, privilege, the clock's Hz, CPU
//! @pt1 0badcafe 01 0001 d1b16e2b o 0 v 61.                   op 0: the value 0x61
//! @pt1 0badcafe 01 0002 b5e3307c o 1 f a96000010 9040000.    op 1: a fault, its syndrome and address
//! @pt1 0badcafe 01 0003 1db87c01 o 2 n done.                 op 2: the mark `done`
//! @pt1 0badcafe 01 0004 f5c2eb3b z 3.                        end, after three ops
//! ```
//!
//! Beside answers there are `u` (an exception that no op was waiting for), `j` (an interrupt that
//! none switched on) and `x` (script or tree of no use); each ends the script. Nonce and domain
//! are 0 where the script did not come so far. After the end the probe waits for interrupts for
//! ever; a domain that should leave says `off`.
//!
//! Frames are terse because each byte of output is a trap under a hypervisor.
//!
//! ## How it runs
//!
//! [`probe::arch`] has what each architecture adds: how it is booted and what it needs of the machine.
//!
//! * **Translation.** The probe's own tables map everything where it is, own RAM as memory, the rest
//!   as a device, or as memory after `attr normal`, and never executable but during `exec`. So a fault
//!   is the hypervisor's answer. What no table can map answers `cannot map`.
//! * **Faults.** An access, call, register read or `exec` that raises an exception comes back
//!   with the CPU's syndrome and, where it reports one, the address. An asynchronous abort comes with
//!   the access that caused it.
//! * **Own memory.** Writes and branches into the image, the tree or the ramdisk answer `cannot
//!   own`, and `ram` steps over them. Reads are free.
//! * **Interrupts** are taken between ops and while one waits, never within one, each by an
//!   exception. The interrupt controller is switched on by the first op that needs it. The timer ends
//!   every sleep; its priority is above that of others, so that an interrupt left active holds up
//!   others but not the waits.
//! * **Polls** look 16 times at once, and then every 100 microseconds, asleep in between.
//! * **Other CPUs**, up to three, say hello and idle.
//! * **`crash`** is Xen's `sched_op` `shutdown` with reason "crash".
//!
//! ## As control domain
//!
//! `hc`, `hcmem`, `hcr` and `hv` make hypercalls of Xen's. Where the tree has a `/hypervisor` node
//! and no console of the domain's own, what the probe says goes through `console_io`.
//!
//! * **Scratch.** Scripts fill and read slots of a page each. Slot 3 is the last page of RAM, so that
//!   what begins at its end ends beyond RAM; slots 0 to 2, and the probe's own structures, are the
//!   highest pages that are free below, but for one that is left alone. All of it is memory
//!   to the probe's tables.
//! * **Interface versions** are tried from that of Xen 4.17 upward, once, until one is not refused;
//!   structures are laid out accordingly.
//! * **Building a domain.** `hv load` copies an entry of the [pack](wire::pack) behind the ramdisk's
//!   script through foreign mappings of 16 pages at a time, in the first space that the hypervisor's
//!   node offers or else in a hole behind RAM, and cleans the caches.
//! * **Loops** repeat ops without answering, count the answers that differ from the first pass's, and
//!   answer with the last pass.
#![cfg_attr(target_os = "none", no_std, no_main)]

#[cfg(target_os = "none")]
use probe as _;

#[cfg(not(target_os = "none"))]
fn main() {}
