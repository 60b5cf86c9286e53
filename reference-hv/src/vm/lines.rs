//! The lines of a domain: how one comes to it, and how one goes.

use super::Domain;
use crate::errno::Errno;
use crate::fault::{self, Fault};
use crate::hal::{Machine, VirtualInterrupts};
use crate::ids::{IrqLine, Trigger};

impl<M: Machine> Domain<M> {
    /// Begins a line that the domain may have, unless it has it already: it arrives at its interrupt controller, off
    /// until the guest enables it.
    ///
    /// # Errors
    /// Refuses a number that the domain's interrupt controller lacks, or where something is pending or active.
    pub(super) fn begin_line(
        &mut self,
        machine: &mut M,
        line: IrqLine,
        trigger: Trigger,
    ) -> Result<(), Errno> {
        if self.lines.contains(&line) {
            return Ok(());
        }
        machine.configure(line, trigger);
        let connected = self.interrupts.connect(machine, line, trigger);
        connected.map_err(|_| Errno::EBUSY)?;
        self.lines.push(line);
        Ok(())
    }

    /// Ends a line of the domain: it is as it was before anybody had it, off, with nothing latched, not active, without
    /// a route.
    pub(super) fn end_line(&mut self, machine: &mut M, line: IrqLine) {
        let Some(place) = self.lines.iter().position(|own| *own == line) else {
            return;
        };
        self.lines.remove(place);
        if !fault::on(Fault::LineLeftEnabled) {
            machine.set_enabled(line, false);
        }
        machine.clear_pending(line);
        if !fault::on(Fault::LineLeftActive) {
            machine.deactivate(line);
        }
        machine.unroute(line);
        self.interrupts.disconnect(line);
    }

    /// Ends all lines of the domain.
    pub(super) fn end_lines(&mut self, machine: &mut M) {
        while let Some(line) = self.lines.last() {
            self.end_line(machine, *line);
        }
    }
}
