//! The hardware domain's view.

mod property;

use super::rig::{bar, endpoint, pa};
use super::*;
use crate::hal::fake::functions::{Device, Functions, bdf};
use crate::pci::registers::{DEVICE_CONTROL, POWER_CONTROL};
use crate::pci::{BarKind, Capability, Function, Kind, Port as Fabric};

/// Functions that behave, and what stage 2 shows of them.
#[derive(Default)]
struct Host {
    fake: Functions,
    stage: Stage,
}

impl ConfigSpace for Host {
    fn config_read(&mut self, at: Sbdf, offset: u16, width: Width) -> u32 {
        self.fake.config_read(at, offset, width)
    }
    fn config_write(&mut self, at: Sbdf, offset: u16, width: Width, value: u32) {
        self.fake.config_write(at, offset, width, value);
    }
}

impl Port for Host {
    fn map(&mut self, guest: Span<Ipa>, host: Pa) -> bool {
        assert_eq!(guest.first().raw(), host.raw(), "not one to one");
        self.stage.map(guest, host)
    }
    fn unmap(&mut self, guest: Span<Ipa>) {
        self.stage.unmap(guest);
    }
}

/// A disk on the first bus, a bridge, and behind it a card and its small neighbour.
const DISK: Sbdf = bdf(0, 1, 0);
const BRIDGE: Sbdf = bdf(0, 2, 0);
const CARD: Sbdf = bdf(1, 0, 0);
const SMALL: Sbdf = bdf(1, 0, 1);
/// Where the CPU finds the window for 64 bits; on the bus it begins elsewhere.
const HIGH_CPU: u64 = 0x80_0000_0000;
const HIGH_BUS: u64 = 0x40_0000_0000;
/// Where the capabilities of the card are.
const MSI: u16 = 0x40;
const EXPRESS: u16 = 0x50;
const POWER: u16 = 0x8c;
const ADVANCED: u16 = 0x94;
const MSIX: u16 = 0x9c;

fn windows() -> Vec<HostWindow> {
    vec![
        HostWindow {
            segment: 0,
            bus: 0x1000_0000,
            cpu: pa(0x1000_0000, 0x2000_0000),
        },
        HostWindow {
            segment: 0,
            bus: HIGH_BUS,
            cpu: pa(HIGH_CPU, 0x1000_0000),
        },
    ]
}

/// Puts into the host what its function is said to be.
fn known(at: Sbdf) -> Function {
    let memory = |index, address, size| bar(index, BarKind::Memory32, false, address, size);
    let card = [
        memory(0, 0x1100_0000, 0x1_0000),
        bar(2, BarKind::Memory64, true, HIGH_BUS + 0x10_0000, 0x10_0000),
    ];
    let capabilities = [
        (0x05, 0x40),
        (0x10, 0x50),
        (0x01, 0x8c),
        (0x13, 0x94),
        (0x11, 0x9c),
        (0x14, 0xa8),
    ];
    match at {
        DISK => endpoint(
            DISK,
            &[
                memory(0, 0x1000_0000, 0x4000),
                bar(1, BarKind::Io, false, 0x1000, 0x20),
                memory(2, 0x1000_4000, 0x100),
            ],
            &[],
        ),
        BRIDGE => {
            let mut bridge = endpoint(BRIDGE, &[memory(0, 0x1010_0000, 0x1000)], &[(0x10, 0x40)]);
            bridge.kind = Kind::Bridge {
                secondary: Some(1),
                subordinate: 1,
            };
            bridge.capabilities = vec![Capability {
                id: 0x10,
                offset: 0x40,
            }];
            bridge
        }
        CARD => endpoint(CARD, &card, &capabilities),
        _ => endpoint(SMALL, &[memory(0, 0x1000_4100, 0x100)], &[]),
    }
}

