//! Checks which domain may have which role, which capabilities follow from that, and whether the end of a domain can be
//! observed.

use model::Capability;
use wire::{Hv, Op};

use crate::case::expect::Expect;
use crate::case::load::SourceError;
use crate::case::{self, Case, Role, Text};
use crate::scenario::{Domain, Expectation};

/// Checks properties that only some domains may have.
pub(super) fn roles(case: &Case) -> Vec<SourceError> {
    let mut found = Vec::new();
    let mut report = |domain: &case::Domain, why: &str| {
        let name = &domain.name;
        found.push(SourceError::new(
            &format!("name: {name}"),
            format!("domain `{name}`: {why}"),
        ));
    };
    let hardware = |domain: &&case::Domain| domain.role() == Role::Hardware;
    for extra in case.domains.iter().filter(hardware).skip(1) {
        report(extra, "there is another hardware domain");
    }
    for domain in &case.domains {
        if domain.role() == Role::Guest && !domain.children.is_empty() {
            report(domain, "only a control or hardware domain makes others");
        }
        if domain.id.is_some() {
            report(domain, "only a child asks for an id");
        }
        let bound = |device: &case::Device| match device {
            case::Device::Plain(_) => false,
            case::Device::Node(node) => node.interrupts.is_some(),
        };
        if domain.devices.iter().any(bound) {
            report(
                domain,
                "`interrupts` of a device are for children; those of other domains are in the host's tree",
            );
        }
        let made = [
            "memory_kib",
            "cpus",
            "nr_spis",
            "static",
            "devices",
            "extra",
            "direct_map",
            "pci",
        ];
        let said = [
            domain.memory_kib.is_some(),
            domain.cpus.is_some(),
            domain.guest_lines.is_some(),
            !domain.banks().is_empty(),
            !domain.devices.is_empty() || domain.partial.is_some(),
            !domain.extra.is_empty(),
            domain.is_direct(),
            !domain.pci.is_empty(),
        ];
        if domain.role() == Role::Hardware {
            for (name, _) in made.iter().zip(said).filter(|(_, said)| *said) {
                report(
                    domain,
                    &format!("a hardware domain has no node that could say `{name}`"),
                );
            }
        }
        for child in &domain.children {
            if child.role() != Role::Guest || !child.children.is_empty() {
                report(child, "a child controls no other domain");
            }
            if !child.banks().is_empty() || child.is_direct() || !child.extra.is_empty() {
                report(
                    child,
                    "a child has no node for `static`, `direct_map` or `extra`",
                );
            }
            if !child.vpl011 {
                report(child, "a child has no emulated UART anyway");
            }
            let word = |word: &str| word.trim_end_matches(';') == child.name;
            let named = |text: &Text| text.0.split_whitespace().any(word);
            if !domain.script.iter().any(named) {
                report(child, "nobody makes it");
            }
        }
    }
    found
}

/// Returns the capabilities that a subject needs for these domains.
pub fn needs(domains: &[Domain]) -> Vec<Capability> {
    let mut found = Vec::new();
    let powerful = domains.iter().filter(|domain| domain.role != Role::Guest);
    if powerful.clone().count() > 1 {
        found.push(Capability::ControlNode);
    }
    for domain in domains {
        let described = domain.partial.is_some() || domain.direct || !domain.banks.is_empty();
        let ends = matches!(domain.expectation, Expectation::Destroyed { .. });
        if domain.role == Role::Control && (described || ends) {
            found.push(Capability::ControlNode);
        }
        match domain.role {
            Role::Guest => {}
            Role::Control => found.push(Capability::ControlDomain),
            Role::Hardware => found.push(Capability::HardwareDomain),
        }
        if domain.child.is_some() {
            found.push(Capability::RuntimeCreate);
        }
        if domain.child.is_some() && domain.expectation == Expectation::Runs {
            found.push(Capability::RuntimeConsole);
        }
        if !domain.pci.is_empty() {
            found.push(match domain.child {
                None => Capability::Pci,
                Some(_) => Capability::PciRuntime,
            });
        }
        if domain.direct || !domain.banks.is_empty() {
            found.push(Capability::DirectMap);
        }
        for line in &domain.lines {
            if matches!(line.expect, Expect::Errno(_)) {
                found.push(Capability::XenHypercalls);
            }
            match &line.op {
                Op::Hypercall { .. } | Op::ScratchWrite { .. } | Op::ScratchRead { .. } => {
                    found.push(Capability::XenHypercalls);
                }
                Op::Hv(Hv::Create { .. }) => found.push(Capability::RuntimeCreate),
                Op::Hv(Hv::Destroy { .. }) => found.push(Capability::Destroy),
                Op::Hv(Hv::PciAdd { .. } | Hv::PciRemove { .. } | Hv::PciReset { .. }) => {
                    found.push(Capability::PciHotplug);
                }
                Op::Hv(
                    Hv::PciAssign { .. }
                    | Hv::PciTest { .. }
                    | Hv::PciDeassign { .. }
                    | Hv::PciGroup { .. },
                ) => found.push(Capability::PciRuntime),
                Op::Hv(Hv::PciKnown { .. } | Hv::PciList { .. }) => found.push(Capability::Pci),
                _ => {}
            }
        }
    }
    found
}

