//! Compares the board's PCI host bridge in its own tree with the machine's file.

use dtb_gen::{Node, Tree};
use runners::{PciHost, Window};

/// Cells of an entry of `ranges`: three for the bus address, two for the host address, two for the size.
const RANGE: usize = 7;
/// Space codes of memory (IEEE 1275 PCI binding 2.2.1.1): 32-bit and 64-bit.
const SPACES: [u32; 2] = [2, 3];

/// Checks that the tree has the bridge behind which the suite places functions. A window of no size is none.
pub fn check(base: &Tree, host: Option<PciHost>) -> Result<(), String> {
    let host = host.ok_or("the machine's file has no `pci`")?;
    let is = |node: &&Node| {
        let texts = node.get("compatible").and_then(|prop| prop.texts());
        texts.is_some_and(|texts| texts.contains(&"pci-host-ecam-generic"))
    };
    let node = base.root.children.iter().find(is);
    let node = node.ok_or("the board's tree has no `pci-host-ecam-generic`")?;
    let cells = |name: &str| {
        let found = node.get(name).and_then(|prop| prop.cells());
        found.ok_or_else(|| format!("/{} has no `{name}`", node.name))
    };
    let reg = cells("reg")?;
    let agree = |what: &str, found: Option<Window>, wanted: Window| match found {
        Some(found) if found == wanted => Ok(()),
        _ => Err(format!(
            "/{}: {what} is {found:x?}, and {wanted:x?} by the machine's file",
            node.name
        )),
    };
    agree("its configuration space", window(&reg), host.ecam)?;
    let ranges = cells("ranges")?;
    for (space, wanted) in SPACES.into_iter().zip([host.low, host.high]) {
        let found = ranges
            .chunks_exact(RANGE)
            .find(|entry| entry[0] >> 24 & 3 == space);
        if found.is_none() && wanted.size == 0 {
            continue;
        }
        agree(
            "a window",
            found.and_then(|entry| window(&entry[3..])),
            wanted,
        )?;
    }
    Ok(())
}

fn window(cells: &[u32]) -> Option<Window> {
    let &[base, base_low, size, size_low] = cells else {
        return None;
    };
    let word = |high: u32, low: u32| u64::from(high) << 32 | u64::from(low);
    Some(Window {
        base: word(base, base_low),
        size: word(size, size_low),
    })
}
