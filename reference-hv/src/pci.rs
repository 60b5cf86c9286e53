//! PCI functions as the machine has them: what their configuration space says, and what of that is believed.
//!
//! Clauses are those of PCI Local Bus 3.0 ("PCI"), PCI-to-PCI Bridge 1.2 ("Bridge") and PCI Express Base 4.0
//! ("PCIe"). Nothing here waits, nothing runs in circles, whatever a function says about itself.

use alloc::vec::Vec;
use core::ops::RangeInclusive;

use crate::ids::Sbdf;

mod access;
mod bars;
mod capabilities;
mod change;
mod function;
mod iommu_groups;
pub mod registers;
pub mod reset;
mod scan;
mod topology;
mod warning;

pub use access::Registers;
pub use change::{AddError, RemoveError};
pub use reset::quiesce;
pub use warning::Warning;

/// Most functions that are known at a time, so that garbage in configuration space does not take all memory.
pub const MAX_FUNCTIONS: usize = 1024;

/// A configuration space that is looked through: one host bridge's.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Segment {
    /// Its number.
    pub number: u16,
    /// The buses that it can have; the first is the host bridge's own, and others may be.
    pub buses: RangeInclusive<u8>,
}

/// What a header describes (PCI 6.1, Header Type).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// A device's function.
    Endpoint,
    /// A bridge to another bus.
    Bridge {
        /// The bus behind it, where the firmware gave it a believable number.
        secondary: Option<u8>,
        /// The last bus behind it.
        subordinate: u8,
    },
    /// Something else, which is not looked into.
    Other(u8),
}

/// What addresses a base address register decodes (PCI 6.2.5.1).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum BarKind {
    /// I/O space.
    Io,
    /// Memory, with an address of 32 bits.
    Memory32,
    /// Memory, with an address of 64 bits: takes two registers.
    Memory64,
}

/// A base address register that is implemented.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Bar {
    /// Which of the six; of two that belong together the first.
    pub index: u8,
    /// What it decodes.
    pub kind: BarKind,
    /// Whether reads have no side effects.
    pub prefetchable: bool,
    /// Where the firmware put it, as the bus sees it. Zero is nowhere.
    pub address: u64,
    /// How much it decodes: a power of two.
    pub size: u64,
}

/// A capability in the list of a function (PCI 6.7).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Capability {
    /// What it is.
    pub id: u8,
    /// Where it begins.
    pub offset: u8,
}

/// What a PCI Express function is to its fabric (PCIe 7.5.3.2, Device/Port Type).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Port {
    /// A root port, or a downstream port of a switch.
    Downstream,
    /// An upstream port of a switch.
    Upstream,
    /// A bridge to a conventional bus.
    ToConventional,
    /// A bridge from a conventional bus.
    FromConventional,
    /// An endpoint, part of the root complex or not.
    Endpoint,
}

/// How a function is brought back to its state after power-on without harm to others.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Reset {
    /// By itself, by its PCI Express capability at this offset (PCIe 6.6.2).
    Function(u8),
    /// By itself, by its Advanced Features capability at this offset (ECN "Advanced Capabilities").
    Advanced(u8),
    /// By leaving D3hot; its Power Management capability is at this offset (PCI PM 1.2, 5.4.1).
    Power(u8),
    /// Only with everything on its bus: by the bridge to it (Bridge 3.2.5.17).
    Bus(Sbdf),
    /// Not at all.
    None,
}

/// What keeps accesses from going to a neighbour instead of up to the IOMMU (PCIe 6.12, ACS).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Acs {
    /// Where its capability begins, in the extended space.
    pub offset: u16,
    /// What of it the function has.
    pub can: registers::Acs,
    /// Whether that is enough, and is believed.
    pub holds: bool,
}

/// What the firmware has set in a function and a reset takes away, base address registers aside.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Settings {
    /// The size of a cache line.
    pub cache_line: u8,
    /// The latency timer.
    pub latency: u8,
    /// The interrupt line.
    pub line: u8,
    /// How it deals with its link (PCIe 7.5.3.4, Device Control); zero without a PCI Express capability.
    pub control: u16,
}

/// Why a function is given to nobody.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FunctionDefect {
    /// It is a virtual function of this one, on whose registers its own depend.
    Virtual(Sbdf),
    /// What this base address register decodes is no power of two, or not what it decoded before.
    Size(u8),
    /// This base address register says that it decodes something that there is not, or is the first half of one that
    /// has no second half.
    Kind(u8),
    /// This base address register lies where one of its size cannot.
    Address(u8),
    /// Its base address registers lie in a page with those of this bridge.
    Bridge(Sbdf),
}

