//! Seeded faults: one decision made wrong on purpose, to prove that the conformance suite notices.
//!
//! With the feature `seeded-faults` a boot argument selects one fault, and the decision it breaks
//! asks [`on`] beside the right condition. Without the feature [`on`] is constantly false, so
//! that neither the wrong branches nor this registry reach an image.

macro_rules! faults {
    ($($variant:ident = $name:literal, $requirement:ident, $text:literal;)+) => {
        /// A decision that can be made wrong.
        #[derive(Clone, Copy, PartialEq, Eq, Debug)]
        pub enum Fault {
            $(#[doc = $text] $variant,)+
        }

        /// Every fault there is.
        #[cfg(feature = "seeded-faults")]
        pub const ALL: &[Entry] = &[
            $(Entry {
                fault: Fault::$variant,
                name: $name,
                requirement: concat!("XenSSR~", stringify!($requirement), "~1"),
                text: $text,
            },)+
        ];
    };
}

faults! {
    // What a partial tree says.
    TupleTruncated = "tuple-truncated", assign_interrupt_less_platform_device,
        "drops what is left of xen,reg behind the last whole tuple";
    CellsWrongLevel = "cells-wrong-level", map_platform_device_mmio_region_non_ident,
        "splits xen,reg by the cells of the bus above the right one";
    CellsDefaultWrong = "cells-default-wrong", map_platform_device_mmio_region_non_ident,
        "takes a size for two cells where the bus does not say";
    IommuNodeShown = "iommu-node-shown", hide_iommu_from_domain,
        "passes on a node of the partial tree that describes an IOMMU";
    IommuGivenAway = "iommu-given-away", hide_iommu_from_domain,
        "takes the registers of an IOMMU for those of any device";
    DisabledIommuGivenAway = "disabled-iommu-given-away", hide_iommu_from_domain,
        "takes the registers of an IOMMU that is off for those of any device";
    MarkedIommuGivenAway = "marked-iommu-given-away", hide_iommu_from_domain,
        "takes an IOMMU that is marked xen,passthrough for any device";
    IommuLineGivenAway = "iommu-line-given-away", hide_iommu_from_domain,
        "takes an interrupt of an IOMMU for that of any device";
    ControllerGivenAway = "controller-given-away", assign_interrupt_less_platform_device,
        "takes the registers of the interrupt controller for those of any device";
    ConsoleGivenAway = "console-given-away", assign_non_dma_platform_device,
        "takes the hypervisor's console, registers and interrupt, for any device";
    LineOffByOne = "line-off-by-one", assign_non_dma_platform_device,
        "assigns the interrupt behind the one that the host node names";
    PrivateLineAccepted = "private-line-accepted", assign_non_dma_platform_device,
        "assigns a device with a private interrupt as if it had none";

    // What may be assigned at all.
    ForceNotRequired = "force-not-required", assign_non_dma_platform_device,
        "assigns a device that no IOMMU protects although nobody forces it";
    MarkNotRequired = "mark-not-required", assign_interrupt_less_platform_device,
        "assigns a device whose host node is not marked xen,passthrough";
    DmaAccepted = "dma-accepted", assign_non_dma_platform_device,
        "assigns a device that reads and writes memory by itself";
    DirectMapNotRequired = "direct-map-not-required", assign_dma_platform_device_without_iommu,
        "assigns a device that reads and writes memory by itself to a domain whose addresses are not the host's";
    DmaForceNotRequired = "dma-force-not-required", assign_dma_platform_device_without_iommu,
        "assigns a device that reads and writes memory by itself although nobody forces it";
    RamGivenAway = "ram-given-away", assign_interrupt_less_platform_device,
        "maps host memory that is RAM as if it were a device";

    // Static memory.
    StaticMemoryInPool = "static-memory-in-pool", assign_dma_platform_device_without_iommu,
        "takes the RAM of other domains from memory that a domain names as its own";
    StaticOverModule = "static-over-module", assign_dma_platform_device_without_iommu,
        "gives a domain memory in which a module lies";
    StaticSumUnchecked = "static-sum-unchecked", assign_dma_platform_device_without_iommu,
        "creates a domain whose memory is not as large as its node says";
    SecondBankMoved = "second-bank-moved", assign_dma_platform_device_without_iommu,
        "maps the second bank of a direct-mapped domain one page off";

    // The hardware domain.
    IommuShownToHardware = "iommu-shown-to-hardware", hide_iommu_from_domain,
        "leaves the nodes of IOMMUs in the tree of the hardware domain";
    IommuMappedToHardware = "iommu-mapped-to-hardware", hide_iommu_from_domain,
        "maps the registers of IOMMUs to the hardware domain";
    ReservedToHardware = "reserved-to-hardware", forbid_same_platform_device_assignment,
        "maps devices that are reserved for others to the hardware domain as well";
    ReservedLineToHardware = "reserved-line-to-hardware", forbid_same_platform_device_assignment,
        "gives the hardware domain an interrupt that is reserved for others";

    // PCI functions.
    FunctionOwnerForgotten = "function-owner-forgotten", forbid_same_pci_device_assignment,
        "forgets which domain has which PCI function";
    GroupForgotten = "group-forgotten", forbid_same_pci_device_assignment,
        "gives functions that are not isolated from one another to two domains";
    SharedPinForgotten = "shared-pin-forgotten", forbid_same_pci_device_assignment,
        "gives functions that interrupt by one line to two domains";
    BarPageShared = "bar-page-shared", forbid_same_pci_device_assignment,
        "maps a page in which another function has registers as well";
    RequesterForgotten = "requester-forgotten", assign_pci_device_with_iommu,
        "translates for a function behind a conventional bridge by its own name only";
    DiscoveryByAnyone = "discovery-by-anyone", discover_pci_devices_from_hwdom,
        "lets any domain say which PCI functions there are";
    RemovedStaysKnown = "removed-stays-known", discover_pci_devices_from_hwdom,
        "keeps a PCI function in its list that the hardware domain says is gone";
    FunctionOwnerKept = "function-owner-kept", deassign_pci_device_with_iommu,
        "keeps a PCI function with its domain when that is destroyed";
    PciDirectMapNotRequired = "pci-direct-map-not-required", assign_pci_device_without_iommu,
        "assigns a PCI function that no IOMMU protects to a domain whose addresses are not the host's";
    PciIommuRequired = "pci-iommu-required", assign_pci_device_without_iommu,
        "refuses a direct-mapped domain a PCI function because no IOMMU protects it";
    PciUnprotectedLater = "pci-unprotected-later", assign_pci_device_without_iommu,
        "assigns a PCI function that no IOMMU protects at run time";
    PciBridgeMoved = "pci-bridge-moved", assign_pci_device_without_iommu,
        "shows a direct-mapped domain its PCI host bridge where other domains have theirs";

    // Ranges.
    AlignmentRounded = "alignment-rounded", assign_interrupt_less_platform_device,
        "rounds a misaligned range to pages instead of refusing it";
    SizeZeroAccepted = "size-zero-accepted", assign_interrupt_less_platform_device,
        "takes a range of size zero for nothing to do";
    WrapUnchecked = "wrap-unchecked", assign_interrupt_less_platform_device,
        "takes a range that wraps for nothing to do";
    PageTooMany = "page-too-many", map_platform_device_mmio_region_ident,
        "maps one page behind each range as well";
    PageTooFew = "page-too-few", map_platform_device_mmio_region_ident,
        "leaves out the last page of each range of more than one";
    LastTupleLost = "last-tuple-lost", map_platform_device_mmio_region_ident,
        "leaves out the last of several ranges of a device";
    ColumnsSwapped = "columns-swapped", map_platform_device_mmio_region_non_ident,
        "takes the guest's address for the host's and the other way round";
    IdentityAlways = "identity-always", map_platform_device_mmio_region_non_ident,
        "maps each range at its host address";
    IdentityToo = "identity-too", map_platform_device_mmio_region_non_ident,
        "maps each range at its host address as well";
    GuestRamOverlap = "guest-ram-overlap", map_platform_device_mmio_region_non_ident,
        "maps a range over the guest's RAM";
    GuestDeviceOverlap = "guest-device-overlap", map_platform_device_mmio_region_non_ident,
        "maps a range over the guest's emulated devices";
    GuestRangesOverlap = "guest-ranges-overlap", map_platform_device_mmio_region_non_ident,
        "maps two ranges over one another";
    IpaWidthUnchecked = "ipa-width-unchecked", map_platform_device_mmio_region_non_ident,
        "cuts a guest address that is too wide to the width of the guest";

    // Ownership.
    MmioOwnerForgotten = "mmio-owner-forgotten", forbid_same_platform_device_assignment,
        "forgets which domain has which device pages";
    DeviceOwnerByNode = "owner-by-node", forbid_same_platform_device_assignment,
        "compares the nodes that two domains name, not the pages";
    NeighbourForgotten = "neighbour-forgotten", forbid_same_platform_device_assignment,
        "forgets that a page of a device is also that of its neighbour";
    IrqOwnerForgotten = "irq-owner-forgotten", forbid_same_platform_device_assignment,
        "forgets which domain has which interrupt";
    LaterDomainWins = "later-domain-wins", forbid_same_platform_device_assignment,
        "gives what two domains claim to the later one";
    RefusedKeepsClaims = "refused-keeps-claims", forbid_same_platform_device_assignment,
        "lets a refused domain keep what it claimed";

    // What lives on at run time.
    StaticMemoryMixed = "static-memory-mixed", deassign_dma_platform_device_without_iommu,
        "gives the static memory of a destroyed domain to the heap";
    PageOwnerKept = "page-owner-kept", deassign_interrupt_less_platform_device,
        "keeps the pages of a device for a domain that is gone";
    LineOwnerKept = "line-owner-kept", deassign_non_dma_platform_device,
        "keeps the interrupts of a device for a domain that is gone";
    SecondPageOwner = "second-page-owner", forbid_same_platform_device_assignment,
        "lets a control domain give the pages of a device to a second domain";
    SecondLineOwner = "second-line-owner", forbid_same_platform_device_assignment,
        "lets a control domain give an interrupt to a second domain";

    // The end of a domain.
    StaleTranslations = "stale-translations", deassign_interrupt_less_platform_device,
        "lets a guest use what it remembers of a page that was taken from it";
    DestroyedRuns = "destroyed-runs", deassign_interrupt_less_platform_device,
        "leaves the virtual CPUs of a destroyed domain running";
    TablesLost = "tables-lost", deassign_interrupt_less_platform_device,
        "loses the memory of a destroyed domain's translation tables";
    TagLost = "tag-lost", deassign_interrupt_less_platform_device,
        "never uses the VMID of a destroyed domain again";
    PowerOffReleases = "power-off-releases", deassign_interrupt_less_platform_device,
        "lets others have the devices of a domain that has only switched itself off";
    LineLeftEnabled = "line-left-enabled", deassign_non_dma_platform_device,
        "leaves the interrupts of a destroyed domain enabled";
    LineLeftActive = "line-left-active", deassign_non_dma_platform_device,
        "leaves an interrupt active that a destroyed domain has not ended";
    RamNotScrubbed = "ram-not-scrubbed", deassign_dma_platform_device_without_iommu,
        "leaves the contents of a destroyed domain's memory to the next owner";
    LentPagesFreed = "lent-pages-freed", deassign_interrupt_less_platform_device,
        "frees pages of a destroyed domain that another domain still maps";

    LentNotScrubbed = "lent-not-scrubbed", deassign_dma_platform_device_without_iommu,
        "leaves the contents of pages of a destroyed domain that another still looked at";
    HardwareDestroyed = "hardware-destroyed", deassign_dma_platform_device_without_iommu,
        "destroys the domain that has the hardware while its devices go on with its memory";
    DeadLookerHolds = "dead-looker-holds", deassign_interrupt_less_platform_device,
        "keeps pages of a dead domain for another that looked at them and is dead as well";

    // Interrupts.
    LineLimitOffByOne = "line-limit-off-by-one", assign_non_dma_platform_device,
        "accepts the first interrupt that the domain's shared_lines leaves out";
    TriggerConflict = "trigger-conflict", assign_non_dma_platform_device,
        "accepts two devices that want one line to trigger in two ways";
    VirtualLineClash = "virtual-line-clash", assign_non_dma_platform_device,
        "accepts a device on the line of the emulated UART";

    // The guest's tree.
    XenPropertyLeft = "xen-property-left", assign_interrupt_less_platform_device,
        "leaves xen,path in the guest's tree";
    IommusLeft = "iommus-left", hide_iommu_from_domain,
        "leaves iommus in the guest's tree";
    IommuMapLeft = "iommu-map-left", hide_iommu_from_domain,
        "leaves iommu-map in the guest's tree";
    IommuMapMaskLeft = "iommu-map-mask-left", hide_iommu_from_domain,
        "leaves iommu-map-mask in the guest's tree";
    MsiMapLeft = "msi-map-left", hide_iommu_from_domain,
        "leaves msi-map in the guest's tree";
    PhandleClash = "phandle-clash", assign_interrupt_less_platform_device,
        "gives the guest's interrupt controller a phandle that another node has";

    // Streams.
    DisabledIommuProtects = "disabled-iommu-protects", assign_dma_platform_device_with_iommu,
        "takes a device behind an IOMMU that is off for protected";
    SecondIommuIgnored = "second-iommu-ignored", assign_dma_platform_device_with_iommu,
        "takes no notice of the second IOMMU that a device goes through";
    StreamCut = "stream-cut", assign_dma_platform_device_with_iommu,
        "cuts a source id that is too wide to the width of the stream table";
    SecondStreamOwner = "second-stream-owner", forbid_same_platform_device_assignment,
        "gives a device that a domain has to another one at run time";
    DeassignedFromAnyone = "deassigned-from-anyone", deassign_dma_platform_device_with_iommu,
        "takes a device away although another domain has it than is named";
    FirstStreamOnly = "first-stream-only", assign_dma_platform_device_with_iommu,
        "translates the first of several streams of a device, and stops the others";
    StreamSharerForgotten = "stream-sharer-forgotten", forbid_same_platform_device_assignment,
        "forgets that another device has the same stream";

    // What devices reach.
    IommuLeftOff = "iommu-left-off", assign_dma_platform_device_with_iommu,
        "leaves the IOMMU off, and lets what it does not translate pass";
    IommuNotProbed = "iommu-not-probed", assign_dma_platform_device_with_iommu,
        "takes it for granted that an IOMMU is where the tree says";
    UnownedBypass = "unowned-bypass", assign_dma_platform_device_with_iommu,
        "lets the accesses of devices that nobody owns pass as they are";
    StreamBypassed = "stream-bypassed", assign_dma_platform_device_with_iommu,
        "lets the accesses of assigned devices pass as they are";
    EventQueueOff = "event-queue-off", assign_dma_platform_device_with_iommu,
        "leaves the event queue of the IOMMU off";
    FaultsUnrecorded = "faults-unrecorded", assign_dma_platform_device_with_iommu,
        "has the IOMMU keep to itself what it stops of a domain's device";
    AttachNotInvalidated = "attach-not-invalidated", assign_dma_platform_device_with_iommu,
        "leaves the IOMMU with what it remembers of a stream that is assigned";
    UnmapTranslationsKept = "unmap-translations-kept", assign_dma_platform_device_with_iommu,
        "leaves the IOMMU with the translation of a page that was taken away";
    StreamKept = "stream-kept", deassign_dma_platform_device_with_iommu,
        "has a device of a destroyed domain go on being translated";
    ReleaseNotInvalidated = "release-not-invalidated", deassign_dma_platform_device_with_iommu,
        "leaves the IOMMU with what it remembers of a stream that is released";
    ReleaseTranslationsKept = "release-translations-kept", deassign_dma_platform_device_with_iommu,
        "leaves the IOMMU with the translations of a destroyed domain";
    ReleaseForgotten = "release-forgotten", deassign_dma_platform_device_with_iommu,
        "leaves the devices of a destroyed domain where they were";
    ReleaseLate = "release-late", deassign_dma_platform_device_with_iommu,
        "stops the devices of a destroyed domain only when its memory is free for others";

    // PCI functions.
    PciHoleEndsDevice = "pci-hole-ends-device", discover_pci_devices_from_xen,
        "takes the first function that is missing for the last of its device";
    PciLastDeviceForgotten = "pci-last-device-forgotten", discover_pci_devices_from_xen,
        "does not look at the last device of a bus";
    PciBridgeNotFollowed = "pci-bridge-not-followed", discover_pci_devices_from_xen,
        "does not look behind bridges";
    PciExtraRootSkipped = "extra-root-skipped", discover_pci_devices_from_xen,
        "does not look for further buses of the host bridge's own";
    PciFirstFunctionMissing = "pci-first-function-missing", discover_pci_devices_from_xen,
        "finds the functions of a device that has no function 0";
    PciBarNotRestored = "pci-bar-not-restored", discover_pci_devices_from_xen,
        "leaves the base address registers as they were for finding out their sizes";
    PciDecodeLeftOff = "pci-decode-left-off", discover_pci_devices_from_xen,
        "leaves functions that were looked at deaf to accesses";
    PciPinNotTurned = "pci-pin-not-turned", assign_pci_device_with_iommu,
        "takes the pin of a function behind a bridge for that at which its interrupt arrives";
    PciAliasForgotten = "pci-alias-forgotten", forbid_same_pci_device_assignment,
        "forgets that a bridge speaks for all that is behind it";
    PciMultifunctionForgotten = "pci-multifunction-forgotten", forbid_same_pci_device_assignment,
        "takes the functions of one device for devices of their own";
    PciPortTrusted = "pci-port-trusted", forbid_same_pci_device_assignment,
        "takes every port for one that keeps apart what is behind it";
    PciPageShared = "pci-page-shared", forbid_same_pci_device_assignment,
        "forgets that registers of two functions lie in one page";

    // The end of a PCI function's time with a domain.
    PciResetSkipped = "pci-reset-skipped", deassign_pci_device_with_iommu,
        "leaves a function that is taken back as its domain has left it";
    PciInterruptsLeftOn = "pci-interrupts-left-on", deassign_pci_device_with_iommu,
        "lets a function that is taken back interrupt by message and by pin";
    PciDecodeLeftOn = "pci-decode-left-on", deassign_pci_device_with_iommu,
        "lets a function that is taken back answer in memory";
    PciSettingsLost = "pci-settings-lost", deassign_pci_device_with_iommu,
        "leaves a function as its reset has, without an address";
    PciMasterLeftOn = "pci-master-left-on", deassign_pci_device_without_iommu,
        "lets a function that is taken back master memory";
    PciUnprotectedLeft = "pci-unprotected-left", deassign_pci_device_without_iommu,
        "leaves a function that no IOMMU protects as it is when its domain is destroyed";
    PciUnprotectedKept = "pci-unprotected-kept", deassign_pci_device_without_iommu,
        "keeps a function that no IOMMU protects with its domain when that is destroyed";
    PciOffLate = "pci-off-late", deassign_pci_device_without_iommu,
        "switches functions of a destroyed domain off only when nothing of its memory is left";

    // Accesses that nothing answers.
    UnmappedReadsZero = "unmapped-reads-zero", hide_iommu_from_domain,
        "reads zero where nothing is mapped instead of raising a fault";
    UnmappedWriteDropped = "unmapped-write-dropped", hide_iommu_from_domain,
        "drops what is written where nothing is mapped instead of raising a fault";

    // What domains ask for.
    DestroyByAnyone = "destroy-by-anyone", deassign_interrupt_less_platform_device,
        "lets any domain destroy any other";
    DestroyHalfDone = "destroy-half-done", deassign_interrupt_less_platform_device,
        "reports a destruction as done that has only begun";
    UnmapForgotten = "unmap-forgotten", deassign_interrupt_less_platform_device,
        "leaves device pages mapped that are to be taken from a domain";
    UnbindForgotten = "unbind-forgotten", deassign_non_dma_platform_device,
        "leaves an interrupt with a domain that it is to be taken from";
    AssignmentByAnyone = "assignment-by-anyone", forbid_same_platform_device_assignment,
        "lets any domain give device pages and interrupts to any domain";
    PermissionNotAsked = "permission-not-asked", forbid_same_platform_device_assignment,
        "maps device pages that the domain was given no permission for";
    ForeignDevicePage = "foreign-device-page", forbid_same_platform_device_assignment,
        "shows a control domain another's device pages as if they were RAM";
    LevelUnchecked = "level-unchecked", forbid_same_platform_device_assignment,
        "starts a virtual CPU at whatever exception level a control domain names";
    SecondPageGuessed = "second-page-guessed", deassign_interrupt_less_platform_device,
        "takes the host page behind one of a guest's for the guest's next page";

    // Delivery of interrupts.
    InterruptEnableNotMirrored = "interrupt-enable-not-mirrored", assign_non_dma_platform_device,
        "leaves a physical line off although its guest enables it";
    InterruptDisabledDelivered = "interrupt-disabled-delivered", assign_non_dma_platform_device,
        "delivers a line that its guest has not enabled";
    EarlyLineLost = "early-line-lost", assign_non_dma_platform_device,
        "loses an interrupt that was pending before its guest enabled the line";
    LevelNotRearmed = "level-not-rearmed", assign_non_dma_platform_device,
        "leaves the physical line of a level interrupt active after the guest ends it";
    LevelLatched = "level-latched", assign_non_dma_platform_device,
        "keeps a level interrupt pending after the device has taken it back";
    InterruptNumberShifted = "interrupt-number-shifted", assign_non_dma_platform_device,
        "delivers an assigned interrupt under the number next to its own";
    InterruptDeliveredTwice = "interrupt-delivered-twice", assign_non_dma_platform_device,
        "delivers an assigned interrupt a second time";
    ForeignLineSwitched = "foreign-line-switched", hide_iommu_from_domain,
        "switches a physical line that does not belong to the domain that asks";

    // Virtual configuration space.
    PciRegistersMoved = "pci-registers-moved", assign_pci_device_without_iommu,
        "places what functions of a direct-mapped domain decode elsewhere than the host has it";
    CommandUnfiltered = "command-unfiltered", assign_pci_device_with_iommu,
        "passes every bit of a guest's command register to the hardware";
    BarPassedThrough = "bar-passed-through", assign_pci_device_with_iommu,
        "lets a guest move the hardware's base address registers";
    BarMovedWhileDecoding = "bar-moved-while-decoding", assign_pci_device_with_iommu,
        "moves memory while a function decodes it";
    BarAnywhere = "bar-anywhere", assign_pci_device_with_iommu,
        "shows device memory outside of the windows of a guest's bridge, and at zero";
    DecodeNeverOff = "decode-never-off", assign_pci_device_with_iommu,
        "leaves device memory reachable that a guest has switched off";
    SubPageShown = "sub-page-shown", assign_pci_device_with_iommu,
        "shows memory of less than a page with its own size";
    HiddenBarShown = "hidden-bar-shown", assign_pci_device_with_iommu,
        "shows I/O space, and memory that is not passed on, as the hardware has it";
    MsiShown = "msi-shown", assign_pci_device_with_iommu,
        "shows message signalled interrupts that nobody delivers";
    CapabilityPassedThrough = "capability-passed-through", assign_pci_device_with_iommu,
        "passes to the hardware what a guest writes into capabilities that it sees";
    GapReadsHardware = "gap-reads-hardware", assign_pci_device_with_iommu,
        "reads the hardware's registers that no filter knows";
    GapPassedThrough = "gap-passed-through", assign_pci_device_with_iommu,
        "passes to the hardware what a guest writes into registers that no filter knows";
    ExtendedShown = "extended-shown", assign_pci_device_with_iommu,
        "shows where the list of extended capabilities begins";
    MultiFunctionShown = "multi-function-shown", assign_pci_device_with_iommu,
        "says that a function has neighbours that a guest was not given";
    AbsentReadsHardware = "absent-reads-hardware", forbid_same_pci_device_assignment,
        "shows the machine's function where a guest has none";
    OthersShownToHardware = "others-shown-to-hardware", forbid_same_pci_device_assignment,
        "shows the hardware domain the functions of others";
    OthersBridgeWritable = "others-bridge-writable", forbid_same_pci_device_assignment,
        "lets the hardware domain switch a bridge that others depend on";
    BusNumbersWritable = "bus-numbers-writable", forbid_same_pci_device_assignment,
        "lets the hardware domain number the buses behind its bridges, and so take another's name";
    HardwareBarAnywhere = "hardware-bar-anywhere", forbid_same_pci_device_assignment,
        "maps to the hardware domain whatever its base address registers point to";
    TakenStaysMapped = "taken-stays-mapped", forbid_same_pci_device_assignment,
        "leaves the memory of a function mapped to the hardware domain that others get";
    LookedAtStays = "looked-at-stays", forbid_same_pci_device_assignment,
        "leaves to the hardware domain what it has found of a device that another domain gets";
    HardwareRaisesForeignLine = "hardware-raises-foreign-line", forbid_same_pci_device_assignment,
        "lets the hardware domain have functions that interrupt by the line of another domain's";
    HardwareFirstBusOnly = "hardware-first-bus-only", discover_pci_devices_from_hwdom,
        "hides what is behind bridges from the hardware domain";
    HardwareFirstFunctionOnly = "hardware-first-function-only", discover_pci_devices_from_hwdom,
        "hides all functions of a device but the first from the hardware domain";
    HardwareBarsFrozen = "hardware-bars-frozen", discover_pci_devices_from_hwdom,
        "keeps the hardware domain from finding out how much memory its functions decode";
    HardwareDecodeIgnored = "hardware-decode-ignored", discover_pci_devices_from_hwdom,
        "leaves unreachable what functions of the hardware domain decode";
    RemovedStaysMapped = "removed-stays-mapped", deassign_pci_device_with_iommu,
        "leaves the memory of a function mapped that was taken away";

    // What the machine is told.
    DeviceExecutable = "device-executable", map_platform_device_mmio_region_ident,
        "lets a guest execute from device pages";
    DeviceReadOnly = "device-read-only", map_platform_device_mmio_region_ident,
        "lets a guest only read device pages";
    BlockMapped = "block-mapped", assign_interrupt_less_platform_device,
        "maps the whole 2 MiB block that a device page lies in";
    ControllerMapped = "controller-mapped", assign_non_dma_platform_device,
        "leaves the registers of the host's interrupt controller in every guest's reach";
    IommuMapped = "iommu-mapped", hide_iommu_from_domain,
        "leaves the registers of the IOMMU in every guest's reach";
    DeviceInLaterDomains = "device-in-later-domains", forbid_same_platform_device_assignment,
        "maps the device pages of a domain into all later ones as well";
    LineTakenForEdge = "line-taken-for-edge", assign_non_dma_platform_device,
        "configures a level line as edge triggered at the host's interrupt controller";
    LineToFirstDomain = "line-to-first-domain", assign_non_dma_platform_device,
        "hands every interrupt to the first domain, whosever it is";
}

#[cfg(feature = "seeded-faults")]
pub use select::{Entry, UnknownFault, on, select};

/// Tells whether `fault` is selected: never, for this image has no seeded faults.
#[cfg(not(feature = "seeded-faults"))]
#[inline(always)]
pub const fn on(_fault: Fault) -> bool {
    false
}

#[cfg(feature = "seeded-faults")]
mod select {
    use core::fmt;
    use core::sync::atomic::{AtomicUsize, Ordering};

    use super::{ALL, Fault};

    /// One line of the registry.
    #[derive(Clone, Copy, Debug)]
    pub struct Entry {
        /// Which decision.
        pub fault: Fault,
        /// What the boot argument `fault=` calls it.
        pub name: &'static str,
        /// The requirement that it violates, with its revision.
        pub requirement: &'static str,
        /// What goes wrong, in one line.
        pub text: &'static str,
    }

    /// `fault=` named something that is not in the registry.
    #[derive(Clone, Copy, PartialEq, Eq, Debug)]
    pub struct UnknownFault;

    impl fmt::Display for UnknownFault {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("is not the name of a seeded fault")
        }
    }

    /// One more than the place of the selected fault in [`ALL`]; zero while none is.
    static SELECTED: AtomicUsize = AtomicUsize::new(0);

    /// Makes the decision called `name` go wrong from now on, and every other one right; the
    /// empty name selects none.
    ///
    /// # Errors
    /// Refuses a name that is not in the registry and changes nothing then.
    pub fn select(name: &str) -> Result<Option<Entry>, UnknownFault> {
        if name.is_empty() {
            SELECTED.store(0, Ordering::Relaxed);
            return Ok(None);
        }
        let place = ALL
            .iter()
            .position(|entry| entry.name == name)
            .ok_or(UnknownFault)?;
        SELECTED.store(place + 1, Ordering::Relaxed);
        Ok(ALL.get(place).copied())
    }

    /// Tells whether `fault` is selected.
    pub fn on(fault: Fault) -> bool {
        SELECTED
            .load(Ordering::Relaxed)
            .checked_sub(1)
            .and_then(|place| ALL.get(place))
            .is_some_and(|entry| entry.fault == fault)
    }
}
