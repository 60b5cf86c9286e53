//! Mappings that seeded faults leave behind beside those of the plan.

use alloc::borrow::Cow;
use alloc::vec::Vec;

use crate::addr::{Address, BLOCK_SIZE, Ipa, PAGE_SIZE, Pa, Span};
use crate::assign::{DomainPlan, MmioMapping};
use crate::config::{Host, Owner, XEN_PASSTHROUGH};
use crate::fault::{self, Fault};

/// Returns the plan, or with a seeded fault that asks for it the plan with more device pages than
/// were proven. `earlier` are the plans of the domains before this one.
pub fn with_injected_mappings<'p>(
    plan: &'p DomainPlan,
    earlier: &[DomainPlan],
    host: &Host<'_>,
) -> Cow<'p, DomainPlan> {
    let (mmio, marked) = (&plan.mmio, |id| host.node(id).has(XEN_PASSTHROUGH));
    let mut strays = Vec::new();
    if fault::on(Fault::ControllerMapped) {
        strays.push(identity(host.controller.shared));
    }
    let hardware = plan.view.is_some();
    if fault::on(Fault::IommuMapped) || hardware && fault::on(Fault::IommuMappedToHardware) {
        let iommus = host.iommus.iter().flat_map(|iommu| &iommu.spans);
        strays.extend(iommus.map(|span| identity(*span)));
    }
    if hardware && fault::on(Fault::ReservedToHardware) {
        let devices = host
            .regions
            .iter()
            .filter(|region| region.owner == Owner::Device);
        let reserved = devices.filter(|region| region.node.is_some_and(marked));
        strays.extend(reserved.map(|region| identity(region.span)));
    }
    if fault::on(Fault::DeviceInLaterDomains) {
        strays.extend(earlier.iter().flat_map(|domain| &domain.mmio));
    }
    if fault::on(Fault::IdentityToo) {
        strays.extend(mmio.iter().filter_map(|mmio| mmio.host()).map(identity));
    }
    if fault::on(Fault::BlockMapped) {
        let within = |address: u64| address % BLOCK_SIZE;
        let aligned = mmio.iter();
        let aligned = aligned.filter(|mmio| within(mmio.ipa.raw()) == within(mmio.pa.raw()));
        strays.extend(aligned.map(|mmio| MmioMapping {
            ipa: Ipa::new(mmio.ipa.raw() - within(mmio.ipa.raw())),
            pa: Pa::new(mmio.pa.raw() - within(mmio.pa.raw())),
            pages: BLOCK_SIZE / PAGE_SIZE,
        }));
    }
    if strays.is_empty() {
        return Cow::Borrowed(plan);
    }
    // They stand in front, so that what was planned goes over them.
    strays.extend(mmio);
    let mut plan = plan.clone();
    plan.mmio = strays;
    Cow::Owned(plan)
}

fn identity(span: Span<Pa>) -> MmioMapping {
    let pa = span.first().page_start();
    MmioMapping {
        ipa: Ipa::new(pa.raw()),
        pa,
        pages: span.pages(),
    }
}
