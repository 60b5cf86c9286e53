//! Compares what the suite says of PCI functions with QEMU itself: models, and topologies after the firmware.

use std::path::Path;
use std::time::Duration;

use conformance::library::Library;
use conformance::pci::firmware::{Access, accesses};
use conformance::pci::{
    BarKind, Bridge, Firmware, Model, Role, Topology, Wanted, config, generate, listed, place,
};
use model::Arch;
use runners::{Action, Answer, Command, LabelledAction, Profile, Request, RunController};

/// Header type, and the start of the capability list (PCI 6.1).
const HEADER: u64 = 0xe;
const CAPABILITIES: u64 = 0x34;
const PIN: u64 = 0x3d;
const BAR0: u64 = 0x10;
/// PCI Express capability, and its slot control register (PCIe 7.5.3).
const EXPRESS: u64 = 0x10;
const SLOT_CONTROL: u64 = 0x18;

/// Carries out actions one after another on a machine whose CPUs are stopped, and ends it with the last.
struct Script {
    left: usize,
    answers: Vec<Answer>,
}

impl RunController for Script {
    fn line(&mut self, _: &str) -> Vec<Command> {
        Vec::new()
    }

    fn done(&mut self, _: &str, answer: &Answer) -> Vec<Command> {
        self.answers.push(answer.clone());
        self.left -= 1;
        (self.left == 0)
            .then_some(Command::Finish)
            .into_iter()
            .collect()
    }
}

fn profile() -> Profile {
    Profile::shipped("reference", Arch::default()).unwrap()
}

fn library() -> &'static Library {
    Library::shipped().unwrap()
}

fn placed(wanted: &[Wanted], firmware: Firmware) -> Topology {
    let profile = profile();
    let machine = library().machine(profile.board()).unwrap();
    let bridge = Bridge {
        windows: machine.pci.unwrap(),
        first_interrupt: machine.pci_interrupt.unwrap(),
        taken: 0,
    };
    place(wanted, firmware, &bridge).unwrap()
}

/// Starts a machine with these functions and returns the answers of the actions.
fn on(topology: &Topology, acts: Vec<Action>) -> Vec<Answer> {
    let Profile {
        arch, mut machine, ..
    } = profile();
    machine.devices.extend(topology.arguments());
    let folder = tempfile::tempdir().unwrap();
    let image = folder.path().join("image");
    std::fs::write(&image, [0_u8; 64]).unwrap();
    let mut request = Request::new(arch, machine, Path::new(&image), Duration::from_secs(60));
    let label = |(place, action): (usize, Action)| LabelledAction {
        label: place.to_string(),
        action,
    };
    let mut script = Script {
        left: acts.len(),
        answers: Vec::new(),
    };
    request.before = acts.into_iter().enumerate().map(label).collect();
    let outcome = runners::run(&request, &mut script).unwrap();
    assert_eq!(outcome.end, runners::End::Finished, "{}", outcome.stderr);
    script.answers
}

fn read(addr: u64, len: usize) -> Action {
    Action::Read { addr, len }
}

fn write(addr: u64, value: u32) -> Action {
    Action::Write {
        addr,
        bytes: value.to_le_bytes().to_vec(),
    }
}

/// Returns machines on which each model is at a place where it may be.
fn every_model() -> [Vec<Wanted>; 2] {
    let one = |model: Model| Wanted::new(model.name().replace('-', "_"), model);
    let find = |name: &str| Model::find(library(), name).unwrap();
    let mut wanted: Vec<Wanted> = Vec::new();
    for model in Model::all(library()) {
        let mut made = one(model);
        if model.name() == "xio3130-downstream" {
            continue;
        }
        if model.name() == "x3130-upstream" {
            made.below = vec![one(find("xio3130-downstream"))];
            let mut port = Wanted::new("above", find("pcie-root-port"));
            port.below = vec![made];
            made = port;
        }
        wanted.push(made);
    }
    // Its virtual functions use device numbers of the bus.
    let (alone, together) = wanted
        .into_iter()
        .partition(|one| one.model.name() == "igb");
    [together, alone]
}

/// Every model has the identity, the registers, the pin and the slot that the suite states, and no other memory BARs.
#[test]
fn models_are_as_they_are_said_to_be() {
    for wanted in every_model() {
        compare(&placed(&wanted, Firmware::NoBars));
    }
}

