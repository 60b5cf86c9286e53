//! What the hardware domain does with the PCI host bridges: it looks through them, says which functions there are, and
//! has those that nobody else was given.

use alloc::vec::Vec;

use super::pci_functions::FunctionBackend;
use super::{Hypervisor, VcpuRef};
use crate::access::{Access, Width};
use crate::addr::{Ipa, Pa, Span};
use crate::assign::{FunctionPlan, ResourceTable};
use crate::config::HostBridge;
use crate::errno::Errno;
use crate::fault::{self, Fault};
use crate::hal::{ConfigSpace, Machine};
use crate::ids::Sbdf;
use crate::pci::{AddError, Function, FunctionDefect, Inventory, quiesce};
use crate::vdev::Rejected;
use crate::vdev::vpci::{Access as May, Hardware, HostWindow, Port};

impl<M: Machine> Hypervisor<M> {
    /// Carries out an access to the configuration space behind the host bridge with this number that a domain sees.
    pub fn configuration(
        &mut self,
        place: VcpuRef,
        bridge: usize,
        offset: u64,
        access: &Access,
    ) -> Result<u64, Rejected> {
        let Self {
            machine,
            domains,
            resources,
            ..
        } = self;
        let domain = domains.get_mut(place.domain).ok_or(Rejected)?;
        if domain.functions.buses.is_none() {
            return domain.configure(machine, offset, access.width, access.write);
        }
        let host = resources.bridges().get(bridge).ok_or(Rejected)?;
        let bus = u8::try_from(offset >> 20).map_err(|_| Rejected)?;
        let bus = bus.checked_add(*host.buses.start()).ok_or(Rejected)?;
        let [devfn, ..] = (offset >> 12).to_le_bytes();
        let at = Sbdf {
            segment: host.segment,
            bus,
            devfn,
        };
        let register = u16::try_from(offset & 0xfff).map_err(|_| Rejected)?;
        let functions = &mut domain.functions;
        let Buses { view, seen } = functions.buses.as_mut().ok_or(Rejected)?;
        let mut allowed = may(resources, at, seen.get(at));
        let mut port = Watched {
            backend: FunctionBackend {
                machine,
                memory: &mut domain.memory,
            },
            resources,
        };
        // It looks at functions, and finds out how large their registers are, before it says that they are there.
        if allowed != May::Hidden
            && !view.knows(at)
            && let Ok(function) = seen.add(&mut port, at, None, &mut |_| {})
        {
            allowed = may(resources, at, Some(function));
            if allowed != May::Hidden {
                view.refresh(&mut port, function);
            }
        }
        match access.write {
            None => view.read(&mut port, at, register, access.width, allowed),
            Some(value) => view
                .write(&mut port, at, register, access.width, value, allowed)
                .map(|()| 0),
        }
    }
}

/// What the hardware domain sees of the machine's own buses.
#[derive(Debug)]
pub struct Buses {
    /// How it sees them.
    view: Hardware,
    /// The functions that it has looked at.
    seen: Inventory,
}

impl Buses {
    /// Makes a view of what is behind these host bridges.
    pub fn backend<'b>(bridges: impl Iterator<Item = &'b HostBridge> + Clone) -> Self {
        let windows = bridges.clone().flat_map(|bridge| {
            bridge.windows.iter().map(|window| HostWindow {
                segment: bridge.segment,
                bus: window.bus,
                cpu: window.cpu,
            })
        });
        let segments = bridges.map(HostBridge::as_segment);
        Self {
            view: Hardware::new(windows.collect()),
            seen: Inventory::empty(segments.collect()),
        }
    }
}

/// Says what the hardware domain may do with a function; `seen` is what it has found there itself.
fn may(resources: &ResourceTable<'_>, at: Sbdf, seen: Option<&Function>) -> May {
    if !resources.is_for_hardware(at, seen) {
        May::Hidden
    } else if resources.is_above_others(at) || seen.is_some_and(|seen| resources.is_loud(seen)) {
        May::ReadOnly
    } else {
        May::Full
    }
}

