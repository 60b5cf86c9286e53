//! The nodes that a description of the machine is made of, and what they say that they are.

/// A node, by its place in the order in which they stand.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct NodeId(pub(in crate::config) u32);

impl NodeId {
    /// The root.
    pub const ROOT: Self = Self(0);

    pub(in crate::config) fn place(self) -> usize {
        usize::try_from(self.0).unwrap_or(usize::MAX)
    }

    pub(in crate::config) fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

/// What a search that should find one thing found.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Found {
    /// Nothing.
    Nothing,
    /// The one.
    One(NodeId),
    /// More than one, so that taking the first would be a guess.
    Several,
}

impl Found {
    pub(in crate::config) fn add(&mut self, id: NodeId) {
        *self = match *self {
            Self::Nothing => Self::One(id),
            Self::One(_) | Self::Several => Self::Several,
        };
    }
}

bitflags::bitflags! {
    /// What a node says it is, as far as this hypervisor cares.
    #[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
    pub struct Marks: u16 {
        /// The interrupt controller.
        const CONTROLLER = 1 << 0;
        /// The interrupt controller or a part of it.
        const CONTROLLER_PART = 1 << 1;
        /// An IOMMU.
        const IOMMU = 1 << 2;
        /// An IOMMU of the one kind that this hypervisor drives.
        const DRIVEN = 1 << 3;
        /// The timer.
        const TIMER = 1 << 4;
        /// A UART that this hypervisor drives.
        const UART = 1 << 5;
        /// A way to call the firmware.
        const FIRMWARE = 1 << 6;
        /// RAM.
        const MEMORY = 1 << 7;
        /// A bus of PCI's addresses.
        const PCI = 1 << 8;
        /// A PCI host bridge by its model.
        const BRIDGE = 1 << 9;
        /// Something that an IOMMU stands before.
        const MASTER = 1 << 10;
    }
}
