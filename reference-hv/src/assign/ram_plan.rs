//! RAM: which banks a domain has, and which host pages are behind them.

use alloc::vec::Vec;

use super::guest_ranges::last_address;
use super::{ClaimError, ClaimFlaw, Machine, RamMapping};
use crate::addr::{Address, BLOCK_SIZE, Ipa, PAGE_SIZE, Pa, Span};
use crate::config::{DomainClaim, Host, Owner};
use crate::fault::{self, Fault};

/// Returns the banks of RAM that a domain asks for.
pub(super) fn banks<'t>(
    claim: &DomainClaim<'_>,
    machine: &Machine,
) -> Result<Vec<Span<Ipa>>, ClaimError<'t>> {
    let kib = claim.memory_kib;
    let refuse = |flaw: ClaimFlaw<'t>| Err(flaw.at(claim.origin, claim.names.memory));
    let Some(bytes) = kib.checked_mul(1024) else {
        return refuse(ClaimFlaw::MemoryWraps(kib));
    };
    if bytes == 0 {
        return refuse(ClaimFlaw::MemoryNothing(kib));
    }
    if !bytes.is_multiple_of(PAGE_SIZE) {
        return refuse(ClaimFlaw::MemoryPages(kib));
    }
    let mut left = bytes;
    let mut banks = Vec::new();
    for most in machine.guest.ram {
        let room = last_address(machine.guest_bits())
            .saturating_add(1)
            .saturating_sub(most.first().raw());
        let here = left.min(most.size()).min(room);
        if let Ok(bank) = Span::new(most.first(), here) {
            banks.push(bank);
            left -= here;
        }
    }
    if left == 0 {
        Ok(banks)
    } else {
        refuse(ClaimFlaw::MemoryRoom(kib))
    }
}

/// Host RAM that nobody has.
#[derive(Clone, Debug, Default)]
pub(super) struct FreeRam {
    /// What lies as the boot loader left it.
    raw: Spans,
    /// What was cleared since its last owner.
    clean: Spans,
    /// Ranges that the host tree sets apart for certain domains, whoever has them now: they never mix with
    /// the rest.
    apart: Vec<Span<Pa>>,
}

/// A block of RAM that was taken.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Block {
    /// The block.
    pub span: Span<Pa>,
    /// Whether it was cleared since its last owner.
    pub clean: bool,
}

impl FreeRam {
    /// Takes all RAM but what anything is known about: the hypervisor and the host tree, reserved
    /// memory, the modules of every domain, what domains name as theirs, and whatever else a tree puts
    /// there.
    pub fn new(
        host: &Host<'_>,
        machine: &Machine,
        modules: &[Span<Pa>],
        static_mem: &[Span<Pa>],
    ) -> Self {
        let mut free = Self {
            raw: Spans(
                host.ram
                    .iter()
                    .filter_map(|ram| ram.narrowed_to_pages())
                    .collect(),
            ),
            ..Self::default()
        };
        for region in host
            .regions
            .iter()
            .filter(|region| region.owner != Owner::Memory)
        {
            free.raw.remove(region.span);
        }
        for taken in &machine.taken {
            free.raw.remove(taken.span);
        }
        for module in modules {
            free.raw.remove(*module);
        }
        for named in static_mem {
            if !fault::on(Fault::StaticMemoryInPool) {
                free.set_apart(*named);
            }
        }
        free
    }

    /// Returns the number of free bytes.
    pub fn bytes(&self) -> u64 {
        self.raw.bytes() + self.clean.bytes()
    }

