//! The one seam between what is decided and what is done.
//!
//! Everything above it is the same on a host, where the tests put a fake machine below it, and on
//! the target. A machine has one physical CPU in use and is never entered twice.

use core::fmt;

use crate::access::Width;
use crate::addr::{Ipa, Pa, Span};
use crate::ids::{DomainId, IommuDomainId, Sbdf, Stream, VcpuId, Vmid};
use crate::paging::{Format, Memory, Shape, Tables};

#[cfg(test)]
pub(crate) mod fake;
mod interrupts;

pub use interrupts::{Interrupt, InterruptController, IrqChip, NotOwned, VirtualInterrupts};

/// What an architecture has in place of the others' own: [`crate::vm::Guest`] adds what it does with them.
pub trait Arch: Sized + fmt::Debug + 'static {
    /// Why a guest was left.
    type Exit;
    /// An exception that a guest can be made to take.
    type Exception;
    /// Names a register that says what the CPU is.
    type Identity;
    /// What a virtual CPU is set to before it runs for the first time.
    type Context: Context;
    /// The interrupt controller that a domain sees.
    type Interrupts: VirtualInterrupts;
}

/// The registers of a virtual CPU as a control domain sets them.
pub trait Context: Sized {
    /// Bytes of their layout in the hypercall interface.
    const SIZE: usize;
    /// Reads them; bytes that are not there are zero.
    fn decode(bytes: &[u8]) -> Self;
    /// Tells whether the CPU is switched on.
    fn is_online(&self) -> bool;
    /// Leaves what a guest may set, `None` where it asks for a mode that no guest has.
    fn confined(self) -> Option<Self>;
}

/// RAM that domains own or that is loaded for them. Each function returns whether it could: false
/// means that a range was none of that, and that nothing was touched.
pub trait Ram {
    /// Clears whole pages, so that whoever reads them next, cached or not, finds zeroes.
    #[must_use]
    fn scrub(&mut self, span: Span<Pa>) -> bool;
    /// Copies bytes between two ranges that do not overlap.
    #[must_use]
    fn copy(&mut self, from: Pa, to: Pa, size: u64) -> bool;
    /// Writes bytes.
    #[must_use]
    fn write(&mut self, to: Pa, bytes: &[u8]) -> bool;
    /// Reads bytes.
    #[must_use]
    fn read(&self, from: Pa, bytes: &mut [u8]) -> bool;
    /// Lends what lies there; `None` where that is not such RAM as a whole.
    fn bytes(&self, at: Span<Pa>) -> Option<&[u8]>;
    /// Has what caches hold of whole pages reach memory, for whoever reads it past the caches.
    #[must_use]
    fn write_back(&mut self, span: Span<Pa>) -> bool;
    /// Makes what was written executable.
    fn publish_code(&mut self);
}

/// Where lines of text go.
pub trait Console {
    /// Prints a line of the hypervisor's own.
    fn line(&mut self, text: fmt::Arguments<'_>);
    /// Prints a line of a domain's.
    fn domain_line(&mut self, domain: DomainId, text: &[u8]);
}

/// Time, in ticks of one counter.
pub trait Clock {
    /// Returns the counter.
    fn now(&self) -> u64;
    /// Returns how many ticks a second has.
    fn frequency(&self) -> u64;
    /// Waits for an interrupt, or until the counter reaches `until`.
    fn idle(&mut self, until: Option<u64>);
}

/// How a guest was left.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Event<E> {
    /// It did something that needs an answer.
    Exit(E),
    /// An interrupt is waiting for [`InterruptController::acknowledge`].
    Interrupt,
    /// The memory system reported an error after the fact.
    Error,
}

/// What the CPU holds of a domain's interrupt controller while a virtual CPU of an architecture runs.
pub type InterruptState<A> = <<A as Arch>::Interrupts as VirtualInterrupts>::State;
/// What the CPU can do for the interrupt controllers of domains.
pub type InterruptFeatures<A> = <<A as Arch>::Interrupts as VirtualInterrupts>::Features;

