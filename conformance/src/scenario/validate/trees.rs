//! Decides whether only device trees in Xen's form can express a scenario, or any hypervisor can run it.

use crate::arch::CONTROLLER_PHANDLE;
use crate::case::Role;
use crate::dtb::about_domains;
use crate::scenario::{Domain, Partial};

/// Tells whether the scenario depends on how its trees are written: edits of domain nodes, properties that the case
/// adds, partial trees of an unusual form or with a defect. What is built at run time goes by hypercalls, not by such
/// trees.
pub fn only_trees_say(domains: &[Domain], host: &[dtb_gen::Edit]) -> bool {
    let mut at_boot = domains.iter().filter(|domain| domain.child.is_none());
    host.iter().any(about_domains)
        || at_boot.any(|domain| {
            // The property that makes a domain a control domain stands for its role.
            let role = usize::from(domain.role == Role::Control && domain.number != 0);
            domain.extra.len() > role || domain.partial.as_ref().is_some_and(is_odd)
        })
}

fn is_odd(partial: &Partial) -> bool {
    partial.cells != Some((2, 2))
        || partial.encoding.is_some_and(|cells| cells != (2, 2))
        || partial.controller != Some(CONTROLLER_PHANDLE)
        || !partial.edits.is_empty()
        || partial.pad.is_some()
        || partial.corruption.is_some()
}

#[cfg(test)]
mod tests {
    use model::Capability::Dom0lessTrees;

    use crate::sample::scenario;

    fn needs(rest: &str) -> bool {
        scenario(rest).needs.contains(&Dom0lessTrees)
    }

    /// Devices, memory, roles and changes of the machine can be expressed for any hypervisor; the form of a tree
    /// cannot.
    #[test]
    fn only_the_form_of_trees_needs_trees() {
        let device =
            "{node: gpio@9030000, reg: [0x9030000 0x1000 0x9030000], path: /pl061@9030000}";
        let plain =
            format!("    domains: [{{name: dA, devices: [{device}], script: [timer 1]}}]\n");
        assert!(!needs(&plain));
        assert!(!needs(&format!(
            "    host: [set /pl061@9030000 status \"disabled\"]\n{plain}"
        )));
        assert!(!needs(&format!(
            "    passthrough: [/pl061@9030000]\n{plain}"
        )));
        assert!(!needs(
            "    domains: [{name: dA, role: control, script: [destroy self => EPERM]}]\n"
        ));
        assert!(needs(&format!(
            "    host: [set /chosen/dA cpus <2>]\n{plain}"
        )));
        for part in [
            "extra: {cpupool: <1>}",
            "partial: {cells: 1 1}",
            "partial: {controller: none}",
            "partial: {edit: [set /passthrough x <1>]}",
            "partial: {pad: 8192}",
        ] {
            let odd = format!(
                "    domains: [{{name: dA, {part}, devices: [{device}], script: [timer 1]}}]\n"
            );
            assert!(needs(&odd), "{part}");
        }
    }
}
