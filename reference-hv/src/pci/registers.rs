//! Where things are in configuration space.

/// Vendor ID.
pub const VENDOR: u16 = 0x00;
/// Device ID.
pub const DEVICE: u16 = 0x02;
/// Command (PCI 6.2.2).
pub const COMMAND: u16 = 0x04;
/// Status (PCI 6.2.3).
pub const STATUS: u16 = 0x06;
/// Revision ID, with the class code in the three bytes behind it.
pub const REVISION: u16 = 0x08;
/// Cache line size.
pub const CACHE_LINE: u16 = 0x0c;
/// Latency timer.
pub const LATENCY: u16 = 0x0d;
/// Header type: the layout in bits 6:0, more than one function in bit 7.
pub const HEADER_TYPE: u16 = 0x0e;
/// First base address register.
pub const BAR0: u16 = 0x10;
/// Subsystem's vendor and device ID.
pub const SUBSYSTEM: u16 = 0x2c;
/// Expansion ROM of an endpoint.
pub const ROM: u16 = 0x30;
/// Where the list of capabilities begins.
pub const CAPABILITIES: u16 = 0x34;
/// Interrupt line, which only software uses.
pub const LINE: u16 = 0x3c;
/// Interrupt pin.
pub const PIN: u16 = 0x3d;
/// Primary bus of a bridge, with the secondary and the subordinate one behind it (Bridge 3.2.5.2).
pub const BUSES: u16 = 0x18;
/// Control register of a bridge (Bridge 3.2.5.17).
pub const BRIDGE_CONTROL: u16 = 0x3e;
/// First register behind the header.
pub const DEVICE_SPECIFIC: u16 = 0x40;
/// First register of the extended space (PCIe 7.2.2).
pub const EXTENDED: u16 = 0x100;
/// Bytes of a function's configuration space in ECAM (PCIe 7.2.2).
pub const SPACE: u16 = 0x1000;

bitflags::bitflags! {
    /// What the command register switches (PCI 6.2.2).
    #[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
    pub struct Command: u16 {
        /// Answers in I/O space.
        const IO = 1 << 0;
        /// Answers in memory space.
        const MEMORY = 1 << 1;
        /// Masters the bus.
        const MASTER = 1 << 2;
        /// Watches special cycles.
        const SPECIAL = 1 << 3;
        /// Writes and invalidates.
        const INVALIDATE = 1 << 4;
        /// Snoops palette accesses.
        const PALETTE = 1 << 5;
        /// Reports parity errors.
        const PARITY = 1 << 6;
        /// Reports system errors.
        const SERR = 1 << 8;
        /// Masters back to back.
        const BACK_TO_BACK = 1 << 9;
        /// Does not interrupt by its pin.
        const NO_INTX = 1 << 10;
    }
}

/// Status: there is a list of capabilities.
pub const STATUS_CAPABILITIES: u16 = 1 << 4;
/// Bridge control: holds the bus behind it in reset.
pub const BRIDGE_RESET: u16 = 1 << 6;

/// Capability: power management.
pub const CAP_POWER: u8 = 0x01;
/// Capability: message signalled interrupts.
pub const CAP_MSI: u8 = 0x05;
/// Capability: what its vendor says it is.
pub const CAP_VENDOR: u8 = 0x09;
/// Capability: PCI Express.
pub const CAP_EXPRESS: u8 = 0x10;
/// Capability: message signalled interrupts by a table in memory.
pub const CAP_MSIX: u8 = 0x11;
/// Capability: advanced features.
pub const CAP_ADVANCED: u8 = 0x13;
