//! Checks the PCI host bridge in a domain's tree (IEEE 1275 PCI binding 2.1; Devicetree Specification 2.4.3).

use dtb_gen::{Node, Tree};

use crate::arch;

/// Space codes of an address on the bus: 32-bit memory, 64-bit memory, and the flag for prefetchable memory.
const LOW: u32 = 2;
const HIGH: u32 = 3;
const PREFETCHABLE: u32 = 1 << 30;
/// Cells of an entry of `ranges`.
const RANGE: usize = 7;
/// Size of the configuration space of a bus in ECAM.
const BUS: u64 = 1 << 20;

/// Says what is wrong with the only host bridge of a tree, whose ECAM and windows begin at these addresses; none if it
/// is right.
pub fn broken(tree: &Tree, [ecam, low, high]: [u64; 3]) -> Option<String> {
    let node = match bridge(tree) {
        Ok(node) => node,
        Err(why) => return Some(why),
    };
    let texts = [("device_type", "pci")];
    for (name, wanted) in texts {
        let found = node.get(name).and_then(|prop| prop.texts());
        if found.as_deref() != Some(&[wanted][..]) {
            return Some(format!("its `{name}` is not \"{wanted}\""));
        }
    }
    let widths = [
        ("#address-cells", 3),
        ("#size-cells", 2),
        ("#interrupt-cells", 1),
    ];
    for (name, wanted) in widths {
        let found = node.get(name).and_then(|prop| prop.u32());
        if found != Some(wanted) {
            return Some(format!("its `{name}` is not {wanted}"));
        }
    }
    let cells = |name: &str| {
        node.get(name)
            .and_then(|prop| prop.cells())
            .unwrap_or_default()
    };
    let (reg, buses) = (cells("reg"), cells("bus-range"));
    let &[first, last] = buses.as_slice() else {
        return Some("it has no `bus-range` of two cells".to_owned());
    };
    let size = (u64::from(last).saturating_sub(u64::from(first)) + 1) * BUS;
    match reg.as_slice() {
        &[base, base_low, length, length_low] => {
            if word(base, base_low) != ecam || first != 0 {
                return Some(format!("bus {first} is at {:#x}", word(base, base_low)));
            }
            if word(length, length_low) < size {
                return Some(format!("`reg` does not reach to bus {last}"));
            }
        }
        _ => return Some("its `reg` is not one range".to_owned()),
    }
    let ranges = cells("ranges");
    [(LOW, 0, low), (HIGH, PREFETCHABLE, high)]
        .into_iter()
        .find_map(|(space, kind, base)| {
            let is =
                |entry: &&[u32]| entry[0] >> 24 & 3 == space && entry[0] & PREFETCHABLE == kind;
            let found = ranges.chunks_exact(RANGE).find(is);
            let found = found.map(|entry| (word(entry[1], entry[2]), word(entry[3], entry[4])));
            // A bridge without this window.
            let none = base == 0 && found.is_none();
            (!none && found != Some((base, base))).then(|| {
                let bits = 32 * (space - 1);
                format!("its window of {bits} bits is {found:x?}, not at {base:#x}")
            })
        })
}

/// Says what is wrong with the routing of a pin of a device on the first bus, which must end at this shared interrupt.
pub fn line_broken(tree: &Tree, device: u32, pin: u32, line: u32) -> Option<String> {
    let node = match bridge(tree) {
        Ok(node) => node,
        Err(why) => return Some(why),
    };
    let cells = |name: &str| {
        node.get(name)
            .and_then(|prop| prop.cells())
            .unwrap_or_default()
    };
    let mask = cells("interrupt-map-mask");
    let &[mask_high, _, _, mask_pin] = mask.as_slice() else {
        return Some("it has no `interrupt-map-mask` of four cells".to_owned());
    };
    let unit = (device << 11 & mask_high, pin & mask_pin);
    let map = cells("interrupt-map");
    let mut rest = map.as_slice();
    // The widths of each entry's parent say how the entry ends.
    while let &[address, _, _, entry_pin, parent, ref after @ ..] = rest {
        let target = tree.by_phandle(parent);
        let target = target.as_deref().and_then(|path| tree.find(path));
        let width = |name: &str| {
            let prop = target.and_then(|node| node.get(name));
            prop.and_then(|prop| prop.u32())
                .and_then(|cells| usize::try_from(cells).ok())
        };
        let (Some(interrupt), place) = (width("#interrupt-cells"), width("#address-cells")) else {
            return Some(format!(
                "`interrupt-map` names {parent:#x}, no interrupt controller"
            ));
        };
        let place = place.unwrap_or(0);
        let (Some(specifier), Some(next)) = (
            after.get(place..place + interrupt),
            after.get(place + interrupt..),
        ) else {
            return Some("`interrupt-map` ends within an entry".to_owned());
        };
        if (address & mask_high, entry_pin & mask_pin) == unit {
            let wanted = arch::shared_line(line);
            return (specifier != wanted).then(|| format!("it arrives at {specifier:x?}"));
        }
        rest = next;
    }
    Some("`interrupt-map` has no entry for it".to_owned())
}

