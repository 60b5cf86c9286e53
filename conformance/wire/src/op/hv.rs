//! Ops that drive a hypervisor, by one or several hypercalls each.

use core::fmt;

use super::operand::Path;

/// A request that `hv` makes to the hypervisor.
///
/// Each answers `Value` with the result of the hypercall: 0, or a negative error number as 64 bits; of
/// several hypercalls, the result of the first that failed. `D` is a domain's number. The layouts are
/// those of the interface version that the probe detects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hv {
    /// `hv version`: returns the hypervisor's version (major in bits 48-63, minor 32-47) and the interface versions of
    /// sysctl (16-31) and domctl (0-15).
    Version,
    /// `hv free`: returns the number of free pages.
    Free,
    /// `hv list`: returns the number of listed domains.
    List,
    /// `hv info D`: returns the flags of `getdomaininfo`, or ESRCH also if the hypervisor answers for another domain.
    Info {
        /// The domain.
        dom: u16,
    },
    /// `hv pages D`: returns the number of the domain's pages.
    Pages {
        /// The domain.
        dom: u16,
    },
    /// `hv wait D MASK V MS`: polls `hv info D` until its flags under MASK are V. Answers `Value` with the
    /// last flags, or `Timeout`.
    Wait {
        /// The domain.
        dom: u16,
        /// The flags to compare.
        mask: u64,
        /// Their expected value.
        value: u64,
        /// The bound, by the guest's clock.
        ms: u32,
    },
    /// `hv create D KIB VCPUS LINES [FLAGS]`: creates a 64-bit domain, and sets its pool of page tables, its number
    /// of CPUs and its memory limit. With D 0 the hypervisor chooses the number, which is then the result.
    Create {
        /// The domain.
        dom: u16,
        /// The most memory it may have, in KiB.
        kib: u64,
        /// The number of CPUs.
        cpus: u32,
        /// The number of interrupt lines for devices.
        lines: u32,
        /// Flags of `createdomain`; 3 (hvm, hap) unless given.
        flags: u32,
    },
    /// `hv destroy D`: destroys the domain; returns when this is complete or refused.
    Destroy {
        /// The domain.
        dom: u16,
    },
    /// `hv pause D`: pauses the domain.
    Pause {
        /// The domain.
        dom: u16,
    },
    /// `hv unpause D`: unpauses the domain.
    Unpause {
        /// The domain.
        dom: u16,
    },
    /// `hv shutdown D REASON`: shuts the domain down from outside.
    Shutdown {
        /// The domain.
        dom: u16,
        /// The reason, by the hypervisor's number.
        reason: u32,
    },
    /// `hv populate D GFN ORDER COUNT`: adds COUNT contiguous extents of 2^ORDER pages each. Returns ENOMEM if
    /// the hypervisor stops before the last one.
    Populate {
        /// The domain.
        dom: u16,
        /// The first frame, as the domain sees it.
        gfn: u64,
        /// The binary logarithm of an extent's number of pages.
        order: u32,
        /// The number of extents, at least one.
        count: u32,
    },
    /// `hv depopulate D GFN`: removes one page.
    Depopulate {
        /// The domain.
        dom: u16,
        /// The frame, as the domain sees it.
        gfn: u64,
    },
    /// `hv foreign GFN D FGFN`: maps a page of another domain into the caller.
    Foreign {
        /// The caller's frame.
        gfn: u64,
        /// The other domain.
        dom: u16,
        /// The other domain's frame.
        from: u64,
    },
    /// `hv unforeign GFN`: removes the mapping from the caller.
    Unforeign {
        /// The caller's frame.
        gfn: u64,
    },
    /// `hv iomem D MFN NR 0|1`: revokes or grants the permission for host pages.
    Iomem {
        /// The domain.
        dom: u16,
        /// The first host page.
        mfn: u64,
        /// How many.
        count: u64,
        /// Whether to grant the permission.
        allow: bool,
    },
    /// `hv map D GFN MFN NR`: maps host pages of a device.
    Map {
        /// The domain.
        dom: u16,
        /// The first frame, as the domain sees it.
        gfn: u64,
        /// The first host page.
        mfn: u64,
        /// How many.
        count: u64,
    },
    /// `hv unmap D GFN MFN NR`: removes such mappings.
    Unmap {
        /// The domain.
        dom: u16,
        /// The first frame, as the domain sees it.
        gfn: u64,
        /// The first host page.
        mfn: u64,
        /// How many.
        count: u64,
    },
    /// `hv bind D LINE`: routes an interrupt line to the domain, under the same number.
    Bind {
        /// The domain.
        dom: u16,
        /// The line.
        line: u16,
    },
    /// `hv unbind D LINE`: removes the route.
    Unbind {
        /// The domain.
        dom: u16,
        /// The line.
        line: u16,
    },
    /// `hv assign D PATH`: assigns a device of the host's tree.
    Assign {
        /// The domain.
        dom: u16,
        /// Its node.
        path: Path,
    },
    /// `hv testassign D PATH`: asks whether the device can be assigned.
    TestAssign {
        /// The domain.
        dom: u16,
        /// Its node.
        path: Path,
    },
    /// `hv deassign D PATH`: deassigns the device.
    Deassign {
        /// The domain.
        dom: u16,
        /// Its node.
        path: Path,
    },
    /// `hv pciadd F [FLAGS [PHYSFN]]`: reports a new PCI function. `F` is a function's segment and BDF in 32 bits,
    /// PHYSFN the BDF of the physical function that a virtual one belongs to.
    PciAdd {
        /// The function.
        at: u32,
        /// The kind of function: 1 for one of an extended device, 2 for a virtual function.
        flags: u32,
        /// The physical function of a virtual one.
        physfn: u16,
    },
    /// `hv pciremove F`: reports that the function is gone.
    PciRemove {
        /// The function.
        at: u32,
    },
    /// `hv pcireset F [FLAGS]`: reports that the function was reset.
    PciReset {
        /// The function.
        at: u32,
        /// The kind of reset: 0 to 3 for cold, warm, hot, or by the function itself (FLR).
        flags: u32,
    },
    /// `hv pciassign D F`: assigns a PCI function.
    PciAssign {
        /// The domain.
        dom: u16,
        /// The function.
        at: u32,
    },
    /// `hv pcitest D F`: asks whether the function can be assigned.
    PciTest {
        /// The domain.
        dom: u16,
        /// The function.
        at: u32,
    },
    /// `hv pcideassign D F`: deassigns the function.
    PciDeassign {
        /// The domain.
        dom: u16,
        /// The function.
        at: u32,
    },
    /// `hv pcigroup D F`: returns how many other functions of F's isolation group the domain may know.
    PciGroup {
        /// The domain.
        dom: u16,
        /// The function.
        at: u32,
    },
    /// `hv pciknown F`: returns F's NUMA node; 0xffffffff if it has none, 0xfffffffe if the hypervisor
    /// does not know F.
    PciKnown {
        /// The function.
        at: u32,
    },
    /// `hv pcilist F`: returns a bit for each of 64 functions from F on, set if the hypervisor knows it; F is bit 0.
    PciList {
        /// The first function.
        at: u32,
    },
    /// `hv load D ENTRY GPA`: copies an entry of the pack into the domain's memory, through foreign
    /// mappings, and cleans its cache lines.
    Load {
        /// The domain.
        dom: u16,
        /// The entry, from 0.
        entry: u16,
        /// The guest-physical address, a multiple of 4096.
        at: u64,
    },
    /// `hv start D PC ARGUMENT`: sets CPU 0 up to begin at PC, and unpauses the domain.
    Start {
        /// The domain.
        dom: u16,
        /// The address of its first instruction.
        pc: u64,
        /// The value of its first argument register.
        argument: u64,
    },
}

