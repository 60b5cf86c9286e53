//! Why a domain does not get something: every refusal that the rules of ownership know, its words, and its number for
//! whoever asked by hypercall.

use alloc::boxed::Box;
use alloc::string::ToString;
use core::fmt;

use super::dma::DmaIndicator;
use super::host_ranges::Place;
use crate::addr::{Ipa, Pa, Span, SpanError};
use crate::config::{
    Brief, ConfigError, Flaw, Origin, XEN_FORCE, XEN_PASSTHROUGH, XEN_PATH, XEN_REG,
};
use crate::dt::{Path, flaws};
use crate::errno::Errno;
use crate::ids::{DomainId, IrqLine, MAX_VCPUS, Sbdf, SourceId, Trigger};
use crate::pci::{FunctionDefect, RemoveError};

macro_rules! errors {
    ($($variant:ident { $($field:ident: $type:ty),* } = $errno:ident, $text:literal;)+) => {
        /// Why a domain does not get something: what is asked for, and what stands in the way.
        #[derive(Clone, PartialEq, Eq, Debug)]
        pub enum AssignError<'t> {
            $(#[doc = $text] $variant {
                $(#[doc = concat!("What the text calls `", stringify!($field), "`.")] $field: $type,)*
            },)+
        }

        impl fmt::Display for AssignError<'_> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                match self {
                    $(Self::$variant { $($field),* } => write!(f, $text),)+
                }
            }
        }

        impl AssignError<'_> {
            /// Returns the number by which a hypercall fails that asks for this.
            pub fn errno(&self) -> Errno {
                match self {
                    $(Self::$variant { .. } => Errno::$errno,)+
                }
            }
        }
    };
}

