//! What a new domain is to be like (`struct xen_domctl_createdomain` of public/domctl.h).

use super::layout;

/// A guest that owns its whole machine (XEN_DOMCTL_CDF_hvm).
pub const HVM: u32 = 1;
/// Paging by hardware (XEN_DOMCTL_CDF_hap).
pub const HAP: u32 = 2;
/// Devices behind an IOMMU may be assigned to it (XEN_DOMCTL_CDF_iommu).
pub const IOMMU: u32 = 0x20;
layout! {
    /// Everything about a new domain.
    CreateDomain: 72 {
        /// Security label.
        ssidref: u32 = 0,
        /// A name that the control domain gives it.
        handle: [u8; 16] = 4,
        /// See [`HVM`], [`HAP`] and [`IOMMU`]. The others ask for what this hypervisor has not.
        flags: u32 = 20,
        /// How an IOMMU is used.
        iommu_opts: u32 = 24,
        /// Virtual CPUs.
        max_vcpus: u32 = 28,
        /// Event channels.
        max_evtchn_port: u32 = 32,
        /// Grant table frames.
        max_grant_frames: i32 = 36,
        /// Frames that keep track of grants.
        max_maptrack_frames: i32 = 40,
        /// Version of grant tables, in the low four bits.
        grant_opts: u32 = 44,
        /// Alternative address spaces.
        altp2m_opts: u32 = 48,
        /// Bytes of a trace buffer.
        vmtrace_size: u32 = 52,
        /// CPU pool.
        cpupool_id: u32 = 56,
        /// The architecture's own ([`crate::vm::Guest::configure`]).
        arch: [u8; 12] = 60,
    }
}

impl CreateDomain {
    /// Tells whether it asks only for what a domain here can be. `iommu` says whether an IOMMU works.
    pub const fn is_possible(&self, iommu: bool) -> bool {
        let optional = if iommu { IOMMU } else { 0 };
        self.flags & !optional == HVM | HAP
            && self.iommu_opts == 0
            && self.grant_opts & !0xf == 0
            && self.altp2m_opts == 0
            && self.vmtrace_size == 0
            && self.cpupool_id == 0
    }
}
