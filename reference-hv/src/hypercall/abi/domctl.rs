//! Operations on domains (public/domctl.h).

use super::{Field, layout};

/// The only version of the interface that is served (XEN_DOMCTL_INTERFACE_VERSION of 4.20).
pub const INTERFACE: u32 = 0x17;

/// XEN_DOMCTL_createdomain.
pub const CREATE: u32 = 1;
/// XEN_DOMCTL_destroydomain.
pub const DESTROY: u32 = 2;
/// XEN_DOMCTL_pausedomain.
pub const PAUSE: u32 = 3;
/// XEN_DOMCTL_unpausedomain.
pub const UNPAUSE: u32 = 4;
/// XEN_DOMCTL_getdomaininfo.
pub const GET_INFO: u32 = 5;
/// XEN_DOMCTL_max_mem.
pub const MAX_MEM: u32 = 11;
/// XEN_DOMCTL_setvcpucontext.
pub const SET_VCPU_CONTEXT: u32 = 12;
/// XEN_DOMCTL_max_vcpus.
pub const MAX_VCPUS: u32 = 15;
/// XEN_DOMCTL_iomem_permission.
pub const IOMEM_PERMISSION: u32 = 20;
/// XEN_DOMCTL_assign_device.
pub const ASSIGN_DEVICE: u32 = 37;
/// XEN_DOMCTL_bind_pt_irq.
pub const BIND_PT_IRQ: u32 = 38;
/// XEN_DOMCTL_memory_mapping.
pub const MEMORY_MAPPING: u32 = 39;
/// XEN_DOMCTL_test_assign_device.
pub const TEST_ASSIGN_DEVICE: u32 = 45;
/// XEN_DOMCTL_deassign_device.
pub const DEASSIGN_DEVICE: u32 = 47;
/// XEN_DOMCTL_unbind_pt_irq.
pub const UNBIND_PT_IRQ: u32 = 48;
/// XEN_DOMCTL_cacheflush.
pub const CACHE_FLUSH: u32 = 71;
/// XEN_DOMCTL_get_device_group.
pub const GET_DEVICE_GROUP: u32 = 50;
/// XEN_DOMCTL_get_paging_mempool_size.
pub const GET_TABLE_POOL: u32 = 85;
/// XEN_DOMCTL_set_paging_mempool_size.
pub const SET_TABLE_POOL: u32 = 86;

/// A PCI function (XEN_DOMCTL_DEV_PCI).
pub const DEV_PCI: u32 = 0;
/// A device of the device tree (XEN_DOMCTL_DEV_DT).
pub const DEV_DT: u32 = 1;
/// Most pages of one [`MemoryMapping`].
pub const MAX_MAPPING: u64 = 64;

