//! Values that many cases use, by names that say what they are for.

/// Names and values.
pub const VALUES: [(&str, u64); 22] = [
    // Eight bytes, no two of them equal, so that a shifted or swapped one shows.
    ("pattern", 0x1122_3344_5566_7788),
    ("pattern32", 0x1234_5678),
    ("pattern32b", 0x9abc_def0),
    ("stale", 0xdead_beef),
    // What the suite puts where nothing may write, or from where nothing may read.
    ("canary", 0xcafe),
    ("canary2", 0xbeef),
    ("secret", 0x5e_c2e7),
    // What one domain, and then another, writes.
    ("first", 0x11),
    ("second", 0x22),
    ("third", 0x33),
    ("fresh", 0xdb),
    ("even_bits", 0x55),
    ("mixed_bits", 0x5a),
    // Others, which only have to differ.
    ("marker1", 0x77),
    ("marker2", 0x99),
    ("marker3", 0x42),
    ("marker4", 0xa5),
    ("marker5", 0xaa),
    ("marker6", 0x66),
    ("marker7", 0xc3),
    ("marker8", 0x3c),
    ("marker9", 0x5566),
];

/// Returns the value of a name.
pub fn value(name: &str) -> Option<u64> {
    let found = VALUES.iter().find(|(known, _)| *known == name);
    found.map(|(_, value)| *value)
}
