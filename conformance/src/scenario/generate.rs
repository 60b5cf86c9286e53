//! Cases to scenarios: every row of every case, for one subject, in a fixed order.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use runners::Profile;
use wire::Op;

use crate::case::load::{Culprit, Loaded, LoadedCase};
use crate::case::template::Names;
use crate::case::value::{edit, number, number32, property};
use crate::case::{self, Case, Text};
use crate::requirement::diagnostic::Diagnostic;
use crate::scenario::guards::{Occupied, guards};
use crate::scenario::{
    Act, DOMAIN_MEMORY_KIB, Device, Domain, Fate, From, Line, Partial, SENTINEL, Scenario, Step,
    TreeCheck, parse, sense,
};

/// Expands all cases for the architecture of `profile`; all errors of all files at once.
pub fn scenarios(loaded: &Loaded, profile: &Profile) -> Result<Vec<Scenario>, Vec<Diagnostic>> {
    let mut all = Vec::new();
    let mut known = BTreeSet::new();
    let mut problems = Vec::new();
    for case in &loaded.cases {
        if !case
            .case
            .arch
            .iter()
            .any(|arch| arch.name() == profile.arch.name())
        {
            continue;
        }
        for row in rows(&case.case) {
            match Expansion::new(case, profile, &row).scenario() {
                Ok(scenario) if known.insert(scenario.id.clone()) => all.push(scenario),
                Ok(scenario) => {
                    let why = format!("two rows are called `{}`; `as` must differ", scenario.id);
                    let label = row.get("as").map_or("", |label| label.0.as_str());
                    problems.push(case.diagnostic(&Culprit::new(&format!("as: {label}"), why)));
                }
                Err(culprits) => {
                    problems.extend(culprits.iter().map(|culprit| case.diagnostic(culprit)));
                }
            }
        }
    }
    // A text outside of the rows is wrong once, not once a row.
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
    profile: &'a Profile,
    row: &'a BTreeMap<String, Text>,
    names: Names,
    /// What is wrong with one text is no reason to leave the others unread.
    problems: RefCell<Vec<Culprit>>,
}

impl<'a> Expansion<'a> {
    fn new(case: &'a LoadedCase, profile: &'a Profile, row: &'a BTreeMap<String, Text>) -> Self {
        let constants = constants(profile);
        Self {
            case,
            profile,
            row,
            names: Names::new(&constants, row),
            problems: RefCell::default(),
        }
    }

    /// Returns the scenario, or everything that is wrong with it.
    fn scenario(&self) -> Result<Scenario, Vec<Culprit>> {
        let made = self.expand();
        let mut problems = self.problems.take();
        match made {
            Ok(scenario) if problems.is_empty() => Ok(scenario),
            Ok(_) => Err(problems),
            Err(culprit) => {
                problems.push(culprit);
                Err(problems)
            }
        }
    }

    /// Keeps what could be read, and what could not as problems.
    fn gather<T>(&self, read: impl IntoIterator<Item = Result<T, Culprit>>) -> Vec<T> {
        read.into_iter()
            .filter_map(|one| one.map_err(|culprit| self.blame([culprit])).ok())
            .collect()
    }

    fn blame(&self, culprits: impl IntoIterator<Item = Culprit>) {
        self.problems.borrow_mut().extend(culprits);
    }

    fn expand(&self) -> Result<Scenario, Culprit> {
        let case = &self.case.case;
        self.blame(sense::domains(case));
        self.blame(sense::machine(&case.machine).err());
        let id = match self.row.get("as") {
            Some(Text(label)) => {
                sense::label(label).map_err(|why| Culprit::new(&format!("as: {label}"), why))?;
                format!("{}/{label}", self.case.id.name())
            }
            None if self.row.is_empty() => self.case.id.name().to_owned(),
            None => return Err(Culprit::new("each", "a row needs `as`, its name")),
        };
        let mut domains = Vec::new();
        for domain in &case.domains {
            let number = u8::try_from(domains.len() + 1)
                .map_err(|_| Culprit::new(&domain.name, "too many domains"))?;
            match self.domain(domain, number) {
                Ok(domain) => domains.push(domain),
                Err(culprit) => self.blame([culprit]),
            }
        }
        if case.sentinel {
            let number = u8::try_from(domains.len() + 1)
                .map_err(|_| Culprit::new(SENTINEL, "too many domains"))?;
            domains.push(sentinel(number, self.profile));
        }
        let needs = self.gather(case.needs.iter().map(|name| {
            name.parse()
                .map_err(|error| Culprit::new(name, format!("{error}")))
        }));
        let complete = self.problems.borrow().is_empty();
        let mut outside = Vec::new();
        for step in &case.outside {
            let acts: Vec<Act> =
                self.gather(step.acts.iter().map(|act| self.each(act, parse::act)));
            // A mark may be missing only because its line could not be read.
            if complete {
                let at = self.gather([self.each(&step.at, |text| parse::moment(text, &domains))]);
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
            arch: if self.profile.arch.name() == "amd64" {
                case::Arch::Amd64
            } else {
                case::Arch::Aarch64
            },
            needs,
            note: case.note.clone(),
            machine: case.machine.clone(),
            host: self.edits(&case.host)?,
            passthrough: case
                .passthrough
                .as_ref()
                .map(|paths| self.all(paths))
                .transpose()?,
            domains,
            outside,
        })
    }

