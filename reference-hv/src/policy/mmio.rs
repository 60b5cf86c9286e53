//! Where the imitated devices of a domain lie.

use super::{Device, Domain};
use crate::addr::{Ipa, Span, SpanError};
use crate::arch::aarch64::gic;
use crate::assign::layout;

/// Describes a domain, as [`Domain::new`].
pub(super) fn domain(vcpus: u32, vpl011: bool) -> Result<Domain, SpanError> {
    let span = |base, size| Span::new(base, size);
    let redistributors = gic::REDISTRIBUTOR_STRIDE * u64::from(vcpus);
    Ok(Domain {
        distributor: span(layout::GICD_BASE, layout::GICD_SIZE)?,
        redistributors: span(layout::GICR_BASE, redistributors)?,
        uart: match vpl011 {
            true => Some(span(layout::VPL011_BASE, layout::VPL011_SIZE)?),
            false => None,
        },
    })
}

/// Finds the imitated device at an address, and the place in its registers.
pub(super) fn device(domain: &Domain, ipa: Ipa) -> Option<(Device, u64)> {
    let windows = [
        (Device::Distributor, Some(domain.distributor)),
        (Device::Redistributor, Some(domain.redistributors)),
        (Device::Uart, domain.uart),
    ];
    windows.into_iter().find_map(|(device, window)| {
        let window = window.filter(|window| window.contains(ipa))?;
        Some((device, ipa.raw() - window.first().raw()))
    })
}
