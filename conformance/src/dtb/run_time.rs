//! What a control domain needs to create domains: their images, trees and scripts, packed into its ramdisk.

use std::sync::Arc;

use dtb_gen::{Guest, Tree};
use runners::GuestLayout;
use wire::{BootArgs, Script};

use super::{BuildContext, plan};
use crate::arch;
use crate::scenario::{CHILD_MEMORY_KIB, Child, Domain, Scenario};

/// Returns the ramdisk entries of `maker`: the probe's image, then tree and ramdisk of each child. The trees are kept
/// by domain number.
pub fn entries(
    scenario: &Scenario,
    maker: u8,
    context: &BuildContext<'_>,
    base: &Tree,
    trees: &mut Vec<(u8, Tree)>,
) -> Result<Vec<Arc<[u8]>>, String> {
    let mut entries = vec![context.probe.clone()];
    for domain in &scenario.domains {
        let Some(child) = domain.child.filter(|child| child.of == maker) else {
            continue;
        };
        let in_domain = |why: String| format!("{}: {why}", domain.name);
        let (args, ramdisk) = match script(domain, context.nonce).boot_args() {
            BootArgs::Inline(args) => (args, None),
            BootArgs::Ramdisk { args, ramdisk } => (args, Some(ramdisk)),
        };
        let size = ramdisk.as_ref().map(|text| text.len() as u64);
        let guest = guest(domain, &child, context.guest, args, size, base).map_err(in_domain)?;
        let tree = dtb_gen::guest(&guest).map_err(|error| in_domain(error.to_string()))?;
        let blob = tree.emit().map_err(|error| in_domain(error.to_string()))?;
        if child.tree + blob.len() as u64 > child.ramdisk {
            return Err(in_domain(format!("a tree of {} bytes", blob.len())));
        }
        entries.push(blob.into());
        // An unused entry keeps the indices of the others.
        entries.push(
            ramdisk
                .unwrap_or_else(|| "\0".to_owned())
                .into_bytes()
                .into(),
        );
        trees.push((domain.number, tree));
    }
    Ok(entries)
}

/// Returns the script of a domain.
pub fn script(domain: &Domain, nonce: u32) -> Script {
    Script {
        nonce,
        dom: domain.number,
        ops: domain.lines.iter().map(|line| line.op).collect(),
    }
}

fn guest(
    domain: &Domain,
    child: &Child,
    layout: &GuestLayout,
    args: String,
    ramdisk: Option<u64>,
    base: &Tree,
) -> Result<Guest, String> {
    let kib = domain.memory_kib.unwrap_or(CHILD_MEMORY_KIB);
    let devices = domain.partial.as_ref();
    Ok(Guest {
        memory: vec![(domain.ram, kib.saturating_mul(1024))],
        cpus: domain.cpus,
        arch: arch::guest(layout, None, domain.cpus),
        args,
        ramdisk: ramdisk.map(|size| (child.ramdisk, size)),
        uart: None,
        callable: true,
        devices: devices.map(|partial| plan(partial, base)).transpose()?,
    })
}