/// Finds the only host bridge of a tree.
fn bridge(tree: &Tree) -> Result<&Node, String> {
    let bridges: Vec<&Node> = tree
        .paths()
        .iter()
        .filter_map(|path| tree.find(path))
        .filter(|node| {
            let texts = node.get("compatible").and_then(|prop| prop.texts());
            texts.is_some_and(|texts| texts.contains(&"pci-host-ecam-generic"))
        })
        .collect();
    match bridges.as_slice() {
        [one] => Ok(one),
        others => Err(format!("there are {} PCI host bridges", others.len())),
    }
}

const fn word(high: u32, low: u32) -> u64 {
    (high as u64) << 32 | low as u64
}

#[cfg(test)]
mod tests {
    use dtb_gen::Value;

    use super::*;

    fn tree(edit: impl FnOnce(&mut Node)) -> Tree {
        let controller = Node::new("interrupt-controller@3001000")
            .with("#interrupt-cells", 3_u32)
            .with("#address-cells", 0_u32)
            .with("phandle", 9_u32);
        let mut bridge = Node::new("pcie@10000000")
            .with("compatible", "pci-host-ecam-generic")
            .with("device_type", "pci")
            .with("#address-cells", 3_u32)
            .with("#size-cells", 2_u32)
            .with("#interrupt-cells", 1_u32)
            .with("bus-range", [0_u32, 0xff])
            .with("reg", Value::Cells64(vec![0x1000_0000, 0x1000_0000]))
            .with(
                "ranges",
                [
                    0x0200_0000_u32,
                    0,
                    0x2300_0000,
                    0,
                    0x2300_0000,
                    0,
                    0x1000_0000,
                    0x4300_0000,
                    1,
                    0,
                    1,
                    0,
                    1,
                    0,
                ],
            )
            .with("interrupt-map-mask", [0xf800_u32, 0, 0, 7])
            .with(
                "interrupt-map",
                [0_u32, 0, 0, 1, 9, 0, 6, 4, 0x800, 0, 0, 1, 9, 0, 3, 4],
            );
        edit(&mut bridge);
        Tree {
            root: Node::new("").child(controller).child(bridge),
            ..Tree::default()
        }
    }

    const PLACES: [u64; 3] = [0x1000_0000, 0x2300_0000, 0x1_0000_0000];

    /// A complete bridge is accepted, and each wrong part is named.
    #[test]
    fn bridges_are_good_or_say_why() {
        assert_eq!(broken(&tree(|_| ()), PLACES), None);
        type Table<'t> = [(&'t str, fn(&mut Node)); 7];
        let table: Table<'_> = [
            ("`device_type`", |node| node.set("device_type", "isa")),
            ("`#size-cells`", |node| node.set("#size-cells", 1_u32)),
            ("`bus-range`", |node| node.set("bus-range", 0_u32)),
            ("to bus 255", |node| {
                node.set("reg", Value::Cells64(vec![0x1000_0000, 0xff0_0000]));
            }),
            ("is at 0x20000000", |node| {
                node.set("reg", Value::Cells64(vec![0x2000_0000, 0x1000_0000]));
            }),
            ("32 bits is None", |node| node.set("ranges", [0_u32; 7])),
            ("there are 0", |node| node.set("compatible", "none")),
        ];
        for (wanted, edit) in table {
            let told = broken(&tree(edit), PLACES).unwrap();
            assert!(told.contains(wanted), "{wanted}: {told}");
        }
    }

    /// A pin is routed where the map says, and nowhere if the map has no entry.
    #[test]
    fn pins_arrive_where_they_should() {
        let good = tree(|_| ());
        assert_eq!(line_broken(&good, 0, 1, 38), None);
        assert_eq!(line_broken(&good, 1, 1, 35), None);
        assert!(
            line_broken(&good, 1, 1, 38)
                .unwrap()
                .contains("arrives at [0, 3, 4]")
        );
        assert!(line_broken(&good, 2, 1, 38).unwrap().contains("no entry"));
        let cut = tree(|node| node.set("interrupt-map", [0_u32, 0, 0, 1, 9, 0]));
        assert!(line_broken(&cut, 0, 1, 38).unwrap().contains("ends within"));
        let astray = tree(|node| node.set("interrupt-map", [0_u32, 0, 0, 1, 8, 0, 6, 4]));
        assert!(
            line_broken(&astray, 0, 1, 38)
                .unwrap()
                .contains("no interrupt controller")
        );
    }
}
