//! The domains that the host tree asks for.

use crate::addr::{Pa, Span};
use crate::assign;
use crate::config::{Host, Modules};
use crate::hal::{Machine, Ram};
use crate::vm::{self, Guest, Hypervisor};

/// Proves what the trees claim and makes the domains. One that is refused keeps no other from running.
pub(super) fn populate<M: Machine<Arch: Guest>>(
    mut machine: M,
    host: &'static Host<'static>,
    about: &assign::Machine,
) -> Hypervisor<M> {
    let (assignment, resources) = assign::prove(host, &Loaded(&machine), about);
    for warning in assignment.warnings() {
        machine.line(format_args!("{warning}"));
    }
    for refusal in assignment.refusals() {
        machine.line(format_args!("{refusal}"));
    }
    let (mut made, mut refused) = (assignment.domains().len(), assignment.refusals().len());
    let mut hypervisor = Hypervisor::new(machine, resources);
    for (plan, before) in assignment.domains().iter().zip(0..) {
        let earlier = assignment.domains().get(..before).unwrap_or_default();
        let plan = &*vm::with_injected_mappings(plan, earlier, host);
        let done = M::Arch::describe(plan, host, &Loaded(hypervisor.machine()))
            .map_err(|error| hypervisor.give_up(plan, error))
            .and_then(|tree| hypervisor.create(plan, &tree));
        if let Err(refusal) = done {
            (made, refused) = (made - 1, refused + 1);
            hypervisor.machine().line(format_args!("{refusal}"));
        }
    }
    let machine = hypervisor.machine();
    machine.line(format_args!("{made} domains, {refused} refused"));
    hypervisor
}

/// The RAM as the reader of modules sees it.
struct Loaded<'t, M>(&'t M);

impl<'t, M: Ram> Modules<'t> for Loaded<'t, M> {
    fn bytes(&self, at: Span<Pa>) -> Option<&'t [u8]> {
        self.0.bytes(at)
    }
}
