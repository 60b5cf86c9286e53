//! Static memory: host RAM that a domain's node names as its own.

use alloc::vec::Vec;

use super::guest_ranges::last_address;
use super::{ClaimError, ClaimFlaw, Machine, RamMapping, ram_plan};
use crate::addr::{Address, Ipa, PAGE_SIZE, Pa, Span};
use crate::config::{DomainClaim, Host, Owner, STATIC_MEMORY};
use crate::fault::{self, Fault};
use crate::ids::DomainId;

/// What is known about static memory before any domain is judged, and what domains have of it since.
#[derive(Clone, Debug, Default)]
pub(super) struct StaticMemory {
    /// The modules of all domains: what is loaded there must still be there when it is copied.
    pub modules: Vec<Span<Pa>>,
    /// What domains have.
    pub owned: Vec<(Span<Pa>, DomainId)>,
}

/// RAM as the guest sees it and the host pages behind it.
pub(super) type Backed = (Vec<Span<Ipa>>, Vec<RamMapping>);

/// Says why nobody can have a range as RAM of its own; `None` where somebody can.
pub(super) fn unfit<'t>(
    host: &Host<'t>,
    machine: &Machine,
    static_mem: &StaticMemory,
    span: Span<Pa>,
) -> Option<ClaimFlaw<'t>> {
    let unaligned = [span.first().raw(), span.size()]
        .into_iter()
        .find(|value| !value.is_multiple_of(PAGE_SIZE));
    if let Some(value) = unaligned {
        return Some(ClaimFlaw::Unaligned(span, value));
    }
    if !host.ram.iter().any(|ram| ram.covers(span)) {
        return Some(ClaimFlaw::NotInRam(span));
    }
    if let Some(taken) = machine.taken(span) {
        return Some(ClaimFlaw::OverTaken(span, taken.what));
    }
    let other = host
        .regions
        .iter()
        .find(|region| region.owner != Owner::Memory && region.span.overlaps(span));
    if let Some(other) = other {
        return Some(match other.node.map(|id| host.node(id).path()) {
            Some(path) => ClaimFlaw::OverNode(span, path),
            None => ClaimFlaw::OverReserved(span),
        });
    }
    let module = static_mem
        .modules
        .iter()
        .find(|module| module.overlaps(span));
    let module = module.filter(|_| !fault::on(Fault::StaticOverModule))?;
    Some(ClaimFlaw::OverModule(span, *module))
}

/// Judges the memory that a domain's node names, and lays it out for the domain.
pub(super) fn judge<'t>(
    host: &Host<'t>,
    machine: &Machine,
    static_mem: &StaticMemory,
    claim: &DomainClaim<'_>,
    named: &[Span<Pa>],
) -> Result<Backed, ClaimError<'t>> {
    let refuse = |flaw: ClaimFlaw<'t>| Err(flaw.at(claim.origin, STATIC_MEMORY));
    for (place, span) in named.iter().enumerate() {
        if let Some(flaw) = unfit(host, machine, static_mem, *span) {
            return refuse(flaw);
        }
        let owned = static_mem
            .owned
            .iter()
            .find(|(other, _)| other.overlaps(*span));
        if let Some((_, owner)) = owned {
            return refuse(ClaimFlaw::MemoryOwned(*span, *owner));
        }
        let earlier = named.iter().take(place).find(|other| other.overlaps(*span));
        if let Some(earlier) = earlier {
            return refuse(ClaimFlaw::OverEarlier(*span, *earlier));
        }
    }
    // The ranges lie in RAM and apart, so their sum is no more than that of all RAM.
    let size: u64 = named.iter().map(|span| span.size()).sum();
    let kib = claim.memory_kib;
    if size / 1024 != kib && !fault::on(Fault::StaticSumUnchecked) {
        return refuse(ClaimFlaw::StaticSum(size / 1024, kib));
    }
    if claim.direct_map {
        return direct(machine, claim, named);
    }
    let banks = ram_plan::banks(claim, machine)?;
    let ram = lay_out(&banks, named);
    Ok((banks, ram))
}

/// Lays memory out where the host has it.
fn direct<'t>(
    machine: &Machine,
    claim: &DomainClaim<'_>,
    named: &[Span<Pa>],
) -> Result<Backed, ClaimError<'t>> {
    let bits = machine.guest_bits();
    if let Some(wide) = named
        .iter()
        .find(|span| span.last().raw() > last_address(bits))
    {
        return Err(ClaimFlaw::TooWide(*wide, bits).at(claim.origin, STATIC_MEMORY));
    }
    let mut backed = Backed::default();
    for span in named {
        add(&mut backed, *span);
    }
    Ok(backed)
}

/// Adds a bank of RAM at its host address.
pub(super) fn add((banks, ram): &mut Backed, span: Span<Pa>) {
    let (bank, pages) = (span.direct(), span.pages());
    let mut map = |ipa: Option<Ipa>, pa: Option<Pa>, pages| {
        if let (Some(ipa), Some(pa)) = (ipa, pa) {
            ram.push(RamMapping { ipa, pa, pages });
        }
    };
    if fault::on(Fault::SecondBankMoved) && !banks.is_empty() && pages > 1 {
        // Its own pages, each behind the address of the one before.
        map(
            Some(bank.first()),
            span.first().checked_add(PAGE_SIZE),
            pages - 1,
        );
        let last = bank.first().checked_add((pages - 1) * PAGE_SIZE);
        map(last, Some(span.first()), 1);
    } else {
        map(Some(bank.first()), Some(span.first()), pages);
    }
    banks.push(bank);
}

/// Puts ranges of host memory, one behind the other, behind the banks of a guest.
fn lay_out(banks: &[Span<Ipa>], named: &[Span<Pa>]) -> Vec<RamMapping> {
    let mut ram = Vec::new();
    let mut rest: Vec<Span<Pa>> = named.iter().rev().copied().collect();
    for bank in banks {
        let mut done = 0;
        while done < bank.size() {
            let (Some(span), Some(ipa)) = (rest.pop(), bank.first().checked_add(done)) else {
                break;
            };
            let pages = (bank.size() - done).min(span.size()) / PAGE_SIZE;
            ram.push(RamMapping {
                ipa,
                pa: span.first(),
                pages,
            });
            done += pages * PAGE_SIZE;
            if let Some(used) = Span::of_pages(span.first(), pages)
                && let (_, Some(left)) | (Some(left), None) = span.without(used)
            {
                rest.push(left);
            }
        }
    }
    ram
}
