//! Why what a domain claims at boot is refused, and where the claim stands.

use alloc::boxed::Box;
use alloc::string::ToString;

use super::error::AssignError;
use crate::addr::{Ipa, Pa, Span, SpanError};
use crate::config::{Brief, ConfigError, Flaw, Origin, XEN_FORCE, XEN_PATH, XEN_REG};
use crate::dt::{Path, flaws};
use crate::ids::{DomainId, MAX_VCPUS, Sbdf, SourceId};

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
        ControllerRoom(count: u32) = "is {count}, more than the host's interrupt controller has room for in one place";
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
