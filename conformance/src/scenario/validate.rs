//! Finds cases that are well formed but show nothing: expectations that can never fail or never be met, and domains
//! without output. They are errors of the case file, and are reported before anything runs.

use model::Capability;
use wire::{Hv, Op};

use crate::arch;
use crate::case::expect::Expect;
use crate::case::load::SourceError;
use crate::case::{self, Case, Text};
use crate::scenario::{EventRule, Line, SENTINEL, silences};

mod roles;
mod trees;

pub use roles::{expectations, needs};
pub use trees::only_trees_say;

/// Checks the name of a row, which becomes part of a file name and of a command line.
pub fn label(text: &str) -> Result<(), String> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "._-+=^".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        return Ok(());
    }
    Err(format!(
        "`{text}` is no name for a row: letters, digits and `._-+=^` only"
    ))
}

/// Checks that the wanted IOMMU events can be observed, and that no line repeats or contradicts another.
pub fn iommu_events(case: &Case, rules: &[EventRule]) -> Vec<SourceError> {
    let mut found = Vec::new();
    if !case.iommu_events.is_empty() && !case.machine().iommu {
        let why = "the machine has no IOMMU: `machine: {iommu: true}` gives it one";
        found.push(SourceError::new("iommu_events:", why));
    }
    let twice = |place: usize| {
        let (rule, before) = (rules.get(place)?, rules.get(..place)?);
        let other = before.iter().find(|other| other.about == rule.about)?;
        Some(SourceError::new(
            &other.text,
            format!("`{}` is written twice", rule.text),
        ))
    };
    found.extend((0..rules.len()).filter_map(twice));
    found
}

/// Returns the capabilities that a subject needs for lines about its IOMMU.
pub fn event_needs(rules: &[EventRule]) -> impl Iterator<Item = Capability> {
    let any = (!rules.is_empty()).then_some(Capability::Iommu);
    let records = rules.iter().any(EventRule::needs_records);
    any.into_iter()
        .chain(records.then_some(Capability::IommuEvents))
}

/// Checks the domains of a case: their names, and that at least one can show that the machine ran at all.
pub fn domains(case: &Case) -> Vec<SourceError> {
    let mut found = Vec::new();
    let all = || {
        case.domains
            .iter()
            .flat_map(|domain| [domain].into_iter().chain(&domain.children))
    };
    for (place, domain) in all().enumerate() {
        let name = domain.name.as_str();
        let report = |why: String| SourceError::new(&format!("name: {name}"), why);
        // Devicetree Specification 2.2.1: the characters of a node name.
        let plain = |c: char| c.is_ascii_alphanumeric() || ",._+-".contains(c);
        if !name.starts_with(|c: char| c.is_ascii_alphabetic()) || !name.chars().all(plain) {
            found.push(report(format!("`{name}` is no node name")));
        }
        if case.sentinel && name == SENTINEL {
            found.push(report(format!("`{name}` is the suite's own domain")));
        }
        if all().take(place).any(|other| other.name == name) {
            found.push(report(format!("two domains are called `{name}`")));
        }
        if !domain.vpl011 && domain.refused.is_some() {
            let why = "without a console it cannot be seen whether it was refused";
            found.push(report(format!("domain `{name}`: {why}")));
        }
        if !domain.vpl011 && !domain.tree.is_empty() {
            let why = "without a console it cannot show its tree";
            found.push(report(format!("domain `{name}`: {why}")));
        }
    }
    found.extend(roles::roles(case));
    let speaks = |domain: &case::Domain| domain.vpl011 && domain.refused.is_none();
    if !case.sentinel && !case.domains.iter().any(speaks) {
        let why = "no domain has a console: nothing would show that the machine ran";
        found.push(SourceError::new("sentinel", why));
    }
    found
}

/// Checks that an action lists the functions that a domain must know.
pub fn listed(case: &Case, domains: &[crate::scenario::Domain]) -> Option<SourceError> {
    let asked = domains
        .iter()
        .flat_map(|domain| &domain.lines)
        .any(|line| line.expect == Expect::Listed);
    let lists = |text: &Text| text.0.split(';').any(|part| part.trim() == "query-pci");
    let told = case.outside.iter().flat_map(|step| &step.acts).any(lists);
    (asked && !told).then(|| {
        let why = "`listed` needs a `query-pci` outside, at `start`";
        SourceError::new("pci-functions", why)
    })
}

/// Checks the lines of a script against each other; `texts` are the lines as written.
pub fn script(texts: &[Text], lines: &[Line], domain: &case::Domain) -> Vec<SourceError> {
    let mut found = Vec::new();
    for (place, (text, line)) in texts.iter().zip(lines).enumerate() {
        let before = lines.get(..place).unwrap_or_default();
        let mut report = |why: String| found.push(SourceError::new(&text.0, why));
        if let Some(last) = before.iter().find(|line| silences(&line.op)) {
            report(format!("nothing runs after `{}`", last.op));
        }
        if line.expect == Expect::Unchanged && !before.iter().any(|earlier| earlier.op == line.op) {
            report(format!("`unchanged` needs an earlier `{}`", line.op));
        }
        if !suits(&line.expect, &line.op) {
            report(format!("`{}` never answers with: {}", line.op, line.expect));
        }
        if !domain.vpl011 && !matches!(line.expect, Expect::Works | Expect::Any) {
            report("without a console the answer cannot be seen".to_owned());
        }
    }
    found
}

