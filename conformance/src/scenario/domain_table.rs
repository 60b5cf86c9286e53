//! The domains of a case: their names in scripts, and their ids in hypercalls.

use text::nearest;

use crate::case::value::number;

/// Offset of a domain's flags for a control domain in its memory: above the probe, below what a hypervisor or a control
/// domain puts at the top.
const FLAG: u64 = 0x10_0000;

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
        let known = || self.0.iter().map(|entry| entry.name.as_str());
        self.0
            .iter()
            .find(|entry| entry.name == name)
            .ok_or_else(|| {
                let near = nearest(name, known()).map(str::to_owned);
                let hint = near.unwrap_or_else(|| known().collect::<Vec<_>>().join("`, `"));
                format!("`{name}` is no domain; did you mean `{hint}`?")
            })
    }

    /// Replaces names by ids, in all words after the first two.
    pub fn resolve(&self, text: &str) -> String {
        let id = |word: &str| {
            let entry = self.0.iter().find(|entry| entry.name == word);
            let special = SPECIAL.iter().find(|(name, _)| *name == word);
            entry.map(|entry| entry.id).or(special.map(|(_, id)| *id))
        };
        let words = text.split_whitespace().enumerate().map(|(place, word)| {
            match id(word).filter(|_| place >= 2) {
                Some(id) => id.to_string(),
                None => word.to_owned(),
            }
        });
        words.collect::<Vec<_>>().join(" ")
    }
}

/// Parses `<address> <size>` in whole pages.
pub fn bank(text: &str) -> Result<(u64, u64), String> {
    let numbers: Vec<u64> = text
        .split_whitespace()
        .map(number)
        .collect::<Result<_, _>>()?;
    match numbers.as_slice() {
        &[base, size] => Ok((base, size)),
        _ => Err(format!(
            "`{text}`: {} numbers instead of two: address, size",
            numbers.len()
        )),
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

    /// Names become ids wherever an operand may occur; the verb stays.
    #[test]
    fn names_become_ids() {
        assert_eq!(table().resolve("hv destroy dA"), "hv destroy 2");
        assert_eq!(
            table().resolve("hv foreign 0x3a000 dA 7"),
            "hv foreign 0x3a000 2 7"
        );
        assert_eq!(table().resolve("hv destroy destroy"), "hv destroy 3");
        assert_eq!(table().resolve("hv pause self"), "hv pause 32752");
        assert_eq!(table().resolve("hv assign dA /dA"), "hv assign 2 /dA");
    }

    /// An unknown name is reported with the nearest one, an incomplete bank with what is missing.
    #[test]
    fn what_is_no_name_or_bank_is_refused() {
        assert_eq!(table().entry("dA").unwrap().flag(), 0x4010_0000);
        assert!(
            table()
                .entry("dB")
                .unwrap_err()
                .contains("did you mean `dA`")
        );
        assert_eq!(bank("0x1000 0x2000"), Ok((0x1000, 0x2000)));
        assert!(bank("1").unwrap_err().contains("1 numbers instead of two"));
    }
}