fn fake() -> Functions {
    let disk = Device::endpoint(0x1234, 0x11e8)
        .bar(0, BarKind::Memory32, 0x4000, 0x1000_0000)
        .bar(1, BarKind::Io, 0x20, 0x1000)
        .bar(2, BarKind::Memory32, 0x100, 0x1000_4000);
    let bridge =
        Device::port(Fabric::Downstream, 0, 1, 1).bar(0, BarKind::Memory32, 0x1000, 0x1010_0000);
    let mut card = Device::endpoint(0x8086, 0x10d3)
        .bar(0, BarKind::Memory32, 0x1_0000, 0x1100_0000)
        .bar(2, BarKind::Memory64, 0x10_0000, HIGH_BUS + 0x10_0000)
        .prefetchable(2)
        .msi()
        .express(Fabric::Endpoint, true)
        .power(false)
        .advanced()
        .msix(8, 2)
        .capability(0x14, &[0, 0, 0, 0, 0, 0])
        .acs(crate::pci::registers::Acs::all());
    card.allow(0x30, 4, 0xfff0_0001);
    card.allow(0xac, 4, u32::MAX);
    let small = Device::endpoint(0x1af4, 0x1000).bar(0, BarKind::Memory32, 0x100, 0x1000_4100);
    Functions::default()
        .with(DISK, disk)
        .with(BRIDGE, bridge)
        .with(CARD, card)
        .with(SMALL, small)
}

/// The hardware domain with all its functions.
struct Rig {
    host: Host,
    view: Hardware,
}

impl Rig {
    fn new() -> Self {
        let mut host = Host {
            fake: fake(),
            stage: Stage::default(),
        };
        let mut view = Hardware::new(windows());
        for at in [DISK, BRIDGE, CARD, SMALL] {
            view.refresh(&mut host, &known(at));
        }
        Self { host, view }
    }

    #[track_caller]
    fn read(&mut self, at: Sbdf, offset: u16, width: Width) -> u64 {
        self.view
            .read(&mut self.host, at, offset, width, Access::Full)
            .unwrap()
    }

    #[track_caller]
    fn write(&mut self, at: Sbdf, offset: u16, width: Width, value: u64) {
        self.view
            .write(&mut self.host, at, offset, width, value, Access::Full)
            .unwrap();
    }

    #[track_caller]
    fn command(&mut self, at: Sbdf, value: u64) {
        self.write(at, 4, Width::Half, value);
    }

    fn hardware(&mut self, at: Sbdf, offset: u16, bytes: u16) -> u32 {
        self.host.fake.device(at).get(offset, bytes)
    }
}

const DISK_SHOWN: [(u64, u64, u64); 2] = [
    (0x1000_0000, 0x1000_0000, 0x4000),
    (0x1000_4000, 0x1000_4000, 0x1000),
];
const CARD_SHOWN: [(u64, u64, u64); 2] = [
    (0x1100_0000, 0x1100_0000, 0x1_0000),
    (HIGH_CPU + 0x10_0000, HIGH_CPU + 0x10_0000, 0x10_0000),
];

/// Own functions and bridges read as they are, others as if they were absent; only own ones are written.
#[test]
fn access_decides() {
    let mut rig = Rig::new();
    for (access, seen) in [
        (Access::Full, 0x11e8_1234),
        (Access::ReadOnly, 0x11e8_1234),
        (Access::Hidden, 0xffff_ffff),
    ] {
        let read = rig.view.read(&mut rig.host, DISK, 0, Width::Word, access);
        assert_eq!(read, Ok(seen));
        let before = rig.host.fake.writes.len();
        let done = rig
            .view
            .write(&mut rig.host, DISK, 0x3c, Width::Byte, 7, access);
        assert_eq!(done, Ok(()));
        let written = rig.host.fake.writes.len() > before;
        assert_eq!(written, access == Access::Full, "{access:?}");
        for offset in [0x1000, 0xffff, 2] {
            let read = rig
                .view
                .read(&mut rig.host, DISK, offset, Width::Word, access);
            assert_eq!(read, Err(Rejected), "{offset:#x}");
        }
    }
    assert_eq!(rig.read(bdf(3, 0, 0), 0, Width::Double), u64::MAX);
    assert_eq!(rig.read(CARD, 0, Width::Double), 0x0010_0000_10d3_8086);
}