/// Tells whether the probe can answer `op` in the way that is expected.
const fn suits(expect: &Expect, op: &Op) -> bool {
    match expect {
        Expect::Works | Expect::Any | Expect::Unchanged => true,
        Expect::Value { .. } | Expect::Not(_) | Expect::Range { .. } => {
            matches!(
                op,
                Op::Read { .. }
                    | Op::Wait { .. }
                    | Op::Storm { .. }
                    | Op::Hv(_)
                    | Op::Hypercall { .. }
                    | Op::ScratchRead { .. }
                    | Op::Loop { .. }
            ) || is_value(op)
        }
        Expect::Errno(_) | Expect::Refused => {
            matches!(op, Op::Hv(_) | Op::Hypercall { .. })
        }
        Expect::Answered => matches!(op, Op::Hv(_)),
        Expect::Listed => matches!(op, Op::Hv(Hv::PciList { .. })),
        Expect::Fault | Expect::AlignmentFault => matches!(
            op,
            Op::Read { .. }
                | Op::Write { .. }
                | Op::Wait { .. }
                | Op::Ram { .. }
                | Op::Exec { .. }
                | Op::WriteScratchAddress { .. }
        ),
        Expect::AnyFault => {
            matches!(
                op,
                Op::Read { .. }
                    | Op::Write { .. }
                    | Op::Wait { .. }
                    | Op::Ram { .. }
                    | Op::Exec { .. }
                    | Op::Hypercall { .. }
            ) || is_value(op)
        }
        Expect::Timeout => {
            matches!(
                op,
                Op::Wait { .. } | Op::IrqWait { .. } | Op::Timer { .. } | Op::Hv(Hv::Wait { .. })
            )
        }
        Expect::Irqs(_) => matches!(
            op,
            Op::IrqWait { .. } | Op::IrqCount { .. } | Op::Timer { .. }
        ),
        Expect::Sweep { .. } => matches!(op, Op::Sweep { .. }),
        Expect::Arch(expect) => matches!(op, Op::Arch(op) if expect.suits(op)),
    }
}

/// Tells whether an operation of one architecture answers with a value or raises an exception.
const fn is_value(op: &Op) -> bool {
    matches!(op, Op::Arch(op) if arch::answers_a_value(op))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::outside;
    use crate::scenario::domain_table::DomainTable;
    use crate::scenario::script::Writer;

    #[track_caller]
    fn check(script: &[&str], vpl011: bool, wanted: &[&str]) {
        let texts: Vec<Text> = script.iter().map(|text| Text((*text).to_owned())).collect();
        let writer = Writer {
            name: "dA",
            scope: outside(),
            table: &DomainTable::default(),
            children: &[],
        };
        let lines: Vec<Line> = script
            .iter()
            .flat_map(|text| writer.lines(text).unwrap())
            .collect();
        let domain: case::Domain =
            crate::case::yaml::read(&format!("{{name: dA, vpl011: {vpl011}}}")).unwrap();
        let found: Vec<String> = super::script(&texts, &lines, &domain)
            .iter()
            .map(|error| error.why().to_owned())
            .collect();
        assert_eq!(found.len(), wanted.len(), "{script:?}: {found:?}");
        for (found, wanted) in found.iter().zip(wanted) {
            assert!(found.contains(wanted), "{script:?}: {found}");
        }
    }

    /// A line that could not fail, or not pass, is refused; similar lines that can are accepted.
    #[test]
    fn lines_that_show_nothing_are_refused() {
        check(&["read32 0x10", "read32 0x10 => unchanged"], true, &[]);
        check(
            &["read32 0x14", "read32 0x10 => unchanged"],
            true,
            &["needs an earlier `r32 0x10`"],
        );
        check(&["read32 0x10 => unchanged"], true, &["needs an earlier"]);
        check(&["off", "read32 0x10"], true, &["nothing runs after `off`"]);
        check(&["read32 0x10", "off"], true, &[]);
        check(
            &["sweep read32 0x1000 2 4 => alignment-fault"],
            true,
            &["never answers with"],
        );
        check(&["sweep read32 0x1000 2 4 => reached 1 of 2"], true, &[]);
        check(&["sweep read32 0x1000 2 4 => nothing"], true, &[]);
        check(&["state 34 => irqs 1"], true, &["never answers with"]);
        check(&["read32 0x10 => 1"], false, &["cannot be seen"]);
        check(&["write32 0x10 1"], false, &[]);
    }

    /// Names of rows are valid as file names and as shell words.
    #[test]
    fn labels_are_plain() {
        for good in ["one_page", "size+1", "a=b", "2^40", "1.5"] {
            assert_eq!(label(good), Ok(()));
        }
        for bad in ["", "a b", "a/b", "$(x)", "ä"] {
            assert!(
                label(bad).unwrap_err().contains("no name for a row"),
                "{bad}"
            );
        }
    }
}
