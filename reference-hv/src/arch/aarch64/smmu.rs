//! The SMMUv3: layouts, decoders and the driver's decisions. Clauses are those of the architecture
//! specification, Arm IHI 0070.
//!
//! A domain's devices are translated by the very tables that its CPUs use. One set cannot come to differ
//! from another, a page that is taken from a domain is taken from its devices by the same store, and what
//! a device can reach is by construction what its domain can reach. The price is that both sides must
//! read the entries alike, so an SMMU that would not is refused: see [`Features`].

mod command;
mod driver;
mod event;
mod features;
mod queue;
mod set;
mod table;
mod watch;

pub use command::Command;
pub use driver::{Blocked, Context, Dead, Smmu};
pub use event::{Access, Event, Reason};
pub use features::{Features, Unusable};
pub use set::{AttachError, Owner, Set, Unit};
pub use table::{Geometry, Streams};
pub use watch::Burst;

/// The registers of one SMMU and the order of accesses to them.
pub trait Port {
    /// Reads a register.
    fn read(&mut self, offset: u32) -> u32;
    /// Writes a register.
    fn write(&mut self, offset: u32, value: u32);
    /// Writes a register of 64 bits.
    fn write_double(&mut self, offset: u32, value: u64);
    /// Orders every access before it, memory and registers alike, in front of every one behind it.
    fn order(&mut self);
}

/// Registers by their offsets (6.2), those of page 1 from 0x10000 on.
mod register {
    pub const IDR0: u32 = 0x00;
    pub const IDR1: u32 = 0x04;
    pub const IDR3: u32 = 0x0c;
    pub const IDR5: u32 = 0x14;
    pub const CR0: u32 = 0x20;
    pub const CR0ACK: u32 = 0x24;
    pub const CR1: u32 = 0x28;
    pub const CR2: u32 = 0x2c;
    pub const GBPA: u32 = 0x44;
    pub const IRQ_CTRL: u32 = 0x50;
    pub const IRQ_CTRLACK: u32 = 0x54;
    pub const GERROR: u32 = 0x60;
    pub const GERRORN: u32 = 0x64;
    pub const GERROR_IRQ_CFG0: u32 = 0x68;
    pub const STRTAB_BASE: u32 = 0x80;
    pub const STRTAB_BASE_CFG: u32 = 0x88;
    pub const CMDQ_BASE: u32 = 0x90;
    pub const CMDQ_PROD: u32 = 0x98;
    pub const CMDQ_CONS: u32 = 0x9c;
    pub const EVENTQ_BASE: u32 = 0xa0;
    pub const EVENTQ_IRQ_CFG0: u32 = 0xb0;
    pub const EVENTQ_PROD: u32 = 0x1_00a8;
    pub const EVENTQ_CONS: u32 = 0x1_00ac;
}

/// Registers that show whether there is an SMMU at all, one of each page. To read them changes nothing.
pub const PROBED: [u32; 2] = [register::IDR0, register::EVENTQ_PROD];
/// Bytes of registers that this driver touches: page 0 and page 1.
pub const REGISTERS: u64 = 0x2_0000;

#[cfg(test)]
mod tests;