impl fmt::Display for Hv {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Version => f.write_str("version"),
            Self::Free => f.write_str("free"),
            Self::List => f.write_str("list"),
            Self::Info { dom } => write!(f, "info {dom}"),
            Self::Pages { dom } => write!(f, "pages {dom}"),
            Self::Wait {
                dom,
                mask,
                value,
                ms,
            } => write!(f, "wait {dom} {mask:#x} {value:#x} {ms}"),
            Self::Create {
                dom,
                kib,
                cpus,
                lines,
                flags,
            } => write!(f, "create {dom} {kib} {cpus} {lines} {flags:#x}"),
            Self::Destroy { dom } => write!(f, "destroy {dom}"),
            Self::Pause { dom } => write!(f, "pause {dom}"),
            Self::Unpause { dom } => write!(f, "unpause {dom}"),
            Self::Shutdown { dom, reason } => write!(f, "shutdown {dom} {reason}"),
            Self::Populate {
                dom,
                gfn,
                order,
                count,
            } => write!(f, "populate {dom} {gfn:#x} {order} {count}"),
            Self::Depopulate { dom, gfn } => write!(f, "depopulate {dom} {gfn:#x}"),
            Self::Foreign { gfn, dom, from } => write!(f, "foreign {gfn:#x} {dom} {from:#x}"),
            Self::Unforeign { gfn } => write!(f, "unforeign {gfn:#x}"),
            Self::Iomem {
                dom,
                mfn,
                count,
                allow,
            } => write!(f, "iomem {dom} {mfn:#x} {count:#x} {}", u8::from(allow)),
            Self::Map {
                dom,
                gfn,
                mfn,
                count,
            } => write!(f, "map {dom} {gfn:#x} {mfn:#x} {count:#x}"),
            Self::Unmap {
                dom,
                gfn,
                mfn,
                count,
            } => write!(f, "unmap {dom} {gfn:#x} {mfn:#x} {count:#x}"),
            Self::Bind { dom, line } => write!(f, "bind {dom} {line}"),
            Self::Unbind { dom, line } => write!(f, "unbind {dom} {line}"),
            Self::Assign { dom, path } => write!(f, "assign {dom} {path}"),
            Self::TestAssign { dom, path } => write!(f, "testassign {dom} {path}"),
            Self::Deassign { dom, path } => write!(f, "deassign {dom} {path}"),
            Self::PciAdd { at, flags, physfn } => {
                write!(f, "pciadd {at:#x} {flags:#x} {physfn:#x}")
            }
            Self::PciRemove { at } => write!(f, "pciremove {at:#x}"),
            Self::PciReset { at, flags } => write!(f, "pcireset {at:#x} {flags:#x}"),
            Self::PciAssign { dom, at } => write!(f, "pciassign {dom} {at:#x}"),
            Self::PciTest { dom, at } => write!(f, "pcitest {dom} {at:#x}"),
            Self::PciDeassign { dom, at } => write!(f, "pcideassign {dom} {at:#x}"),
            Self::PciGroup { dom, at } => write!(f, "pcigroup {dom} {at:#x}"),
            Self::PciKnown { at } => write!(f, "pciknown {at:#x}"),
            Self::PciList { at } => write!(f, "pcilist {at:#x}"),
            Self::Load { dom, entry, at } => write!(f, "load {dom} {entry} {at:#x}"),
            Self::Start { dom, pc, argument } => write!(f, "start {dom} {pc:#x} {argument:#x}"),
        }
    }
}
