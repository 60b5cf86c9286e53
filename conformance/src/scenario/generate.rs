//! Expands cases to scenarios: every row of every case, for one subject, in a fixed order.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use model::{Capability, Place};
use oft::Diagnostic;
use runners::Profile;

use crate::arch;
use crate::case::load::{Loaded, LoadedCase, SourceError};
use crate::case::template::Names;
use crate::case::value::{edit, property};
use crate::case::{Case, Text};
use crate::pci::{Firmware, Topology};
use crate::scenario::{Action, Domain, EventRule, SENTINEL, Scenario, Step, parse, validate};

mod machine;
mod members;

/// Expands all cases for the architecture of `profile`; returns all errors of all files at once.
pub fn scenarios(loaded: &Loaded, profile: &Profile) -> Result<Vec<Scenario>, Vec<Diagnostic>> {
    let mut all = Vec::new();
    let mut known = BTreeSet::new();
    let mut problems = Vec::new();
    for case in &loaded.cases {
        if !case.case.arch.contains(&profile.arch) {
            continue;
        }
        for row in rows(&case.case) {
            match Expansion::new(case, loaded.place_of(case), profile, &row).scenario() {
                Ok(scenario) if known.insert(scenario.id.clone()) => all.push(scenario),
                Ok(scenario) => {
                    let why = format!("two rows are called `{}`; `as` must differ", scenario.id);
                    let label = row.get("as").map_or("", |label| label.0.as_str());
                    problems.push(case.diagnostic(&SourceError::new(&format!("as: {label}"), why)));
                }
                Err(errors) => {
                    problems.extend(errors.iter().map(|error| case.diagnostic(error)));
                }
            }
        }
    }
    // An error outside of the rows is reported once, not once for each row.
    let mut told: Vec<Diagnostic> = Vec::new();
    problems.retain(|problem| {
        let new = !told.contains(problem);
        told.extend(new.then(|| problem.clone()));
        new
    });
    if problems.is_empty() {
        Ok(all)
    } else {
        Err(problems)
    }
}

fn rows(case: &Case) -> Vec<BTreeMap<String, Text>> {
    if case.each.is_empty() {
        vec![BTreeMap::new()]
    } else {
        case.each.clone()
    }
}

/// One case with one row.
struct Expansion<'a> {
    case: &'a LoadedCase,
    place: Place,
    profile: &'a Profile,
    row: &'a BTreeMap<String, Text>,
    names: Names,
    /// The machine's PCI functions.
    pci: Option<Topology>,
    /// An error in one text does not stop the reading of the others.
    problems: RefCell<Vec<SourceError>>,
}

impl<'a> Expansion<'a> {
    fn new(
        case: &'a LoadedCase,
        place: Place,
        profile: &'a Profile,
        row: &'a BTreeMap<String, Text>,
    ) -> Self {
        let mut constants = constants(profile);
        let mut made = Self {
            case,
            place,
            profile,
            row,
            names: Names::new(&constants, row),
            pci: None,
            problems: RefCell::default(),
        };
        match made.topology() {
            Ok(pci) => made.pci = pci,
            Err(error) => made.report([error]),
        }
        if let Some(pci) = &made.pci {
            // Only now it is known where the firmware places functions, and all other texts may refer to that.
            constants.extend(pci.names());
            made.names = Names::new(&constants, row);
        }
        made
    }

    /// Returns the scenario, or all errors in it.
    fn scenario(&self) -> Result<Scenario, Vec<SourceError>> {
        if !self.problems.borrow().is_empty() {
            // Without the machine, every reference to a part of it would be a false error.
            return Err(self.problems.take());
        }
        let made = self.expand();
        let mut problems = self.problems.take();
        match made {
            Ok(scenario) if problems.is_empty() => Ok(scenario),
            Ok(_) => Err(problems),
            Err(error) => {
                problems.push(error);
                Err(problems)
            }
        }
    }

    /// Keeps what could be read, and records the rest as problems.
    fn gather<T>(&self, read: impl IntoIterator<Item = Result<T, SourceError>>) -> Vec<T> {
        read.into_iter()
            .filter_map(|one| one.map_err(|error| self.report([error])).ok())
            .collect()
    }

    fn report(&self, errors: impl IntoIterator<Item = SourceError>) {
        self.problems.borrow_mut().extend(errors);
    }