/// What functions that the hardware domain uses act on: what other domains have of the bus is not covered.
struct Watched<'a, 'e, M: Machine> {
    backend: FunctionBackend<'a, M>,
    resources: &'a ResourceTable<'e>,
}

impl<M: Machine> ConfigSpace for Watched<'_, '_, M> {
    fn config_read(&mut self, at: Sbdf, offset: u16, width: Width) -> u32 {
        self.backend.config_read(at, offset, width)
    }
    fn config_write(&mut self, at: Sbdf, offset: u16, width: Width, value: u32) {
        self.backend.config_write(at, offset, width, value);
    }
}

impl<M: Machine> Port for Watched<'_, '_, M> {
    fn map(&mut self, guest: Span<Ipa>, host: Pa) -> bool {
        let span = Span::new(host, guest.size());
        span.is_ok_and(|span| !self.resources.is_foreign(span)) && self.backend.map(guest, host)
    }
    fn unmap(&mut self, guest: Span<Ipa>) {
        self.backend.unmap(guest);
    }
}

impl<M: Machine> Hypervisor<M> {
    /// Takes note of a function that the hardware domain has found: it is the hardware domain's then. `physical` is the
    /// physical function of a virtual one.
    ///
    /// # Errors
    /// Refuses what is not there, a virtual function whose physical one is not known, and one that is not isolated from
    /// what another domain has.
    pub fn add_function(&mut self, at: Sbdf, physical: Option<Sbdf>) -> Result<(), Errno> {
        self.roomy()?;
        if !self.is_known(at) {
            let Self {
                machine, resources, ..
            } = self;
            let mut warnings = Vec::new();
            let functions = resources.functions_mut();
            let added = functions.add(machine, at, physical, &mut |warning| warnings.push(warning));
            let added = added.map(|_| ());
            for warning in warnings {
                machine.line(format_args!("{warning}"));
            }
            added.map_err(|error| match error {
                AddError::Full => Errno::ENOMEM,
                AddError::Bus
                | AddError::Unreachable
                | AddError::Absent
                | AddError::Changed
                | AddError::Physical(_) => Errno::ENODEV,
            })?;
        }
        if self.resources.owner_of(at).is_some() {
            return Ok(());
        }
        let adopted = self.resources.adopt_function(at);
        let plan = adopted.map_err(|error| {
            self.machine.line(format_args!("PCI function: {error}"));
            error.errno()
        })?;
        let hardware = self
            .resources
            .hardware()
            .and_then(|id| self.find_domain(id));
        if let (Some(plan), Some(place)) = (plan, hardware) {
            self.attach_to_hwdom(place, &plan);
        }
        Ok(())
    }

    /// Forgets a function that the hardware domain says is gone.
    ///
    /// # Errors
    /// Refuses one that is not known, one that another domain has, and a physical one with virtual ones, which are broken
    /// then.
    pub fn remove_function(&mut self, at: Sbdf) -> Result<(), Errno> {
        let functions = self.resources.functions();
        let virtual_ones = functions.functions().iter();
        let virtual_ones =
            virtual_ones.filter(|other| other.flaw == Some(FunctionDefect::Virtual(at)));
        let dependents: Vec<Sbdf> = virtual_ones.map(|other| other.at).collect();
        if !dependents.is_empty() {
            self.resources
                .mark_broken(dependents.into_iter().chain([at]));
            return Err(Errno::EBUSY);
        }
        let forgotten = self.resources.forget_function(at);
        let plan = forgotten.map_err(|error| error.errno())?;
        let hardware = self
            .resources
            .hardware()
            .and_then(|id| self.find_domain(id));
        if let (Some(plan), Some(place)) = (plan, hardware) {
            self.hide_from_hwdom(place, &plan);
        }
        Ok(())
    }