    fn domain(&self, domain: &case::Domain, place: u8) -> Result<Domain, Culprit> {
        let script = domain.script.iter();
        let mut lines: Vec<Line> = self.gather(script.map(|text| self.each(text, parse::line)));
        if lines.len() == domain.script.len() {
            self.blame(sense::script(&domain.script, &lines, domain));
        }
        let fate = match &domain.refused {
            Some(words) => Fate::Refused(self.all(words)?),
            None => Fate::Runs,
        };
        let rules = domain.tree.iter();
        let mut tree: Vec<TreeCheck> =
            self.gather(rules.map(|text| self.each(text, TreeCheck::parse)));
        if !tree.is_empty() {
            // The tree is asked for first: later operations may stop the probe.
            lines.insert(
                0,
                Line {
                    op: Op::Tree,
                    expect: crate::case::expect::Expect::Works,
                    from: From::Case,
                },
            );
        }
        if lines.iter().any(|line| line.op == Op::Tree) {
            let always = TreeCheck::always()
                .into_iter()
                .filter(|rule| !tree.contains(rule))
                .collect::<Vec<_>>();
            tree.extend(always);
        }
        let mut made = Domain {
            name: domain.name.clone(),
            number: place,
            memory_kib: self.optional(domain.memory_kib.as_ref(), number)?,
            cpus: self.optional(domain.cpus.as_ref(), number32)?.unwrap_or(1),
            vpl011: domain.vpl011,
            nr_spis: self.optional(domain.nr_spis.as_ref(), number32)?,
            extra: self.properties(&domain.extra)?,
            partial: self.partial(domain)?,
            lines,
            tree,
            fate,
        };
        if made.fate == Fate::Runs && domain.guards {
            let guards = guards(&made, &occupied(self.profile, &made), self.profile.ipa_bits);
            // Guards come first: what a case does to a device or to its interrupts must not disturb them.
            made.lines.splice(0..0, guards);
        }
        Ok(made)
    }

    fn partial(&self, domain: &case::Domain) -> Result<Option<Partial>, Culprit> {
        if domain.partial.is_none() && domain.devices.is_empty() {
            return Ok(None);
        }
        let shape = domain.partial.clone().unwrap_or_default();
        let gic = |text: &str| {
            if text == "none" {
                Ok(None)
            } else {
                number32(text).map(Some)
            }
        };
        Ok(Some(Partial {
            cells: self
                .optional(shape.cells.as_ref(), parse::cells)?
                .unwrap_or(Some((2, 2))),
            encoding: self
                .optional(shape.encoding.as_ref(), parse::cells)?
                .flatten(),
            gic: self
                .optional(shape.gic.as_ref(), gic)?
                .unwrap_or(Some(GIC_PHANDLE)),
            devices: self.gather(domain.devices.iter().map(|device| self.device(device))),
            edits: self.edits(&shape.edit)?,
            pad: self.optional(shape.pad.as_ref(), padding)?,
            spoil: self.optional(shape.spoil.as_ref(), |text| {
                text.parse::<dtb_gen::spoil::Spoil>()
                    .map_err(|error| error.to_string())?;
                Ok(text.to_owned())
            })?,
        }))
    }

    fn device(&self, device: &case::Device) -> Result<Device, Culprit> {
        let path = device
            .path
            .as_ref()
            .map(|text| self.fill(text))
            .transpose()?
            .filter(|path| !path.is_empty());
        let like = device
            .like
            .as_ref()
            .map(|text| self.fill(text))
            .transpose()?
            .filter(|like| !like.is_empty());
        Ok(Device {
            node: self.fill(&device.node)?,
            ranges: self
                .gather(device.reg.iter().map(|text| self.each(text, parse::ranges)))
                .concat(),
            like: like.or_else(|| path.clone()),
            path,
            force: self
                .optional(device.force.as_ref(), parse::truth)?
                .unwrap_or(false),
            props: self.properties(&device.props)?,
        })
    }

