//! What can be owned, and who owns it, for as long as the machine runs.
//!
//! The record that the proof of the trees leaves behind. What a control domain asks for later is judged
//! against it by the same rules, and what a domain had is taken out of it when the domain is destroyed.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use super::guest_ranges::last_address;
use super::host_ranges::{first_outside, judge_host};
use super::layout::GuestMap;
use super::owner_table::{OwnerTable, PendingClaims};
use super::ram_plan::{Block, FreeRam};
use super::{Machine, irq, taken_by};
use crate::addr::{Ipa, Pa, Span};
use crate::config::{Host, NodeId, Owner};
use crate::fault::{self, Fault};
use crate::ids::{DomainId, IrqLine, Sbdf, Trigger};

/// Why a domain does not get something.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum AssignError {
    /// It is not there to be given, or not given like this.
    Forbidden(String),
    /// Another domain has it.
    Owned(String),
    /// There is no such thing.
    Absent(String),
    /// No IOMMU that works stands before it.
    Unprotected(String),
    /// Its IOMMU cannot tell it from others.
    Range(String),
    /// It cannot be relied on any more.
    Broken(String),
}

impl fmt::Display for AssignError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Forbidden(what)
            | Self::Owned(what)
            | Self::Absent(what)
            | Self::Unprotected(what)
            | Self::Range(what)
            | Self::Broken(what) => f.write_str(what),
        }
    }
}

impl core::error::Error for AssignError {}

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

    /// Gives a domain pages of devices: every one of them that of a device which may be assigned, and of
    /// which no other domain has a part.
    ///
    /// # Errors
    /// Says why not; then nothing has changed.
    pub fn claim_pages(&mut self, who: DomainId, span: Span<Pa>) -> Result<(), AssignError> {
        if let Some(owner) = self.owners.other_of_pages(span, who)
            && !fault::on(Fault::SecondPageOwner)
        {
            let what = format_args!("names host range {span}");
            return Err(AssignError::Owned(taken_by(what, owner)));
        }
        let regions = self.host.regions.iter();
        let devices: Vec<_> = regions
            .filter(|region| region.owner == Owner::Device && region.span.overlaps(span))
            .collect();
        let owned = devices
            .iter()
            .filter_map(|region| Some((region.node?, self.owners.of_device(region.node?)?)))
            .find(|(_, owner)| *owner != who);
        if let Some((id, owner)) = owned.filter(|_| !fault::on(Fault::SecondPageOwner)) {
            let path = self.host.node(id).path();
            let what = format_args!("names host range {span}, in which {path} lies");
            return Err(AssignError::Owned(taken_by(what, owner)));
        }
        // Who owns what was judged above, where the domain's own things are no obstacle.
        let nobody = OwnerTable::default();
        let mut pending = PendingClaims::default();
        let root = self.host.node(NodeId::ROOT);
        let judged = judge_host(
            self.host,
            &self.machine,
            &nobody,
            &mut pending,
            root.into(),
            span,
            None,
        );
        judged.map_err(|flaw| AssignError::Forbidden(alloc::format!("{}", flaw.flaw)))?;
        // Where no node tells what is there, no control domain may find it out.
        let pages: Vec<_> = devices
            .iter()
            .map(|region| region.span.widened_to_pages())
            .collect();
        if let Some(page) = first_outside(span, &pages) {
            return Err(AssignError::Forbidden(alloc::format!(
                "names host range {span}, of which {page} is no device"
            )));
        }
        self.owners.add(who, span, pending.devices);
        Ok(())
    }

    /// Takes pages of devices from a domain, and the devices of which it then has nothing any more.
    pub fn release_pages(&mut self, who: DomainId, span: Span<Pa>) {
        self.owners.drop_pages(who, span);
        self.drop_devices(who);
    }

    pub(super) fn drop_devices(&mut self, who: DomainId) {
        let host = self.host;
        self.owners.drop_devices(who, |owners, id| {
            let mut own = host.regions.iter().filter(|region| region.node == Some(id));
            let lines = host.interrupts(id).map(|found| found.lines);
            let has_line = lines.is_ok_and(|lines| {
                let mut lines = lines.iter();
                lines.any(|wanted| owners.of_line(wanted.line) == Some(who))
            });
            let streams = host.streams(id).unwrap_or_default();
            let has_stream = streams
                .iter()
                .any(|stream| owners.of_stream(*stream) == Some(who));
            !has_line
                && !has_stream
                && !own.any(|region| owners.has_part(who, region.span.widened_to_pages()))
        });
    }

    /// Tells whether a domain has all of these pages.
    ///
    /// # Errors
    /// Says who has them, or that nobody does.
    pub fn has_pages(&self, who: DomainId, span: Span<Pa>) -> Result<(), AssignError> {
        if self.owners.has_pages(who, span) {
            return Ok(());
        }
        Err(match self.owners.other_of_pages(span, who) {
            Some(owner) => {
                AssignError::Owned(taken_by(format_args!("names host range {span}"), owner))
            }
            None => AssignError::Forbidden(alloc::format!(
                "names host range {span}, for which {who} has no permission"
            )),
        })
    }

    /// Gives a domain a line of one of its devices, and tells how that triggers.
    ///
    /// # Errors
    /// Says why not; then nothing has changed.
    pub fn claim_line(&mut self, who: DomainId, line: IrqLine) -> Result<Trigger, AssignError> {
        if let Some(owner) = self.owners.of_line(line).filter(|owner| *owner != who)
            && !fault::on(Fault::SecondLineOwner)
        {
            return Err(AssignError::Owned(taken_by(
                format_args!("names {line}"),
                owner,
            )));
        }
        irq::judge_line(self.host, &self.machine, line).map_err(AssignError::Forbidden)?;
        let mut trigger = None;
        let devices = self.owners.devices_of(who);
        let lines = devices
            .filter_map(|id| self.host.interrupts(id).ok())
            .flat_map(|found| found.lines);
        for wanted in lines.filter(|wanted| wanted.line == line) {
            if *trigger.get_or_insert(wanted.trigger) != wanted.trigger {
                return Err(AssignError::Forbidden(alloc::format!(
                    "names {line}, which two devices of {who} want to trigger in two ways"
                )));
            }
        }
        let Some(trigger) = trigger else {
            return Err(AssignError::Forbidden(alloc::format!(
                "names {line}, which is that of no device of {who}"
            )));
        };
        self.owners.add_line(who, line);
        Ok(trigger)
    }

    /// Takes a line from a domain, and the devices of which it then has nothing any more.
    pub fn release_line(&mut self, who: DomainId, line: IrqLine) {
        self.owners.drop_line(who, line);
        self.drop_devices(who);
    }

    /// Takes all its lines from a domain.
    pub fn release_lines(&mut self, who: DomainId) {
        if !fault::on(Fault::LineOwnerKept) {
            self.owners.drop_lines(who);
        }
    }

    /// Takes all its devices and their pages from a domain.
    pub fn release_devices(&mut self, who: DomainId) {
        if !fault::on(Fault::PageOwnerKept) {
            self.owners.drop_rest(who);
        }
    }
}
