//! The seam to the physical interrupt controller, as narrow as the virtual one needs it.

use crate::ids::IrqLine;

/// The shared lines of the physical GIC.
///
/// The virtual GIC of a domain calls this for the domain's own lines and for no other.
pub trait IrqChip {
    /// Lets the line reach a CPU, or stops it (GICD_ISENABLER, GICD_ICENABLER).
    fn set_enabled(&mut self, line: IrqLine, on: bool);
    /// Tells whether the line wants attention: an edge is latched or a level is high
    /// (GICD_ISPENDR).
    fn is_pending(&mut self, line: IrqLine) -> bool;
    /// Forgets a latched edge (GICD_ICPENDR).
    fn clear_pending(&mut self, line: IrqLine);
    /// Ends the handling of the line, so that it can come again (GICD_ICACTIVER).
    fn deactivate(&mut self, line: IrqLine);
}
