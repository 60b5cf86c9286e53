//! Operations on the whole system (public/sysctl.h).

use super::{Field, layout};

/// The only version of the interface that is served (XEN_SYSCTL_INTERFACE_VERSION of 4.20).
pub const INTERFACE: u32 = 0x15;

/// XEN_SYSCTL_physinfo.
pub const PHYSINFO: u32 = 3;
/// XEN_SYSCTL_pcitopoinfo.
pub const PCI_TOPOLOGY: u32 = 22;
/// What is answered of a function that is not known (XEN_INVALID_DEV).
pub const INVALID_DEVICE: u32 = 0xffff_fffe;
/// What is answered of one that is known, where there is but one node (XEN_INVALID_NODE_ID).
pub const NO_NODE: u32 = 0xffff_ffff;
/// XEN_SYSCTL_getdomaininfolist.
pub const GET_INFO_LIST: u32 = 6;

layout! {
    /// The whole argument of a sysctl, with what the command makes of the last 128 bytes
    /// (`struct xen_sysctl`).
    Sysctl: 136 {
        /// What to do.
        command: u32 = 0,
        /// Which version of the layouts, [`INTERFACE`].
        version: u32 = 4,
        /// The command's own.
        rest: [u64; 16] = 8,
    }

    /// What there is to know of the machine (`struct xen_sysctl_physinfo`).
    PhysInfo: 112 {
        /// Threads of a core.
        threads_per_core: u32 = 0,
        /// Cores of a socket.
        cores_per_socket: u32 = 4,
        /// CPUs in use.
        nr_cpus: u32 = 8,
        /// Highest number of a CPU.
        max_cpu_id: u32 = 12,
        /// NUMA nodes.
        nr_nodes: u32 = 16,
        /// Highest number of a NUMA node.
        max_node_id: u32 = 20,
        /// Frequency of a CPU.
        cpu_khz: u32 = 24,
        /// What the machine can do.
        capabilities: u32 = 28,
        /// What it can do as an Arm.
        arch_capabilities: u32 = 32,
        /// Unused.
        padding: u32 = 36,
        /// Pages of memory.
        total_pages: u64 = 40,
        /// Pages of memory that nobody has.
        free_pages: u64 = 48,
        /// Pages that wait for being scrubbed.
        scrub_pages: u64 = 56,
        /// Pages that were promised to somebody.
        outstanding_pages: u64 = 64,
        /// Highest frame.
        max_mfn: u64 = 72,
        /// What the CPU can do.
        hw_cap: [u32; 8] = 80,
    }

    /// What there is to know of PCI functions (`struct xen_sysctl_pcitopoinfo`).
    PciTopology: 24 {
        /// How many are asked about; answered with how many were looked at.
        count: u32 = 0,
        /// Unused.
        padding: u32 = 4,
        /// Address of an array of `PciDevice`.
        devices: u64 = 8,
        /// Address of an array of `u32`: the node of each.
        nodes: u64 = 16,
    }

    /// A list of domains (`struct xen_sysctl_getdomaininfolist`).
    InfoList: 24 {
        /// Lowest number to list.
        first: u16 = 0,
        /// Most domains to list.
        max: u32 = 4,
        /// Address of an array of `DomainInfo`.
        buffer: u64 = 8,
        /// Answered with how many there are.
        count: u32 = 16,
    }
}

/// Where the command's own part begins, and where what it answers is written back to.
pub const REST: usize = 8;

impl Sysctl {
    /// Returns the bytes of the command's own part.
    pub fn rest_bytes(&self) -> [u8; 128] {
        let mut bytes = [0; 128];
        self.rest.put(&mut bytes, 0);
        bytes
    }
}
