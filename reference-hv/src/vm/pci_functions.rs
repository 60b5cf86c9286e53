//! PCI functions of domains: how they come, what the domain sees of them, and how they go.
//!
//! A function that goes is switched off first and reset then; it stays its domain's until that is done, which takes as
//! long as the manuals let a function take.

use alloc::vec::Vec;

use super::Domain;
use super::address_space::AddressSpace;
use super::hwdom_pci::Buses;
use crate::access::Width;
use crate::addr::{Ipa, Pa, Span};
use crate::assign::layout::Bridge;
use crate::assign::{DomainPlan, FunctionPlan, ResourceTable};
use crate::config::HostBridge;
use crate::errno::Errno;
use crate::fault::{self, Fault};
use crate::hal::{Clock, ConfigSpace, Machine};
use crate::ids::Sbdf;
use crate::pci::reset::{End, Progress as Reset, ResetRun};
use crate::pci::{Inventory, Reset as How};
use crate::vdev::Rejected;
use crate::vdev::vpci::{Given, Port, Vpci, Window, Windows};

/// The PCI functions of a domain.
#[derive(Debug, Default)]
pub struct Functions {
    /// What it sees of them.
    bridge: Option<Vpci>,
    /// What it has.
    pub(super) own: Vec<FunctionPlan>,
    /// What is being taken from it.
    pub(super) pending_resets: Vec<PendingReset>,
    /// What the hardware domain sees of the machine's own buses.
    pub(super) buses: Option<Buses>,
}

/// A function that is being reset.
#[derive(Debug)]
pub struct PendingReset {
    /// What it was.
    pub(super) plan: FunctionPlan,
    reset: ResetRun,
    /// When there is something to do again.
    due: u64,
}

/// What the functions of a domain act on: the machine, and the domain's address space.
pub(super) struct FunctionBackend<'a, M: Machine> {
    pub machine: &'a mut M,
    pub memory: &'a mut AddressSpace<M::Format>,
}

impl<M: Machine> ConfigSpace for FunctionBackend<'_, M> {
    fn config_read(&mut self, at: Sbdf, offset: u16, width: Width) -> u32 {
        self.machine.config_read(at, offset, width)
    }
    fn config_write(&mut self, at: Sbdf, offset: u16, width: Width, value: u32) {
        self.machine.config_write(at, offset, width, value);
    }
}

impl<M: Machine> Port for FunctionBackend<'_, M> {
    fn map(&mut self, guest: Span<Ipa>, host: Pa) -> bool {
        !self.memory.meets(guest) && self.memory.map_device(self.machine, guest, host).is_ok()
    }

    fn unmap(&mut self, guest: Span<Ipa>) {
        // It is the whole of what was mapped, so no block has to be parted for it.
        if self.memory.remove(self.machine, guest).is_ok() {
            self.memory.devices.remove(guest);
        }
    }
}

impl<M: Machine> Domain<M> {
    /// Lets the domain see a function that is its own, behind the bridge that it has then.
    ///
    /// # Errors
    /// Refuses one more function than a bus has room for.
    pub(super) fn show(&mut self, machine: &mut M, plan: &FunctionPlan) -> Result<(), Errno> {
        let bridge = self.layout.bridge.unwrap_or(self.layout.guest.bridge);
        self.layout.bridge = Some(bridge);
        self.emulated.set_bridge(0, bridge.ecam);
        let Self {
            functions, memory, ..
        } = self;
        let vpci = functions
            .bridge
            .get_or_insert_with(|| Vpci::new(windows(&bridge)));
        let given = Given {
            function: &plan.function,
            host: plan.bars,
            interrupts: plan.line.is_some(),
        };
        let mut backend = FunctionBackend { machine, memory };
        vpci.add(&mut backend, &given).map_err(|_| Errno::ENOSPC)?;
        functions.own.push(plan.clone());
        Ok(())
    }

    /// Lets the hardware domain see the machine's own buses, where the host has its bridges.
    pub(super) fn show_buses(&mut self, plan: &DomainPlan, bridges: &[HostBridge]) {
        let shown = plan.view.iter().flat_map(|view| &view.bridges);
        let shown: Vec<(usize, &HostBridge)> = shown
            .filter_map(|number| Some((*number, bridges.get(*number)?)))
            .collect();
        for (number, bridge) in &shown {
            self.emulated.set_bridge(*number, bridge.ecam.direct());
        }
        if !shown.is_empty() {
            self.functions.buses = Some(Buses::backend(shown.iter().map(|(_, bridge)| *bridge)));
        }
    }

