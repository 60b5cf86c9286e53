//! The PCI functions that are there when the first domain is made.

use alloc::format;
use alloc::vec::Vec;

use crate::assign;
use crate::config::{DomainRequest, Host, HostBridge};
use crate::hal::{ConfigSpace, Console};
use crate::pci::{Inventory, Kind, quiesce};

/// Finds the PCI functions, unless a hardware domain is to do that, and switches off what belongs to nobody yet.
/// `pci-scan=on` and `pci-scan=off` say it otherwise.
pub(super) fn discover<M: ConfigSpace + Console>(
    machine: &mut M,
    host: &Host<'_>,
    requests: &[DomainRequest<'_>],
) -> Inventory {
    let mut claims = requests.iter().flat_map(|asked| &asked.claim);
    let wanted = match host.argument("pci-scan") {
        None => !claims.any(|claim| claim.privilege.hardware),
        Some("on") => true,
        Some("off") => false,
        Some(other) => {
            machine.line(format_args!("pci-scan={other} is neither on nor off; off"));
            false
        }
    };
    let segments: Vec<_> = host.bridges.iter().map(HostBridge::as_segment).collect();
    if !wanted {
        return Inventory::empty(segments);
    }
    let mut warnings = Vec::new();
    let mut found = Inventory::scan(machine, &segments, &mut |warning| warnings.push(warning));
    found.isolate(machine, &mut |warning| warnings.push(warning));
    for warning in warnings {
        machine.line(format_args!("{warning}"));
    }
    for function in found.functions() {
        let described = assign::described(host, function);
        let which = described.map(|id| format!(", which is {}", host.node(id).path()));
        machine.line(format_args!(
            "PCI {} {:04x}:{:04x} class {:06x}{}",
            function.at,
            function.vendor,
            function.device,
            function.class,
            which.unwrap_or_default()
        ));
        if described.is_none() && function.kind == Kind::Endpoint {
            quiesce(machine, function);
        }
    }
    found
}
