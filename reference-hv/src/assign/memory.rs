//! RAM: which banks a domain has, and which host pages are behind them.

use alloc::vec::Vec;

use super::guest::last_address;
use super::{Machine, RamMapping, layout};
use crate::addr::{Address, BLOCK_SIZE, Ipa, PAGE_SIZE, Pa, Span};
use crate::config::{DomainClaim, Flaw, Host, Owner};
use crate::fault::{self, Fault};

/// Returns the banks of RAM that a domain asks for.
pub(super) fn banks(claim: &DomainClaim<'_>, machine: &Machine) -> Result<Vec<Span<Ipa>>, Flaw> {
    let kib = claim.memory_kib;
    let refuse = |what: &str| {
        Err(Flaw::new(
            claim.node,
            claim.names.memory,
            format_args!("is {kib} KiB, {what}"),
        ))
    };
    let Some(bytes) = kib.checked_mul(1024) else {
        return refuse("more than addresses can say");
    };
    if bytes == 0 {
        return refuse("which is nothing");
    }
    if !bytes.is_multiple_of(PAGE_SIZE) {
        return refuse("which is no whole number of pages");
    }
    let mut left = bytes;
    let mut banks = Vec::new();
    for (base, size) in [
        (layout::RAM0_BASE, layout::RAM0_SIZE),
        (layout::RAM1_BASE, layout::RAM1_SIZE),
    ] {
        let room = last_address(machine.guest_bits())
            .saturating_add(1)
            .saturating_sub(base.raw());
        let here = left.min(size).min(room);
        if let Ok(bank) = Span::new(base, here) {
            banks.push(bank);
            left -= here;
        }
    }
    if left == 0 {
        Ok(banks)
    } else {
        refuse("more than the guest's address space has room for")
    }
}

/// Host RAM that nobody has.
#[derive(Clone, Debug, Default)]
pub(super) struct FreeRam(Vec<Span<Pa>>);

impl FreeRam {
    /// Takes all RAM but what anything is known about: the hypervisor and the host tree, reserved
    /// memory, the modules of every domain, what domains name as theirs, and whatever else a tree puts
    /// there.
    pub fn new(
        host: &Host<'_>,
        machine: &Machine,
        modules: &[Span<Pa>],
        statics: &[Span<Pa>],
    ) -> Self {
        let mut free = Self(
            host.ram
                .iter()
                .filter_map(|ram| ram.narrowed_to_pages())
                .collect(),
        );
        for region in host
            .regions
            .iter()
            .filter(|region| region.owner != Owner::Memory)
        {
            free.remove(region.span);
        }
        for taken in &machine.taken {
            free.remove(taken.span);
        }
        for module in modules {
            free.remove(*module);
        }
        for named in statics {
            if !fault::on(Fault::StaticMemoryInPool) {
                free.remove(*named);
            }
        }
        free
    }

    fn remove(&mut self, hole: Span<Pa>) {
        let hole = hole.widened_to_pages();
        if self.0.iter().any(|span| span.overlaps(hole)) {
            self.0 = self
                .0
                .iter()
                .flat_map(|span| {
                    let (before, after) = span.without(hole);
                    [before, after]
                })
                .flatten()
                .collect();
        }
    }

    /// Returns the number of free bytes.
    fn bytes(&self) -> u64 {
        self.0.iter().map(|span| span.size()).sum()
    }

    /// Takes the RAM behind a domain's banks.
    pub fn take(
        &mut self,
        claim: &DomainClaim<'_>,
        banks: &[Span<Ipa>],
    ) -> Result<Vec<RamMapping>, Flaw> {
        let free = self.bytes() / 1024;
        let mut ram = Vec::new();
        for bank in banks {
            // Whole blocks first: they cost one entry of stage 2 instead of 512.
            let blocks = bank.size() / BLOCK_SIZE * BLOCK_SIZE;
            let at = self.take_units(bank.first(), blocks, BLOCK_SIZE, &mut ram);
            let left = bank.size() - (at.raw() - bank.first().raw());
            let end = self.take_units(at, left, PAGE_SIZE, &mut ram);
            if end.raw() - bank.first().raw() != bank.size() {
                let kib = claim.memory_kib;
                let what = format_args!("is {kib} KiB, more than the {free} KiB that are free");
                return Err(Flaw::new(claim.node, claim.names.memory, what));
            }
        }
        Ok(ram)
    }

    /// Takes RAM in one piece, to be mapped where the host has it.
    pub fn take_direct(&mut self, claim: &DomainClaim<'_>, bits: u32) -> Result<Span<Pa>, Flaw> {
        let kib = claim.memory_kib;
        let bytes = kib.checked_mul(1024).filter(|bytes| bytes % PAGE_SIZE == 0);
        let reach = Span::new(Pa::new(0), last_address(bits)).ok();
        let fits = |span: &Span<Pa>| {
            let fitting = span.intersection(reach?)?.narrowed_to(BLOCK_SIZE)?;
            let base =
                fitting.last().raw().checked_sub(bytes?.checked_sub(1)?)? / BLOCK_SIZE * BLOCK_SIZE;
            Span::new(Pa::new(base), bytes?)
                .ok()
                .filter(|found| fitting.covers(*found))
        };
        let Some(found) = self.0.iter().rev().find_map(fits) else {
            let what = format_args!("is {kib} KiB, for which no RAM in one piece is free");
            return Err(Flaw::new(claim.node, claim.names.memory, what));
        };
        self.remove(found);
        Ok(found)
    }

    /// Takes up to `size` bytes in multiples of `unit` for the guest addresses from `at` on, and
    /// returns the guest address behind the last byte that it got. RAM comes from the top, so that
    /// guest and host addresses differ and a mix-up of the two shows.
    fn take_units(&mut self, at: Ipa, size: u64, unit: u64, ram: &mut Vec<RamMapping>) -> Ipa {
        let (mut at, mut left) = (at, size);
        while left >= unit {
            let Some(fitting) = self.0.iter().rev().find_map(|span| span.narrowed_to(unit)) else {
                break;
            };
            let bytes = fitting.size().min(left) / unit * unit;
            let base = Pa::new(fitting.last().raw() - (bytes - 1));
            let (Ok(taken), Some(next)) = (Span::new(base, bytes), at.checked_add(bytes)) else {
                break;
            };
            ram.push(RamMapping {
                ipa: at,
                pa: taken.first(),
                pages: taken.pages(),
            });
            self.remove(taken);
            at = next;
            left -= bytes;
        }
        at
    }
}
