//! What comes of the judging: plans for domains, and reasons against them.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use super::hwdom_view::View;
use super::layout::Layout;
use crate::addr::{Ipa, Pa, Span};
use crate::ids::{DomainId, IrqLine, Privilege, Stream, Trigger};
use crate::pci::Function;

/// One domain to create. Every address in it is proven; stage 2 holds what `ram` and `mmio` say
/// and nothing else.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DomainPlan {
    /// Its number.
    pub id: DomainId,
    /// The name of its node.
    pub name: String,
    /// Bytes of RAM, the sum of `ram`.
    pub memory: u64,
    /// RAM as the guest sees it: one bank or two.
    pub banks: Vec<Span<Ipa>>,
    /// RAM as stage 2 maps it; whole 2 MiB blocks aligned on both sides wherever they fit.
    pub ram: Vec<RamMapping>,
    /// Number of virtual CPUs.
    pub cpus: u32,
    /// Where the hypervisor emulates devices for it.
    pub layout: Layout,
    /// What it may do beyond what every domain may.
    pub privilege: Privilege,
    /// Whether its RAM is memory that its node names, which no other domain ever gets.
    pub static_memory: bool,
    /// How many interrupts that domains can own its interrupt controller has.
    pub shared_lines: u32,
    /// Device pages.
    pub mmio: Vec<MmioMapping>,
    /// Host lines that are delivered to it under the same number, each once.
    pub irqs: Vec<IrqAssignment>,
    /// By what IOMMUs know the devices of its that access memory, each once.
    pub streams: Vec<Stream>,
    /// Its PCI functions, in the order in which it finds them.
    pub functions: Vec<FunctionPlan>,
    /// What is copied where before it starts.
    pub load: Load,
    /// The kernel's command line.
    pub kernel_args: Option<String>,
    /// Where the partial tree was loaded.
    pub partial: Option<Span<Pa>>,
    /// What of the host's tree it sees, if it has the hardware.
    pub view: Option<View>,
}

/// Guest RAM backed by host RAM.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RamMapping {
    /// Guest side.
    pub ipa: Ipa,
    /// Host side.
    pub pa: Pa,
    /// Number of pages.
    pub pages: u64,
}

/// Device pages shown to a guest: device memory, read and write, never executable.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct MmioMapping {
    /// Guest side.
    pub ipa: Ipa,
    /// Host side.
    pub pa: Pa,
    /// Number of pages.
    pub pages: u64,
}

/// A host line that belongs to a domain.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct IrqAssignment {
    /// The line, the same number on both sides.
    pub line: IrqLine,
    /// How the host node says it triggers.
    pub trigger: Trigger,
}

/// A PCI function that belongs to a domain.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FunctionPlan {
    /// The function.
    pub function: Function,
    /// The pages of each of its base address registers that decodes memory.
    pub bars: [Option<Span<Pa>>; 6],
    /// The line on which its interrupt arrives.
    pub line: Option<IrqAssignment>,
    /// By what an IOMMU knows it; nothing where none stands before it.
    pub streams: Vec<Stream>,
    /// Whether it sees the caches.
    pub coherent: bool,
}

/// What lies where when the domain starts. All of it inside the first bank and disjoint.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Load {
    /// The kernel image; the domain starts at `kernel.to`.
    pub kernel: Placed,
    /// The initial RAM disk.
    pub ramdisk: Option<Placed>,
    /// Room for the domain's device tree, which is at most this long.
    pub tree: Span<Ipa>,
}

/// Bytes copied from host RAM into the domain's.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Placed {
    /// Where they were loaded.
    pub from: Span<Pa>,
    /// Where the guest finds them.
    pub to: Ipa,
}

/// Why a domain is not created: one place in a tree and what is wrong there.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Refusal {
    /// The number the domain would have had.
    pub number: usize,
    /// The name of its node.
    pub domain: String,
    /// How that is said: the place and what is wrong with it. `/passthrough` and below is in the domain's partial
    /// tree, everything else in the host's.
    pub flaw: String,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "refuse domain {}: {}", self.domain, self.flaw)
    }
}

/// Something odd that is no reason to refuse.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Warning(pub String);

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl RamMapping {
    /// Returns the host side as a range.
    pub fn host(&self) -> Option<Span<Pa>> {
        Span::of_pages(self.pa, self.pages)
    }
    /// Returns the guest side as a range.
    pub fn guest(&self) -> Option<Span<Ipa>> {
        Span::of_pages(self.ipa, self.pages)
    }
}

impl MmioMapping {
    /// Returns the guest side as a range.
    pub fn guest(&self) -> Option<Span<Ipa>> {
        Span::of_pages(self.ipa, self.pages)
    }
    /// Returns the host side as a range.
    pub fn host(&self) -> Option<Span<Pa>> {
        Span::of_pages(self.pa, self.pages)
    }
}