/// A function that was found.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Function {
    /// Where it is.
    pub at: Sbdf,
    /// Who made it.
    pub vendor: u16,
    /// What its maker calls it.
    pub device: u16,
    /// Base class, sub-class and interface, in 24 bits.
    pub class: u32,
    /// What its header describes.
    pub kind: Kind,
    /// Whether it says that its device has more than one function (Header Type, bit 7, of function 0).
    pub multifunction: bool,
    /// Its base address registers.
    pub bars: Vec<Bar>,
    /// The pin by which it interrupts, 1 to 4 for INTA to INTD.
    pub pin: Option<u8>,
    /// Where that arrives at the host bridge, by the crossing of pins in bridges (Bridge 9.1): the device and function on
    /// the first bus, and the pin there. Nothing says where pins of other buses of the host bridge's arrive.
    pub intx_route: Option<(u8, u8)>,
    /// Its capabilities, as they are listed.
    pub capabilities: Vec<Capability>,
    /// What it is to a PCI Express fabric; nothing for a conventional function.
    pub port: Option<Port>,
    /// The bridge in front of its bus; nothing on those of the host bridge's own.
    pub above: Option<Sbdf>,
    /// As what it masters memory: itself, or the last bridge on the way that speaks for those behind it.
    pub requester: Sbdf,
    /// Whose accesses cannot be told from its own, or kept from it: all functions with this number go to one domain.
    pub group: Group,
    /// How it is reset.
    pub reset: Reset,
    /// What it has to keep accesses from its neighbours; looked for where that matters.
    pub acs: Option<Acs>,
    /// What the firmware has set in it.
    pub settings: Settings,
    /// Why nobody gets it, if so.
    pub flaw: Option<FunctionDefect>,
}

impl Function {
    /// Returns where the first capability with this number begins.
    pub fn capability(&self, id: u8) -> Option<u8> {
        let mut all = self.capabilities.iter();
        Some(all.find(|capability| capability.id == id)?.offset)
    }

    /// Returns its vendor and device as they stand in its first register.
    pub fn id(&self) -> u32 {
        u32::from(self.device) << 16 | u32::from(self.vendor)
    }

    /// Tells whether it is a bridge.
    pub const fn is_bridge(&self) -> bool {
        matches!(self.kind, Kind::Bridge { .. })
    }
}

/// Functions that are not isolated from one another, by the first of them, and why they are not.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Group {
    /// The first of them, as functions are ordered.
    pub first: Sbdf,
    /// Why this one belongs to the group; nothing for one that is alone in it.
    pub why: Option<IsolationReason>,
}

/// Why functions are not isolated from one another.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum IsolationReason {
    /// This bridge speaks for all of them when they master memory.
    Requester(Sbdf),
    /// They are functions of one device, which does not keep them apart (PCIe 6.12, ACS).
    Device,
    /// This port lets them reach one another past the IOMMU (PCIe 6.12, ACS).
    Port(Sbdf),
    /// Two of their base address registers lie in one page.
    Page(u64),
}

/// All functions that are known, in the order of segment, bus, device and function.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Inventory {
    segments: Vec<Segment>,
    functions: Vec<Function>,
}

impl Inventory {
    /// Makes one of these segments in which no function is known yet.
    pub const fn empty(segments: Vec<Segment>) -> Self {
        Self {
            segments,
            functions: Vec::new(),
        }
    }

    /// Returns every function.
    pub fn functions(&self) -> &[Function] {
        &self.functions
    }

    /// Finds a function.
    pub fn get(&self, at: Sbdf) -> Option<&Function> {
        self.functions.get(self.place(at)?)
    }

    /// Returns those of a group that can be given to somebody, or could if they had no flaw: all but its bridges.
    pub fn members(&self, group: Group) -> impl Iterator<Item = &Function> {
        let own = move |function: &&Function| function.group.first == group.first;
        self.functions
            .iter()
            .filter(own)
            .filter(|function| !function.is_bridge())
    }

    /// Returns what is behind a bridge, at any depth.
    pub fn behind(&self, bridge: Sbdf) -> impl Iterator<Item = &Function> + Clone {
        let buses = match self.get(bridge).map(|found| found.kind) {
            Some(Kind::Bridge {
                secondary: Some(first),
                subordinate,
            }) => Some(first..=subordinate),
            _ => None,
        };
        self.functions.iter().filter(move |function| {
            let own = function.at.segment == bridge.segment;
            own && (buses.as_ref()).is_some_and(|buses| buses.contains(&function.at.bus))
        })
    }

    fn place(&self, at: Sbdf) -> Option<usize> {
        let place = self.functions.binary_search_by_key(&at, |found| found.at);
        place.ok()
    }
}

#[cfg(test)]
mod tests;
