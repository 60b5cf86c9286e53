//! A machine with PCI functions in which everything can be written that a filter lets through.

use std::collections::BTreeMap;

use super::fake::{Device, Functions};
use refhv::access::Width;
use refhv::addr::{Ipa, Pa, Span};
use refhv::hal::ConfigSpace;
use refhv::ids::Sbdf;
use refhv::pci::registers::{COMMAND, STATUS};
use refhv::pci::{
    Bar, BarKind, Capability, Function, Group, IsolationReason, Kind, Port as Fabric, Reset,
    Settings,
};
use refhv::vdev::vpci::{Given, Port, Vpci, Window, Windows};

/// A window of the guest's bridge for addresses of 32 bits.
pub const LOW: (u64, u64) = (0x2300_0000, 0x1000_0000);
/// The guest's window for prefetchable memory.
pub const HIGH: (u64, u64) = (0x1_0000_0000, 0x1_0000_0000);

/// What stage 2 shows of device memory.
#[derive(Clone, Debug, Default)]
pub struct Stage {
    pub mapped: BTreeMap<Span<Ipa>, Pa>,
    /// Where nothing can be mapped.
    pub refused: Vec<Span<Ipa>>,
}

impl Stage {
    pub fn map(&mut self, guest: Span<Ipa>, host: Pa) -> bool {
        assert!(guest.is_page_exact(), "{guest} is no pages");
        let mut taken = self.mapped.keys().chain(&self.refused);
        if taken.any(|other| other.overlaps(guest)) {
            return false;
        }
        self.mapped.insert(guest, host);
        true
    }

    pub fn unmap(&mut self, guest: Span<Ipa>) {
        assert!(self.mapped.remove(&guest).is_some(), "{guest} is not there");
    }

    /// Returns what is mapped, by where it begins: guest, host, bytes.
    pub fn shown(&self) -> Vec<(u64, u64, u64)> {
        self.mapped
            .iter()
            .map(|(guest, host)| (guest.first().raw(), host.raw(), guest.size()))
            .collect()
    }
}

/// All functions, in which everything can be written, and what stage 2 shows of them.
#[derive(Clone, Debug, Default)]
pub struct Machine {
    pub functions: Functions,
    pub stage: Stage,
}

impl ConfigSpace for Machine {
    fn config_read(&mut self, at: Sbdf, offset: u16, width: Width) -> u32 {
        self.functions.config_read(at, offset, width)
    }

    fn config_write(&mut self, at: Sbdf, offset: u16, width: Width, value: u32) {
        self.functions.config_write(at, offset, width, value);
    }
}

impl Port for Machine {
    fn map(&mut self, guest: Span<Ipa>, host: Pa) -> bool {
        self.stage.map(guest, host)
    }

    fn unmap(&mut self, guest: Span<Ipa>) {
        self.stage.unmap(guest);
    }
}

impl Machine {
    pub fn space(&self, at: Sbdf) -> &Device {
        &self.functions.devices()[&at]
    }

    pub fn command(&self, at: Sbdf) -> u16 {
        self.space(at).get(COMMAND, 2).try_into().unwrap()
    }

    pub fn status(&self, at: Sbdf) -> u16 {
        self.space(at).get(STATUS, 2).try_into().unwrap()
    }
}

pub fn at(bus: u8, device: u8, function: u8) -> Sbdf {
    Sbdf {
        segment: 0,
        bus,
        devfn: device << 3 | function,
    }
}

pub fn bar(index: u8, kind: BarKind, prefetchable: bool, address: u64, size: u64) -> Bar {
    Bar {
        index,
        kind,
        prefetchable,
        address,
        size,
    }
}

/// Describes an endpoint that is alone.
pub fn endpoint(at: Sbdf, bars: &[Bar], capabilities: &[(u8, u8)]) -> Function {
    Function {
        at,
        vendor: 0x1234,
        device: 0x11e8,
        class: 0x00ff_0000,
        kind: Kind::Endpoint,
        multifunction: false,
        bars: bars.to_vec(),
        pin: Some(1),
        intx_route: None,
        capabilities: capabilities
            .iter()
            .map(|(id, offset)| Capability {
                id: *id,
                offset: *offset,
            })
            .collect(),
        port: Some(Fabric::Endpoint),
        above: None,
        requester: at,
        group: Group {
            first: at,
            why: None::<IsolationReason>,
        },
        reset: Reset::None,
        acs: None,
        settings: Settings::default(),
        flaw: None,
    }
}

/// Puts a function's registers into the machine, with whatever else stands at an offset.
pub fn install(machine: &mut Machine, function: &Function, words: &[(u16, u32)]) {
    let mut space = Device::pliable();
    for (register, word) in words {
        space.set(*register, 4, *word);
    }
    space.set(
        0,
        4,
        u32::from(function.device) << 16 | u32::from(function.vendor),
    );
    space.set(8, 4, function.class << 8 | 1);
    for bar in &function.bars {
        let register = 0x10 + 4 * u16::from(bar.index);
        let low = u32::try_from(bar.address & 0xffff_ffff).unwrap();
        let flags = match bar.kind {
            BarKind::Io => 1,
            BarKind::Memory32 => 0,
            BarKind::Memory64 => 4,
        } | if bar.prefetchable { 8 } else { 0 };
        space.set(register, 4, low | flags);
        let below = u32::try_from((bar.size - 1) & 0xffff_ffff).unwrap();
        space.allow(register, 4, !below);
        if bar.kind == BarKind::Memory64 {
            space.set(register + 4, 4, u32::try_from(bar.address >> 32).unwrap());
            let below = u32::try_from((bar.size - 1) >> 32).unwrap();
            space.allow(register + 4, 4, !below);
        }
    }
    machine.functions.insert(function.at, space);
}

