//! What holds of every assignment, whatever the trees claimed.

use refhv::addr::{Ipa, Pa, Span};
use refhv::arch::aarch64::guest_layout::GUEST;
use refhv::arch::aarch64::guest_tree::build;
use refhv::assign::{Assignment, DomainPlan};
use refhv::config::{Host, Owner, domain_requests};
use refhv::dt::{Blob, Event};

use crate::rig::Rig;

/// Expects of whatever was proven what DESIGN 4.7 promises, by looking at every page.
pub fn check(rig: &Rig, host: &Host<'_>, proven: &Assignment) {
    let mut pages: Vec<(Span<Pa>, u16)> = Vec::new();
    let mut lines = Vec::new();
    let modules: Vec<Span<Pa>> = domain_requests(host)
        .into_iter()
        .flat_map(|asked| asked.claim)
        .flat_map(|claim| claim.modules)
        .map(|module| module.span)
        .collect();
    let with_hardware = proven.domains().iter().filter(|plan| plan.view.is_some());
    assert!(with_hardware.count() <= 1, "two have the hardware");
    for plan in proven.domains() {
        let owner = plan.id.number();
        let mut guest: Vec<Span<Ipa>> = plan.banks.clone();
        guest.extend([
            plan.layout.controller.shared,
            plan.layout.controller.per_cpu,
        ]);
        guest.extend(plan.layout.uart.map(|uart| uart.registers));
        for map in &plan.mmio {
            let (pa, ipa) = (map.host().expect("a range"), map.guest().expect("a range"));
            assert!(pa.is_page_exact() && ipa.is_page_exact() && pa.size() == ipa.size());
            assert!(ipa.last().raw() < 1 << 40);
            for region in host
                .regions
                .iter()
                .filter(|region| region.span.overlaps(pa))
            {
                let node = region.node.map(|id| host.node(id));
                match region.owner {
                    Owner::Device => {
                        let node = node.expect("a device has a node");
                        assert_eq!(
                            node.has("xen,passthrough"),
                            plan.view.is_none(),
                            "{node:?} in {pa}"
                        );
                        assert!(
                            is_direct(plan) || !node.has("iommus") && !node.has("dma-coherent"),
                            "{node:?} in {pa}"
                        );
                    }
                    Owner::PciWindow => {}
                    Owner::Hypervisor(_) | Owner::Memory | Owner::Reserved => {
                        panic!("{region:?} given to d{owner}")
                    }
                }
            }
            assert!(
                rig.machine
                    .taken
                    .iter()
                    .all(|taken| !taken.span.overlaps(pa))
            );
            assert!(
                pages
                    .iter()
                    .all(|(span, other)| *other == owner || !span.overlaps(pa)),
                "{pa} twice"
            );
            pages.push((pa, owner));
            guest.push(ipa);
        }
        guest.sort();
        assert!(
            guest.windows(2).all(|pair| !pair[0].overlaps(pair[1])),
            "{guest:?}"
        );
        for irq in &plan.irqs {
            assert!(irq.line.number() >= 32 && irq.line.number() < 32 + plan.shared_lines);
            assert!(
                lines.iter().all(|line| *line != irq.line),
                "{} twice",
                irq.line
            );
            assert_eq!(host.use_of(irq.line), None);
            lines.push(irq.line);
        }
        for map in &plan.ram {
            let pa = map.host().expect("a range");
            assert!(!is_direct(plan) || map.ipa.raw() == pa.first().raw());
            assert!(
                rig.machine
                    .taken
                    .iter()
                    .all(|taken| !taken.span.overlaps(pa))
            );
            assert!(
                modules.iter().all(|module| !module.overlaps(pa)),
                "{pa} holds a module"
            );
            assert!(host.ram.iter().any(|ram| ram.covers(pa)));
            assert!(pages.iter().all(|(span, _)| !span.overlaps(pa)));
            pages.push((pa, owner));
        }
        let tree = build(plan, host, &rig).expect("a tree");
        for event in Blob::new(&tree).expect("a sound tree").walk() {
            let Event::Prop(prop) = event else { continue };
            let hidden = [
                "xen,reg",
                "xen,path",
                "iommus",
                "iommu-map",
                "xen,passthrough",
            ];
            assert!(!hidden.into_iter().any(|name| prop.is(name)), "{prop:?}");
            assert!(!prop.is("#iommu-cells"), "{prop:?}");
        }
    }
}

/// Tells whether a domain's addresses are the host's.
fn is_direct(plan: &DomainPlan) -> bool {
    plan.layout.controller.shared != GUEST.controller.shared
}
