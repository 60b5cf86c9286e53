//! Checks the table of former words in docs/case-language.md: it is total and one-to-one, and what stands there now is
//! known.

use std::collections::BTreeSet;

use crate::scenario::{is_operation, is_outside};

const PAGE: &str = include_str!("../../../docs/case-language.md");
const SCHEMA: &str = include_str!("../../../requirements/case.schema.json");

/// The words of version 0.1 that are gone: keys, operations, expectations, actions, and forms of names. The other words
/// of that version are still what they were.
const FORMER: &str = "
    each as events guards otherwise having spoil like lines board edu second_uart flash_pattern
    r8 r16 r32 r64 w8 w16 w32 w64 cpuon flag see signal await hc hcmem hcr hcaim fault errno sweep
    irq+on irq+off irq+act irq+noeoi irq+wait irq+count irq+pend irq+unpend irq+state
    pci+enable pci+known pci+read cfgread dma@ADDRESS dma+read dma+write spi+...+high spi+...+low
    hv+version hv+free hv+list hv+info hv+pages hv+wait hv+create hv+start hv+destroy hv+pause hv+unpause
    hv+shutdown hv+populate hv+depopulate hv+foreign hv+unforeign hv+iomem+...+1 hv+iomem+...+0 hv+map hv+unmap
    hv+bind hv+unbind hv+assign hv+testassign hv+deassign hv+pciadd hv+pciremove hv+pcireset hv+pciassign
    hv+pcitest hv+pcideassign hv+pcigroup hv+pciknown hv+pcilist
    ${bdf:F} ${bar:F.N} ${irq:F} ${spi:F} ${bus:F} ${config:F} ${ipa_end} ${ipa_last_page}
    ${host_ecam} ${host_low} ${host_high} ${host_gicd} ${host_gicr} ${host_uart}
";

/// A row: where the word stands, the former words, and the present ones.
type Row = (String, Vec<String>, Vec<String>);

fn rows() -> Vec<Row> {
    let (_, table) = PAGE.split_once("## Former words").unwrap();
    let quoted = |cell: &str| -> Vec<String> {
        let parts = cell.split('`').skip(1).step_by(2);
        parts.map(str::to_owned).collect()
    };
    let rows = table.lines().filter(|line| line.starts_with("| ")).skip(1);
    let row = |line: &str| {
        let cells: Vec<&str> = line.trim_matches('|').split(" | ").collect();
        let kind = cells[0].trim().to_owned();
        (kind, quoted(cells[1]), quoted(cells[2]))
    };
    rows.map(row).collect()
}

/// Every former word is in the table, once, and the table has no other.
#[test]
fn the_table_is_total() {
    let wanted: BTreeSet<String> = FORMER
        .split_whitespace()
        .map(|word| word.replace('+', " "))
        .collect();
    let rows = rows();
    let told: Vec<&String> = rows.iter().flat_map(|(_, former, _)| former).collect();
    for word in &wanted {
        let count = told.iter().filter(|told| told.as_str() == word).count();
        // A key of two places stands for itself in one of them.
        assert_eq!(count, 1, "{word}");
    }
    let known = |word: &&&String| wanted.contains(**word);
    let more = [
        "devices",
        "machine",
        "dma read ... begin",
        "dma write ... begin",
    ];
    for word in told.iter().filter(|word| !known(word)) {
        assert!(more.contains(&word.as_str()), "{word}");
    }
}

/// No two former words of one kind have the same word now, unless they meant the same.
#[test]
fn the_table_is_one_to_one() {
    let rows = rows();
    let mut known = BTreeSet::new();
    for (kind, _, now) in &rows {
        for word in now {
            assert!(known.insert((kind, word)), "{kind}: {word}");
        }
    }
}

/// What stands in the place of a former word is a word of the language.
#[test]
fn present_words_are_known() {
    for (kind, _, now) in rows() {
        for word in now {
            let known = match kind.as_str() {
                "key" => word == "name" || SCHEMA.contains(&format!("\"{word}\": {{")),
                "operation" => is_operation(&word),
                "outside" => is_outside(&word),
                _ => true,
            };
            assert!(known, "{kind}: {word}");
        }
    }
}