    fn expand(&self) -> Result<Scenario, SourceError> {
        let case = &self.case.case;
        self.report(validate::domains(case));
        let id = match self.row.get("as") {
            Some(Text(label)) => {
                validate::label(label)
                    .map_err(|why| SourceError::new(&format!("as: {label}"), why))?;
                format!("{}/{label}", self.case.id.name())
            }
            None if self.row.is_empty() => self.case.id.name().to_owned(),
            None => return Err(SourceError::new("each", "a row needs `as`, its name")),
        };
        let table = self.table()?;
        let mut domains = Vec::new();
        let mut children: Vec<Domain> = Vec::new();
        for domain in &case.domains {
            let made = self.children(domain, &table);
            match self.domain(domain, &table, &made, None) {
                Ok(domain) => domains.push(domain),
                Err(error) => self.report([error]),
            }
            children.extend(made);
        }
        if let Some(part) = table.entry(SENTINEL).ok().filter(|_| case.sentinel) {
            domains.push(members::sentinel(part.number, self.profile));
        }
        domains.extend(children);
        let mut needs = self.gather(case.needs.iter().map(|name| {
            name.parse()
                .map_err(|error| SourceError::new(name, format!("{error}")))
        }));
        needs.extend(validate::needs(&domains));
        let real = |pci: &&Topology| pci.firmware == Firmware::UBoot;
        needs.extend(self.pci.iter().find(real).map(|_| Capability::Firmware));
        let host = self.edits(&case.host)?;
        if validate::only_trees_say(&domains, &host) {
            needs.push(Capability::Dom0lessTrees);
        }
        let iommu_events: Vec<EventRule> = self.gather(
            case.events
                .iter()
                .map(|text| self.each(text, EventRule::parse)),
        );
        self.report(validate::iommu_events(case, &iommu_events));
        needs.extend(validate::event_needs(&iommu_events));
        needs.sort_unstable();
        needs.dedup();
        let complete = self.problems.borrow().is_empty();
        if complete {
            self.report(validate::expectations(&domains));
        }
        self.report(validate::listed(case, &domains));
        let mut outside = Vec::new();
        for step in &case.outside {
            let acts: Vec<Action> = self
                .gather(step.acts.iter().map(|act| self.acts(act)))
                .concat();
            // A mark may be missing only because its line could not be read.
            if complete {
                let at = self.gather([self.each(&step.at, |text| parse::trigger(text, &domains))]);
                outside.extend(at.into_iter().map(|at| Step {
                    at,
                    acts: acts.clone(),
                }));
            }
        }
        Ok(Scenario {
            id,
            case: self.case.id.clone(),
            title: case.title.clone(),
            covers: self.case.covers.clone(),
            class: case.class,
            clause: case.clause.clone(),
            place: self.place.clone(),
            arch: self.profile.arch,
            level: self
                .optional(case.level.as_ref(), parse::level)?
                .unwrap_or_default(),
            needs,
            note: case.note.clone(),
            machine: case.machine.clone(),
            pci: self.pci.clone(),
            arguments: self.all(&case.arguments)?,
            host,
            passthrough: case
                .passthrough
                .as_ref()
                .map(|paths| self.all(paths))
                .transpose()?,
            domains,
            outside,
            iommu_events,
        })
    }

    fn properties(
        &self,
        props: &BTreeMap<String, Text>,
    ) -> Result<Vec<(String, String)>, SourceError> {
        Ok(self.gather(props.iter().map(|(name, value)| {
            self.each(value, property)?;
            Ok((self.fill(&Text(name.clone()))?, self.fill(value)?))
        })))
    }

    fn fill(&self, text: &Text) -> Result<String, SourceError> {
        self.names
            .fill(&text.0)
            .map_err(|why| SourceError::new(&text.0, why))
    }

    fn all(&self, texts: &[Text]) -> Result<Vec<String>, SourceError> {
        texts.iter().map(|text| self.fill(text)).collect()
    }

    fn each<T>(
        &self,
        text: &Text,
        read: impl FnOnce(&str) -> Result<T, String>,
    ) -> Result<T, SourceError> {
        read(&self.fill(text)?).map_err(|why| SourceError::new(&text.0, why))
    }

    fn edits(&self, texts: &[Text]) -> Result<Vec<String>, SourceError> {
        let read = |text| {
            let filled = self.fill(text)?;
            if filled.trim().is_empty() {
                return Ok(None);
            }
            self.each(text, edit)?;
            Ok(Some(filled))
        };
        let edits = self.gather(texts.iter().map(read));
        Ok(edits.into_iter().flatten().collect())
    }

    fn optional<T>(
        &self,
        text: Option<&Text>,
        read: impl FnOnce(&str) -> Result<T, String>,
    ) -> Result<Option<T>, SourceError> {
        match text {
            Some(text) if !self.fill(text)?.trim().is_empty() => self.each(text, read).map(Some),
            _ => Ok(None),
        }
    }
}

/// Returns the constants of a subject that texts may name.
fn constants(profile: &Profile) -> BTreeMap<String, String> {
    let guest = &profile.guest;
    let hex = |value: u64| format!("{value:#x}");
    let end = 1_u64.checked_shl(u32::from(profile.ipa_bits)).unwrap_or(0);
    let mut constants = BTreeMap::from([
        ("uart".to_owned(), hex(guest.uart.base)),
        ("ram".to_owned(), hex(guest.ram.base)),
        ("ipa_end".to_owned(), hex(end)),
        ("ipa_last_page".to_owned(), hex(end.wrapping_sub(0x1000))),
    ]);
    let bridge = |name: &str, pci: &runners::PciHost| {
        [
            (format!("{name}ecam"), hex(pci.ecam.base)),
            (format!("{name}low"), hex(pci.low.base)),
            (format!("{name}high"), hex(pci.high.base)),
        ]
    };
    constants.extend(guest.pci.iter().flat_map(|pci| bridge("", pci)));
    if let Some(host) = &profile.host {
        constants.extend(host.pci.iter().flat_map(|pci| bridge("host_", pci)));
        constants.insert("host_uart".to_owned(), hex(host.uart.base));
    }
    let emulated = arch::constants(guest, profile.host.as_ref());
    constants.extend(
        emulated
            .into_iter()
            .map(|(name, at)| (name.to_owned(), hex(at))),
    );
    constants
}
