//! Why a domain does not get something: every refusal that the rules of ownership know, its words, and its number for
//! whoever asked by hypercall.

use alloc::boxed::Box;
use core::fmt;

use super::claim_error::{ClaimError, ClaimFlaw};
use super::dma::DmaIndicator;
use super::host_ranges::Place;
use crate::addr::{Pa, Span};
use crate::config::{ConfigError, Origin, XEN_PASSTHROUGH};
use crate::dt::Path;
use crate::errno::Errno;
use crate::ids::{DomainId, IrqLine, Sbdf, SourceId, Trigger};
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