    /// Carries out an access to the configuration space that the domain sees.
    pub(super) fn configure(
        &mut self,
        machine: &mut M,
        offset: u64,
        width: Width,
        write: Option<u64>,
    ) -> Result<u64, Rejected> {
        let Self {
            functions, memory, ..
        } = self;
        let vpci = functions.bridge.as_mut().ok_or(Rejected)?;
        let mut backend = FunctionBackend { machine, memory };
        match write {
            None => vpci.read(&mut backend, offset, width),
            Some(value) => vpci.write(&mut backend, offset, width, value).map(|()| 0),
        }
    }

    /// Has the domain see nothing of a function any more, and begins to take it away: it is off when this returns.
    /// `others` says whether what is reset with it may be reset.
    pub(super) fn detach_function(&mut self, machine: &mut M, at: Sbdf, others: bool) {
        let Self {
            functions, memory, ..
        } = self;
        let Some(place) = functions.own.iter().position(|plan| plan.function.at == at) else {
            return;
        };
        let plan = functions.own.remove(place);
        if let Some(vpci) = &mut functions.bridge {
            vpci.remove(&mut FunctionBackend { machine, memory }, at);
        }
        if plan.streams.is_empty() && fault::on(Fault::PciUnprotectedLeft) {
            return;
        }
        let how = match plan.function.reset {
            How::Bus(_) if !others => How::None,
            other => other,
        };
        let reset = ResetRun::begin(machine, &plan.function, how);
        let due = machine.now();
        functions
            .pending_resets
            .push(PendingReset { plan, reset, due });
    }

    /// Begins to take all functions away.
    pub(super) fn detach_all_functions(&mut self, machine: &mut M, resources: &ResourceTable<'_>) {
        let all: Vec<Sbdf> = self
            .functions
            .own
            .iter()
            .map(|plan| plan.function.at)
            .collect();
        for at in &all {
            self.detach_function(machine, *at, resources.may_reset_with(*at, &all));
        }
    }

    /// Goes on with the functions that are being taken away, and returns those of which nothing is left to do.
    pub(super) fn advance_resets(
        &mut self,
        machine: &mut M,
        inventory: &Inventory,
    ) -> Vec<FunctionPlan> {
        let mut done = Vec::new();
        let mut still = Vec::new();
        for mut pending_resets in self.functions.pending_resets.drain(..) {
            let now = machine.now();
            if now < pending_resets.due {
                still.push(pending_resets);
                continue;
            }
            let at = pending_resets.plan.function.at;
            match pending_resets.reset.advance(machine, inventory) {
                Reset::Wait(microseconds) => {
                    pending_resets.due = now.saturating_add(ticks(machine, microseconds));
                    still.push(pending_resets);
                    continue;
                }
                Reset::Done(End::Reset) => {}
                Reset::Done(End::Stopped) => machine.line(format_args!(
                    "PCI {at} is off, but nothing resets it alone: what was set in it stays"
                )),
                Reset::Done(End::Gone) => {
                    machine.line(format_args!("PCI {at} does not answer any more"));
                }
            }
            done.push(pending_resets.plan);
        }
        self.functions.pending_resets = still;
        done
    }
}

/// Returns how many ticks of the clock so many microseconds are, at least.
fn ticks(clock: &impl Clock, microseconds: u32) -> u64 {
    let ticks = u128::from(clock.frequency()) * u128::from(microseconds);
    u64::try_from(ticks.div_ceil(1_000_000)).unwrap_or(u64::MAX)
}

/// Returns the windows of a bridge as the functions behind it find them.
fn windows(bridge: &Bridge) -> Windows {
    let window = |span, prefetchable| Window { span, prefetchable };
    let high = bridge.high.map(|high| window(high, true));
    Windows {
        list: [window(bridge.low, false)]
            .into_iter()
            .chain(high)
            .collect(),
        direct: bridge.direct,
    }
}