/// Reads and writes reach the hardware as wide as they were made.
#[test]
fn widths_are_kept() {
    let mut rig = Rig::new();
    rig.write(CARD, 0x3c, Width::Byte, 0x1d);
    rig.write(CARD, 0x0c, Width::Half, 0x4020);
    rig.write(CARD, MSI + 8, Width::Double, 0x0000_1234_0000_0001);
    let written: Vec<_> = rig
        .host
        .fake
        .writes
        .iter()
        .map(|write| (write.offset, write.width, write.value))
        .collect();
    let wanted = [
        (0x3c, Width::Byte, 0x1d),
        (0x0c, Width::Half, 0x4020),
        (MSI + 8, Width::Word, 1),
        (MSI + 12, Width::Word, 0x1234),
    ];
    assert_eq!(written, wanted);
    assert_eq!(rig.read(CARD, 0x3c, Width::Byte), 0x1d);
}

/// A function is sized and moved while it does not decode, mapped where it is while it does, and stays there.
#[test]
fn memory_is_mapped_where_it_is_decoded() {
    let mut rig = Rig::new();
    rig.write(CARD, 0x10, Width::Word, u64::MAX);
    assert_eq!(rig.read(CARD, 0x10, Width::Word), 0xffff_0000);
    rig.write(CARD, 0x10, Width::Word, 0x1100_0000);
    rig.command(CARD, 6);
    assert_eq!(rig.host.stage.shown(), CARD_SHOWN);
    rig.write(CARD, 0x10, Width::Word, 0x1200_0000);
    assert_eq!(rig.hardware(CARD, 0x10, 4), 0x1100_0000);
    rig.command(CARD, 4);
    assert_eq!(rig.host.stage.shown(), []);
    assert_eq!(rig.hardware(CARD, 4, 2), 4);
    rig.write(CARD, 0x10, Width::Word, 0x1200_0000);
    rig.write(CARD, 4, Width::Byte, 2);
    let moved = [(0x1200_0000, 0x1200_0000, 0x1_0000), CARD_SHOWN[1]];
    assert_eq!(rig.host.stage.shown(), moved);
    // I/O is moved apart from memory.
    rig.command(DISK, 2);
    rig.write(DISK, 0x14, Width::Word, 0x2000);
    assert_eq!(rig.hardware(DISK, 0x14, 4), 0x2001);
    rig.command(DISK, 3);
    rig.write(DISK, 0x14, Width::Word, 0x3000);
    assert_eq!(rig.hardware(DISK, 0x14, 4), 0x2001);
}

/// Memory that would answer in another's place keeps its function from decoding; at zero it is nowhere.
#[test]
fn misplaced_memory_is_not_decoded() {
    let table: [(u16, u64, bool); 7] = [
        (0x10, 0x1100_0000, true),
        (0x10, 0, true),
        (0x10, 0x0fff_0000, false),
        (0x10, 0x3000_0000, false),
        (0x10, 0x4000_0000, false),
        // In the CPU's window, but not in that of the bus.
        (0x1c, 0x80, false),
        // Over the disk.
        (0x10, 0x1000_0000, false),
    ];
    for (register, value, fine) in table {
        let mut rig = Rig::new();
        rig.command(DISK, 2);
        rig.write(CARD, register, Width::Word, value);
        rig.command(CARD, 0x407);
        let command = if fine { 0x407 } else { 0x405 };
        assert_eq!(rig.read(CARD, 4, Width::Half), command, "{value:#x}");
        let shown = rig.host.stage.shown().len() - DISK_SHOWN.len();
        let wanted = match (fine, value) {
            (false, _) => 0,
            (true, 0) => 1,
            (true, _) => 2,
        };
        assert_eq!(shown, wanted, "{value:#x}");
    }
}

