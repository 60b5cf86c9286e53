//! Expands cases to scenarios: every row of every case, for one subject, in a fixed order.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use dtb_gen::{Edit, Value};
use model::{Capability, Place};
use oft::Diagnostic;
use runners::Profile;

use crate::case::load::{Loaded, LoadedCase, SourceError};
use crate::case::value::{edit, property};
use crate::case::{self, Case, Text};
use crate::language::{Inside, Names, Scope};
use crate::library::Library;
use crate::library::Machine;
use crate::pci::{Firmware, Topology};
use crate::scenario::{
    Action, Added, Domain, EventRule, SENTINEL, Scenario, Step, parse, validate,
};

mod devices;
mod functions;
mod members;
#[cfg(test)]
mod tests;

/// Expands all cases for the architecture of `profile`; returns all errors of all files at once.
pub fn scenarios(loaded: &Loaded, profile: &Profile) -> Result<Vec<Scenario>, Vec<Diagnostic>> {
    if loaded.cases.is_empty() {
        // Whatever is wrong with the library is told already.
        return Ok(Vec::new());
    }
    let machine = machine(&loaded.library, profile).map_err(|why| {
        let told = format!("profile `{}`: {why}", profile.name);
        vec![Diagnostic::error(
            loaded.root.display().to_string(),
            0,
            told,
        )]
    })?;
    let board = Board {
        library: &loaded.library,
        machine,
        profile,
    };
    let mut all = Vec::new();
    let mut known = BTreeSet::new();
    let mut problems = Vec::new();
    for case in &loaded.cases {
        if !case.case.arch.contains(&profile.arch) {
            continue;
        }
        for row in rows(&case.case) {
            match Expansion::new(case, loaded.place_of(case), board, &row).scenario() {
                Ok(scenario) if known.insert(scenario.id.clone()) => all.push(scenario),
                Ok(scenario) => {
                    let why = format!("two rows are called `{}`; `name` must differ", scenario.id);
                    let label = row.get(ROW).map_or("", |label| label.0.as_str());
                    let place = format!("{ROW}: {label}");
                    problems.push(case.diagnostic(&SourceError::new(&place, why)));
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

/// Finds the machine of a subject, which must be of its architecture.
pub fn machine(library: &Library, profile: &Profile) -> Result<&'static Machine, String> {
    let machine = library.machine(profile.board())?;
    match machine.arch.unwrap_or_default() {
        arch if arch == profile.arch => Ok(machine),
        arch => Err(format!(
            "the machine `{}` is for {}, the subject for {}",
            machine.machine,
            arch.name(),
            profile.arch.name()
        )),
    }
}

/// The parameter that names a row.
const ROW: &str = "name";

fn rows(case: &Case) -> Vec<BTreeMap<String, Text>> {
    if case.parameters.is_empty() {
        vec![BTreeMap::new()]
    } else {
        case.parameters.clone()
    }
}

/// What the cases are expanded for.
#[derive(Clone, Copy)]
struct Board<'a> {
    library: &'a Library,
    machine: &'static Machine,
    profile: &'a Profile,
}

/// One case with one row.
struct Expansion<'a> {
    case: &'a LoadedCase,
    place: Place,
    profile: &'a Profile,
    row: &'a BTreeMap<String, Text>,
    names: Names<'a>,
    /// What the case asks of the machine.
    machine: case::Machine,
    /// Whether all that other texts may refer to is known.
    complete: bool,
    /// An error in one text does not stop the reading of the others.
    problems: RefCell<Vec<SourceError>>,
}

/// Reads the texts of one place of a case.
#[derive(Clone, Copy)]
struct Reader<'a> {
    scope: Scope<'a>,
    problems: &'a RefCell<Vec<SourceError>>,
}

impl<'a> Expansion<'a> {
    fn new(
        case: &'a LoadedCase,
        place: Place,
        board: Board<'a>,
        row: &'a BTreeMap<String, Text>,
    ) -> Self {
        let mut made = Self {
            case,
            place,
            profile: board.profile,
            row,
            names: Names {
                library: board.library,
                machine: board.machine,
                profile: board.profile,
                row,
                asked: case.case.machine.as_ref().map_or(&[], |is| &is.devices),
                pci: None,
                banks: BTreeMap::new(),
            },
            machine: case.case.machine(),
            complete: false,
            problems: RefCell::default(),
        };
        match made.topology() {
            // Only now it is known where the firmware places functions, and all other texts may refer to that.
            Ok(pci) => made.names.pci = pci,
            Err(error) => made.report([error]),
        }
        made.complete = made.problems.borrow().is_empty();
        if made.complete {
            made.names.banks = made.all_banks();
        }
        made
    }

    /// Returns the scenario, or all errors in it.
    fn scenario(&self) -> Result<Scenario, Vec<SourceError>> {
        if !self.complete {
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

    /// Returns the reader of texts that belong to no domain.
    fn outside(&self) -> Reader<'_> {
        Reader {
            scope: Scope::outside(&self.names),
            problems: &self.problems,
        }
    }

    /// Returns the reader of a domain's texts.
    fn inside<'s>(&'s self, inside: &'s Inside) -> Reader<'s> {
        Reader {
            scope: Scope {
                names: &self.names,
                inside: Some(inside),
            },
            problems: &self.problems,
        }
    }

    fn report(&self, errors: impl IntoIterator<Item = SourceError>) {
        self.problems.borrow_mut().extend(errors);
    }

    fn expand(&self) -> Result<Scenario, SourceError> {
        let case = &self.case.case;
        let outside = self.outside();
        self.report(validate::domains(case));
        let id = match self.row.get(ROW) {
            Some(Text(label)) => {
                validate::label(label)
                    .map_err(|why| SourceError::new(&format!("{ROW}: {label}"), why))?;
                format!("{}/{label}", self.case.id.name())
            }
            None if self.row.is_empty() => self.case.id.name().to_owned(),
            None => {
                let why = format!("a row needs `{ROW}`");
                return Err(SourceError::new("parameters", why));
            }
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
        let mut needs = outside.gather(case.needs().iter().map(|name| {
            name.parse()
                .map_err(|error| SourceError::new(name, format!("{error}")))
        }));
        needs.extend(validate::needs(&domains));
        let real = |pci: &&Topology| pci.firmware == Firmware::UBoot;
        let pci = &self.names.pci;
        needs.extend(pci.iter().find(real).map(|_| Capability::Firmware));
        self.report(self.version());
        let added = self.added();
        self.report(self.unprotected());
        let mut host = self.protections(&added);
        host.extend(outside.edits(&case.host));
        if validate::only_trees_say(&domains, &host) {
            needs.push(Capability::Dom0lessTrees);
        }
        let rules = case.iommu_events.iter();
        let iommu_events: Vec<EventRule> = outside.gather(
            rules.map(|text| outside.each(text, |text| EventRule::parse(text, &outside.scope))),
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
        let mut steps = Vec::new();
        for step in &case.outside {
            let acts: Vec<Action> = outside
                .gather(step.acts.iter().map(|act| self.acts(act)))
                .concat();
            // A mark may be missing only because its line could not be read.
            if complete {
                let at =
                    outside.gather([outside.each(&step.at, |text| parse::trigger(text, &domains))]);
                steps.extend(at.into_iter().map(|at| Step {
                    at,
                    acts: acts.clone(),
                }));
            }
        }
        let paths = |paths: &Vec<Text>| -> Result<Vec<String>, SourceError> {
            let read = |text| outside.each(text, |text| outside.scope.path(text));
            paths.iter().map(read).collect()
        };
        Ok(Scenario {
            id,
            case: self.case.id.clone(),
            title: case.title.clone(),
            covers: self.case.covers.clone(),
            class: case.class,
            clause: case.clause.clone(),
            place: self.place.clone(),
            arch: self.profile.arch,
            level: outside
                .optional(case.level.as_ref(), parse::level)?
                .unwrap_or_default(),
            needs,
            note: case.note.clone(),
            machine: self.machine.clone(),
            board: self.names.machine,
            lacking: self.lacking(),
            added,
            pci: self.names.pci.clone(),
            arguments: outside.all(&case.arguments)?,
            host,
            passthrough: case.passthrough.as_ref().map(paths).transpose()?,
            domains,
            outside: steps,
            iommu_events,
        })
    }

    /// Checks that the machine has the version that the case asks for.
    fn version(&self) -> Option<SourceError> {
        let name = self.machine.version.as_ref()?;
        let known = &self.names.machine.versions;
        (!known.contains_key(name)).then(|| {
            let of = &self.names.machine.machine;
            let hint = match text::nearest(name, known.keys()) {
                Some(near) => format!("; did you mean `{near}`?"),
                None if known.is_empty() => "; it has none".to_owned(),
                None => {
                    let all: Vec<&str> = known.keys().map(String::as_str).collect();
                    format!("; there are `{}`", all.join("`, `"))
                }
            };
            SourceError::new(name, format!("`{name}` is no version of `{of}`{hint}"))
        })
    }

    /// Checks that what the IOMMU does not protect is there.
    fn unprotected(&self) -> Vec<SourceError> {
        let machine = &self.machine;
        let wrong = machine.unprotected.iter();
        let wrong = wrong.filter(|name| !machine.devices.contains(name));
        let told = wrong.map(|name| {
            let why = format!("`{name}` is none of the case's `devices`");
            SourceError::new(name, why)
        });
        told.collect()
    }

    /// Returns what the case needs and the machine cannot do; a feature that no machine has is an error.
    fn lacking(&self) -> Vec<String> {
        let at = self.outside();
        let known: BTreeSet<&str> = self
            .names
            .library
            .machines()
            .flat_map(|machine| machine.features.iter().map(String::as_str))
            .collect();
        let wanted = at.gather(self.machine.features.iter().map(|text| {
            at.optional(Some(text), |name| match known.contains(name) {
                true => Ok(name.to_owned()),
                false => {
                    let near = text::nearest(name, known.iter().copied());
                    let hint = near.map(|near| format!("; did you mean `{near}`?"));
                    Err(format!(
                        "`{name}` is no feature of any machine{}",
                        hint.unwrap_or_default()
                    ))
                }
            })
        }));
        let has = |name: &String| self.names.machine.features.contains(name);
        wanted
            .into_iter()
            .flatten()
            .filter(|name| !has(name))
            .collect()
    }

    /// Returns the devices that the case adds to the machine.
    fn added(&self) -> Vec<Added> {
        let machine = &self.machine;
        let found = machine.devices.iter().map(|name| {
            let device = self.names.machine.device(name);
            let optional = device.filter(|device| device.optional.is_some());
            let place = optional.ok_or_else(|| {
                let known = self.names.machine.devices.iter();
                let known = known.filter(|(_, device)| device.optional.is_some());
                let names = known.map(|(name, _)| name.as_str());
                let hint = text::nearest(name, names.clone()).map(str::to_owned);
                let hint = hint.unwrap_or_else(|| names.collect::<Vec<_>>().join("`, `"));
                let why = format!("`{name}` is no device to ask for; did you mean `{hint}`?");
                SourceError::new(name, why)
            })?;
            let device = place
                .model(self.names.library)
                .map_err(|why| SourceError::new(name, why))?;
            Ok(Added { device, place })
        });
        self.outside().gather(found)
    }

    /// Tells whether a device of the machine is behind its IOMMU in this case.
    fn is_protected(&self, name: &str) -> bool {
        let machine = &self.machine;
        let named = |names: &[String]| names.iter().any(|one| one == name);
        let device = self.names.machine.device(name);
        let known = device.filter(|device| device.stream.is_some());
        let there =
            known.is_some_and(|device| device.optional.is_none() || named(&machine.devices));
        machine.iommu && there && !named(&machine.unprotected)
    }

    /// Returns the edits that put the added devices behind the IOMMU.
    fn protections(&self, added: &[Added]) -> Vec<Edit> {
        let names = self.machine.devices.iter();
        let iommu = self.names.machine.iommu();
        let target = iommu.and_then(|iommu| iommu.path.clone());
        let behind = names.zip(added).filter(|(name, _)| self.is_protected(name));
        let edit = |(_, added): (_, &Added)| {
            Some(Edit::Point {
                path: added.place.path.clone()?,
                prop: "iommus".to_owned(),
                target: target.clone()?,
                before: Vec::new(),
                after: added.place.stream.into_iter().collect(),
            })
        };
        behind.filter_map(edit).collect()
    }
}

impl Reader<'_> {
    /// Keeps what could be read, and records the rest as problems.
    fn gather<T>(&self, read: impl IntoIterator<Item = Result<T, SourceError>>) -> Vec<T> {
        read.into_iter()
            .filter_map(|one| {
                one.map_err(|error| self.problems.borrow_mut().push(error))
                    .ok()
            })
            .collect()
    }

    fn properties(&self, props: &BTreeMap<String, Text>) -> Vec<(String, Value)> {
        self.gather(props.iter().map(|(name, value)| {
            let value = self.each(value, |text| property(text, &self.scope))?;
            Ok((self.fill(&Text(name.clone()))?, value))
        }))
    }

    fn fill(&self, text: &Text) -> Result<String, SourceError> {
        self.scope
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

    fn edits(&self, texts: &[Text]) -> Vec<Edit> {
        let read = |text| self.optional(Some(text), |text| edit(text, &self.scope));
        let edits = self.gather(texts.iter().map(read));
        edits.into_iter().flatten().collect()
    }

    fn optional<T>(
        &self,
        text: Option<&Text>,
        read: impl FnOnce(&str) -> Result<T, String>,
    ) -> Result<Option<T>, SourceError> {
        let Some(text) = text else {
            return Ok(None);
        };
        let filled = self.fill(text)?;
        if filled.trim().is_empty() {
            return Ok(None);
        }
        let made = read(&filled).map_err(|why| SourceError::new(&text.0, why))?;
        Ok(Some(made))
    }
}
