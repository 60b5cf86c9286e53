//! Cases to scenarios: every row of every case, for one subject, in a fixed order.

use std::collections::BTreeMap;

use runners::Profile;
use wire::Op;

use crate::case::load::{Culprit, Loaded, LoadedCase};
use crate::case::template::Names;
use crate::case::value::{edit, number, number32, property};
use crate::case::{self, Case, Text};
use crate::requirement::diagnostic::Diagnostic;
use crate::scenario::guards::{Occupied, guards};
use crate::scenario::{
    DOMAIN_MEMORY_KIB, Device, Domain, Fate, From, Line, Partial, SENTINEL, Scenario, Step,
    TreeCheck, parse,
};

/// Expands all cases for the architecture of `profile`; all errors of all files at once.
pub fn scenarios(loaded: &Loaded, profile: &Profile) -> Result<Vec<Scenario>, Vec<Diagnostic>> {
    let mut all = Vec::new();
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
                Ok(scenario) => all.push(scenario),
                Err(culprit) => problems.push(case.diagnostic(&culprit)),
            }
        }
    }
    for (place, scenario) in all.iter().enumerate() {
        if all[..place].iter().any(|other| other.id == scenario.id) {
            let message = format!("two rows are called `{}`; `as` must differ", scenario.id);
            problems.push(Diagnostic::error("requirements", 0, message));
        }
    }
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
}

impl<'a> Expansion<'a> {
    fn new(case: &'a LoadedCase, profile: &'a Profile, row: &'a BTreeMap<String, Text>) -> Self {
        let constants = constants(profile);
        Self {
            case,
            profile,
            row,
            names: Names::new(&constants, row),
        }
    }

    fn scenario(&self) -> Result<Scenario, Culprit> {
        let case = &self.case.case;
        let id = match self.row.get("as") {
            Some(label) => format!("{}/{}", self.case.id.name(), label.0),
            None if self.row.is_empty() => self.case.id.name().to_owned(),
            None => return Err(Culprit::new("each", "a row needs `as`, its name")),
        };
        let mut domains = Vec::new();
        for domain in &case.domains {
            let number = u8::try_from(domains.len() + 1)
                .map_err(|_| Culprit::new(&domain.name, "too many domains"))?;
            domains.push(self.domain(domain, number)?);
        }
        if case.sentinel {
            let number = u8::try_from(domains.len() + 1)
                .map_err(|_| Culprit::new(SENTINEL, "too many domains"))?;
            domains.push(sentinel(number, self.profile));
        }
        let needs = case
            .needs
            .iter()
            .map(|name| {
                name.parse()
                    .map_err(|error| Culprit::new(name, format!("{error}")))
            })
            .collect::<Result<_, _>>()?;
        let mut outside = Vec::new();
        for step in &case.outside {
            let at = self.each(&step.at, |text| parse::moment(text, &domains))?;
            let acts = step
                .acts
                .iter()
                .map(|act| self.each(act, parse::act))
                .collect::<Result<_, _>>()?;
            outside.push(Step { at, acts });
        }
        self.edits(&case.host)?;
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

    fn domain(&self, domain: &case::Domain, number: u8) -> Result<Domain, Culprit> {
        let mut lines: Vec<Line> = domain
            .script
            .iter()
            .map(|text| self.each(text, parse::line))
            .collect::<Result<_, _>>()?;
        let fate = match &domain.refused {
            Some(words) => Fate::Refused(self.all(words)?),
            None => Fate::Runs,
        };
        let mut tree: Vec<TreeCheck> = domain
            .tree
            .iter()
            .map(|text| self.each(text, TreeCheck::parse))
            .collect::<Result<_, _>>()?;
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
            number,
            memory_kib: self.optional(domain.memory_kib.as_ref(), number64)?,
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
            devices: domain
                .devices
                .iter()
                .map(|device| self.device(device))
                .collect::<Result<_, _>>()?,
            edits: self.edits(&shape.edit)?,
            pad: self.optional(shape.pad.as_ref(), number64)?,
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
            ranges: device
                .reg
                .iter()
                .map(|text| self.each(text, parse::ranges))
                .collect::<Result<Vec<_>, _>>()?
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
        props
            .iter()
            .map(|(name, value)| {
                self.each(value, property)?;
                Ok((self.fill(&Text(name.clone()))?, self.fill(value)?))
            })
            .collect()
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
        let mut edits = Vec::new();
        for text in texts {
            let filled = self.fill(text)?;
            if !filled.trim().is_empty() {
                self.each(text, edit)?;
                edits.push(filled);
            }
        }
        Ok(edits)
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

fn number64(text: &str) -> Result<u64, String> {
    number(text)
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
    let memory = domain.memory_kib.unwrap_or(DOMAIN_MEMORY_KIB) * 1024;
    let gicr = 0x2_0000 * u64::from(domain.cpus);
    Occupied(vec![
        (guest.gicd.base, guest.gicd.base + 0xffff),
        (guest.gicr.base, guest.gicr.base + gicr - 1),
        (guest.uart.base, guest.uart.base + 0xfff),
        (
            guest.ram.base,
            guest.ram.base.saturating_add(memory).saturating_sub(1),
        ),
    ])
}

/// The domain that shows that the machine runs: it writes its memory, sleeps so that every other domain that can run
/// does run, and ends.
fn sentinel(number: u8, profile: &Profile) -> Domain {
    let last = profile.guest.ram.base + DOMAIN_MEMORY_KIB * 1024 - 0x1000;
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
        memory_kib: None,
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