errors! {
    // Pages of devices.
    TooWide { span: Span<Pa>, bits: u32 } = EPERM, "names host range {span}, wider than {bits} bits";
    OverTaken { span: Span<Pa>, what: &'static str } = EPERM, "names host range {span}, which overlaps the {what}";
    OutsideNamed { span: Span<Pa>, page: Pa, node: Path<'t> } = EPERM,
        "names host range {span}, of which {page} is not in {node}";
    NotForDomains { span: Span<Pa>, place: Place<'t> } = EPERM, "names host range {span}, which {place}";
    PageInWindow { span: Span<Pa>, page: Pa, place: Place<'t> } = EPERM,
        "names host range {span}, of which {page} {place}";
    PageUnknown { span: Span<Pa>, page: Pa, node: Path<'t> } = EPERM,
        "names host range {span}, of which {page} may be {node}, whose place cannot be read";
    NoDevicePage { span: Span<Pa>, page: Pa } = EPERM, "names host range {span}, of which {page} is no device";
    NotPermitted { span: Span<Pa>, who: DomainId } = EPERM, "names host range {span}, for which {who} has no permission";
    PagesOwned { span: Span<Pa>, owner: DomainId } = EBUSY, "names host range {span}, which {owner} has already";
    ResidentOwned { span: Span<Pa>, node: Path<'t>, owner: DomainId } = EBUSY,
        "names host range {span}, in which {node} lies, which {owner} has already";

    // Nodes of the host's tree.
    NoSuchNode {} = ESRCH, "names no one host node";
    NodeKept { node: Path<'t>, what: &'static str } = EPERM, "names {node}, which is {what}";
    NodeUnmarked { node: Path<'t> } = EPERM, "names {node}, which is not marked `{XEN_PASSTHROUGH}`";
    NodeOff { node: Path<'t> } = EPERM, "is {node}, whose `status` is neither ok nor okay";
    BusOff { node: Path<'t>, bus: Path<'t> } = EPERM, "is {node}; the `status` of {bus} is neither ok nor okay";
    NamedOwned { node: Path<'t>, owner: DomainId } = EBUSY, "is {node}, which {owner} has already";
    NodeOwned { node: Path<'t>, owner: DomainId } = EBUSY, "names {node}, which {owner} has already";
    NodeNotHad { node: Path<'t>, who: DomainId } = ESRCH, "names {node}, which {who} does not have";
    TreeFlaw { flaw: ClaimError<'t> } = EPERM, "{flaw}";

    // Devices that access memory by themselves.
    HostBridge { node: Path<'t> } = EPERM, "names {node}, a PCI host bridge, which is no platform device";
    NoStream { node: Path<'t>, sign: DmaIndicator<'t>, iommu: Path<'t> } = EPERM,
        "names {node}, which can access memory by itself ({sign}) through {iommu}, and names no stream of its own (`iommus`)";
    Unprotected { node: Path<'t>, sign: DmaIndicator<'t> } = EPERM,
        "names {node}, which can access memory by itself ({sign}) and no IOMMU protects; only a domain with `direct-map` can have it";
    NoIommu { node: Path<'t> } = EINVAL, "names {node}, before which no IOMMU stands";
    IommuUnusable { flaw: ClaimError<'t> } = EINVAL, "{flaw}";
    StreamBeyond { flaw: ClaimError<'t> } = ERANGE, "{flaw}";
    StreamShared { node: Path<'t>, other: Path<'t> } = EPERM, "names {node}, which its IOMMU cannot tell from {other}";

    StreamOwned { id: SourceId, iommu: Path<'t>, owner: DomainId } = EBUSY,
        "names {id} of {iommu}, which {owner} has already";
    StreamOfOther { id: SourceId, iommu: Path<'t>, other: Path<'t> } = EPERM,
        "names {id} of {iommu}, which is that of {other} too, which this domain does not ask for";

    // Interrupt lines.
    LineKept { line: IrqLine, user: &'static str } = EPERM, "names {line}, which is that of {user}";
    LineOfUart { line: IrqLine } = EPERM, "names {line}, which is that of the emulated UART";
    LineBeyondDomain { line: IrqLine, count: u32 } = EPERM, "names {line}, beyond the {count} of the domain";
    LineBeyondMachine { line: IrqLine, count: u32 } = EPERM, "names {line}, beyond the {count} of this machine";
    LineOwned { line: IrqLine, owner: DomainId } = EBUSY, "names {line}, which {owner} has already";
    TriggersDiffer { line: IrqLine, wanted: Trigger, known: Trigger } = EPERM,
        "gives {line} the trigger {wanted}, another device of the domain {known}";
    TwoTriggers { line: IrqLine, who: DomainId } = EPERM,
        "names {line}, which two devices of {who} want to trigger in two ways";
    LineOfNothing { line: IrqLine, who: DomainId } = EPERM, "names {line}, which is that of no device of {who}";

    // PCI functions.
    NoSegment { at: Sbdf, segment: u16 } = ENODEV, "names {at}, but no host bridge has segment {segment:#x}";
    NoFunction { at: Sbdf } = ENODEV, "names {at}, where no function is known";
    Bridge { at: Sbdf } = ENODEV, "names {at}, a bridge";
    UnknownHeader { at: Sbdf, kind: u8 } = ENODEV, "names {at}, whose header is of the unknown kind {kind:#x}";
    BridgeByClass { at: Sbdf } = ENODEV, "names {at}, a bridge by its class";
    Unfit { at: Sbdf, flaw: FunctionDefect } = ENODEV, "names {at}, unfit: {flaw}";
    FunctionBroken { at: Sbdf } = EBADF, "names {at}, which is broken";
    FunctionOwned { at: Sbdf, owner: DomainId } = EBUSY, "names {at}, which {owner} has already";
    MemberOwned { at: Sbdf, why: &'static str, member: Sbdf, owner: DomainId } = EBUSY,
        "names {at}, which {why} {member}, which {owner} has already";
    FunctionNeeded { at: Sbdf, why: RemoveError } = EBUSY, "names {at}: {why}";
    FunctionUnreadable { at: Sbdf, flaw: ConfigError } = EPERM, "names {at}: {flaw}";

    // What a PCI function decodes.
    BarUnplaced { at: Sbdf, index: u8 } = EPERM, "names {at}, whose BAR {index} the firmware has given no address";
    BarOutside { at: Sbdf, index: u8, size: u64, address: u64 } = EPERM,
        "names {at}, whose BAR {index} is {size:#x} bytes at {address:#x}, which no window of the host bridge holds";
    BarUnaligned { at: Sbdf, index: u8, first: Pa } = EPERM,
        "names {at}, whose BAR {index} is at {first}, where no page begins";
    BarOverNode { at: Sbdf, index: u8, span: Span<Pa>, node: Path<'t> } = EPERM,
        "names {at}, whose BAR {index} is {span}, where {node} lies";
    BarOverTaken { at: Sbdf, index: u8, span: Span<Pa>, what: &'static str } = EPERM,
        "names {at}, whose BAR {index} is {span}, which overlaps the {what}";
    BarShared { at: Sbdf, index: u8, span: Span<Pa>, other: Sbdf } = EPERM,
        "names {at}, whose BAR {index} is {span}, in a page with registers of {other}, which this domain does not ask for";

    // How a PCI function interrupts.
    Interrupt { at: Sbdf, error: Box<AssignError<'t>> } = EPERM, "names {at}, whose interrupt {error}";
    InterruptOwned { at: Sbdf, line: IrqLine, owner: DomainId } = EBUSY,
        "names {at}, whose interrupt names {line}, which {owner} has already";
    FunctionLineOwned { at: Sbdf, line: IrqLine, owner: DomainId } = EBUSY,
        "names {at}, which interrupts by {line}, which {owner} has already";
    LineShared { at: Sbdf, line: IrqLine, sharer: Sbdf, owner: DomainId } = EBUSY,
        "names {at}, which has {line} in common with {sharer}, which {owner} has already";

    // What a PCI function does by itself.
    FunctionMasters { at: Sbdf } = EOPNOTSUPP,
        "names {at}, which can access memory by itself and no IOMMU protects; only a domain with `direct-map` can have it";
    FunctionUnprotected { at: Sbdf } = EOPNOTSUPP, "names {at}, which no IOMMU protects";
    FunctionIommuUnusable { at: Sbdf, flaw: ClaimError<'t> } = EOPNOTSUPP, "names {at}: {flaw}";
    FunctionStreamBeyond { at: Sbdf, flaw: ClaimError<'t> } = ERANGE, "names {at}: {flaw}";
    HalfProtected { at: Sbdf, requester: Sbdf } = EPERM,
        "names {at}, which an IOMMU stands before as itself or as {requester}, but not as both";
    FunctionStreamOwned { at: Sbdf, id: SourceId, owner: DomainId } = EBUSY,
        "names {at}, which its IOMMU knows by {id}, which {owner} has already";
    FunctionStreamShared { at: Sbdf, other: Path<'t> } = EPERM, "names {at}, which its IOMMU cannot tell from {other}";
}

impl<'t> AssignError<'t> {
    /// Says where a tree asks for it: at this property, unless the host's tree is wrong somewhere itself.
    pub(super) fn at(self, origin: Origin<'_>, property: &str) -> ClaimError<'t> {
        match self {
            Self::TreeFlaw { flaw }
            | Self::IommuUnusable { flaw }
            | Self::StreamBeyond { flaw } => flaw,
            error => ClaimFlaw::Assign(error).at(origin, property),
        }
    }

    /// Says the same of a stream of a PCI function.
    pub(super) fn of_function(self, at: Sbdf) -> Self {
        match self {
            Self::IommuUnusable { flaw } => Self::FunctionIommuUnusable { at, flaw },
            Self::StreamBeyond { flaw } => Self::FunctionStreamBeyond { at, flaw },
            error => error,
        }
    }

    /// Says the same of the line by which a PCI function interrupts.
    pub(super) fn of_interrupt(self, at: Sbdf) -> Self {
        match self {
            Self::LineOwned { line, owner } => Self::InterruptOwned { at, line, owner },
            error => Self::Interrupt {
                at,
                error: Box::new(error),
            },
        }
    }
}

impl From<ConfigError> for AssignError<'_> {
    fn from(flaw: ConfigError) -> Self {
        ClaimError::from(flaw).into()
    }
}

impl<'t> From<ClaimError<'t>> for AssignError<'t> {
    fn from(flaw: ClaimError<'t>) -> Self {
        Self::TreeFlaw { flaw }
    }
}

impl core::error::Error for AssignError<'_> {}

/// Something that a domain claims and does not get, and where its claim stands.
pub type ClaimError<'t> = ConfigError<Box<ClaimFlaw<'t>>>;

flaws! {
    /// Why what a domain claims at boot is refused.
    #[derive(Clone, PartialEq, Eq, Debug)]
    pub enum ClaimFlaw<'t> {
        /// The claim cannot be read.
        Config(flaw: Flaw) = "{flaw}";
        /// The rules of ownership refuse it.
        Assign(error: AssignError<'t>) = "{error}";

        // The domain as a whole.
        /// A number of CPUs that no domain can have.
        Cpus(count: u32) = "is {count}, not 1 to {MAX_VCPUS}";
        /// More CPUs than the host's interrupt controller has room for.
        Redistributors(count: u32) = "is {count}, more redistributors than the host has in one place to imitate";
        /// A second hardware domain.
        Hardware(owner: DomainId) = "asks for the hardware, which {owner} has already";
        /// A device for a domain that is to have none.
        DisabledDevice(origin: Origin<'t>) = "is \"disabled\", yet {origin} asks for a device";
        /// A PCI function for a domain that is to have none.
        DisabledFunction(at: Sbdf) = "is \"disabled\", yet its partial tree asks for {at}";
        /// More lines than an interrupt controller has.
        Lines(count: u32, most: u32) = "is {count}, more than the {most} of any interrupt controller";
        /// A UART like a console that there is not.
        NoConsole = "asks for a UART where the host has its console, and it has none";
        /// A UART in a part of a page.
        ConsolePage = "asks for a UART where the host has its console, which is no whole page";
        /// A UART that cannot interrupt.
        ConsoleLine = "asks for a UART where the host has its console, which has no interrupt";

        // The host bridge of a domain.
        /// Functions of two bridges where there can be one.
        TwoBridges(one: Sbdf, other: Sbdf) = "names {one} and {other}, of two host bridges; a domain with `direct-map` finds one where the host has it";
        /// A bridge without the window that each needs.
        BridgeWindow(at: Sbdf, node: Path<'t>) = "names {at}, whose host bridge {node} has no window for memory with addresses of 32 bits";
        /// A bridge past what the domain can address.
        BridgeWide(at: Sbdf, node: Path<'t>, span: Span<Ipa>, bits: u32) = "names {at}, whose host bridge {node} has {span}, wider than the {bits} bits of a domain";
        /// A bridge in RAM.
        BridgeOverRam(span: Span<Ipa>) = "makes a PCI host bridge at {span}, where its RAM is";

        // Memory and modules.
        /// Parts of pages.
        Unaligned(span: Span<Pa>, value: u64) = "names {span}, of which {value:#x} is not page aligned";
        /// No RAM.
        NotInRam(span: Span<Pa>) = "names {span}, which is not in RAM";
        /// What the hypervisor keeps.
        OverTaken(span: Span<Pa>, what: &'static str) = "names {span}, which overlaps the {what}";
        /// What a node of the host has.
        OverNode(span: Span<Pa>, node: Path<'t>) = "names {span}, which overlaps {node}";
        /// What is reserved.
        OverReserved(span: Span<Pa>) = "names {span}, which overlaps reserved memory";
        /// What a module has.
        OverModule(span: Span<Pa>, module: Span<Pa>) = "names {span}, which overlaps the module at {module}";
        /// What the same claim names already.
        OverEarlier(span: Span<Pa>, earlier: Span<Pa>) = "names {span}, which overlaps {earlier}";
        /// What another domain has.
        MemoryOwned(span: Span<Pa>, owner: DomainId) = "names {span}, which {owner} has already";
        /// Past what the domain can address.
        TooWide(span: Span<Pa>, bits: u32) = "names {span}, wider than {bits} bits";
        /// A sum in KiB that is not the stated one.
        StaticSum(is: u64, kib: u64) = "names {is} KiB, not the {kib} of `memory`";
        /// A module that cannot be read.
        Unreadable(span: Span<Pa>) = "names {span}, which cannot be read";
        /// A kernel that is none.
        NoImage(span: Span<Pa>, format: &'static str) = "names {span}, which is no {format}";
        /// A kernel that wants what it cannot have.
        KernelUnsupported(what: &'static str, value: u64) = "names {what} {value:#x}";
        /// No kernel.
        NoKernel = "is that of a domain without a kernel";
        /// RAM, in KiB, into which something does not fit.
        TooLittle(kib: u64, what: &'static str) = "is {kib} KiB, too little for {what}";
        /// RAM, in KiB, past the last address.
        MemoryWraps(kib: u64) = "is {kib} KiB, more than addresses can say";
        /// No RAM.
        MemoryNothing(kib: u64) = "is {kib} KiB, which is nothing";
        /// RAM, in KiB, with a part of a page.
        MemoryPages(kib: u64) = "is {kib} KiB, which is no whole number of pages";
        /// RAM, in KiB, past what the domain can address.
        MemoryRoom(kib: u64) = "is {kib} KiB, more than the guest's address space has room for";
        /// RAM, in KiB, that is not free.
        MemoryFree(kib: u64, free: u64) = "is {kib} KiB, more than the {free} KiB that are free";
        /// RAM, in KiB, that is not free in one piece.
        MemoryPieces(kib: u64) = "is {kib} KiB, for which no RAM in one piece is free";

        // Ranges of devices.
        /// A value that is no whole number of pages.
        Column(column: &'static str, value: u64) = "has the {column} {value:#x}, which is not page aligned";
        /// A range of the host that is none.
        HostRange(error: SpanError) = "{error} (host)";
        /// A range of the guest that is none.
        GuestRange(error: SpanError) = "{error} (guest)";
        /// Past what the domain can address.
        GuestWide(guest: Span<Ipa>, bits: u32) = "names guest range {guest}, wider than {bits} bits";
        /// Where the domain has RAM.
        GuestOverRam(guest: Span<Ipa>, bank: Span<Ipa>) = "names guest range {guest}, which overlaps its RAM at {bank}";
        /// Where the domain has an emulated device.
        GuestOverDevice(guest: Span<Ipa>, what: &'static str, span: Span<Ipa>) = "names guest range {guest}, which overlaps {what} at {span}";
        /// Where the domain has another device.
        GuestTwice(guest: Span<Ipa>, other: Span<Ipa>, origin: Origin<'t>) = "names guest range {guest}, which overlaps {other} of {origin}";
        /// A page with registers of another device.
        Neighbour(page: Pa, node: Path<'t>) = "names the page of {page}, in which {node} lies too, which this domain does not ask for";

        // Names of devices.
        /// A device without a list of its ranges.
        NoRanges(path: Brief<'t>) = "is missing, yet `{XEN_PATH}` names {path}";
        /// A waiver for nothing.
        ForceAlone = "stands alone: `{XEN_REG}` is missing";
        /// Ranges of no device.
        RangesAlone = "stands alone: `{XEN_PATH}` and `{XEN_FORCE}` are both missing";
        /// A device that needs a waiver.
        NotForced(path: Brief<'t>) = "is missing, and no IOMMU protects {path}";
        /// A path of more than one node.
        SeveralNodes(path: Brief<'t>) = "is {path}, which several host nodes are";
        /// No whole path.
        NotAbsolute(path: Brief<'t>) = "is {path}, which is no absolute path";
        /// A path in other letters.
        OtherCase(path: Brief<'t>, node: Path<'t>) = "is {path}, which no host node is; {node} differs from it in case";
        /// A path of no node.
        NoNode(path: Brief<'t>) = "is {path}, which no host node is";

        // Streams.
        /// A stream that the IOMMU does not have.
        StreamBeyond(id: SourceId, iommu: Path<'t>, count: u64) = "names {id} of {iommu}, beyond the {count:#x} that it has";
        /// An IOMMU that does not translate.
        IommuOff(iommu: Path<'t>) = "names {iommu}, which cannot be used";
    }
}

impl<'t> ClaimFlaw<'t> {
    /// Says where a tree asks for it.
    pub(super) fn at<'o>(self, origin: impl Into<Origin<'o>>, property: &str) -> ClaimError<'t> {
        ConfigError {
            origin: origin.into().to_string(),
            property: property.into(),
            flaw: Box::new(self),
        }
    }
}

impl From<ConfigError> for ClaimError<'_> {
    fn from(error: ConfigError) -> Self {
        Self {
            origin: error.origin,
            property: error.property,
            flaw: Box::new(ClaimFlaw::Config(error.flaw)),
        }
    }
}
