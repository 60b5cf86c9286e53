//! The seam between a script and the hardware it runs on.

use wire::{Answer, Attr, Fault, Irq, Note, Reason, Trigger, Width, arch};

/// Why an access did not complete.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Abort {
    /// It raised an exception.
    Fault(Fault),
    /// It was not tried: no translation reaches the address.
    Unmapped,
    /// It was not tried: it would overwrite the probe itself.
    Own,
    /// It was not tried: there is no room for one more.
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
    /// Has the machine switched off.
    Off,
    /// Has the machine reset.
    Reset,
    /// Reports itself crashed, as the hypervisor's interface has it.
    Crash,
}

/// What a script needs of the machine. Each architecture has one, and so has each test.
pub trait Machine: Sized {
    /// The interrupt of the timer that ends a sleep.
    const TIMER: Irq;

    /// Where the interrupt controller is.
    type InterruptsAt;

    /// The interrupt controller, switched on.
    type Interrupts: Controller<Self>;

    /// The hypervisor's interface on this architecture.
    type Abi: Abi;

    /// Reads from an address, whatever is or is not there.
    fn read(&self, width: Width, at: u64) -> Result<u64, Abort>;

    /// Writes to an address, whatever is or is not there, but not to the probe's own memory.
    fn write(&self, width: Width, at: u64, value: u64) -> Result<(), Abort>;

    /// Calls code at an address outside the probe's own memory.
    fn exec(&self, at: u64) -> Result<(), Abort>;

    /// Makes a hypercall of Xen's and returns its result.
    fn hypercall(&self, number: u64, arguments: [u64; 5]) -> Result<u64, Abort>;

    /// Writes bytes to an address, whatever is or is not there, but not to the probe's own memory.
    fn copy(&self, at: u64, bytes: &[u8]) -> Result<(), Abort>;

    /// Treats the pages of `first` to `last` as memory from here on.
    fn treat_as_memory(&self, first: u64, last: u64) -> Result<(), Abort>;

    /// Chooses the memory type of addresses outside own RAM.
    fn attr(&self, attr: Attr) -> Result<(), Abort>;

    /// Carries out an op of one architecture; `interrupts` switches the interrupt controller on for those that need it.
    fn perform(
        &self,
        op: &arch::Op,
        interrupts: impl FnOnce() -> Result<Option<Self::Interrupts>, Abort>,
    ) -> Result<Answer, Abort>;

    /// Returns the clock's count.
    fn now(&self) -> u64;

    /// Returns how much the clock's count grows in a second.
    fn frequency(&self) -> u64;

    /// Switches the interrupt controller on; `None` if it has no part for this CPU.
    fn start_interrupts(&self, at: &Self::InterruptsAt) -> Result<Option<Self::Interrupts>, Abort>;

    /// Takes the interrupts that are pending, up to a bound.
    fn serve(&self);

    /// Waits for an interrupt, the timer's at `until` included, and serves it.
    fn sleep(&self, until: u64);

    /// Returns the memory that a RAM test must leave alone: first and last addresses.
    fn own(&self) -> &[(u64, u64)];

    /// Sends a note.
    fn say(&self, note: Note);

    /// Ends.
    fn stop(&self, how: Stop) -> !;
}

/// An interrupt controller that this CPU can use.
///
/// Every register access may abort, and an abort is an answer: a virtual controller with a register missing is
/// something to report, not to fall over.
pub trait Controller<M>: Copy {
    /// Tells whether the interrupt exists.
    fn has(self, irq: Irq) -> bool;

    /// Enables an interrupt for this CPU.
    fn enable(self, machine: &M, irq: Irq, trigger: Trigger, priority: u8) -> Result<(), Abort>;

    /// Disables an interrupt, and waits until that has taken effect.
    fn disable(self, machine: &M, irq: Irq) -> Result<(), Abort>;
}

/// The parts of Xen's structures that differ between architectures.
pub trait Abi {
    /// Bytes of what `getdomaininfo` returns.
    const INFO_SIZE: u64;

    /// Where the architecture's part of `createdomain` has the number of interrupt lines.
    const LINES: u64;

    /// What kind of interrupt a line of the host's is, to `bind_pt_irq`.
    const LINE: u64;

    /// Bytes of a virtual CPU's context.
    const CONTEXT_SIZE: u64;

    /// Returns the fields of a context that are not 0, each of 64 bits by its offset: a CPU that begins at `pc` with an
    /// argument.
    fn context(pc: u64, argument: u64) -> impl IntoIterator<Item = (u64, u64)>;
}
