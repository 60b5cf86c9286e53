//! Where the imitated devices of a domain lie.

use super::{Device, Domain};
use crate::addr::{Ipa, Span, SpanError};
use crate::arch::aarch64::gic;
use crate::assign::layout::{self, Layout};
use crate::config::MAX_BRIDGES;

const _: () = assert!(gic::REDISTRIBUTOR_STRIDE == layout::REDISTRIBUTOR);

/// Describes a domain, as [`Domain::new`].
pub(super) fn domain(vcpus: u32, layout: &Layout) -> Result<Domain, SpanError> {
    let redistributors = gic::REDISTRIBUTOR_STRIDE * u64::from(vcpus);
    let mut bridges = [None; MAX_BRIDGES];
    if let Some(first) = bridges.first_mut() {
        *first = layout.bridge.map(|bridge| bridge.ecam);
    }
    Ok(Domain {
        bridges,
        distributor: layout.distributor,
        redistributors: Span::new(layout.redistributors.first(), redistributors)?,
        uart: layout.uart,
    })
}

/// Finds the imitated device at an address, and the place in its registers.
pub(super) fn device(domain: &Domain, ipa: Ipa) -> Option<(Device, u64)> {
    let windows = [
        (Device::Distributor, Some(domain.distributor)),
        (Device::Redistributor, Some(domain.redistributors)),
        (Device::Uart, domain.uart.map(|uart| uart.registers)),
    ];
    let bridges = domain.bridges.into_iter().enumerate();
    let bridges = bridges.map(|(number, ecam)| (Device::Bridge(number), ecam));
    windows
        .into_iter()
        .chain(bridges)
        .find_map(|(device, window)| {
            let window = window.filter(|window| window.contains(ipa))?;
            Some((device, ipa.raw() - window.first().raw()))
        })
}
