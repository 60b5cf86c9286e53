//! The seam between a script and the hardware it runs on.

use wire::{Answer, Attr, Note, Reason, Sysreg, Width};

/// Why an access did not complete.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Abort {
    /// A synchronous exception.
    Fault {
        /// `ESR_EL1`.
        esr: u64,
        /// `FAR_EL1`.
        far: u64,
    },
    /// An SError interrupt.
    Serror {
        /// `ESR_EL1`.
        esr: u64,
    },
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
            Abort::Fault { esr, far } => Self::Fault { esr, far },
            Abort::Serror { esr } => Self::Serror { esr },
            Abort::Unmapped => Self::Cannot(Reason::Map),
            Abort::Own => Self::Cannot(Reason::Own),
            Abort::Full => Self::Cannot(Reason::Full),
        }
    }
}

/// The instruction that calls the hypervisor or the firmware.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Conduit {
    /// HVC #0.
    Hvc,
    /// SMC #0.
    Smc,
}

/// How a probe ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stop {
    /// Waits for interrupts for ever, taking none.
    Idle,
    /// Never waits and never traps.
    Spin,
    /// PSCI SYSTEM_OFF.
    Off,
    /// PSCI SYSTEM_RESET.
    Reset,
    /// Reports itself crashed, as the hypervisor's interface has it.
    Crash,
}

/// What a script needs of the machine.
pub trait Machine {
    /// Reads from an address, whatever is or is not there.
    fn read(&self, width: Width, at: u64) -> Result<u64, Abort>;

    /// Writes to an address, whatever is or is not there, but not to the probe's own memory.
    fn write(&self, width: Width, at: u64, value: u64) -> Result<(), Abort>;

    /// Calls code at an address outside the probe's own memory.
    fn exec(&self, at: u64) -> Result<(), Abort>;

    /// Makes an SMCCC call and returns its X0.
    fn call(&self, conduit: Conduit, arguments: [u64; 4]) -> Result<u64, Abort>;

    /// Makes a hypercall of Xen's and returns its X0.
    fn hypercall(&self, number: u64, arguments: [u64; 5]) -> Result<u64, Abort>;

    /// Writes bytes to an address, whatever is or is not there, but not to the probe's own memory.
    fn copy(&self, at: u64, bytes: &[u8]) -> Result<(), Abort>;

    /// Treats the pages of `first` to `last` as memory from here on.
    fn treat_as_memory(&self, first: u64, last: u64) -> Result<(), Abort>;

    /// Reads a system register.
    fn mrs(&self, register: Sysreg) -> Result<u64, Abort>;

    /// Chooses the memory type of addresses outside own RAM.
    fn attr(&self, attr: Attr) -> Result<(), Abort>;

    /// Returns the virtual count.
    fn now(&self) -> u64;

    /// Returns how much the virtual count grows in a second.
    fn frequency(&self) -> u64;

    /// Switches the CPU interface on: the one in system registers, or the GICv2's at an address.
    fn open_interrupts(&self, interface: Option<u64>) -> Result<(), Abort>;

    /// Sends a software interrupt to this CPU, by system register.
    fn send_sgi(&self, intid: u32);

    /// Takes the interrupts that are pending, up to a bound.
    fn serve(&self);

    /// Waits for an interrupt, the virtual timer's at `until` included, and serves it.
    fn sleep(&self, until: u64);

    /// Starts another CPU; PSCI's status, 0 for success.
    fn start_cpu(&self, conduit: Conduit, mpidr: u64) -> Result<u64, Abort>;

    /// Returns the memory that a RAM test must leave alone: first and last addresses.
    fn own(&self) -> &[(u64, u64)];

    /// Sends a note.
    fn say(&self, note: Note);

    /// Ends.
    fn stop(&self, conduit: Conduit, how: Stop) -> !;
}