    fn properties(&self, props: &BTreeMap<String, Text>) -> Result<Vec<(String, String)>, Culprit> {
        Ok(self.gather(props.iter().map(|(name, value)| {
            self.each(value, property)?;
            Ok((self.fill(&Text(name.clone()))?, self.fill(value)?))
        })))
    }

    fn fill(&self, text: &Text) -> Result<String, Culprit> {
        self.names
            .fill(&text.0)
            .map_err(|why| Culprit::new(&text.0, why))
    }

    fn all(&self, texts: &[Text]) -> Result<Vec<String>, Culprit> {
        texts.iter().map(|text| self.fill(text)).collect()
    }

    fn each<T>(
        &self,
        text: &Text,
        read: impl FnOnce(&str) -> Result<T, String>,
    ) -> Result<T, Culprit> {
        read(&self.fill(text)?).map_err(|why| Culprit::new(&text.0, why))
    }

    fn edits(&self, texts: &[Text]) -> Result<Vec<String>, Culprit> {
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
    ) -> Result<Option<T>, Culprit> {
        match text {
            Some(text) if !self.fill(text)?.trim().is_empty() => self.each(text, read).map(Some),
            _ => Ok(None),
        }
    }
}

/// phandle that a partial tree gives its `gic` placeholder unless the case says otherwise.
pub const GIC_PHANDLE: u32 = 0xfde8;

/// Reads a size to which a tree is padded. A module that is larger than the machine's memory fits nowhere.
fn padding(text: &str) -> Result<u64, String> {
    const MOST: u64 = 64 << 20;
    match number(text)? {
        size if size <= MOST => Ok(size),
        size => Err(format!("{size} bytes of padding; {MOST} are the most")),
    }
}

/// Values of a subject that texts may name.
fn constants(profile: &Profile) -> BTreeMap<String, String> {
    let guest = &profile.guest;
    let hex = |value: u64| format!("{value:#x}");
    BTreeMap::from([
        ("gicd".to_owned(), hex(guest.gicd.base)),
        ("gicr".to_owned(), hex(guest.gicr.base)),
        ("uart".to_owned(), hex(guest.uart.base)),
        ("ram".to_owned(), hex(guest.ram.base)),
        (
            "ipa_end".to_owned(),
            hex(1_u64.checked_shl(u32::from(profile.ipa_bits)).unwrap_or(0)),
        ),
    ])
}

/// What the hypervisor itself puts into a domain's address space.
fn occupied(profile: &Profile, domain: &Domain) -> Occupied {
    let guest = &profile.guest;
    let kib = domain.memory_kib.unwrap_or(DOMAIN_MEMORY_KIB);
    let gicr = 0x2_0000 * u64::from(domain.cpus.max(1));
    let part = |base: u64, size: u64| (base, base.saturating_add(size.max(1) - 1));
    Occupied(vec![
        part(guest.gicd.base, 0x1_0000),
        part(guest.gicr.base, gicr),
        part(guest.uart.base, 0x1000),
        part(guest.ram.base, kib.saturating_mul(1024)),
    ])
}

/// Memory of the sentinel in KiB. Every scenario pays for it, so it is what a probe needs and no more.
const SENTINEL_MEMORY_KIB: u64 = 2 * 1024;

/// The domain that shows that the machine runs: it writes its memory, sleeps so that every other domain that can run
/// does run, and ends.
fn sentinel(number: u8, profile: &Profile) -> Domain {
    let ram = profile.guest.ram.base;
    let last = ram.saturating_add(SENTINEL_MEMORY_KIB * 1024 - 0x1000);
    let script = [
        format!("ram {last:#x} 0x1000"),
        "timer 1".to_owned(),
        "yield 4".to_owned(),
    ];
    let lines = script
        .iter()
        .map(|text| parse::line(text).expect("the sentinel's script is well formed"));
    Domain {
        name: SENTINEL.to_owned(),
        number,
        memory_kib: Some(SENTINEL_MEMORY_KIB),
        cpus: 1,
        vpl011: true,
        nr_spis: None,
        extra: Vec::new(),
        partial: None,
        lines: lines.collect(),
        tree: Vec::new(),
        fate: Fate::Runs,
    }
}
