//! Mappings that seeded faults leave behind beside those of the plan.

use alloc::borrow::Cow;

use crate::addr::{Address, BLOCK_SIZE, Ipa, PAGE_SIZE, Pa, Span};
use crate::assign::{DomainPlan, MmioMapping};
use crate::config::Host;
use crate::fault::{self, Fault};

/// Returns the plan, or with a seeded fault that asks for it the plan with more device pages than
/// were proven. `earlier` are the plans of the domains before this one.
pub fn with_injected_mappings<'p>(
    plan: &'p DomainPlan,
    earlier: &[DomainPlan],
    host: &Host<'_>,
) -> Cow<'p, DomainPlan> {
    let mut plan = Cow::Borrowed(plan);
    // A stray stands in front, so that what was planned goes over it.
    let mut add = |stray| plan.to_mut().mmio.insert(0, stray);
    if fault::on(Fault::ControllerMapped) {
        add(identity(host.controller.shared));
    }
    if fault::on(Fault::IommuMapped) {
        for span in host.iommus.iter().flat_map(|iommu| &iommu.spans) {
            add(identity(*span));
        }
    }
    if fault::on(Fault::DeviceInLaterDomains) {
        for stray in earlier.iter().flat_map(|domain| &domain.mmio) {
            add(*stray);
        }
    }
    if fault::on(Fault::BlockMapped) {
        for mmio in plan.mmio.clone() {
            let within = |address: u64| address % BLOCK_SIZE;
            if within(mmio.ipa.raw()) == within(mmio.pa.raw()) {
                let stray = MmioMapping {
                    ipa: Ipa::new(mmio.ipa.raw() - within(mmio.ipa.raw())),
                    pa: Pa::new(mmio.pa.raw() - within(mmio.pa.raw())),
                    pages: BLOCK_SIZE / PAGE_SIZE,
                };
                plan.to_mut().mmio.insert(0, stray);
            }
        }
    }
    plan
}

fn identity(span: Span<Pa>) -> MmioMapping {
    let pa = span.first().page_start();
    MmioMapping {
        ipa: Ipa::new(pa.raw()),
        pa,
        pages: span.pages(),
    }
}
