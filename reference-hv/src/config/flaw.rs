//! What can be wrong with a property of a claim or of the host's description, and how that is said.

use alloc::string::String;

use super::limits::{MAX_BANKS, MAX_BRIDGES, MAX_DEVICES, MAX_FUNCTIONS, MAX_TUPLES};
use crate::addr::{Pa, Span, SpanError};
use crate::dt::{PropFlaw, flaws};
use crate::ids::{MAX_DOMAINS, Sbdf};

flaws! {
    /// What is wrong with a property, value included.
    #[derive(Clone, PartialEq, Eq, Debug)]
    pub enum Flaw {
        /// It does not hold what a property of its kind holds.
        Property(flaw: PropFlaw) = "{flaw}";
        /// It names a range that is none.
        Range(error: SpanError) = "{error}";
        /// It names a device tree that cannot be read, and why.
        Tree(error: String) = "names a device tree that {error}";
        /// It asks for something that this hypervisor does not do.
        NotImplemented = "is not implemented";
        /// It has a value that asks for something that this hypervisor does not do.
        ValueNotImplemented(text: String) = "is \"{text}\", which is not implemented";
        /// It names something that this hypervisor does not do.
        NameNotImplemented(name: String) = "names {name}, which is not implemented";
        /// It does not say what it must.
        NotUnderstood = "cannot be understood";
        /// It ends within an entry.
        Entry = "does not end with a whole entry";
        /// It is a phandle, or names one, that not one node has.
        Phandle(phandle: u32, who: &'static str) = "names phandle {phandle:#x}, which {who} has";
        /// It names the phandle of a node that is no IOMMU.
        NoIommu(phandle: u32, path: String) = "names phandle {phandle:#x}, which {path}, no IOMMU, has";

        // The hypervisor's arguments.
        /// A text that should be a size.
        Size(text: String) = "is {text}, no size";
        /// A text that should be a number.
        Number(text: String) = "is {text}, no number";

        // Nodes of domains.
        /// One more domain than there can be.
        Domains = "is the node of one more domain than the {MAX_DOMAINS} there can be";
        /// More static memory than is read.
        Banks(count: usize) = "names {count} ranges, more than {MAX_BANKS}";
        /// Addresses of the host without memory of the host.
        DirectMapAlone = "stands alone: `xen,static-mem` is missing, which says where its RAM is";
        /// The hardware without addresses of the host.
        HardwareNotDirect = "makes it the hardware domain, whose devices no IOMMU translates for: `direct-map` is missing";
        /// Asks for a part where it has the whole.
        OfHardware = "stands in the node of the hardware domain, which has what the host has";
        /// A partial tree where it has the host's own.
        TreeOfHardware(kind: &'static str, name: String) = "names {kind} for {name}, the hardware domain, which gets the host's own";
        /// Neither of two words.
        NotEnabled(text: String) = "is \"{text}\", neither \"enabled\" nor \"disabled\"";
        /// Unmapped accesses are to pass.
        NotTrapped = "is 0, which is not implemented: unmapped accesses always fault";
        /// Neither of two numbers.
        NoBit(number: u32) = "is {number}, neither 0 nor 1";
        /// Capabilities that there are not.
        Capabilities(bits: u32, unknown: u32) = "is {bits:#x}; {unknown:#x} of it is no capability";

        // Modules.
        /// A second module of a kind.
        SecondModule(kind: &'static str) = "names a second {kind}";
        /// A module of more than one kind.
        ModuleKinds = "names more than one kind of module";
        /// A module of no kind.
        NoModuleKind = "names no known kind of module";
        /// A kind of module without the name of modules.
        NoModule(kind: &'static str) = "names {kind} without multiboot,module";
        /// More than one range where there can be one.
        Ranges = "names more than one range";

        // Partial trees.
        /// A second node of a name.
        NodeTwice = "is a node that is there twice";
        /// A node where only properties are.
        NodeAmongAliases = "is a node among aliases";
        /// No bus.
        NoBus = "does not name simple-bus";
        /// Asks for functions in a part of what the guest gets.
        NotInPassthrough = "stands below /passthrough, not in it";
        /// Asks for something outside of what the guest gets.
        OutsidePassthrough = "stands outside /passthrough";
        /// One more device than there can be.
        Devices = "is one more than the {MAX_DEVICES} devices a domain can have";
        /// More ranges than there can be.
        Tuples(count: usize) = "brings the domain to {count} ranges, more than {MAX_TUPLES}";
        /// A phandle that two nodes have.
        PhandleTwice(phandle: u32) = "{phandle:#x} is that of two nodes";
        /// The interrupt controller's phandle is another node's too.
        PhandleShared(phandle: u32) = "is {phandle:#x}, that of another node as well";
        /// Two phandles of one node.
        PhandlesDiffer(old: u32, new: u32) = "is {old:#x}, not {new:#x}";
        /// A phandle that names nothing.
        NoPhandle(phandle: u32) = "is {phandle:#x}, which names no node";
        /// An IOMMU.
        IommuShown = "describes an IOMMU, which no domain may see";
        /// A list of functions of another length.
        FunctionCells(length: usize) = "is {length} bytes long, no multiple of the 12 of segment, bus and function";
        /// No function.
        NoFunction = "names no function";
        /// More functions than there can be.
        Functions(count: usize) = "names {count} functions, more than {MAX_FUNCTIONS}";
        /// A function that there cannot be.
        WideFunction(segment: u32, bus: u32, devfn: u32) = "names segment {segment:#x}, bus {bus:#x}, function {devfn:#x}, wider than 16, 8 and 8 bits";
        /// A function twice.
        FunctionTwice(at: Sbdf) = "names {at} twice";

        // Registers of the host's devices.
        /// No registers.
        NoMemory = "names no memory";
        /// Ranges of no bytes only.
        NoBytes = "names no bytes";
        /// Numbers of cells that are not read.
        Cells = "has addresses or sizes of neither one nor two cells";
        /// Ends within a range.
        Pair = "does not end with a whole pair of address and size";
        /// A range past the last address.
        Wraps = "names a range that wraps";
        /// A range outside of every bus.
        NotPassedOn = "names a range that no bus passes on";
        /// Fewer ranges than the interrupt controller has parts.
        Regions(ranges: usize, regions: usize) = "names {ranges} ranges, too few for {regions} regions";
        /// Fewer lines than a timer has.
        Timers(count: usize) = "names {count} timers, fewer than 4";

        // PCI host bridges.
        /// A second bridge of a segment.
        SegmentTwice(segment: u16) = "is {segment}, that of another bridge too";
        /// One more bridge than is used.
        Bridges = "is one more than the {MAX_BRIDGES} that are used";
        /// No configuration space.
        NoEcam = "names no configuration space";
        /// A configuration space with parts of pages.
        EcamPages(ecam: Span<Pa>) = "names {ecam} as configuration space, which is not of whole pages";
        /// No range of buses.
        Buses = "is no range of buses";
        /// No bus that can be looked at.
        NoBuses = "leaves no bus";
        /// No number of a segment.
        Segment = "is no number of a segment";
        /// A mask of another length than what it is for.
        Mask = "is not as long as an address and a pin";

        // Interrupts.
        /// A length that is not one of cells.
        NoCells = "is no list of cells";
        /// A phandle in a map that not one node has.
        MapPhandle = "names a phandle that not one node has";
        /// No parent.
        NoInterruptParent = "has no interrupt parent";
        /// Ends within an interrupt.
        Interrupt = "does not end with a whole interrupt";
        /// An interrupt that goes to a node which takes none.
        NoController(path: String) = "names {path}, which is no interrupt controller";
        /// A chain of parents to nothing.
        NoControllerAbove = "leads to no interrupt controller";
        /// A chain of parents without end.
        InterruptCircle = "leads through a circle of nodes to no end";
        /// Interrupts shorter than the controller's.
        InterruptCells(count: usize, wanted: usize) = "has interrupts of {count} cells, not {wanted}";
        /// A controller whose interrupts are too short.
        ControllerCells(count: usize, wanted: usize) = "is {count}, not {wanted}";
        /// A line of a single CPU.
        PrivateLine(number: u32) = "names private interrupt {number}; only shared ones can be assigned";
        /// No line of a single CPU.
        NoPrivateLine = "holds no private interrupt";
        /// A kind of interrupt that there is not.
        LineType(number: u32, kind: u32) = "names interrupt {number} of the unknown type {kind}";
        /// A line that there is not.
        NoLine(number: u32, controller: &'static str) = "names interrupt {number}, which no {controller} has";
        /// A line that triggers in a way in which none does.
        LineTrigger(number: u32, trigger: u32) = "gives interrupt {number} the trigger {trigger}, neither rising edge nor high level";

        // IOMMUs.
        /// A way to name streams that is not read.
        StreamCells(path: String, cells: u32) = "names {path}, whose `#iommu-cells` is {cells}, not 1: which stream it means is unknown";
        /// Two IOMMUs before one device.
        SecondIommu(path: String, other: String) = "names {path} besides {other}: a device goes through one IOMMU";
        /// An IOMMU and a way around it.
        PassingIommu(path: String) = "names {path} besides another, which is off and lets accesses pass";
        /// A stream past the last.
        BeyondStreams(requester: u32) = "maps {requester:#x} beyond any stream";
    }
}

impl From<PropFlaw> for Flaw {
    fn from(flaw: PropFlaw) -> Self {
        Self::Property(flaw)
    }
}

impl From<SpanError> for Flaw {
    fn from(error: SpanError) -> Self {
        Self::Range(error)
    }
}
