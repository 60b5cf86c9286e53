//! What can be owned, and who owns it, for as long as the machine runs.
//!
//! The record that the proof of the trees leaves behind. What a control domain asks for later is judged
//! against it by the same rules, and what a domain had is taken out of it when the domain is destroyed.

use alloc::vec::Vec;

use super::guest_ranges::last_address;
use super::host_ranges::{first_outside, judge_host};
use super::layout::GuestMap;
use super::owner_table::{Claimant, OwnerTable, PendingClaims};
use super::ram_plan::{Block, FreeRam};
use super::{AssignError, Ground, Machine, irq};
use crate::addr::{Ipa, Pa, Span};
use crate::config::Host;
use crate::fault::{self, Fault};
use crate::ids::{DomainId, IrqLine, Sbdf, Trigger};

/// What there is to own.
#[derive(Debug)]
pub struct ResourceTable<'h> {
    pub(super) host: &'h Host<'h>,
    pub(super) machine: Machine,
    pub(super) owners: OwnerTable,
    free: FreeRam,
    /// Who has the hardware.
    pub(super) hardware: Option<DomainId>,
    /// PCI functions that it has found, whoever has them now.
    pub(super) found_by_hardware: Vec<Sbdf>,
    /// PCI functions of which something went away that others depend on.
    pub(super) broken: Vec<Sbdf>,
}

impl<'h> ResourceTable<'h> {
    /// Returns what the architecture fixes of the machines that domains see.
    pub fn guest(&self) -> &'static GuestMap {
        self.machine.guest
    }

    pub(super) fn new(
        host: &'h Host<'h>,
        machine: Machine,
        owners: OwnerTable,
        free: FreeRam,
        hardware: Option<DomainId>,
    ) -> Self {
        Self {
            host,
            machine,
            owners,
            free,
            hardware,
            found_by_hardware: Vec::new(),
            broken: Vec::new(),
        }
    }

    /// Returns the number of bytes of RAM that any domain may get.
    pub fn free(&self) -> u64 {
        self.free.bytes()
    }

    /// Returns the number of bytes of RAM that the machine has.
    pub fn ram(&self) -> u64 {
        self.host.ram.iter().map(|span| span.size()).sum()
    }

    /// Returns the last guest-physical address that a domain can use.
    pub fn last(&self) -> Ipa {
        Ipa::new(last_address(self.machine.guest_bits()))
    }

    /// Takes `pages` of RAM, a power of two up to a block's; from `near` on where that is free.
    pub fn take(&mut self, near: Option<Pa>, pages: u64) -> Option<Block> {
        self.free.take_block(near, pages)
    }

    /// Takes RAM back, to where it came from. `clean` says that it was cleared since it was taken.
    pub fn give_back(&mut self, span: Span<Pa>, clean: bool) {
        self.free.give_back(span, clean);
    }

    /// Makes sure that `more` ranges of RAM can be given back without a need for memory. Returns whether
    /// it could.
    pub fn reserve(&mut self, more: usize) -> bool {
        self.free.reserve(more)
    }

    /// Returns what a claim of `by` is judged against.
    pub(super) fn ground(&self, by: Claimant) -> Ground<'_, 'h> {
        Ground {
            host: self.host,
            machine: &self.machine,
            owners: &self.owners,
            by,
        }
    }

    /// Gives a domain pages of devices: every one of them that of a device which may be assigned, and of
    /// which no other domain has a part.
    ///
    /// # Errors
    /// Says why not; then nothing has changed.
    pub fn claim_pages(&mut self, who: DomainId, span: Span<Pa>) -> Result<(), AssignError<'h>> {
        let mut pending = PendingClaims::default();
        let devices = judge_host(self.ground(who.into()), &mut pending, span, None)?;
        // Where no node tells what is there, no control domain may find it out.
        if let Some(page) = first_outside(span, &devices) {
            return Err(AssignError::NoDevicePage { span, page });
        }
        self.owners.pages.add(who, span);
        for id in pending.devices {
            self.owners.devices.add(who, id);
        }
        Ok(())
    }

    /// Takes pages of devices from a domain, and the devices of which it then has nothing any more.
    pub fn release_pages(&mut self, who: DomainId, span: Span<Pa>) {
        self.owners.pages.remove(who, span);
        self.drop_devices(who);
    }

    /// Takes the devices from a domain of which it has nothing any more.
    pub(super) fn drop_devices(&mut self, who: DomainId) {
        let (host, owners) = (self.host, &self.owners);
        let devices: Vec<_> = owners.devices.of(who).collect();
        let gone = devices.into_iter().filter(|id| {
            let lines = host.interrupts(*id).map(|found| found.lines);
            let mut lines = lines.unwrap_or_default().into_iter();
            let mut streams = host.streams(*id).unwrap_or_default().iter();
            let mut regions = host.regions_of(*id).iter();
            !lines.any(|wanted| owners.lines.has(who, wanted.line))
                && !streams.any(|stream| owners.streams.has(who, *stream))
                && !regions.any(|region| owners.pages.has(who, region.span.widened_to_pages()))
        });
        for id in gone.collect::<Vec<_>>() {
            self.owners.devices.remove(who, id);
        }
    }

    /// Tells whether a domain has all of these pages.
    ///
    /// # Errors
    /// Says who has them, or that nobody does.
    pub fn has_pages(&self, who: DomainId, span: Span<Pa>) -> Result<(), AssignError<'h>> {
        if self.owners.has_pages(who, span) {
            return Ok(());
        }
        Err(match self.owners.pages.rival(who.into(), span) {
            Some((span, owner)) => AssignError::PagesOwned { span, owner },
            None => AssignError::NotPermitted { span, who },
        })
    }

    /// Gives a domain a line of one of its devices, and tells how that triggers.
    ///
    /// # Errors
    /// Says why not; then nothing has changed.
    pub fn claim_line(&mut self, who: DomainId, line: IrqLine) -> Result<Trigger, AssignError<'h>> {
        irq::judge_line(self.ground(who.into()), line)?;
        let devices = self.owners.devices.of(who);
        let lines = devices.filter_map(|id| self.host.interrupts(id).ok());
        let lines = lines.flat_map(|found| found.lines);
        let mut triggers = lines
            .filter(|wanted| wanted.line == line)
            .map(|own| own.trigger);
        let trigger = triggers.next();
        let trigger = trigger.ok_or(AssignError::LineOfNothing { line, who })?;
        if triggers.any(|other| other != trigger) {
            return Err(AssignError::TwoTriggers { line, who });
        }
        self.owners.lines.add(who, line);
        Ok(trigger)
    }

    /// Takes a line from a domain, and the devices of which it then has nothing any more.
    pub fn release_line(&mut self, who: DomainId, line: IrqLine) {
        self.owners.lines.remove(who, line);
        self.drop_devices(who);
    }

    /// Takes all its lines from a domain.
    pub fn release_lines(&mut self, who: DomainId) {
        if !fault::on(Fault::LineOwnerKept) {
            self.owners.lines.remove_all(who);
        }
    }

    /// Takes all its devices and their pages from a domain.
    pub fn release_devices(&mut self, who: DomainId) {
        if !fault::on(Fault::PageOwnerKept) {
            self.owners.remove_rest(who);
        }
    }
}
