//! The domains of a case: their numbers, resources, scripts and expectations.

use runners::Profile;
use wire::Op;

use super::Expansion;
use crate::arch::{self, CONTROLLER_PHANDLE};
use crate::case::expect::Expect;
use crate::case::load::SourceError;
use crate::case::value::{number, number32};
use crate::case::{self, Role, Text};
use crate::scenario::domain_table::{DomainEntry, DomainTable, bank};
use crate::scenario::isolation_checks::{Occupied, isolation_checks};
use crate::scenario::macros::Writer;
use crate::scenario::{
    CHILD_MEMORY_KIB, Child, DOMAIN_MEMORY_KIB, Device, Domain, Expectation, From, Line, Partial,
    SENTINEL, TreeCheck, parse, validate,
};

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
                Some((base, _)) if domain.direct_map => *base,
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
            let id = self.optional(child.id.as_ref(), id)?;
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
        let read = domain
            .banks
            .iter()
            .map(|text| self.optional(Some(text), bank));
        self.gather(read).into_iter().flatten().collect()
    }

    /// Tells whether a domain is the one that the subject creates before all others and calls 0.
    fn is_first(&self, domain: &case::Domain) -> bool {
        match domain.role {
            Role::Guest => false,
            Role::Control => self.profile.control == runners::Control::Dom0,
            Role::Hardware => true,
        }
    }

    /// Expands the domains that this one creates at run time.
    pub(super) fn children(&self, maker: &case::Domain, table: &DomainTable) -> Vec<Domain> {
        self.gather(maker.children.iter().enumerate().map(|(place, child)| {
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
        let pci = self.gather(domain.pci.iter().map(|text| self.given(text)));
        let pci: Vec<[u32; 3]> = pci.into_iter().flatten().collect();
        let mut lines = self.script(domain, table, children, &pci);
        if !domain.otherwise.is_empty() {
            let refused = case::Domain {
                script: domain.otherwise.clone(),
                ..domain.clone()
            };
            lines = self.script(&refused, table, children, &pci);
        }
        let expectation = match (&domain.refused, &domain.destroyed) {
            (Some(words), _) => Expectation::Refused(self.all(words)?),
            (None, Some(gone)) => {
                let (by, mark) = self.each(&gone.by, |text| {
                    let (name, mark) = case::value::cut(text);
                    Ok((table.entry(name)?.number, mark.to_owned()))
                })?;
                let after_mark = self.fill(&gone.having)?;
                Expectation::Destroyed {
                    after_mark,
                    by,
                    mark,
                }
            }
            (None, None) => Expectation::Runs,
        };
        let rules = domain.tree.iter();
        let mut tree: Vec<TreeCheck> =
            self.gather(rules.map(|text| self.each(text, TreeCheck::parse)));
        if !tree.is_empty() {
            // The tree is requested first: later operations may stop the probe.
            lines.insert(
                0,
                Line {
                    op: Op::Tree,
                    expect: Expect::Works,
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
        let banks = self.banks(domain);
        let sum = banks.iter().map(|(_, size)| size / 1024).sum();
        let usual = match (banks.is_empty(), child) {
            (false, _) => Some(sum),
            (true, Some(_)) => Some(CHILD_MEMORY_KIB),
            (true, None) => None,
        };
        let mut extra = self.properties(&domain.extra)?;
        if domain.role == Role::Control && !self.is_first(domain) {
            extra.insert(0, ("capabilities".to_owned(), "<1>".to_owned()));
        }
        let mut made = Domain {
            name: domain.name.clone(),
            number: part.number,
            role: domain.role,
            child,
            banks,
            direct: domain.direct_map,
            memory_kib: self.optional(domain.memory_kib.as_ref(), number)?.or(usual),
            ram: part.ram,
            cpus: self.optional(domain.cpus.as_ref(), number32)?.unwrap_or(1),
            vpl011: domain.vpl011,
            guest_lines: self.optional(domain.guest_lines.as_ref(), number32)?,
            extra,
            partial: self.partial(domain, child.is_some() || pci.is_empty())?,
            pci,
            lines,
            tree,
            expectation,
            if_permitted: !domain.otherwise.is_empty(),
        };
        if !matches!(made.expectation, Expectation::Refused(_)) && domain.guards {
            let isolation_checks =
                isolation_checks(&made, &self.occupied(&made), self.profile.ipa_bits);
            // Isolation checks come first: what a case does to a device or to its interrupts must not disturb them.
            made.lines.splice(0..0, isolation_checks);
        }
        Ok(made)
    }

    fn script(
        &self,
        domain: &case::Domain,
        table: &DomainTable,
        children: &[Domain],
        own: &[[u32; 3]],
    ) -> Vec<Line> {
        let profile = self.profile;
        let hosts = domain.direct_map || domain.role == Role::Hardware;
        let bridge = match &profile.host {
            Some(host) if hosts => host.pci,
            _ => profile.guest.pci,
        };
        let writer = Writer {
            name: &domain.name,
            table,
            role: domain.role,
            children,
            functions: self.pci.as_ref(),
            own,
            ecam: bridge.map(|bridge| bridge.ecam.base),
        };
        let script = domain.script.iter().map(|text| {
            let lines = self.each(text, |text| {
                if text.trim().is_empty() {
                    return Ok(Vec::new());
                }
                writer
                    .lines(text)?
                    .iter()
                    .map(|line| parse::line(line))
                    .collect()
            })?;
            Ok((text.clone(), lines))
        });
        let script: Vec<(Text, Vec<Line>)> = self.gather(script);
        let complete = script.len() == domain.script.len();
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
        needless: bool,
    ) -> Result<Option<Partial>, SourceError> {
        if domain.partial.is_none() && domain.devices.is_empty() && needless {
            return Ok(None);
        }
        let shape = domain.partial.clone().unwrap_or_default();
        let controller = |text: &str| {
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
            controller: self
                .optional(shape.controller.as_ref(), controller)?
                .unwrap_or(Some(CONTROLLER_PHANDLE)),
            devices: self.gather(domain.devices.iter().map(|device| self.device(device))),
            edits: self.edits(&shape.edit)?,
            pad: self.optional(shape.pad.as_ref(), padding)?,
            corruption: self.optional(shape.spoil.as_ref(), |text| {
                text.parse::<dtb_gen::corrupt::Corruption>()
                    .map_err(|error| error.to_string())?;
                Ok(text.to_owned())
            })?,
        }))
    }

    fn device(&self, device: &case::Device) -> Result<Device, SourceError> {
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
            describe_as: like.or_else(|| path.clone()),
            path,
            force: self
                .optional(device.force.as_ref(), parse::truth)?
                .unwrap_or(false),
            interrupts: self.gather(device.lines.iter().map(|text| self.each(text, number32))),
            props: self.properties(&device.props)?,
        })
    }

    /// Returns what the hypervisor itself puts into a domain's address space.
    fn occupied(&self, domain: &Domain) -> Occupied {
        let guest = &self.profile.guest;
        let host = self.profile.host.as_ref().filter(|_| domain.direct);
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
fn id(text: &str) -> Result<u16, String> {
    u16::try_from(number(text)?).map_err(|_| format!("`{text}` is no id of a domain"))
}

/// Parses a size to which a tree is padded. A module that is larger than the machine's memory fits nowhere.
fn padding(text: &str) -> Result<u64, String> {
    const MOST: u64 = 64 << 20;
    match number(text)? {
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
        format!("ram {last:#x} 0x1000"),
        "timer 1".to_owned(),
        "yield 4".to_owned(),
    ];
    let lines = script
        .iter()
        .map(|text| parse::line(text).expect("the sentinel's script is well formed"));
    Domain {
        memory_kib: Some(profile.least_memory_kib),
        lines: lines.collect(),
        ..Domain::plain(SENTINEL, number, ram)
    }
}

#[cfg(test)]
mod tests {
    use runners::Control;

    use super::*;
    use crate::sample::{loaded, profile};
    use crate::scenario::{Scenario, generate};

    const LIFE: &str = "  - id: XenValTestCase~demo.life~1
    title: T
    class: positive
    domains:
      - name: dA
        static: [0x58000000 0x400000, '']
        direct_map: true
        script: [flag 1]
      - name: ctl
        role: control
        script: [hv destroy dA, build dB]
        children: [{name: dB, id: 9, script: ['', timer 1]}]
";

    fn life(control: Control) -> Scenario {
        let profile = Profile {
            control,
            ..profile()
        };
        generate::scenarios(&loaded(LIFE), &profile)
            .unwrap()
            .remove(0)
    }

    fn numbers(scenario: &Scenario) -> Vec<(&str, u8)> {
        let all = scenario.domains.iter();
        all.map(|domain| (domain.name.as_str(), domain.number))
            .collect()
    }

    /// If a node says what a domain may do, numbers follow the tree, and children come after the sentinel.
    #[test]
    fn numbers_follow_the_tree() {
        let made = life(Control::Capabilities);
        assert_eq!(
            numbers(&made),
            [("dA", 1), ("ctl", 2), (SENTINEL, 3), ("dB", 4)]
        );
        assert_eq!(
            made.domains[1].extra,
            [("capabilities".to_owned(), "<1>".to_owned())]
        );
        assert_eq!(made.domains[1].lines[0].op.to_string(), "hv destroy 1");
        assert_eq!(
            made.domains[3]
                .child
                .map(|child| (child.of, child.id, child.entry)),
            Some((2, 9, 1))
        );
        assert_eq!(made.domains[3].lines.len(), 1);
        let direct = &made.domains[0];
        assert_eq!((direct.memory_kib, direct.ram), (Some(4096), 0x5800_0000));
    }

    /// If only the first domain is a control domain, it is the case's control domain.
    #[test]
    fn the_first_domain_may_be_in_control() {
        let made = life(Control::Dom0);
        assert_eq!(
            numbers(&made),
            [("dA", 1), ("ctl", 0), (SENTINEL, 2), ("dB", 3)]
        );
        assert!(made.domains[1].extra.is_empty());
    }

    /// The required capabilities follow from the domains and their operations.
    #[test]
    fn needs_follow_from_the_domains() {
        use model::Capability::{ControlDomain, Destroy, DirectMap, RuntimeConsole, RuntimeCreate};
        let mut wanted = vec![
            ControlDomain,
            Destroy,
            DirectMap,
            RuntimeConsole,
            RuntimeCreate,
        ];
        wanted.sort_unstable();
        assert_eq!(life(Control::Capabilities).needs, wanted);
    }
}
