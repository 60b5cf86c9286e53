//! # probe: a guest that carries out a script and reports what it observes
//!
//! One image per architecture is every guest of the suite. Any boot loader or hypervisor can start it. It
//! carries out a script, op by op, answers each op with one frame on the console, and judges
//! nothing.
//!
//! ## Synopsis
//!
//! The script is in the guest's `bootargs`, or in a ramdisk that they point to:
//!
//! ```text
//! n=0badcafe d=01;r32 0x9030fe0;irq on 39 level;irq wait 39 1 50;mark done
//! n=0badcafe d=01 script=ramdisk
//! ```
//!
//! `n` is the run's nonce and `d` the domain's number, both hexadecimal and repeated in every
//! frame. `;` or line ends separate ops; [`wire::Op`] lists them with their answers. The probe
//! parses all ops before it carries out the first one, so a script with an error does nothing.
//!
//! ## Output
//!
//! One line per frame, at most 120 bytes, anywhere in the console's output ([`wire::read`] finds
//! it):
//!
//! ```text
//! @pt2 0badcafe 01 0000 92facc35 h 2 1 3b9aca0 80000000.     hello: version, privilege, the clock's Hz, CPU
//! @pt2 0badcafe 01 0001 d1b16e2b o 0 v 61.                   op 0: the value 0x61
//! @pt2 0badcafe 01 0002 b5e3307c o 1 f a96000010 9040000.    op 1: a fault, its syndrome and address
//! @pt2 0badcafe 01 0003 1db87c01 o 2 n done.                 op 2: the mark `done`
//! @pt2 0badcafe 01 0004 f5c2eb3b z 3.                        end, after three ops
//! ```
//!
//! Other frames are `u` (an exception that no op expected), `j` (an interrupt that no op enabled)
//! and `x` (unusable script or tree); each ends the script. Nonce and domain are 0 if the probe
//! could not read them. After the end the probe waits for interrupts for ever; a script that must
//! stop its domain ends in `off`.
//!
//! Frames are short because under a hypervisor each byte of output costs a trap.
//!
//! ## How it runs
//!
//! [`probe::arch`] has what is specific to one architecture: boot protocol and required hardware.
//!
//! * **Translation.** The probe's own tables map every address to itself: its own RAM as memory, the rest
//!   as a device, or as memory after `attr normal`, and never executable except during `exec`. So a fault
//!   comes from the hypervisor. An address that no table can map answers `cannot map`.
//! * **Faults.** An access, call, register read or `exec` that raises an exception returns
//!   the CPU's syndrome and, if the CPU reports it, the address. An asynchronous abort is reported
//!   with the access that caused it.
//! * **Own memory.** Writes and branches into the image, the tree or the ramdisk answer `cannot
//!   own`, and `ram` steps over them. Reads are allowed.
//! * **Interrupts** are taken between ops and while an op waits, at no other time. The first op that
//!   needs the interrupt controller switches it on. The timer ends every sleep; its priority is higher
//!   than that of other interrupts, so an interrupt that is left active blocks others but no sleep.
//! * **Polls** read 16 times at once, and then every 100 microseconds; the CPU sleeps in between.
//! * **Other CPUs**, up to three, send a hello and idle.
//! * **`crash`** is Xen's `sched_op` `shutdown` with reason "crash".
//!
//! ## As control domain
//!
//! `hc`, `hcmem`, `hcr` and `hv` make Xen's hypercalls. If the tree has a `/hypervisor` node and no
//! console for the domain, the probe prints through `console_io`.
//!
//! * **Scratch.** Scripts write and read slots of one page each. Slot 3 is the last page of RAM, so a
//!   structure that begins at its end crosses the end of RAM. The page before it is left for scripts
//!   that write at an address known to the harness. Slots 0 to 2 and the probe's own structures are in
//!   the highest free pages below. The probe's tables map all of them as memory.
//! * **Interface versions** are tried once, from that of Xen 4.17 upward, until the hypervisor accepts
//!   one; it decides the layout of structures.
//! * **Building a domain.** `hv load` copies an entry of the [pack](wire::pack) after the ramdisk's
//!   script, and cleans the caches. It uses foreign mappings of 16 pages at a time, in the first space
//!   that the hypervisor's node offers, or else in a hole after RAM.
//! * **Loops** repeat ops, count the answers that differ from the first pass's, and send only the last
//!   pass's answers.
#![cfg_attr(target_os = "none", no_std, no_main)]

#[cfg(target_os = "none")]
use probe as _;

#[cfg(not(target_os = "none"))]
fn main() {}
