//! The host tree: a machine's own tree plus the domains to boot and the edits of a case.

use crate::{Cells, Domain, Edit, Module, PlanError, Tree, apply_all};

/// The content of the host tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Platform {
    /// The machine's own tree.
    pub base: Tree,
    /// The hypervisor's boot arguments, `xen,xen-bootargs`.
    pub hypervisor_args: String,
    /// The hardware domain, if there is one.
    pub hardware: Option<Hardware>,
    /// Domains, in the order of creation.
    pub domains: Vec<Domain>,
    /// Changes, applied in order after the domains are added.
    pub edits: Vec<Edit>,
}

/// A hardware domain: its modules are directly under /chosen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hardware {
    /// The kernel image.
    pub kernel: Module,
    /// A ramdisk.
    pub ramdisk: Option<Module>,
}

/// Plans the host tree: domains under /chosen, then the edits.
///
/// `bootargs` of the base is left out: it is meant for an operating system, and some hypervisors would use it as their
/// own.
pub fn host(platform: &Platform) -> Result<Tree, PlanError> {
    let mut tree = platform.base.clone();
    let chosen = tree.ensure("/chosen");
    chosen.remove("bootargs");
    chosen.set("#address-cells", 2_u32);
    chosen.set("#size-cells", 2_u32);
    chosen.set("xen,xen-bootargs", platform.hypervisor_args.as_str());
    if let Some(hardware) = &platform.hardware {
        let modules = [
            ("multiboot,kernel", Some(&hardware.kernel)),
            ("multiboot,ramdisk", hardware.ramdisk.as_ref()),
        ];
        for (kind, module) in modules {
            if let Some(module) = module {
                let node = module.node(kind, Cells::default(), "/chosen")?;
                chosen.children.push(node);
            }
        }
    }
    for domain in &platform.domains {
        if chosen
            .children
            .iter()
            .any(|child| child.name == domain.name)
        {
            return Err(PlanError::Taken {
                parent: "/chosen".to_owned(),
                name: domain.name.clone(),
            });
        }
        let node = domain.node()?;
        chosen.children.push(node);
    }
    apply_all(&platform.edits, &mut tree)?;
    Ok(tree)
}
