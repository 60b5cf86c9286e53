//! What an architecture does for the guests that run on it.

use alloc::vec::Vec;
use core::fmt;

use super::{Hypervisor, VcpuRef};
use crate::assign::DomainPlan;
use crate::config::{Bindings, Host, Modules};
use crate::errno::Errno;
use crate::hal::{Arch, Machine};
use crate::ids::IrqLine;

/// An architecture as far as it knows of domains: everything that its guests and the hypercall interface see of it.
pub trait Guest: Arch {
    /// What the hypercall interface tells of a domain that is the architecture's own (`xen_arch_domainconfig`; an
    /// architecture may have less of it).
    const INFO: [u8; 12];
    /// Features that it adds to those that every domain is told of (`XENVER_get_features`).
    const FEATURES: u32;

    /// What device trees of its machines say in their own way.
    const BINDINGS: &'static Bindings;

    /// Why a domain cannot be told of its machine.
    type DescribeError: fmt::Display;

    /// Answers an exit of the virtual CPU that is loaded.
    fn answer<M: Machine<Arch = Self>>(
        hypervisor: &mut Hypervisor<M>,
        vcpu: VcpuRef,
        exit: &Self::Exit,
    );
    /// Describes to a domain the machine that it sees, for the place that its plan has for that.
    ///
    /// # Errors
    /// Says why that is not possible.
    fn describe<'t>(
        plan: &DomainPlan,
        host: &Host<'_>,
        modules: &dyn Modules<'t>,
    ) -> Result<Vec<u8>, Self::DescribeError>;
    /// Reads the architecture's part of a new domain's description, and says in it what the domain becomes. Returns how
    /// many interrupts that it can own the domain is to have; `None` where it asks for what there is not.
    fn configure(config: &mut [u8; 12]) -> Option<u32>;
    /// Returns the interrupt that a control domain wants to bind: the machine's, with what kind the
    /// guest's is and which (`xen_domctl_bind_pt_irq`).
    ///
    /// # Errors
    /// Refuses a kind that there is not, and a number for the guest that it cannot have.
    fn bound_line(kind: u32, machine: u32, guest: [u8; 4]) -> Result<IrqLine, Errno>;
}
