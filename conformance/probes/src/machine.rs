//! The interface between a script and the hardware on which it runs.

use wire::{Answer, Attr, Fault, Irq, Note, Reason, Trigger, Width, arch};

/// Why an access did not complete.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Abort {
    /// The access raised an exception.
    Fault(Fault),
    /// The probe did not try it: no translation can map the address.
    Unmapped,
    /// The probe did not try it: it would overwrite the probe itself.
    Own,
    /// The probe did not try it: there is no room for one more.
    Full,
}

impl From<Abort> for Answer {
    fn from(abort: Abort) -> Self {
        match abort {
            Abort::Fault(fault) => Self::Fault(fault),
            Abort::Unmapped => Self::Cannot(Reason::Map),
            Abort::Own => Self::Cannot(Reason::Own),
            Abort::Full => Self::Cannot(Reason::Full),
        }
    }
}

/// How a probe ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stop {
    /// Waits for interrupts for ever, taking none.
    Idle,
    /// Never waits and never traps.
    Spin,
    /// Requests to switch the machine off.
    Off,
    /// Requests to reset the machine.
    Reset,
    /// Reports itself as crashed, through the hypervisor's interface.
    Crash,
}

/// What a script needs of the machine. Each architecture implements it, and so do the tests.
pub trait Machine: Sized {
    /// The interrupt of the timer that ends a sleep.
    const TIMER: Irq;

    /// The location of the interrupt controller.
    type InterruptsAt;

    /// The interrupt controller, switched on.
    type Interrupts: Controller<Self>;

    /// The hypervisor's interface on this architecture.
    type Abi: Abi;

    /// Reads from any address, mapped or not.
    fn read(&self, width: Width, at: u64) -> Result<u64, Abort>;

    /// Writes to any address, mapped or not, except to the probe's own memory.
    fn write(&self, width: Width, at: u64, value: u64) -> Result<(), Abort>;

    /// Calls code at an address outside the probe's own memory.
    fn exec(&self, at: u64) -> Result<(), Abort>;

    /// Makes one of Xen's hypercalls and returns its result.
    fn hypercall(&self, number: u64, arguments: [u64; 5]) -> Result<u64, Abort>;

    /// Writes bytes to any address, mapped or not, except to the probe's own memory.
    fn copy(&self, at: u64, bytes: &[u8]) -> Result<(), Abort>;

    /// Maps the pages of `first` to `last` as memory from now on.
    fn treat_as_memory(&self, first: u64, last: u64) -> Result<(), Abort>;

    /// Sets the memory type of addresses outside the probe's RAM.
    fn attr(&self, attr: Attr) -> Result<(), Abort>;

    /// Carries out an op of one architecture; `interrupts` switches the interrupt controller on for ops that need it.
    fn perform(
        &self,
        op: &arch::Op,
        interrupts: impl FnOnce() -> Result<Option<Self::Interrupts>, Abort>,
    ) -> Result<Answer, Abort>;

    /// Returns the clock's count.
    fn now(&self) -> u64;

    /// Returns the clock's frequency in Hz.
    fn frequency(&self) -> u64;

    /// Switches the interrupt controller on; `None` if it has no interface for this CPU.
    fn start_interrupts(&self, at: &Self::InterruptsAt) -> Result<Option<Self::Interrupts>, Abort>;

    /// Takes the interrupts that are pending, up to a bound.
    fn serve(&self);

    /// Waits for an interrupt, at the latest the timer's at `until`, and serves it.
    fn sleep(&self, until: u64);

    /// Returns the memory that a RAM test must not touch: first and last addresses.
    fn own(&self) -> &[(u64, u64)];

    /// Sends a note.
    fn say(&self, note: Note);

    /// Ends the run.
    fn stop(&self, how: Stop) -> !;
}

/// An interrupt controller that this CPU can use.
///
/// Every register access may abort, and an abort is an answer: the probe must report a virtual controller that lacks
/// a register, and must not crash on it.
pub trait Controller<M>: Copy {
    /// Tells whether the interrupt exists.
    fn has(self, irq: Irq) -> bool;

    /// Enables an interrupt for this CPU.
    fn enable(self, machine: &M, irq: Irq, trigger: Trigger, priority: u8) -> Result<(), Abort>;

    /// Disables an interrupt, and waits until this takes effect.
    fn disable(self, machine: &M, irq: Irq) -> Result<(), Abort>;
}

/// The parts of Xen's structures that differ between architectures.
pub trait Abi {
    /// The size of the structure that `getdomaininfo` returns.
    const INFO_SIZE: u64;

    /// The offset of the number of interrupt lines in the architecture's part of `createdomain`.
    const LINES: u64;

    /// The kind of interrupt that `bind_pt_irq` needs for a host interrupt line.
    const LINE: u64;

    /// The size of a virtual CPU's context.
    const CONTEXT_SIZE: u64;

    /// Returns the non-zero fields of the context of a CPU that begins at `pc` with an argument, as offsets and
    /// 64-bit values.
    fn context(pc: u64, argument: u64) -> impl IntoIterator<Item = (u64, u64)>;
}