fn compare(topology: &Topology) {
    let mut acts: Vec<Action> = Vec::new();
    for access in accesses(topology) {
        acts.push(match access {
            Access::Write {
                at,
                bytes: 4,
                value,
            } => write(at, value),
            Access::Write { at, .. } => panic!("{at:#x}"),
            Access::Read { at, bytes, .. } => read(at, usize::from(bytes)),
        });
    }
    let before = acts.len();
    let count = |one: &conformance::pci::Function| match one.model.pci.role() {
        Role::Endpoint => 6,
        Role::Port(_) | Role::Bridge(_) => 2,
    };
    for one in &topology.functions {
        let at = config(topology.ecam, one.bdf().unwrap());
        for index in 0..count(one) {
            acts.push(write(at + BAR0 + 4 * index, u32::MAX));
        }
        acts.extend((0..count(one)).map(|index| read(at + BAR0 + 4 * index, 4)));
        acts.push(read(at, 4));
        acts.push(read(at + PIN, 1));
        acts.push(read(at + HEADER, 1));
        let slot = match one.model.pci.role() {
            Role::Port(control) => u64::from(control) - SLOT_CONTROL,
            Role::Endpoint | Role::Bridge(_) => CAPABILITIES,
        };
        acts.push(read(at + slot, 1));
    }
    let mut answers = on(topology, acts).into_iter().skip(before);
    for one in &topology.functions {
        let name = one.model.name();
        let count = usize::try_from(count(one)).unwrap();
        for _ in 0..count {
            answers.next().unwrap();
        }
        let mut value = || answers.next().and_then(|answer| answer.value()).unwrap();
        let bars: Vec<u64> = (0..count).map(|_| value()).collect();
        let mut found = Vec::new();
        let mut index = 0;
        while index < count {
            let bits = bars[index];
            let number = u8::try_from(index).unwrap();
            index += 1;
            if bits == 0 || bits & 1 == 1 {
                continue;
            }
            let (kind, mask) = match bits & 0xe {
                0 | 8 => (BarKind::Memory32, bits & !0xf | u64::MAX << 32),
                wide => {
                    let high = bars[index] << 32;
                    index += 1;
                    let kind = if wide == 4 {
                        BarKind::Memory64
                    } else {
                        BarKind::Prefetchable64
                    };
                    (kind, high | bits & !0xf)
                }
            };
            found.push((number, kind, mask.wrapping_neg()));
        }
        let said = one.model.pci.bars.iter();
        let said: Vec<_> = said.map(|bar| (bar.bar, bar.kind, bar.size)).collect();
        assert_eq!(found, said, "{name}");
        assert_eq!(value(), u64::from(one.model.pci.id), "{name}");
        assert_eq!(value(), u64::from(one.model.pci.pin), "{name}");
        let bridge = one.model.pci.role() != Role::Endpoint;
        assert_eq!(value() & 0x7f, u64::from(bridge), "{name}");
        let slot = value();
        if let Role::Port(_) = one.model.pci.role() {
            assert_eq!(slot, EXPRESS, "{name}");
        }
    }
}

/// After the firmware, QEMU's own list has the same functions at the same places, and every value reads back.
#[test]
fn generated_topologies_are_what_they_are_said_to_be() {
    for seed in 0..10 {
        let topology = placed(
            &generate::topology(library(), seed).unwrap(),
            Firmware::Full,
        );
        let script = accesses(&topology);
        let mut acts: Vec<Action> = script
            .iter()
            .map(|access| match *access {
                Access::Write { at, bytes, value } => Action::Write {
                    addr: at,
                    bytes: value.to_le_bytes()[..usize::from(bytes)].to_vec(),
                },
                Access::Read { at, bytes, .. } => read(at, usize::from(bytes)),
            })
            .collect();
        acts.push(Action::Qmp {
            execute: "query-pci".to_owned(),
            arguments: serde_json::Value::Null,
        });
        let answers = on(&topology, acts);
        for (access, answer) in script.iter().zip(&answers) {
            if let Access::Read {
                at, mask, value, ..
            } = access
            {
                let read = answer.value().unwrap();
                assert_eq!(
                    read & u64::from(*mask),
                    u64::from(value & mask),
                    "{seed}: {at:#x}"
                );
            }
        }
        let Some(Answer::Json(list)) = answers.last() else {
            panic!("{answers:?}");
        };
        // The host bridge is a function too.
        let mut wanted: Vec<u16> = topology
            .functions
            .iter()
            .filter_map(|one| one.bdf())
            .collect();
        wanted.push(0);
        wanted.sort_unstable();
        assert_eq!(listed(list).unwrap(), wanted, "{seed}");
    }
}
