//! What is seen of PCI functions, for each fault of a machine that shows it.

use refhv::ids::Sbdf;
use refhv::pci::reset::{Progress, ResetRun};
use refhv::pci::{BarKind, Inventory, Port, Reset, Segment, registers as at};

#[path = "../../../src/hal/fake/functions.rs"]
#[expect(
    dead_code,
    reason = "the tests of the functions themselves use more of it"
)]
mod fake;

use fake::{Device, Functions, bdf};

fn plain() -> Device {
    Device::endpoint(0x1234, 0x11e8)
}

/// Returns what becomes of a machine that exposes the fault; nothing for a fault of another kind.
pub fn seen(fault: &str) -> Option<String> {
    let memory = |address| plain().bar(0, BarKind::Memory32, 0x100, address);
    let two = |one: Device, other: Device| {
        Functions::default()
            .with(bdf(0, 1, 0), one)
            .with(bdf(0, 2, 0), other)
    };
    let behind = |bridge: Device| {
        Functions::default()
            .with(bdf(0, 1, 0), bridge)
            .with(bdf(1, 3, 0), plain().pin(1))
            .with(bdf(1, 4, 0), plain().pin(1))
    };
    let mut used = memory(0x1000_0000).advanced().msi();
    used.set(at::COMMAND, 2, 7);
    let many = |functions: &[u8]| {
        let all = functions.iter();
        all.fold(Functions::default(), |fake, function| {
            fake.with(bdf(0, 31, *function), plain().multifunction())
        })
    };
    let fake = match fault {
        "pci-hole-ends-device" => many(&[0, 7]),
        "pci-last-device-forgotten" => many(&[0]),
        "pci-first-function-missing" => many(&[1]),
        "pci-multifunction-forgotten" => many(&[0, 1]),
        "pci-bridge-not-followed" | "pci-pin-not-turned" | "pci-alias-forgotten" => {
            behind(Device::bridge(0, 1, 1))
        }
        "pci-port-trusted" => {
            let port = Device::bridge(0, 1, 1).express(Port::Downstream, false);
            let function = || plain().multifunction().express(Port::Endpoint, false);
            let good = || function().acs(at::Acs::empty());
            Functions::default()
                .with(bdf(0, 1, 0), port)
                .with(bdf(1, 0, 0), good())
                .with(bdf(1, 0, 1), good())
        }
        "pci-page-shared" => two(memory(0x1000_0000), memory(0x1000_0100)),
        "pci-bar-not-restored"
        | "pci-decode-left-off"
        | "pci-reset-skipped"
        | "pci-interrupts-left-on"
        | "pci-decode-left-on"
        | "pci-settings-lost"
        | "pci-master-left-on" => two(used.clone(), used),
        _ => return None,
    };
    Some(described(fake))
}

/// Looks a machine through, and takes its first function back.
fn described(mut fake: Functions) -> String {
    let segment = Segment {
        number: 0,
        buses: 0..=1,
    };
    let found = Inventory::scan(&mut fake, &[segment], &mut |_| ());
    let functions = format!("{:?}", found.functions());
    let after: Vec<Vec<u8>> = (fake.devices().values())
        .map(|device| device.bytes()[..0x80].into())
        .collect();
    let first = found.functions().first().map(|function| function.at);
    let taken = first.map(|first| take_back(&mut fake, &found, first));
    format!("{functions} {after:x?} {taken:x?}")
}

fn take_back(fake: &mut Functions, found: &Inventory, at: Sbdf) -> (String, Vec<u8>, usize) {
    let function = found.get(at).expect("it is known");
    let msi = function.capability(at::CAP_MSI).map(u16::from);
    if let Some(msi) = msi {
        fake.device(at).set(msi + at::MSI_CONTROL, 2, 1);
    }
    let mut run = ResetRun::begin(fake, function, function.reset);
    let stopped = fake.device(at).bytes()[..0x80].to_vec();
    let ends = (0..40).find_map(|_| match run.advance(fake, found) {
        Progress::Wait(_) => None,
        Progress::Done(end) => Some(end),
    });
    assert!(ends.is_some() && function.reset != Reset::Bus(at));
    let device = fake.device(at);
    let after = [stopped, device.bytes()[..0x80].to_vec()].concat();
    (format!("{ends:?}"), after, device.resets)
}