pub fn windows() -> Windows {
    Windows {
        list: vec![
            Window {
                span: ipa(LOW.0, LOW.1),
                prefetchable: false,
            },
            Window {
                span: ipa(HIGH.0, HIGH.1),
                prefetchable: true,
            },
        ],
        direct: false,
    }
}

pub fn ipa(base: u64, size: u64) -> Span<Ipa> {
    Span::new(Ipa::new(base), size).unwrap()
}

pub fn pa(base: u64, size: u64) -> Span<Pa> {
    Span::new(Pa::new(base), size).unwrap()
}

/// Where the function with everything is.
pub const DISK: Sbdf = Sbdf {
    segment: 0,
    bus: 1,
    devfn: 0,
};
/// What its vendor specific capability holds behind its first double word.
pub const VENDOR_DATA: u32 = 0x0bad_cafe;
/// What its Device Capabilities hold.
pub const DEVICE_CAPABILITIES: u32 = 0x1000_8fc1;

/// A function that has one of everything: memory of 64 KiB, I/O, prefetchable memory with an address of 64
/// bits, memory of less than a page, memory that is not to be shown, and five capabilities.
pub fn disk() -> Function {
    let bars = [
        bar(0, BarKind::Memory32, false, 0x1010_0000, 0x1_0000),
        bar(1, BarKind::Io, false, 0x1000, 0x20),
        bar(2, BarKind::Memory64, true, 0x80_0010_0000, 0x10_0000),
        bar(4, BarKind::Memory32, false, 0x1020_0000, 0x100),
        bar(5, BarKind::Memory32, false, 0x1030_0000, 0x1000),
    ];
    let capabilities = [
        (0x05, 0x40),
        (0x09, 0x60),
        (0x01, 0x58),
        (0x10, 0x70),
        (0x11, 0xb0),
    ];
    let mut disk = endpoint(DISK, &bars, &capabilities);
    disk.multifunction = true;
    disk
}

/// What stands in its registers besides its header.
pub const DISK_WORDS: &[(u16, u32)] = &[
    (0x04, 0x0010_0107),
    (0x0c, 0x8f80_4020),
    (0x28, 0x0000_0c15),
    (0x2c, 0x1100_1af4),
    (0x30, 0xfff0_0001),
    (0x34, 0x40),
    (0x3c, 0x0807_0129),
    (0x40, 0x0081_6005),
    (0x44, 0xfee0_0000),
    (0x4c, 0x31),
    (0x58, 0x0003_7001),
    (0x5c, 0x0008),
    (0x60, 0x0510_5809),
    (0x64, VENDOR_DATA),
    (0x68, 0x1000),
    (0x6c, 0x4),
    (0x70, 0x0002_b010),
    (0x74, DEVICE_CAPABILITIES),
    (0x78, 0x000f_2810),
    (0xa8, 0x5555_aaaa),
    (0xac, 0x1357_2468),
    (0xb0, 0x0003_0011),
    (0xb4, 0x0000_2000),
    (0x100, 0x1501_0001),
    (0x104, 0x0010_0000),
    (0xffc, 0x0123_4567),
];

/// What is passed on of it.
pub fn disk_host() -> [Option<Span<Pa>>; 6] {
    [
        Some(pa(0x1010_0000, 0x1_0000)),
        None,
        Some(pa(0x80_0010_0000, 0x10_0000)),
        None,
        Some(pa(0x1020_0000, 0x1000)),
        None,
    ]
}

/// A guest with one function, in slot 0.
pub struct Rig {
    pub machine: Machine,
    pub vpci: Vpci,
}

impl Rig {
    /// Makes a guest that was given the function with everything.
    pub fn new() -> Self {
        Self::with(windows(), true)
    }

    pub fn with(windows: Windows, interrupts: bool) -> Self {
        let mut machine = Machine::default();
        install(&mut machine, &disk(), DISK_WORDS);
        let mut vpci = Vpci::new(windows);
        let given = Given {
            function: &disk(),
            host: disk_host(),
            interrupts,
        };
        assert_eq!(vpci.add(&mut machine, &given), Ok(0));
        Self { machine, vpci }
    }

    #[track_caller]
    pub fn read(&mut self, offset: u64, width: Width) -> u64 {
        self.vpci.read(&mut self.machine, offset, width).unwrap()
    }

    #[track_caller]
    pub fn write(&mut self, offset: u64, width: Width, value: u64) {
        self.vpci
            .write(&mut self.machine, offset, width, value)
            .unwrap();
    }

    #[track_caller]
    pub fn word(&mut self, offset: u64) -> u32 {
        u32::try_from(self.read(offset, Width::Word)).unwrap()
    }

    #[track_caller]
    pub fn set(&mut self, offset: u64, value: u32) {
        self.write(offset, Width::Word, u64::from(value));
    }

    #[track_caller]
    pub fn command(&mut self, value: u64) {
        self.write(4, Width::Half, value);
    }
}
