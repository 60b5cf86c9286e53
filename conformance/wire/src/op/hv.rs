//! Ops that drive a hypervisor by its hypercalls, one or a few of them each.

use core::fmt;

use super::operand::Path;

/// What `hv` asks of the hypervisor.
///
/// Each answers `Value` with what the hypercall returned: 0, or a negative error number as 64 bits; of
/// several hypercalls the first one that failed. `D` is a domain's number. The layouts are those of
/// the interface version that the hypervisor turns out to have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hv {
    /// `hv version`: its version (major in bits 48-63, minor 32-47) and the interface versions of
    /// sysctl (16-31) and domctl (0-15).
    Version,
    /// `hv free`: the number of free pages.
    Free,
    /// `hv list`: how many domains are listed.
    List,
    /// `hv info D`: the flags of `getdomaininfo`; ESRCH too where it answers for another domain.
    Info {
        /// The domain.
        dom: u16,
    },
    /// `hv pages D`: how many pages the domain has.
    Pages {
        /// The domain.
        dom: u16,
    },
    /// `hv wait D MASK V MS`: polls `hv info D` until it is V under MASK. Answers `Value` with the
    /// last one, or `Timeout`.
    Wait {
        /// The domain.
        dom: u16,
        /// The bits looked at.
        mask: u64,
        /// What they must be.
        value: u64,
        /// The bound, by the guest's clock.
        ms: u32,
    },
    /// `hv create D KIB VCPUS LINES [FLAGS]`: creates, chooses 64 bits, sets the pool for tables, the number of
    /// CPUs and the limit of memory. With D 0 the hypervisor chooses, and success is the number.
    Create {
        /// The domain.
        dom: u16,
        /// The most memory it may have, in KiB.
        kib: u64,
        /// CPUs.
        cpus: u32,
        /// Lines of its interrupt controller that devices may have.
        lines: u32,
        /// Flags of `createdomain`; 3 (hvm, hap) unless given.
        flags: u32,
    },
    /// `hv destroy D`: destroys, and returns when it is done or refused.
    Destroy {
        /// The domain.
        dom: u16,
    },
    /// `hv pause D`.
    Pause {
        /// The domain.
        dom: u16,
    },
    /// `hv unpause D`.
    Unpause {
        /// The domain.
        dom: u16,
    },
    /// `hv shutdown D REASON`: has the domain shut down by another's order.
    Shutdown {
        /// The domain.
        dom: u16,
        /// Why, as the hypervisor numbers reasons.
        reason: u32,
    },
    /// `hv populate D GFN ORDER COUNT`: gives COUNT extents of 2^ORDER pages each, one behind the other.
    /// ENOMEM where the hypervisor says that it stopped before the last.
    Populate {
        /// The domain.
        dom: u16,
        /// The first frame, as the domain sees it.
        gfn: u64,
        /// Binary logarithm of the pages of an extent.
        order: u32,
        /// How many extents, at least one.
        count: u32,
    },
    /// `hv depopulate D GFN`: removes one page.
    Depopulate {
        /// The domain.
        dom: u16,
        /// The frame, as the domain sees it.
        gfn: u64,
    },
    /// `hv foreign GFN D FGFN`: maps another's page into the caller.
    Foreign {
        /// Where, as the caller sees it.
        gfn: u64,
        /// Whose.
        dom: u16,
        /// Which, as its owner sees it.
        from: u64,
    },
    /// `hv unforeign GFN`: removes it from the caller.
    Unforeign {
        /// Where.
        gfn: u64,
    },
    /// `hv iomem D MFN NR 0|1`: takes or gives the permission for host pages.
    Iomem {
        /// The domain.
        dom: u16,
        /// The first host page.
        mfn: u64,
        /// How many.
        count: u64,
        /// Whether it is given.
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
    /// `hv unmap D GFN MFN NR`: removes them.
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
    /// `hv unbind D LINE`: takes it away.
    Unbind {
        /// The domain.
        dom: u16,
        /// The line.
        line: u16,
    },
    /// `hv assign D PATH`: assigns the device of the host's tree.
    Assign {
        /// The domain.
        dom: u16,
        /// Its node.
        path: Path,
    },
    /// `hv testassign D PATH`: asks whether it could be.
    TestAssign {
        /// The domain.
        dom: u16,
        /// Its node.
        path: Path,
    },
    /// `hv deassign D PATH`: takes it away.
    Deassign {
        /// The domain.
        dom: u16,
        /// Its node.
        path: Path,
    },
    /// `hv pciadd F [FLAGS [PHYSFN]]`: reports a PCI function that is there. `F` is a function's segment, bus, device and
    /// function in 32 bits, PHYSFN the latter three of the function that a virtual one belongs to.
    PciAdd {
        /// The function.
        at: u32,
        /// What it is: 1 for one of an extended device, 2 for a virtual one.
        flags: u32,
        /// The function that a virtual one belongs to.
        physfn: u16,
    },
    /// `hv pciremove F`: reports that it is gone.
    PciRemove {
        /// The function.
        at: u32,
    },
    /// `hv pcireset F [FLAGS]`: reports that it was reset.
    PciReset {
        /// The function.
        at: u32,
        /// How: 0 to 3 for cold, warm, hot, or by itself.
        flags: u32,
    },
    /// `hv pciassign D F`: assigns a PCI function.
    PciAssign {
        /// The domain.
        dom: u16,
        /// The function.
        at: u32,
    },
    /// `hv pcitest D F`: asks whether it could be.
    PciTest {
        /// The domain.
        dom: u16,
        /// The function.
        at: u32,
    },
    /// `hv pcideassign D F`: takes it away.
    PciDeassign {
        /// The domain.
        dom: u16,
        /// The function.
        at: u32,
    },
    /// `hv pcigroup D F`: how many other functions it is not isolated from, as the domain may know.
    PciGroup {
        /// The domain.
        dom: u16,
        /// The function.
        at: u32,
    },
    /// `hv pciknown F`: the NUMA node of a function; 0xffffffff for one that has none, 0xfffffffe for a function that the
    /// hypervisor does not know.
    PciKnown {
        /// The function.
        at: u32,
    },
    /// `hv pcilist F`: which of the 64 functions from this one on the hypervisor knows, the first in bit 0.
    PciList {
        /// The first of them.
        at: u32,
    },
    /// `hv load D ENTRY GPA`: copies an entry of the pack into the domain's memory, through foreign
    /// mappings, and has its cache lines cleaned.
    Load {
        /// The domain.
        dom: u16,
        /// Which entry, from 0.
        entry: u16,
        /// Where, as the domain sees it; a multiple of 4096.
        at: u64,
    },
    /// `hv start D PC ARGUMENT`: sets CPU 0 up to begin at PC, and unpauses.
    Start {
        /// The domain.
        dom: u16,
        /// Where it begins.
        pc: u64,
        /// What it finds in its first register for arguments.
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
