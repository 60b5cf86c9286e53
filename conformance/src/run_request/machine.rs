//! The machine of a scenario: the subject's, with what the board needs and with what the case adds.

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use runners::{Action, LabelledAction, Machine, Profile};

use crate::scenario::Scenario;

/// Base address registers, command register, and its memory decoder and bus master (PCI 3.0, 6.2.5.1 and 6.2.2).
const BAR0: u64 = 0x10;
const COMMAND: u64 = 4;
const ON: [u8; 2] = [6, 0];

/// Returns the machine of a scenario: the subject's, with what the board needs and with the additions of the case.
pub fn machine(profile: &Profile, scenario: &Scenario) -> Machine {
    let wanted = &scenario.machine;
    let mut machine = profile.machine.clone();
    machine
        .options
        .extend(scenario.board.options.iter().cloned());
    if wanted.iommu {
        machine
            .options
            .retain(|option| !option.starts_with("iommu="));
        // An architecture without this option has no profile that could be read.
        let option = runners::iommu_option(profile.arch).ok();
        machine.options.extend(option.map(ToOwned::to_owned));
    }
    for added in &scenario.added {
        let Some(optional) = &added.place.optional else {
            continue;
        };
        machine.extra.extend(optional.arguments.iter().cloned());
        let function = optional.pci.zip(added.device.pci.as_ref());
        machine.devices.extend(function.map(|(slot, model)| {
            let options = [format!("{},addr={slot:x}", added.device.device)];
            let options = options
                .iter()
                .chain((!model.options.is_empty()).then_some(&model.options));
            options.cloned().collect::<Vec<_>>().join(",")
        }));
    }
    let version = wanted.version.as_ref();
    if let Some(pin) = version.and_then(|name| scenario.board.versions.get(name)) {
        machine.pin = Some(pin.clone());
    }
    machine.devices.extend(wanted.qemu_devices.iter().cloned());
    machine
}

/// Acts as the firmware for functions that stand for platform devices: places their registers where the host's tree
/// says, and switches their memory decoder and bus mastering on.
pub fn platform_functions(scenario: &Scenario) -> Vec<LabelledAction> {
    let ecam = scenario.board.pci.map_or(0, |pci| pci.ecam.base);
    let functions = scenario.added.iter().filter_map(|added| {
        let slot = added.place.optional.as_ref()?.pci?;
        Some((added, crate::pci::config(ecam, u16::from(slot) << 3)))
    });
    let writes = functions.flat_map(|(added, config)| {
        let name = &added.device.device;
        let base = added.place.base.to_le_bytes();
        [
            ("bar", config + BAR0, base[..4].to_vec()),
            ("command", config + COMMAND, ON.to_vec()),
        ]
        .map(|(what, addr, bytes)| LabelledAction {
            label: format!("{name}-{what}"),
            action: Action::Write { addr, bytes },
        })
    });
    writes.collect()
}

/// Returns the flashes that a case has filled with a pattern: contents, size in bytes, and number among QEMU's flashes.
pub fn flashes(scenario: &Scenario) -> Vec<(Arc<[u8]>, u64, u8)> {
    let patterns = scenario.added.iter().filter_map(|added| {
        let pattern = added.place.optional.as_ref()?.pattern?;
        Some((self::pattern(pattern.filled), pattern.size, pattern.unit))
    });
    patterns.collect()
}

/// Returns flash contents in which each 32-bit word holds its own offset, so that a wrong page can be told from the
/// right one.
fn pattern(bytes: u64) -> Arc<[u8]> {
    type Made = BTreeMap<u64, Arc<[u8]>>;
    static PATTERNS: LazyLock<Mutex<Made>> = LazyLock::new(Mutex::default);
    let mut made = PATTERNS.lock().unwrap_or_else(PoisonError::into_inner);
    let words = || {
        let offsets = (0..bytes).step_by(4);
        let words = offsets.map(|offset| u32::try_from(offset).unwrap_or(u32::MAX));
        words.flat_map(u32::to_le_bytes).collect()
    };
    made.entry(bytes).or_insert_with(words).clone()
}