/// The physical CPU and the virtual ones it plays.
pub trait Cpu {
    /// The architecture.
    type Arch: Arch;
    /// A virtual CPU's registers.
    type Vcpu: fmt::Debug;
    /// Makes the registers of a virtual CPU of a domain whose second-stage tables begin at `root` and
    /// are tagged with `tag`, and whose clock began at `since`.
    fn create(&mut self, id: VcpuId, root: Pa, tag: Vmid, since: u64) -> Self::Vcpu;
    /// Puts a virtual CPU that is not loaded back to reset, to start at `entry`.
    fn reset(&mut self, vcpu: &mut Self::Vcpu, entry: Ipa, context: u64);
    /// Puts a virtual CPU that is not loaded back to reset, and then sets what `context` says.
    fn set_context(&mut self, vcpu: &mut Self::Vcpu, context: &<Self::Arch as Arch>::Context);
    /// Makes a virtual CPU's registers the physical one's. No other may be loaded.
    fn load(&mut self, id: VcpuId, vcpu: &mut Self::Vcpu);
    /// Takes them back. Returns whether an error that it caused has yet to be reported.
    #[must_use]
    fn save(&mut self, vcpu: &mut Self::Vcpu) -> bool;
    /// Runs the virtual CPU that is loaded, until `until` at the latest, with the interrupts that `state` says, and brings
    /// that up to date. Returns how it was left.
    fn enter(
        &mut self,
        vcpu: &mut Self::Vcpu,
        state: &mut InterruptState<Self::Arch>,
        until: Option<u64>,
    ) -> Event<<Self::Arch as Arch>::Exit>;
    /// Returns what the CPU can do for the interrupt controllers of domains.
    fn interrupt_features(&self) -> InterruptFeatures<Self::Arch>;
    /// Tells whether the virtual timer's line is high, and when it will be.
    fn timer(&self, vcpu: &Self::Vcpu) -> (bool, Option<u64>);
    /// Returns a general register; a number past the last reads as zero.
    fn register(&self, vcpu: &Self::Vcpu, n: u8) -> u64;
    /// Sets a general register; a number past the last is none.
    fn set_register(&mut self, vcpu: &mut Self::Vcpu, n: u8, value: u64);
    /// Has the guest go on some bytes further.
    fn skip(&mut self, vcpu: &mut Self::Vcpu, bytes: u64);
    /// Has the guest, whose virtual CPU is loaded, take an exception.
    fn inject(&mut self, vcpu: &mut Self::Vcpu, exception: &<Self::Arch as Arch>::Exception);
    /// Translates an address as the guest's own tables do for its kernel, whose virtual CPU is loaded;
    /// `None` where they would fault.
    fn stage1(&mut self, va: u64, write: bool) -> Option<Ipa>;
    /// Reads an identification register of the physical CPU.
    fn identify(&self, register: <Self::Arch as Arch>::Identity) -> u64;
    /// Describes where a guest stands, for a report.
    fn describe(&self, vcpu: &Self::Vcpu, f: &mut fmt::Formatter<'_>) -> fmt::Result;
}

/// Second-stage translation.
pub trait Translation {
    /// What entries look like.
    type Format: Format<Input = Ipa, Attributes = Memory>;
    /// Where tables come from.
    type Tables: Tables;
    /// Returns the width and the first level of the tables, and what entries look like on this CPU.
    fn layout(&self) -> (Shape, Self::Format);
    /// Returns the source of tables.
    fn tables(&mut self) -> &mut Self::Tables;
    /// Makes tables that were just built visible to the walkers.
    fn publish(&mut self);
    /// Drops every translation, of both stages, that carries the tag; nothing of it is left anywhere when
    /// this returns, also for devices. `root` is where the tables that it tags begin.
    fn invalidate(&mut self, root: Pa, tag: Vmid);
    /// Does that for good: besides, nothing points at the tables any more, so that they can be given back.
    fn retire(&mut self, root: Pa, tag: Vmid);
}

/// What stands between devices that access memory and the memory.
pub trait Iommu {
    /// Has what a device does by itself go to the memory of a domain: through the domain's own tables, which
    /// begin at `root`, with translations tagged `tag`. Returns whether it could; the device reaches nothing
    /// otherwise.
    #[must_use]
    fn attach(&mut self, stream: Stream, domain: DomainId, root: Pa, tag: IommuDomainId) -> bool;
    /// Has a device reach nothing. Nothing of it is on its way to memory when this returns.
    fn detach(&mut self, stream: Stream);
    /// Has every device whose translations are tagged `tag` reach nothing, and drops these. Nothing of any is
    /// on its way to memory when this returns.
    fn release(&mut self, tag: IommuDomainId);
}

/// The configuration space of PCI functions. Offsets are below 4096 and aligned to the width, which is that of
/// a double word at most.
pub trait ConfigSpace {
    /// Reads a register; all ones where no function answers.
    fn config_read(&mut self, at: Sbdf, offset: u16, width: Width) -> u32;
    /// Writes a register; nothing comes of it where no function answers.
    fn config_write(&mut self, at: Sbdf, offset: u16, width: Width, value: u32);
    /// Tells whether any device of the bus of `first`, which is the first function there, answers.
    fn any_answer(&mut self, first: Sbdf) -> bool {
        let mut all = (0..32).map(|device| device << 3);
        all.any(|devfn| self.config_read(Sbdf { devfn, ..first }, 0, Width::Word) != u32::MAX)
    }
}

/// What the machine as a whole has and does.
pub trait Board {
    /// Returns how many bytes the hypervisor's own allocations can still take.
    fn free_heap(&self) -> u64;
    /// Switches the machine off.
    fn off(&mut self);
}

/// A whole machine.
pub trait Machine:
    Ram + Console + Clock + InterruptController + Cpu + Translation + Iommu + ConfigSpace + Board
{
}

impl<T> Machine for T where
    T: Ram
        + Console
        + Clock
        + InterruptController
        + Cpu
        + Translation
        + Iommu
        + ConfigSpace
        + Board
{
}