    /// Looks again at a function that was reset.
    ///
    /// # Errors
    /// Refuses one that is not known.
    pub fn note_reset(&mut self, at: Sbdf) -> Result<(), Errno> {
        if !self.is_known(at) {
            return Err(Errno::ENODEV);
        }
        let hardware = self
            .resources
            .hardware()
            .and_then(|id| self.find_domain(id));
        if let Some(place) = hardware {
            self.refresh(place, at);
        }
        Ok(())
    }

    /// Tells whether a function is known.
    pub fn is_known(&self, at: Sbdf) -> bool {
        self.resources.functions().get(at).is_some()
    }

    /// Returns the functions that are not isolated from one, itself left out.
    ///
    /// # Errors
    /// Refuses one that is not known.
    pub fn function_group(&self, at: Sbdf) -> Result<Vec<Sbdf>, Errno> {
        if !self.is_known(at) {
            return Err(Errno::ENODEV);
        }
        Ok(self.resources.group_of(at))
    }

    /// Has the hardware domain use a function that is its own.
    pub(super) fn attach_to_hwdom(&mut self, place: usize, plan: &FunctionPlan) {
        let Ok((machine, domain, _)) = self.parts_of(place) else {
            return;
        };
        let (root, tag, id) = (domain.memory.space.root(), domain.memory.tag, domain.id);
        for stream in &plan.streams {
            // Where an IOMMU does not translate, it stops what is behind it.
            let _ = machine.attach(*stream, id, root, tag.iommu_domain());
        }
        if let Some(line) = plan.line {
            // Without its line it can be used all the same.
            let _ = domain.begin_line(machine, line.line, line.trigger);
        }
        self.refresh(place, plan.function.at);
    }

    /// Has the hardware domain use a function no more.
    pub(super) fn hide_from_hwdom(&mut self, place: usize, plan: &FunctionPlan) {
        let hardware = self.resources.hardware();
        for stream in &plan.streams {
            if self.resources.owner_of_stream(*stream) != hardware {
                self.machine.detach(*stream);
            }
        }
        let at = plan.function.at;
        self.watch(place, |buses, port| {
            buses.view.forget(port, at);
            // One that came later in its place would be looked at anew.
            let _ = buses.seen.remove(at);
        });
    }

    /// Takes from the hardware domain what it has found, reported or not, and may not use any more now that others have
    /// something of it: it is off when this returns.
    pub(super) fn unmap_from_hwdom(&mut self) {
        let hardware = self
            .resources
            .hardware()
            .and_then(|id| self.find_domain(id));
        let Some(place) = hardware.filter(|_| !fault::on(Fault::LookedAtStays)) else {
            return;
        };
        let buses = self.domains.get(place);
        let buses = buses.and_then(|domain| domain.functions.buses.as_ref());
        let found = buses.into_iter().flat_map(|buses| buses.seen.functions());
        let lost = found.filter(|found| {
            !found.is_bridge() && !self.resources.is_for_hardware(found.at, Some(found))
        });
        let lost: Vec<Function> = lost.cloned().collect();
        for function in lost {
            self.watch(place, |buses, port| {
                quiesce(port, &function);
                buses.view.forget(port, function.at);
                let _ = buses.seen.remove(function.at);
            });
        }
    }

    /// Maps what a function of the hardware domain's decodes now.
    fn refresh(&mut self, place: usize, at: Sbdf) {
        let function = self.resources.functions().get(at).cloned();
        if let Some(function) =
            function.filter(|found| may(&self.resources, at, Some(found)) != May::Hidden)
        {
            self.watch(place, |buses, port| buses.view.refresh(port, &function));
        }
    }

    /// Does something with what the hardware domain sees of the buses.
    fn watch(&mut self, place: usize, deed: impl FnOnce(&mut Buses, &mut Watched<'_, '_, M>)) {
        let Self {
            machine,
            domains,
            resources,
            ..
        } = self;
        let Some(domain) = domains.get_mut(place) else {
            return;
        };
        let Some(buses) = domain.functions.buses.as_mut() else {
            return;
        };
        let mut port = Watched {
            backend: FunctionBackend {
                machine,
                memory: &mut domain.memory,
            },
            resources,
        };
        deed(buses, &mut port);
    }
}
