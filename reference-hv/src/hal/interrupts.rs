//! Interrupts: the machine's controller, and those that domains see.

use core::fmt;

use crate::ids::{IrqLine, Trigger};

/// What a domain's own interrupt controller asks of the machine's, for the domain's own lines and for no other.
pub trait IrqChip {
    /// Lets the line reach a CPU, or stops it.
    fn set_enabled(&mut self, line: IrqLine, on: bool);
    /// Tells whether the line wants attention: an edge is latched or a level is high.
    fn is_pending(&mut self, line: IrqLine) -> bool;
    /// Forgets a latched edge.
    fn clear_pending(&mut self, line: IrqLine);
    /// Ends the handling of the line, so that it can come again.
    fn deactivate(&mut self, line: IrqLine);
}

/// An interrupt that was taken.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Interrupt {
    /// One that a domain can own. It is active until it is deactivated.
    Line(IrqLine),
    /// One that the machine has dealt with itself: the alarm, a virtual timer, the upkeep of what guests see. There is
    /// something to look at again.
    Own,
}

/// The physical interrupt controller.
pub trait InterruptController: IrqChip {
    /// Prepares a disabled line for its owner: trigger, priority, route.
    fn configure(&mut self, line: IrqLine, trigger: Trigger);
    /// Takes the route away that [`Self::configure`] has set.
    fn unroute(&mut self, line: IrqLine);
    /// Takes the next interrupt, if there is one.
    fn acknowledge(&mut self) -> Option<Interrupt>;
}

/// A physical line that a domain does not own, or whose number its interrupt controller lacks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotOwned(pub IrqLine);

impl fmt::Display for NotOwned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} does not belong to this domain", self.0)
    }
}

/// The interrupt controller of one domain. Virtual CPUs are counted from zero.
pub trait VirtualInterrupts: Sized + fmt::Debug {
    /// What the CPU can do for it.
    type Features;
    /// What the CPU holds of it while a virtual CPU runs.
    type State;

    /// Makes it as it is after reset, with so many lines that domains can own, none of them physical yet; `None` for
    /// numbers that no such controller has.
    fn new(vcpus: u32, shared: u32, features: &Self::Features) -> Option<Self>;
    /// Leaves the domain's physical lines quiet.
    fn release(&mut self, chip: &mut impl IrqChip);
    /// Puts a physical line behind the interrupt of its number, which the guest may have set up already.
    ///
    /// # Errors
    /// Refuses a number that the controller lacks, and an interrupt that is pending or active: it is none of the line's.
    fn connect(
        &mut self,
        chip: &mut impl IrqChip,
        line: IrqLine,
        trigger: Trigger,
    ) -> Result<(), NotOwned>;
    /// Takes the physical line away from an interrupt, which has never been then.
    fn disconnect(&mut self, line: IrqLine);
    /// Puts the private interrupts of a virtual CPU into the state after reset.
    fn reset_vcpu(&mut self, vcpu: u32);
    /// Takes note that a physical line was acknowledged, and is active.
    ///
    /// # Errors
    /// A line that the domain does not own is none of its business.
    fn raise(&mut self, chip: &mut impl IrqChip, line: IrqLine) -> Result<(), NotOwned>;
    /// Sets the line of an emulated device. A number that has a physical line stays as it is.
    fn set_line(&mut self, line: IrqLine, high: bool);
    /// Sets the line of a virtual CPU's timer, as sampled from the timer itself.
    fn set_timer(&mut self, vcpu: u32, high: bool);
    /// Tells whether an interrupt waits for a virtual CPU, however it is masked there: enough to wake it.
    fn pending(&self, vcpu: u32) -> bool;
    /// Says what the CPU is to hold when the virtual CPU is entered.
    fn load(&mut self, chip: &mut impl IrqChip, vcpu: u32) -> Self::State;
    /// Takes back what the CPU held when the virtual CPU was left.
    fn fold(&mut self, chip: &mut impl IrqChip, vcpu: u32, state: &Self::State);
}
