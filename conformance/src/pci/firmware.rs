//! What the firmware does to the functions of a machine before the CPUs start: accesses to its ECAM, in order.
//!
//! It leaves them as U-Boot does: every bus has its number, every memory BAR an address, memory decoders and bus
//! mastering are on (6 in the command register), and the interrupt line register is not written. In one scenario U-Boot
//! itself does it, and the result is compared. Two things differ on purpose: nothing gets I/O space, which no
//! hypervisor of this suite passes on, and 64-bit prefetchable BARs are in the 64-bit window, which U-Boot leaves
//! unused on this board. Each value is read back, so that a wrong machine is not mistaken for a failure of the
//! hypervisor.

use super::{Firmware, Function, Role, Topology, config};

/// Vendor and device (PCI 6.1).
const ID: u64 = 0;
/// Command.
const COMMAND: u64 = 4;
/// First BAR.
const BAR0: u64 = 0x10;
/// Primary, secondary and subordinate bus (Bridge 3.2.5.2 to 4).
const BUSES: u64 = 0x18;
/// Base and limit of the forwarded memory, in units of 1 MiB (Bridge 3.2.5.8).
const MEMORY_WINDOW: u64 = 0x20;
/// The same for prefetchable memory (Bridge 3.2.5.9), and the upper halves of its base and limit.
const HIGH_WINDOW: u64 = 0x24;
const HIGH_BASE: u64 = 0x28;
const HIGH_LIMIT: u64 = 0x2c;
/// A base above its limit: nothing is forwarded.
const CLOSED: u32 = 0x0000_fff0;

/// One access.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Writes to a register.
    Write {
        /// Its address.
        at: u64,
        /// Width in bytes.
        bytes: u8,
        /// The value.
        value: u32,
    },
    /// Reads a register, and must see this value under a mask.
    Read {
        /// Its address.
        at: u64,
        /// Width in bytes.
        bytes: u8,
        /// The bits that are compared.
        mask: u32,
        /// Their value.
        value: u32,
    },
}

/// Returns the accesses that the firmware makes: each bridge before what is behind it. There are none if real firmware
/// sets the functions up.
pub fn accesses(topology: &Topology) -> Vec<Access> {
    let mut script = Script(Vec::new());
    if topology.firmware == Firmware::UBoot {
        return script.0;
    }
    let mut order: Vec<&Function> = topology.functions.iter().collect();
    // A function behind a bridge has a higher bus number.
    order.sort_by_key(|one| one.bdf());
    for one in order {
        if let Some(bdf) = one.bdf() {
            function(one, config(topology.ecam, bdf), &mut script);
        }
    }
    script.0
}

struct Script(Vec<Access>);

impl Script {
    fn see(&mut self, at: u64, bytes: u8, mask: u32, value: u32) {
        self.0.push(Access::Read {
            at,
            bytes,
            mask,
            value,
        });
    }

    /// Writes a register, and reads back the bits that are compared.
    fn set(&mut self, at: u64, bytes: u8, mask: u32, value: u32) {
        self.0.push(Access::Write { at, bytes, value });
        self.see(at, bytes, mask, value);
    }
}

fn function(one: &Function, at: u64, script: &mut Script) {
    script.see(at + ID, 4, u32::MAX, one.model.pci.id);
    for bar in &one.bars {
        let register = at + BAR0 + 4 * u64::from(bar.index);
        let Some(address) = bar.address else {
            continue;
        };
        let (low, high) = halves(address);
        script.set(register, 4, u32::MAX, low | bar.kind.bits());
        if bar.kind.is_wide() {
            script.set(register + 4, 4, u32::MAX, high);
        }
    }
    if let Some((secondary, subordinate)) = one.buses {
        let primary = u32::from(one.bus.unwrap_or(0));
        let buses = primary | u32::from(secondary) << 8 | u32::from(subordinate) << 16;
        script.set(at + BUSES, 4, 0x00ff_ffff, buses);
    }
    if let Some(command) = one.command {
        if one.model.pci.role() != Role::Endpoint {
            windows(one, at, script);
        }
        script.set(at + COMMAND, 2, u32::MAX, u32::from(command));
    }
}

fn windows(one: &Function, at: u64, script: &mut Script) {
    let [low, high] = one.windows;
    let window = |window: Option<(u64, u64)>| {
        window.map_or(CLOSED, |(first, last)| {
            let part = |address: u64| halves(address).0 >> 16 & 0xfff0;
            part(last) << 16 | part(first)
        })
    };
    let (base, limit) = high.unwrap_or_default();
    script.set(at + MEMORY_WINDOW, 4, u32::MAX, window(low));
    // The lowest bits of these two say that there are upper halves.
    script.set(at + HIGH_WINDOW, 4, 0xfff0_fff0, window(high));
    script.set(at + HIGH_BASE, 4, u32::MAX, halves(base).1);
    script.set(at + HIGH_LIMIT, 4, u32::MAX, halves(limit).1);
}

/// Splits an address into its low and high 32 bits.
fn halves(address: u64) -> (u32, u32) {
    let part = |bits: u64| u32::try_from(bits & u64::from(u32::MAX)).unwrap_or(0);
    (part(address), part(address >> 32))
}