/// A place that stage 2 refuses is one of somebody else.
#[test]
fn refused_memory_is_not_decoded() {
    let mut rig = Rig::new();
    rig.host
        .stage
        .refused
        .push(rig::ipa(HIGH_CPU + 0x1f_f000, 0x1000));
    rig.command(CARD, 6);
    assert_eq!(rig.host.stage.shown(), []);
    assert_eq!(rig.hardware(CARD, 4, 2), 4);
}

/// Registers that share a page are mapped as long as one of them is decoded.
#[test]
fn shared_pages_stay_for_the_other() {
    let mut rig = Rig::new();
    rig.command(DISK, 2);
    rig.command(SMALL, 2);
    assert_eq!(rig.host.stage.shown(), DISK_SHOWN);
    rig.command(DISK, 0);
    assert_eq!(rig.host.stage.shown(), DISK_SHOWN[1..]);
    rig.view.forget(&mut rig.host, SMALL);
    assert_eq!(rig.host.stage.shown(), []);
}

/// What the firmware left switched on is mapped at once, if it may be, or else switched off; MSI is off.
#[test]
fn firmware_is_taken_over() {
    let mut host = Host {
        fake: fake(),
        stage: Stage::default(),
    };
    host.fake.device(CARD).set(4, 2, 6);
    host.fake.device(CARD).set(MSI + 2, 2, 0x81);
    host.fake.device(CARD).set(MSIX + 2, 2, 0x8007);
    host.fake.device(DISK).set(4, 2, 7);
    host.fake.device(DISK).set(0x10, 4, 0x4000_0000);
    let mut view = Hardware::new(windows());
    view.refresh(&mut host, &known(CARD));
    view.refresh(&mut host, &known(DISK));
    assert_eq!(host.stage.shown(), CARD_SHOWN);
    assert_eq!(host.fake.device(DISK).get(4, 2), 5);
    assert_eq!(host.fake.device(CARD).get(MSI + 2, 2), 0x80);
    assert_eq!(host.fake.device(CARD).get(MSIX + 2, 2), 7);
    // Once more changes nothing, and another time of day does.
    view.refresh(&mut host, &known(CARD));
    assert_eq!(host.stage.shown(), CARD_SHOWN);
    host.fake.device(CARD).set(4, 2, 0);
    view.refresh(&mut host, &known(CARD));
    assert_eq!(host.stage.shown(), []);
}

/// A function that was taken away, or that nobody was told of, can be read and not written.
#[test]
fn unknown_functions_are_read_only() {
    let mut rig = Rig::new();
    rig.command(CARD, 6);
    rig.view.forget(&mut rig.host, CARD);
    assert_eq!(rig.host.stage.shown(), []);
    let before = rig.host.fake.writes.len();
    for offset in (0..0x1000).step_by(4) {
        rig.write(CARD, offset, Width::Word, u64::MAX);
    }
    assert_eq!(rig.host.fake.writes.len(), before);
    assert_eq!(rig.read(CARD, 4, Width::Half), 6);
}

/// Numbers of buses, windows and the rest of a bridge stay, but for its command and the reset of its bus.
#[test]
fn bridges_keep_their_numbers() {
    let mut rig = Rig::new();
    let before = rig.host.fake.device(BRIDGE).bytes()[0x14..0x3c].to_vec();
    for width in Width::ALL {
        for offset in (0x14..0x3c).step_by(usize::try_from(width.bytes()).unwrap()) {
            if u64::try_from(offset).unwrap() % width.bytes() == 0 {
                rig.write(BRIDGE, u16::try_from(offset).unwrap(), width, u64::MAX);
            }
        }
    }
    assert_eq!(rig.host.fake.device(BRIDGE).bytes()[0x14..0x3c], before);
    rig.write(BRIDGE, 0x3c, Width::Word, 0xff3f_0012);
    assert_eq!(rig.hardware(BRIDGE, 0x3c, 4), 0x12);
    rig.command(BRIDGE, 6);
    assert_eq!(rig.hardware(BRIDGE, 4, 2), 6);
}

