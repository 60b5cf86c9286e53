//! Device pages, guest side: inside the guest's address space and over nothing else in it.

use alloc::vec::Vec;

use super::layout::{Bridge, Layout};
use super::owner_table::{Mapping, PendingClaims};
use super::{ClaimError, ClaimFlaw, Machine, MmioMapping};
use crate::addr::{Ipa, Pa, Span};
use crate::config::XEN_REG;
use crate::fault::{self, Fault};

/// Judges the guest ranges of a domain.
pub(super) fn judge<'t>(
    pending: &PendingClaims<'t>,
    banks: &[Span<Ipa>],
    layout: &Layout,
    machine: &Machine,
) -> Result<(), ClaimError<'t>> {
    let emulated = emulated(layout);
    for mapping in &pending.mappings {
        let guest = mapping.guest;
        let refuse = |flaw: ClaimFlaw<'t>| Err(flaw.at(mapping.origin, XEN_REG));
        let bits = machine.guest_bits();
        if guest.last().raw() > last_address(bits) && !fault::on(Fault::IpaWidthUnchecked) {
            return refuse(ClaimFlaw::GuestWide(guest, bits));
        }
        if let Some(bank) = banks.iter().find(|bank| bank.overlaps(guest))
            && !fault::on(Fault::GuestRamOverlap)
        {
            return refuse(ClaimFlaw::GuestOverRam(guest, *bank));
        }
        if let Some((what, span)) = emulated.iter().find(|(_, span)| span.overlaps(guest))
            && !fault::on(Fault::GuestDeviceOverlap)
        {
            return refuse(ClaimFlaw::GuestOverDevice(guest, what, *span));
        }
    }
    let mut sorted: Vec<&Mapping<'t>> = pending.mappings.iter().collect();
    sorted.sort_by_key(|mapping| mapping.guest);
    for pair in sorted.windows(2) {
        if let [one, other] = pair
            && one.guest.overlaps(other.guest)
            && !fault::on(Fault::GuestRangesOverlap)
        {
            let flaw = ClaimFlaw::GuestTwice(other.guest, one.guest, one.origin);
            return Err(flaw.at(other.origin, XEN_REG));
        }
    }
    Ok(())
}

/// Returns what of the guest's address space is not its own to use.
fn emulated(layout: &Layout) -> Vec<(&'static str, Span<Ipa>)> {
    let uart = layout.uart.map(|uart| uart.registers);
    // The host's map has no place for these.
    let own = layout.controller == layout.guest.controller;
    let fixed = [
        ("its interrupt controller", Some(layout.controller.shared)),
        (
            "its CPUs' interrupt controllers",
            Some(layout.controller.per_cpu),
        ),
        ("its emulated UART", uart),
        ("its grant tables", Some(layout.grant)),
        ("its shared pages", own.then_some(layout.guest.magic)),
    ];
    let bridge = layout.bridge.iter().flat_map(Bridge::spans);
    fixed
        .into_iter()
        .filter_map(|(what, span)| Some((what, span?)))
        .chain(bridge.map(|span| ("its PCI host bridge", span)))
        .collect()
}

/// Returns the last address of a space of `bits` bits.
pub(super) fn last_address(bits: u32) -> u64 {
    1_u64.checked_shl(bits).map_or(u64::MAX, |end| end - 1)
}

/// Turns a proven draft into what stage 2 maps.
pub(super) fn mappings(pending: &PendingClaims<'_>, machine: &Machine) -> Vec<MmioMapping> {
    let mapping = |mapping: &Mapping<'_>| {
        let (pages, guest) = (mapping.host.pages(), mapping.guest.first().raw());
        let mut exact = MmioMapping {
            ipa: Ipa::new(guest),
            pa: mapping.host.first(),
            pages: pages + u64::from(fault::on(Fault::PageTooMany)),
        };
        exact.pages -= u64::from(fault::on(Fault::PageTooFew) && pages > 1);
        if fault::on(Fault::IdentityAlways) || fault::on(Fault::ColumnsSwapped) {
            exact.ipa = mapping.host.direct().first();
        }
        if fault::on(Fault::ColumnsSwapped) {
            exact.pa = Pa::new(guest);
        }
        if fault::on(Fault::IpaWidthUnchecked) {
            exact.ipa = Ipa::new(guest & last_address(machine.guest_bits()));
        }
        exact
    };
    pending.mappings.iter().map(mapping).collect()
}
