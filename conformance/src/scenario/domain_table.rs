//! The domains of a case: their names in scripts, and their ids in hypercalls.

use text::nearest;

/// Offset of a domain's flags for a control domain in its memory: above the probe, below what a hypervisor or a control
/// domain puts at the top.
pub const FLAG: u64 = 0x10_0000;

/// Other names that texts may use in the place of a domain (Xen, public/xen.h: `DOMID_*`).
const SPECIAL: [(&str, u16); 4] = [
    ("self", 0x7ff0),
    ("io", 0x7ff1),
    ("xen", 0x7ff2),
    ("invalid", 0x7ff4),
];

/// One domain.
#[derive(Clone, Debug)]
pub struct DomainEntry {
    /// Its name in the case.
    pub name: String,
    /// Its number in frames.
    pub number: u8,
    /// Its id in hypercalls.
    pub id: u16,
    /// IPA at which its memory begins.
    pub ram: u64,
}

impl DomainEntry {
    /// Creates the entry of a domain.
    pub fn new(name: &str, number: u8, id: u16, ram: u64) -> Self {
        Self {
            name: name.to_owned(),
            number,
            id,
            ram,
        }
    }

    /// Returns the IPA of its flags.
    pub const fn flag(&self) -> u64 {
        self.ram.saturating_add(FLAG)
    }
}

/// All domains of a case.
#[derive(Clone, Debug, Default)]
pub struct DomainTable(pub Vec<DomainEntry>);

impl DomainTable {
    /// Finds a domain by its name in the case.
    pub fn entry(&self, name: &str) -> Result<&DomainEntry, String> {
        let found = self.0.iter().find(|entry| entry.name == name);
        found.ok_or_else(|| self.unknown(name))
    }

    /// Returns the id of a domain by its name, or of what else may stand in its place; none if it is no name.
    pub fn id(&self, name: &str) -> Option<u16> {
        let entry = self.0.iter().find(|entry| entry.name == name);
        let special = SPECIAL.iter().find(|(known, _)| *known == name);
        entry.map(|entry| entry.id).or(special.map(|(_, id)| *id))
    }

    /// Says that a word is the name of no domain.
    pub fn unknown(&self, name: &str) -> String {
        let known = || self.0.iter().map(|entry| entry.name.as_str());
        let near = nearest(name, known()).map(str::to_owned);
        let hint = near.unwrap_or_else(|| known().collect::<Vec<_>>().join("`, `"));
        format!("`{name}` is no domain; did you mean `{hint}`?")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> DomainTable {
        let entry =
            |name: &str, number| DomainEntry::new(name, number, u16::from(number), 0x4000_0000);
        DomainTable(vec![entry("ctl", 1), entry("dA", 2), entry("destroy", 3)])
    }

    /// A name becomes an id, as do the words for what is no domain of the case.
    #[test]
    fn names_become_ids() {
        assert_eq!(table().id("dA"), Some(2));
        assert_eq!(table().id("self"), Some(0x7ff0));
        assert_eq!(table().id("dB"), None);
    }

    /// An unknown name is reported with the nearest one.
    #[test]
    fn what_is_no_name_is_refused() {
        assert_eq!(table().entry("dA").unwrap().flag(), 0x4010_0000);
        let told = table().entry("dB").unwrap_err();
        assert!(told.contains("did you mean `dA`"), "{told}");
    }
}