    /// Takes the RAM behind a domain's banks.
    pub fn take<'t>(
        &mut self,
        claim: &DomainClaim<'_>,
        banks: &[Span<Ipa>],
    ) -> Result<Vec<RamMapping>, ClaimError<'t>> {
        let free = self.bytes() / 1024;
        let mut ram = Vec::new();
        for bank in banks {
            // Whole blocks first: they cost one entry of stage 2 instead of 512.
            let blocks = bank.size() / BLOCK_SIZE * BLOCK_SIZE;
            let at = self.take_units(bank.first(), blocks, BLOCK_SIZE, &mut ram);
            let left = bank.size() - (at.raw() - bank.first().raw());
            let end = self.take_units(at, left, PAGE_SIZE, &mut ram);
            if end.raw() - bank.first().raw() != bank.size() {
                let flaw = ClaimFlaw::MemoryFree(claim.memory_kib, free);
                return Err(flaw.at(claim.origin, claim.names.memory));
            }
        }
        Ok(ram)
    }

    /// Takes RAM in one piece, to be mapped where the host has it.
    pub fn take_direct<'t>(
        &mut self,
        claim: &DomainClaim<'_>,
        bits: u32,
    ) -> Result<Span<Pa>, ClaimError<'t>> {
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
        let Some(found) = self.raw.0.iter().rev().find_map(fits) else {
            return Err(ClaimFlaw::MemoryPieces(kib).at(claim.origin, claim.names.memory));
        };
        // What masters of memory were told stays with them: it never becomes another domain's.
        self.set_apart(found);
        Ok(found)
    }

    /// Takes up to `size` bytes in multiples of `unit` for the guest addresses from `at` on, and
    /// returns the guest address behind the last byte that it got. RAM comes from the top, so that
    /// guest and host addresses differ and a mix-up of the two shows.
    fn take_units(&mut self, at: Ipa, size: u64, unit: u64, ram: &mut Vec<RamMapping>) -> Ipa {
        let (mut at, mut left) = (at, size);
        while left >= unit {
            let Some(fitting) = self
                .raw
                .0
                .iter()
                .rev()
                .find_map(|span| span.narrowed_to(unit))
            else {
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
            self.raw.remove(taken);
            at = next;
            left -= bytes;
        }
        at
    }

    /// Takes `pages`, a power of two up to a block's, in a row and aligned to their size: from `near` on
    /// where that is free, so that what is asked for page by page lies together all the same.
    pub fn take_block(&mut self, near: Option<Pa>, pages: u64) -> Option<Block> {
        let size = pages * PAGE_SIZE;
        let wanted = near
            .filter(|near| near.raw().is_multiple_of(size))
            .and_then(|near| Span::new(near, size).ok());
        let lists = [(&self.clean, true), (&self.raw, false)];
        let block = lists
            .iter()
            .find_map(|(spans, clean)| {
                let span = wanted.filter(|wanted| spans.hold(*wanted))?;
                Some(Block {
                    span,
                    clean: *clean,
                })
            })
            .or_else(|| {
                lists.iter().find_map(|(spans, clean)| {
                    let span = spans.top(size)?;
                    Some(Block {
                        span,
                        clean: *clean,
                    })
                })
            })?;
        if block.clean {
            self.clean.remove(block.span);
        } else {
            self.raw.remove(block.span);
        }
        Some(block)
    }

    /// Takes back what a domain had. What was set apart for it stays apart.
    pub fn give_back(&mut self, span: Span<Pa>, clean: bool) {
        let list = if clean {
            &mut self.clean
        } else {
            &mut self.raw
        };
        if fault::on(Fault::StaticMemoryMixed) {
            list.add(span);
            return;
        }
        // Piece by piece, for memory may come back when there is none to make lists of.
        let mut rest = span.narrowed_to_pages();
        while let Some(span) = rest.take() {
            let holes = self.apart.iter().filter(|hole| hole.overlaps(span));
            let first = holes.min_by_key(|hole| hole.first());
            let (before, after) = first.map_or((Some(span), None), |hole| span.without(*hole));
            before.into_iter().for_each(|span| list.add(span));
            rest = after;
        }
    }

    /// Sets a range apart: it is nobody's to take, and does not come back either.
    pub fn set_apart(&mut self, span: Span<Pa>) {
        self.raw.remove(span);
        self.apart.push(span.widened_to_pages());
    }

    /// Makes sure that `more` ranges can be given back without a need for memory. Returns whether it
    /// could.
    pub fn reserve(&mut self, more: usize) -> bool {
        self.clean.0.try_reserve(more).is_ok() && self.raw.0.try_reserve(more).is_ok()
    }
}

/// Ranges of whole pages, sorted, disjoint and no two touching.
#[derive(Clone, Debug, Default)]
struct Spans(Vec<Span<Pa>>);

impl Spans {
    fn bytes(&self) -> u64 {
        self.0.iter().map(|span| span.size()).sum()
    }

    fn hold(&self, wanted: Span<Pa>) -> bool {
        self.0.iter().any(|span| span.covers(wanted))
    }

    /// Returns the highest range of `size` bytes that is free and aligned to its size; of a part of a
    /// block the lowest of the highest block, so that there is room for more above it.
    fn top(&self, size: u64) -> Option<Span<Pa>> {
        let block = |span: &Span<Pa>| {
            let blocks = span.narrowed_to(BLOCK_SIZE)?;
            Span::new(Pa::new(blocks.last().raw() - (BLOCK_SIZE - 1)), size).ok()
        };
        let part = |span: &Span<Pa>| Span::new(span.narrowed_to(size)?.first(), size).ok();
        self.0.iter().rev().find_map(block).or_else(|| {
            // Where no whole block is free, no part of one is to be saved.
            self.0.iter().rev().find_map(part)
        })
    }

    fn remove(&mut self, hole: Span<Pa>) {
        let hole = hole.widened_to_pages();
        let mut at = self.0.partition_point(|span| span.last() < hole.first());
        while let Some(span) = self.0.get_mut(at).filter(|span| span.overlaps(hole)) {
            match span.without(hole) {
                (None, None) => {
                    self.0.remove(at);
                }
                (Some(left), None) | (None, Some(left)) => {
                    *span = left;
                    at += 1;
                }
                (Some(before), Some(after)) => {
                    *span = before;
                    self.0.insert(at + 1, after);
                    at += 2;
                }
            }
        }
    }

    /// Adds what is not there yet.
    fn add(&mut self, span: Span<Pa>) {
        let at = self.0.partition_point(|other| other.first() < span.first());
        let joined = |one: Span<Pa>, other: Span<Pa>| {
            one.last()
                .checked_add(1)
                .filter(|end| *end == other.first())?;
            Span::new(one.first(), one.size().checked_add(other.size())?).ok()
        };
        let behind = self.0.get(at).and_then(|next| joined(span, *next));
        if behind.is_some() {
            self.0.remove(at);
        }
        let span = behind.unwrap_or(span);
        let before = at.checked_sub(1).and_then(|place| self.0.get_mut(place));
        match before.map(|before| (joined(*before, span), before)) {
            Some((Some(both), before)) => *before = both,
            Some((None, _)) | None => self.0.insert(at, span),
        }
    }
}

#[cfg(test)]
mod tests;