/// Checks that the marks which show the end of a domain exist.
pub fn expectations(domains: &[Domain]) -> Vec<SourceError> {
    let says = |domain: &Domain, mark: &str| {
        domain
            .lines
            .iter()
            .any(|line| matches!(&line.op, Op::Mark(name) if name.as_str() == mark))
    };
    let mut found = Vec::new();
    for domain in domains {
        let Expectation::Destroyed {
            after_mark,
            by,
            mark,
        } = &domain.expectation
        else {
            continue;
        };
        if !says(domain, after_mark) {
            let why = format!("the script of `{}` has no `mark {after_mark}`", domain.name);
            found.push(SourceError::new(&format!("after_mark: {after_mark}"), why));
        }
        let other = domains.iter().find(|other| other.number == *by);
        if let Some(other) = other.filter(|other| !says(other, mark)) {
            let why = format!("the script of `{}` has no `mark {mark}`", other.name);
            found.push(SourceError::new(mark, why));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A domain with an impossible role, resource or operation is reported by name.
    #[test]
    fn impossible_domains_are_refused() {
        let found = |domains: &str| {
            let text = format!("{{id: x, title: x, class: fault, domains: [{domains}]}}");
            let case: Case = crate::case::yaml::read(&text).unwrap();
            let found = domains_of(&case);
            found.first().cloned().unwrap_or_default()
        };
        let table = [
            (
                "{name: hw, role: hardware}, {name: h2, role: hardware}",
                "another hardware domain",
            ),
            ("{name: hw, role: hardware, cpus: 2}", "could say `cpus`"),
            (
                "{name: dA, children: [{name: dB}]}",
                "only a control or hardware domain",
            ),
            ("{name: dA, id: 3}", "only a child asks for an id"),
            (
                "{name: dA, devices: [{node: x, interrupts: [34]}]}",
                "`interrupts` of a device are for children",
            ),
            (
                "{name: c, role: control, children: [{name: dB}]}",
                "nobody makes it",
            ),
            (
                "{name: c, role: control, script: [make dB], children: [{name: dB, role: control}]}",
                "controls no other domain",
            ),
            (
                "{name: c, role: control, script: [make dB], children: [{name: dB, direct_map: true}]}",
                "no node for",
            ),
            (
                "{name: c, role: control, script: [make dB], children: [{name: dB, vpl011: false}]}",
                "no emulated UART",
            ),
            (
                "{name: c, role: control, script: [make c], children: [{name: c}]}",
                "two domains are called",
            ),
            (
                "{name: c, role: control, script: [make dB], children: [{name: dB}]}",
                "",
            ),
        ];
        for (domains, wanted) in table {
            let told = found(domains);
            assert!(
                told.contains(wanted) && told.is_empty() == wanted.is_empty(),
                "{domains}: {told}"
            );
        }
    }

    fn domains_of(case: &Case) -> Vec<String> {
        crate::scenario::validate::domains(case)
            .iter()
            .map(|error| error.why().to_owned())
            .collect()
    }

    /// The marks that a domain's end refers to must exist.
    #[test]
    fn ends_need_their_marks() {
        let check = |after_mark: &str, mark: &str, wanted: &str| {
            let case = format!(
                "  - id: XenValTestCase~demo.one~1
    title: T
    class: fault
    domains:
      - {{name: c, role: control, script: [destroy dA, mark gone]}}
      - {{name: dA, script: [mark up], destroyed: {{after_mark: {after_mark}, by: c {mark}}}}}
"
            );
            let made = crate::scenario::generate::scenarios(
                &crate::sample::loaded(&case),
                &crate::sample::profile(),
            );
            let told = made
                .err()
                .map(|found| found[0].to_string())
                .unwrap_or_default();
            assert!(
                told.contains(wanted) && told.is_empty() == wanted.is_empty(),
                "{told}"
            );
        };
        check("up", "gone", "");
        check("down", "gone", "the script of `dA` has no `mark down`");
        check("up", "done", "the script of `c` has no `mark done`");
    }
}
