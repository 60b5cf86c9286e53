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
/// Header type, in the double word that ends with it: more than one function.
pub const MULTIFUNCTION: u32 = 1 << 23;
/// First base address register.
pub const BAR0: u16 = 0x10;
/// Subsystem's vendor and device ID.
pub const SUBSYSTEM: u16 = 0x2c;
/// Expansion ROM of an endpoint.
pub const ROM: u16 = 0x30;
/// Expansion ROM: answers.
pub const ROM_ENABLE: u16 = 1 << 0;
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

/// Power management: its control and status register (PCI PM 1.2, 3.2.4).
pub const POWER_CONTROL: u16 = 0x04;
/// Power control: the state, D0 to D3hot.
pub const POWER_STATE: u16 = 3;
/// Power control: leaving D3hot is no reset.
pub const POWER_NO_RESET: u16 = 1 << 3;

/// Message signalled interrupts, by either capability: their control register (PCI 6.8.1.3, 6.8.2.3).
pub const MSI_CONTROL: u16 = 0x02;
/// MSI control: they are on.
pub const MSI_ENABLE: u16 = 1 << 0;
/// MSI-X control: they are on.
pub const MSIX_ENABLE: u16 = 1 << 15;

/// PCI Express: what the device can (PCIe 7.5.3.3).
pub const DEVICE_CAPABILITIES: u16 = 0x04;
/// Device capabilities: it resets a function by itself.
pub const DEVICE_FLR: u32 = 1 << 28;
/// PCI Express: how the device is set (PCIe 7.5.3.4).
pub const DEVICE_CONTROL: u16 = 0x08;
/// Device control: resets the function.
pub const DEVICE_RESET: u16 = 1 << 15;
/// PCI Express: how the device is (PCIe 7.5.3.5).
pub const DEVICE_STATUS: u16 = 0x0a;
/// Device status: transactions are on their way.
pub const DEVICE_PENDING: u16 = 1 << 5;

/// Advanced features: what there is of them (ECN "Advanced Capabilities").
pub const ADVANCED_FEATURES: u16 = 0x03;
/// Advanced features: tells whether transactions are on their way, and resets the function.
pub const ADVANCED_BOTH: u8 = 3;
/// Advanced features: control register, whose first bit resets the function.
pub const ADVANCED_CONTROL: u16 = 0x04;
/// Advanced features: status register, whose first bit tells of transactions on their way.
pub const ADVANCED_STATUS: u16 = 0x05;

/// Extended capability: access control services.
pub const EXT_ACS: u16 = 0x000d;
/// Extended capability: virtual functions.
pub const EXT_VIRTUAL: u16 = 0x0010;
/// Access control services: what of them there is, with the control register behind it (PCIe 7.7.8).
pub const ACS_CAPABILITY: u16 = 0x04;
/// Access control services: which are on.
pub const ACS_CONTROL: u16 = 0x06;
/// Virtual functions: what their maker calls them (SR-IOV 3.3.11).
pub const VIRTUAL_DEVICE: u16 = 0x1a;

bitflags::bitflags! {
    /// Access control services (PCIe 7.7.8.2).
    #[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
    pub struct Acs: u16 {
        /// Checks whom requests say they are from.
        const VALIDATION = 1 << 0;
        /// Stops translated requests.
        const BLOCKING = 1 << 1;
        /// Sends requests to a neighbour up instead.
        const REDIRECT = 1 << 2;
        /// Sends completions for a neighbour up instead.
        const COMPLETIONS = 1 << 3;
        /// Sends up what would come back where it came from.
        const UPSTREAM = 1 << 4;
        /// Asks a table what may go to which neighbour.
        const EGRESS = 1 << 5;
        /// Lets translated requests go to a neighbour.
        const DIRECT = 1 << 6;
    }
}

impl Acs {
    /// What a port needs so that nothing behind it reaches a neighbour.
    pub const ISOLATING: Self = Self::VALIDATION
        .union(Self::REDIRECT)
        .union(Self::COMPLETIONS)
        .union(Self::UPSTREAM);
}
