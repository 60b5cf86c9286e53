//! The domains of a case: their numbers, resources, scripts and expectations.

use std::collections::BTreeMap;

use runners::Profile;
use wire::Op;

use super::{Expansion, Reader};
use crate::arch::{self, CONTROLLER_PHANDLE};
use crate::case::domain::Destroyed;
use crate::case::expect::Expect;
use crate::case::load::SourceError;
use crate::case::{self, Role, Text};
use crate::language::{Inside, Scope};
use crate::scenario::domain_table::{DomainEntry, DomainTable};
use crate::scenario::isolation_checks::{Occupied, isolation_checks};
use crate::scenario::script::Writer;
use crate::scenario::{
    CHILD_MEMORY_KIB, Child, DOMAIN_MEMORY_KIB, Device, Domain, Expectation, From, Line, Partial,
    SENTINEL, TreeCheck, parse, validate,
};

#[cfg(test)]
mod tests;

/// Offset at which a control domain puts the tree and the ramdisk of a child in the child's memory: above the probe and
/// the flags, and low enough for the smallest child.
const TREE: u64 = 0x18_0000;
const RAMDISK: u64 = 0x1a_0000;

impl Expansion<'_> {
    /// Numbers all domains: first those created at boot, then those created later.
    pub(super) fn table(&self) -> Result<DomainTable, SourceError> {
        let case = &self.case.case;
        let mut next = 1_u8;
        let mut numbered = |name: &str, hardware: bool| {
            if hardware {
                return Ok(0);
            }
            let number = next;
            next = next
                .checked_add(1)
                .ok_or_else(|| SourceError::new(name, "too many domains"))?;
            Ok(number)
        };
        let ram = self.profile.guest.ram.base;
        let mut parts = Vec::new();
        for domain in &case.domains {
            let number = numbered(&domain.name, self.is_first(domain))?;
            let banks = self.banks(domain);
            let ram = match banks.first() {
                Some((base, _)) if domain.is_direct() => *base,
                _ => ram,
            };
            parts.push(DomainEntry::new(
                &domain.name,
                number,
                u16::from(number),
                ram,
            ));
        }
        if case.sentinel {
            let number = numbered(SENTINEL, false)?;
            parts.push(DomainEntry::new(SENTINEL, number, u16::from(number), ram));
        }
        for child in case.domains.iter().flat_map(|domain| &domain.children) {
            let number = numbered(&child.name, false)?;
            let at = self.outside();
            let id = at.optional(child.id.as_ref(), |text| id(text, &at.scope))?;
            parts.push(DomainEntry::new(
                &child.name,
                number,
                id.unwrap_or(u16::from(number)),
                ram,
            ));
        }
        Ok(DomainTable(parts))
    }

    fn banks(&self, domain: &case::Domain) -> Vec<(u64, u64)> {
        let at = self.outside();
        let read = |text| at.optional(Some(text), |text| parse::bank(text, &at.scope));
        let found = at.gather(domain.banks().iter().map(read));
        found.into_iter().flatten().collect()
    }

    /// Returns where the static memory of each domain begins and ends on the host. For memory that could not be read
    /// any place will do, so that the other errors of the case are found, and no false ones.
    pub(super) fn all_banks(&self) -> BTreeMap<String, (u64, u64)> {
        let unread = (self.profile.guest.ram.base, DOMAIN_MEMORY_KIB * 1024);
        let domains = self.case.case.domains.iter();
        let found = domains.filter_map(|domain| {
            let before = self.problems.borrow().len();
            let read = self.banks(domain).first().copied();
            let wrong = self.problems.borrow().len() > before;
            let (base, size) = read.or_else(|| wrong.then_some(unread))?;
            Some((domain.name.clone(), (base, base.saturating_add(size))))
        });
        found.collect()
    }

    /// Tells whether a domain is the one that the subject creates before all others and calls 0.
    fn is_first(&self, domain: &case::Domain) -> bool {
        match domain.role() {
            Role::Guest => false,
            Role::Control => self.profile.control == runners::Control::Dom0,
            Role::Hardware => true,
        }
    }

    /// Expands the domains that this one creates at run time.
    pub(super) fn children(&self, maker: &case::Domain, table: &DomainTable) -> Vec<Domain> {
        self.outside()
            .gather(maker.children.iter().enumerate().map(|(place, child)| {
                let of = table
                    .entry(&maker.name)
                    .map_err(|why| SourceError::new(&maker.name, why))?;
                let part = table
                    .entry(&child.name)
                    .map_err(|why| SourceError::new(&child.name, why))?;
                let entry = u8::try_from(1 + 2 * place)
                    .map_err(|_| SourceError::new(&child.name, "too many children"))?;
                let plan = Child {
                    of: of.number,
                    id: part.id,
                    entry,
                    tree: part.ram.saturating_add(TREE),
                    ramdisk: part.ram.saturating_add(RAMDISK),
                };
                self.domain(child, table, &[], Some(plan))
            }))
    }

    /// Expands one domain; `children` are those that its script may create.
    pub(super) fn domain(
        &self,
        domain: &case::Domain,
        table: &DomainTable,
        children: &[Domain],
        child: Option<Child>,
    ) -> Result<Domain, SourceError> {
        let part = table
            .entry(&domain.name)
            .map_err(|why| SourceError::new(&domain.name, why))?;
        let at = self.outside();
        let functions = at.gather(domain.pci.iter().map(|text| self.given(text)));
        let functions: Vec<[u32; 3]> = functions.into_iter().flatten().collect();
        let banks = self.banks(domain);
        let sum = banks.iter().map(|(_, size)| size / 1024).sum();
        let usual = match (banks.is_empty(), child) {
            (false, _) => Some(sum),
            (true, Some(_)) => Some(CHILD_MEMORY_KIB),
            (true, None) => None,
        };
        let memory_kib = at
            .optional(domain.memory_kib.as_ref(), |text| at.scope.number(text))?
            .or(usual);
        let bytes = memory_kib.unwrap_or(DOMAIN_MEMORY_KIB).saturating_mul(1024);
        let mut inside = Inside {
            ram: (part.ram, part.ram.saturating_add(bytes)),
            hosts: domain.is_direct() || domain.role() == Role::Hardware,
            all_functions: domain.role() == Role::Hardware,
            functions: functions.clone(),
            ..Inside::default()
        };
        // Where a device is mapped is said in the words of a domain that has nothing mapped yet.
        let devices = self.devices(domain, self.inside(&inside), child.is_some());
        let (devices, mapped): (Vec<Device>, Vec<_>) = devices.into_iter().unzip();
        inside.ranges = devices.iter().flat_map(|one| one.ranges.clone()).collect();
        inside.devices = mapped.into_iter().flatten().collect();
        let at = self.inside(&inside);
        let mut lines = if domain.if_permitted.is_empty() {
            self.script(&domain.script, domain, table, children, &inside)
        } else {
            // The other script is checked like any, and not used.
            self.script(&domain.script, domain, table, children, &inside);
            inside.placed.take();
            self.script(&domain.if_permitted, domain, table, children, &inside)
        };
        let expectation = self.expectation(domain, table, &inside)?;
        let rules = domain.tree.iter();
        let rule = |text| at.each(text, |text| TreeCheck::parse(text, &at.scope));
        let mut tree: Vec<TreeCheck> = at.gather(rules.map(rule));
        if !tree.is_empty() {
            // The tree is requested first: later operations may stop the probe.
            lines.insert(
                0,
                Line {
                    op: Op::Tree,
                    expect: Expect::Works,
                    from: From::Case,
                    said: None,
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
        let mut extra = at.properties(&domain.extra);
        if domain.role() == Role::Control && !self.is_first(domain) {
            let value = dtb_gen::Value::Cells(vec![1]);
            extra.insert(0, ("capabilities".to_owned(), value));
        }
        let number32 = |text: Option<&Text>| at.optional(text, |text| at.scope.number32(text));
        let mut made = Domain {
            name: domain.name.clone(),
            number: part.number,
            role: domain.role(),
            child,
            banks,
            direct: domain.is_direct(),
            memory_kib,
            ram: part.ram,
            cpus: number32(domain.cpus.as_ref())?.unwrap_or(1),
            vpl011: domain.vpl011,
            guest_lines: number32(domain.guest_lines.as_ref())?,
            extra,
            partial: {
                let needless = child.is_some() || functions.is_empty();
                self.partial(domain, devices, needless, at)?
            },
            pci: functions,
            lines,
            tree,
            expectation,
            if_permitted: !domain.if_permitted.is_empty(),
        };
        if !matches!(made.expectation, Expectation::Refused(_)) && domain.isolation_checks {
            let isolation_checks =
                isolation_checks(&made, &self.occupied(&made), self.profile.ipa_bits);
            // Isolation checks come first: what a case does to a device or to its interrupts must not disturb them.
            made.lines.splice(0..0, isolation_checks);
        }
        Ok(made)
    }

    /// Reads what must become of a domain.
    fn expectation(
        &self,
        domain: &case::Domain,
        table: &DomainTable,
        inside: &Inside,
    ) -> Result<Expectation, SourceError> {
        let at = self.inside(inside);
        if let Some(words) = &domain.refused {
            // A device of the domain stands for its node, by which the diagnostic must name it.
            let word = |text: &Text| {
                let filled = at.fill(text)?;
                let given = inside.devices.iter().find(|one| one.name == filled);
                Ok(given.map_or(filled, |one| one.node.clone()))
            };
            return Ok(Expectation::Refused(
                words.iter().map(word).collect::<Result<_, _>>()?,
            ));
        }
        Ok(match &domain.destroyed {
            None => Expectation::Runs,
            Some(Destroyed::By(name)) => {
                let by = table.entry(name);
                let by = by.map_err(|why| SourceError::new(&format!("destroyed: {name}"), why))?;
                Expectation::Destroyed {
                    after_mark: "up".to_owned(),
                    by: by.number,
                    mark: "gone".to_owned(),
                }
            }
            Some(Destroyed::Marks(marks)) => {
                let (by, mark) = at.each(&marks.by, |text| {
                    let (name, mark) = case::value::cut(text);
                    Ok((table.entry(name)?.number, mark.to_owned()))
                })?;
                Expectation::Destroyed {
                    after_mark: at.fill(&marks.after_mark)?,
                    by,
                    mark,
                }
            }
        })
    }

    fn script(
        &self,
        texts: &[Text],
        domain: &case::Domain,
        table: &DomainTable,
        children: &[Domain],
        inside: &Inside,
    ) -> Vec<Line> {
        let at = self.inside(inside);
        let writer = Writer {
            name: &domain.name,
            scope: at.scope,
            table,
            children,
        };
        let read = texts.iter().map(|text| {
            let lines = at.optional(Some(text), |text| {
                let parts = text
                    .split(';')
                    .map(str::trim)
                    .filter(|part| !part.is_empty());
                let lines: Vec<Vec<Line>> = parts
                    .map(|part| writer.lines(part))
                    .collect::<Result<_, _>>()?;
                Ok(lines.concat())
            })?;
            Ok((text.clone(), lines.unwrap_or_default()))
        });
        let script: Vec<(Text, Vec<Line>)> = at.gather(read);
        let complete = script.len() == texts.len();
        let texts: Vec<Text> = script
            .iter()
            .flat_map(|(text, lines)| lines.iter().map(|_| text.clone()))
            .collect();
        let lines: Vec<Line> = script.into_iter().flat_map(|(_, lines)| lines).collect();
        if complete {
            self.report(validate::script(&texts, &lines, domain));
        }
        lines
    }

    /// Expands the partial tree. None is needed if something else builds the tree, or if it names no functions.
    fn partial(
        &self,
        domain: &case::Domain,
        devices: Vec<Device>,
        needless: bool,
        at: Reader<'_>,
    ) -> Result<Option<Partial>, SourceError> {
        if domain.partial.is_none() && domain.devices.is_empty() && needless {
            return Ok(None);
        }
        let shape = domain.partial.clone().unwrap_or_default();
        let controller = |text: &str| {
            if text == "none" {
                Ok(None)
            } else {
                at.scope.number32(text).map(Some)
            }
        };
        Ok(Some(Partial {
            cells: at
                .optional(shape.cells.as_ref(), parse::cells)?
                .unwrap_or(Some((2, 2))),
            encoding: at
                .optional(shape.encoding.as_ref(), parse::cells)?
                .flatten(),
            controller: at
                .optional(shape.controller.as_ref(), controller)?
                .unwrap_or(Some(CONTROLLER_PHANDLE)),
            devices,
            edits: at.edits(&shape.edit),
            pad: at.optional(shape.pad.as_ref(), |text| padding(text, &at.scope))?,
            corruption: at.optional(shape.corrupt.as_ref(), |text| {
                text.parse::<dtb_gen::corrupt::Corruption>()
                    .map_err(|error| error.to_string())?;
                Ok(text.to_owned())
            })?,
        }))
    }

    /// Returns what the hypervisor itself puts into a domain's address space.
    fn occupied(&self, domain: &Domain) -> Occupied {
        let guest = &self.profile.guest;
        let host = self.names.machine.host_layout();
        let host = host.as_ref().filter(|_| domain.direct);
        let kib = domain.memory_kib.unwrap_or(DOMAIN_MEMORY_KIB);
        let part = |base: u64, size: u64| (base, base.saturating_add(size.max(1) - 1));
        let emulated = arch::emulated(guest, host, domain.cpus);
        let mut parts: Vec<_> = emulated.map(|(base, size)| part(base, size)).into();
        if domain.direct {
            parts.extend(domain.banks.iter().map(|(base, size)| part(*base, *size)));
        } else {
            parts.push(part(guest.ram.base, kib.saturating_mul(1024)));
        }
        Occupied(parts)
    }
}

/// Parses the id of a domain.
fn id(text: &str, scope: &Scope<'_>) -> Result<u16, String> {
    u16::try_from(scope.number(text)?).map_err(|_| format!("`{text}` is no id of a domain"))
}

/// Parses a size to which a tree is padded. A module that is larger than the machine's memory fits nowhere.
fn padding(text: &str, scope: &Scope<'_>) -> Result<u64, String> {
    const MOST: u64 = 64 << 20;
    match scope.number(text)? {
        size if size <= MOST => Ok(size),
        size => Err(format!("{size} bytes of padding; {MOST} are the most")),
    }
}

/// Returns the sentinel: it writes its memory, sleeps so that every other domain that can run does run, and ends. Every
/// scenario pays for it, so it has only what a domain needs.
pub(super) fn sentinel(number: u8, profile: &Profile) -> Domain {
    let ram = profile.guest.ram.base;
    let bytes = profile.least_memory_kib.saturating_mul(1024);
    let last = ram.saturating_add(bytes.saturating_sub(0x1000));
    let script = [
        Op::Ram {
            at: last,
            len: 0x1000,
        },
        Op::Timer { ms: 1 },
        Op::Yield { count: 4 },
    ];
    let lines = script.map(|op| Line {
        op,
        expect: Expect::Works,
        from: From::Case,
        said: None,
    });
    Domain {
        memory_kib: Some(profile.least_memory_kib),
        lines: lines.into(),
        ..Domain::plain(SENTINEL, number, ram)
    }
}