layout! {
    /// The whole argument of a domctl, with what the command makes of the last 128 bytes
    /// (`struct xen_domctl`).
    Domctl: 144 {
        /// What to do.
        command: u32 = 0,
        /// Which version of the layouts, [`INTERFACE`].
        version: u32 = 4,
        /// With which domain.
        domain: u16 = 8,
        /// Unused.
        padding: [u16; 3] = 10,
        /// The command's own.
        rest: [u64; 16] = 16,
    }

    /// `struct xen_domctl_max_mem`.
    MaxMem: 8 {
        /// Memory in KiB.
        kib: u64 = 0,
    }

    /// `struct xen_domctl_max_vcpus`.
    MaxVcpus: 4 {
        /// Number of virtual CPUs.
        count: u32 = 0,
    }

    /// `struct xen_domctl_vcpucontext`.
    VcpuContextAt: 16 {
        /// Which virtual CPU.
        vcpu: u32 = 0,
        /// Address of its registers.
        context: u64 = 8,
    }

    /// `struct xen_domctl_iomem_permission`.
    IomemPermission: 24 {
        /// First host frame.
        first: u64 = 0,
        /// How many.
        count: u64 = 8,
        /// Whether to allow; zero takes the permission away.
        allow: u8 = 16,
    }

    /// `struct xen_domctl_memory_mapping`.
    MemoryMapping: 32 {
        /// First guest frame.
        guest: u64 = 0,
        /// First host frame.
        host: u64 = 8,
        /// How many.
        count: u64 = 16,
        /// Whether to map; zero takes the mapping away.
        add: u32 = 24,
        /// Unused.
        padding: u32 = 28,
    }

    /// `struct xen_domctl_bind_pt_irq`.
    BindPtIrq: 12 {
        /// The host's interrupt.
        machine_irq: u32 = 0,
        /// What kind the guest's is.
        kind: u32 = 4,
        /// The guest's interrupt, as its kind says.
        guest: [u8; 4] = 8,
    }

    /// `struct xen_domctl_assign_device` with a device of the device tree.
    AssignDevice: 24 {
        /// What kind of device, [`DEV_DT`].
        kind: u32 = 0,
        /// How.
        flags: u32 = 4,
        /// Length of the path, without an end mark.
        length: u32 = 8,
        /// Address of the path.
        path: u64 = 16,
    }

    /// The same with a PCI function.
    AssignFunction: 24 {
        /// What kind of device, [`DEV_PCI`].
        kind: u32 = 0,
        /// How.
        flags: u32 = 4,
        /// Segment, bus, device and function.
        sbdf: u32 = 8,
        /// Unused.
        padding: [u32; 3] = 12,
    }

    /// `struct xen_domctl_get_device_group`.
    DeviceGroup: 24 {
        /// Segment, bus, device and function of one.
        sbdf: u32 = 0,
        /// Most others to list.
        max: u32 = 4,
        /// Answered with how many there are, as far as they were listed.
        count: u32 = 8,
        /// Unused.
        padding: u32 = 12,
        /// Address of an array of `u32`, each a function like the one asked about.
        buffer: u64 = 16,
    }

    /// `struct xen_domctl_cacheflush`.
    CacheFlush: 16 {
        /// First guest frame.
        first: u64 = 0,
        /// How many.
        count: u64 = 8,
    }

    /// `struct xen_domctl_paging_mempool`.
    TablePool: 8 {
        /// Bytes.
        bytes: u64 = 0,
    }

    /// What there is to know of a domain (`struct xen_domctl_getdomaininfo`).
    DomainInfo: 120 {
        /// Its number.
        domain: u16 = 0,
        /// Its state: the constants of [`state`].
        flags: u32 = 4,
        /// Pages that it has.
        tot_pages: u64 = 8,
        /// Pages that it may have.
        max_pages: u64 = 16,
        /// Pages that it was promised.
        outstanding_pages: u64 = 24,
        /// Pages that it shares.
        shr_pages: u64 = 32,
        /// Pages that are swapped out.
        paged_pages: u64 = 40,
        /// Frame of its shared information page.
        shared_info_frame: u64 = 48,
        /// Nanoseconds that it ran.
        cpu_time: u64 = 56,
        /// Virtual CPUs that are on.
        nr_online_vcpus: u32 = 64,
        /// Highest number of a virtual CPU.
        max_vcpu_id: u32 = 68,
        /// Security label.
        ssidref: u32 = 72,
        /// A name that the control domain gave it.
        handle: [u8; 16] = 76,
        /// CPU pool.
        cpupool: u32 = 92,
        /// Bits of a guest-physical address.
        gpaddr_bits: u8 = 96,
        /// Unused.
        padding: [u8; 7] = 97,
        /// The architecture's own, as in [`super::create::CreateDomain`].
        arch: [u8; 12] = 104,
        /// Unused.
        end: u32 = 116,
    }
}

/// Bits of [`DomainInfo::flags`].
pub mod state {
    /// It is being destroyed.
    pub const DYING: u32 = 1;
    /// It owns its whole machine.
    pub const HVM: u32 = 2;
    /// Its guest has ended; bits 16 to 23 say why.
    pub const SHUTDOWN: u32 = 4;
    /// It was paused.
    pub const PAUSED: u32 = 8;
    /// All its virtual CPUs wait.
    pub const BLOCKED: u32 = 0x10;
    /// It runs.
    pub const RUNNING: u32 = 0x20;
    /// Paging by hardware.
    pub const HAP: u32 = 0x100;
    /// Stands in place of a reason until there is one.
    pub const NO_REASON: u32 = 0xffff_0000;
    /// Place of the reason of a shutdown.
    pub const REASON_SHIFT: u32 = 16;
}

/// Where the command's own part begins, and where what it answers is written back to.
pub const REST: usize = 16;

impl Domctl {
    /// Returns the bytes of the command's own part.
    pub fn rest_bytes(&self) -> [u8; 128] {
        let mut bytes = [0; 128];
        self.rest.put(&mut bytes, 0);
        bytes
    }
}