/// A reset forgets where memory was, whoever is behind it and however it is done, and then it is not mapped.
#[test]
fn resets_take_the_mapping_away() {
    type Writes<'a> = &'a [(u16, Width, u64)];
    let table: [(Sbdf, Writes<'_>); 4] = [
        (CARD, &[(EXPRESS + DEVICE_CONTROL, Width::Half, 0x8000)]),
        (CARD, &[(ADVANCED + 4, Width::Byte, 1)]),
        (
            CARD,
            &[
                (POWER + POWER_CONTROL, Width::Half, 3),
                (POWER + POWER_CONTROL, Width::Half, 0),
            ],
        ),
        (BRIDGE, &[(0x3e, Width::Half, 0x40)]),
    ];
    for (at, writes) in table {
        let mut rig = Rig::new();
        rig.command(CARD, 6);
        rig.command(DISK, 2);
        for (offset, width, value) in writes {
            rig.write(at, *offset, *width, *value);
        }
        assert_eq!(rig.host.fake.device(CARD).resets, 1, "{writes:x?}");
        assert_eq!(rig.host.stage.shown(), DISK_SHOWN, "{writes:x?}");
    }
}

/// While a function is not ready after its reset, nothing of it is mapped, and nothing is written.
#[test]
fn slow_resets_are_not_misread() {
    let mut rig = Rig::new();
    let slow = rig.host.fake.pull(CARD).unwrap().slow(6);
    rig.host.fake = core::mem::take(&mut rig.host.fake).with(CARD, slow);
    rig.command(CARD, 6);
    rig.write(CARD, EXPRESS + DEVICE_CONTROL, Width::Half, 0x8000);
    assert_eq!(rig.host.stage.shown(), []);
    let last = rig.host.fake.writes.last().unwrap();
    assert_eq!(last.offset, EXPRESS + DEVICE_CONTROL);
    assert_eq!(rig.read(CARD, 4, Width::Half), 0xffff);
}

/// Message signalled interrupts can be set up, but not switched on, by any width.
#[test]
fn message_interrupts_stay_off() {
    for (capability, control, enable) in [(MSI, 0x70_u64, 1_u64), (MSIX, 0x4000, 0x8000)] {
        let mut rig = Rig::new();
        let all = control | enable;
        let old = u64::from(rig.hardware(CARD, capability, 2));
        rig.write(CARD, capability + 2, Width::Half, all);
        let now = |rig: &mut Rig| u64::from(rig.hardware(CARD, capability + 2, 2));
        assert_eq!(now(&mut rig) & all, control);
        rig.write(CARD, capability, Width::Word, all << 16 | old);
        assert_eq!(now(&mut rig) & all, control);
        rig.write(CARD, capability + 2, Width::Byte, all & 0xff);
        rig.write(CARD, capability + 3, Width::Byte, all >> 8);
        assert_eq!(now(&mut rig) & enable, 0);
    }
}

/// Extended capabilities, the ROM and enhanced allocation are out of reach.
#[test]
fn what_changes_decoding_is_read_only() {
    let mut rig = Rig::new();
    for (offset, width) in [
        (0x30, Width::Word),
        (0xac, Width::Word),
        (0x104, Width::Word),
        (0x106, Width::Half),
    ] {
        let bytes = u16::try_from(width.bytes()).unwrap();
        let before = rig.hardware(CARD, offset, bytes);
        rig.write(CARD, offset, width, u64::MAX);
        assert_eq!(rig.hardware(CARD, offset, bytes), before, "{offset:#x}");
    }
}

/// A card that is pulled reads as ones, takes writes, and leaves nothing when it is forgotten.
#[test]
fn pulled_cards_leave_nothing() {
    let mut rig = Rig::new();
    rig.command(CARD, 6);
    rig.host.fake.pull(CARD);
    assert_eq!(rig.read(CARD, 0, Width::Word), 0xffff_ffff);
    rig.command(CARD, 6);
    rig.write(CARD, EXPRESS + DEVICE_CONTROL, Width::Half, 0);
    assert_eq!(rig.host.stage.shown(), []);
    rig.view.forget(&mut rig.host, CARD);
    assert_eq!(rig.host.stage.shown(), []);
}
