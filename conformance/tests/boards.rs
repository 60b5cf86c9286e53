//! Shows that cases do not know the board: on a board that does not exist, every case expands, and no address of the
//! real one is left in what it expands to.

use std::path::{Path, PathBuf};

use conformance::case::load::load;
use conformance::library::{Library, Machine};
use conformance::scenario::{ActionKind, Scenario, generate};
use dtb_gen::Edit;
use model::Arch;
use runners::Profile;
use wire::Op;

fn here() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).to_path_buf()
}

/// A number with where it was found.
type Found = (u64, String);

/// Returns the addresses in what a scenario expands to.
fn addresses(scenario: &Scenario) -> Vec<Found> {
    let mut all = Vec::new();
    for domain in &scenario.domains {
        let mut add = |at: u64, what: String| all.push((at, format!("{}: {what}", domain.name)));
        for line in &domain.lines {
            let at = line.op.address();
            all_of(&line.op)
                .into_iter()
                .chain(at)
                .for_each(|at| add(at, line.op.to_string()));
        }
        for (base, _) in &domain.banks {
            add(*base, "its memory".to_owned());
        }
        let devices = domain.partial.iter().flat_map(|partial| &partial.devices);
        for device in devices {
            for range in &device.ranges {
                add(range.host, format!("{} host", device.node));
                add(range.guest, format!("{} guest", device.node));
            }
            for (name, value) in &device.props {
                words(&value.bytes()).for_each(|word| add(word, format!("{} {name}", device.node)));
            }
        }
        let edits = domain.partial.iter().flat_map(|partial| &partial.edits);
        for edit in edits {
            of_edit(edit).for_each(|(at, what)| add(at, what));
        }
    }
    for act in scenario.outside.iter().flat_map(|step| &step.acts) {
        match act.what {
            ActionKind::Read(at, _) | ActionKind::Write(at, ..) | ActionKind::Wait(at, ..) => {
                all.push((at, format!("outside: {}", act.text)));
            }
            _ => {}
        }
    }
    all.extend(scenario.host.iter().flat_map(of_edit));
    let functions = scenario.pci.iter().flat_map(|pci| &pci.functions);
    for function in functions {
        let places = function.bars.iter().filter_map(|bar| bar.address);
        all.extend(places.map(|at| (at, format!("a BAR of {}", function.name))));
    }
    all
}

/// Addresses that an operation hands to the hypervisor, in pages.
fn all_of(op: &Op) -> Vec<u64> {
    match op {
        Op::Hv(wire::Hv::Iomem { mfn, .. }) => vec![mfn << 12],
        Op::Hv(wire::Hv::Map { gfn, mfn, .. } | wire::Hv::Unmap { gfn, mfn, .. }) => {
            vec![mfn << 12, gfn << 12]
        }
        _ => Vec::new(),
    }
}

fn of_edit(edit: &Edit) -> impl Iterator<Item = Found> + use<> {
    let value = match edit {
        Edit::Set { value, prop, .. } if ["reg", "xen,reg"].contains(&prop.as_str()) => {
            value.bytes()
        }
        // Without the size at its end.
        Edit::Set { value, prop, .. } if prop == "ranges" => {
            let bytes = value.bytes();
            let end = bytes.len().saturating_sub(8);
            bytes.get(..end).unwrap_or_default().to_vec()
        }
        _ => Vec::new(),
    };
    // What stands in the name of a node.
    let units = edit.paths().into_iter().flat_map(|path| path.split('/'));
    let units = units.filter_map(|name| name.split_once('@'));
    let units: Vec<u64> = units
        .filter_map(|(_, unit)| u64::from_str_radix(unit, 16).ok())
        .collect();
    let words: Vec<u64> = words(&value).collect();
    let what = format!("{edit:?}");
    units
        .into_iter()
        .chain(words)
        .map(move |at| (at, what.clone()))
}

/// Reads bytes as numbers of 64 bits, at every cell.
fn words(bytes: &[u8]) -> impl Iterator<Item = u64> + use<> {
    let cells: Vec<u32> = bytes
        .chunks_exact(4)
        .map(|cell| u32::from_be_bytes([cell[0], cell[1], cell[2], cell[3]]))
        .collect();
    let pairs: Vec<u64> = cells
        .windows(2)
        .map(|pair| u64::from(pair[0]) << 32 | u64::from(pair[1]))
        .collect();
    pairs.into_iter()
}

/// The address ranges of a machine that a case could know.
fn ranges(machine: &Machine) -> Vec<(String, u64, u64)> {
    const PART: u64 = 0x10_0000;
    let devices = machine.devices.iter();
    // The first bank of the flash is at address 0, where many numbers are.
    let devices = devices.filter(|(_, device)| device.base != 0);
    let mut all: Vec<(String, u64, u64)> = devices
        .map(|(name, device)| (name.clone(), device.base, device.size.min(PART)))
        .collect();
    let named = machine.windows.iter().chain(&machine.addresses);
    all.extend(named.map(|(name, at)| (name.clone(), *at, PART)));
    all
}

/// Every case expands on a board of which every address differs, and nothing in it lies where the known board has
/// something.
#[test]
fn cases_do_not_know_the_board() {
    let mut loaded = load(&here().join("../requirements")).unwrap();
    let known = ranges(loaded.library.machine("virt").unwrap());
    loaded.library = Library::of(&here().join("tests/fixtures/board")).unwrap();
    let told = |all: Vec<_>| {
        let lines: Vec<String> = all.iter().map(ToString::to_string).collect();
        panic!("{}", lines.join("\n"))
    };
    let profile = Profile::load(&here().join("tests/fixtures/board/subject.toml")).unwrap();
    let usual = Profile::shipped("reference", Arch::default()).unwrap();
    let count = generate::scenarios(&loaded, &usual)
        .unwrap_or_else(told)
        .len();
    let all = generate::scenarios(&loaded, &profile).unwrap_or_else(told);
    assert_eq!(all.len(), count);
    let mut left = Vec::new();
    for scenario in &all {
        for (at, what) in addresses(scenario) {
            let there = known
                .iter()
                .find(|(_, base, size)| at.wrapping_sub(*base) < *size);
            left.extend(
                there.map(|(name, ..)| format!("{}: {at:#x} ({name}): {what}", scenario.id)),
            );
        }
    }
    left.sort();
    left.dedup();
    assert!(left.is_empty(), "{} left:\n{}", left.len(), left.join("\n"));
}
