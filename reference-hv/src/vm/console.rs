//! Text that domains write by hypercall, and what is left of a line when a domain ends.

use super::{Domain, Hypervisor, VcpuRef};
use crate::hal::Machine;

impl<M: Machine> Hypervisor<M> {
    /// Adds text to what a domain writes by hypercall, and prints the lines that this finishes.
    pub(crate) fn say(&mut self, place: VcpuRef, text: &[u8]) {
        let Ok((machine, domain, _)) = self.parts_of(place.domain) else {
            return;
        };
        for byte in text {
            if let Some(line) = domain.text.push(*byte) {
                machine.domain_line(domain.id, line);
            }
        }
    }
}

/// Prints the lines that a domain has begun and will not finish.
pub(super) fn flush<M: Machine>(machine: &mut M, domain: &mut Domain<M>) {
    let uart = domain.uart.as_mut().and_then(|uart| uart.flush());
    if let Some(line) = uart {
        machine.domain_line(domain.id, line);
    }
    if let Some(line) = domain.text.flush() {
        machine.domain_line(domain.id, line);
    }
}
