//! A configuration space that only pretends: functions made by hand, which behave as the standard says.
//!
//! A function answers wherever it was put, whatever the bridges say, so that these can be made to lie.

use std::collections::BTreeMap;
use std::vec::Vec;

// The tests of the seeded faults use this from outside.
use refhv::access::Width;
use refhv::hal::ConfigSpace;
use refhv::ids::Sbdf;
use refhv::pci::registers as at;

// The same file wherever this one is taken in.
#[path = "functions/device.rs"]
mod device;

pub(crate) use device::Device;

/// Names a function of segment 0.
pub(crate) const fn bdf(bus: u8, device: u8, function: u8) -> Sbdf {
    Sbdf {
        segment: 0,
        bus,
        devfn: device << 3 | function,
    }
}

/// A write that arrived.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Write {
    pub at: Sbdf,
    pub offset: u16,
    pub width: Width,
    pub value: u32,
}

/// The functions of a machine.
#[derive(Clone, Debug, Default)]
pub(crate) struct Functions {
    functions: BTreeMap<Sbdf, Device>,
    /// How often it was read.
    pub reads: usize,
    /// Everything that was written, to functions or not.
    pub writes: Vec<Write>,
}

impl Functions {
    /// Adds a function.
    pub(crate) fn with(mut self, at: Sbdf, device: Device) -> Self {
        self.insert(at, device);
        self
    }

    /// Adds a function, or puts it in the place of another.
    pub(crate) fn insert(&mut self, at: Sbdf, device: Device) {
        self.functions.insert(at, device);
    }

    /// Takes a function out, as somebody who pulls a card does.
    pub(crate) fn pull(&mut self, at: Sbdf) -> Option<Device> {
        self.functions.remove(&at)
    }

    /// Returns a function, to look behind what it says.
    pub(crate) fn device(&mut self, at: Sbdf) -> &mut Device {
        self.functions.get_mut(&at).expect("a function")
    }

    /// Returns every function.
    pub(crate) fn devices(&self) -> &BTreeMap<Sbdf, Device> {
        &self.functions
    }

    /// Returns how often it was accessed.
    pub(crate) fn accesses(&self) -> usize {
        self.reads + self.writes.len()
    }

    /// Tells whether a bridge holds the bus of a function in reset.
    fn held(&self, place: Sbdf) -> bool {
        self.functions.iter().any(|(bridge, device)| {
            bridge.segment == place.segment
                && device.holding()
                && device.behind().contains(&place.bus)
        })
    }
}

impl ConfigSpace for Functions {
    fn config_read(&mut self, place: Sbdf, offset: u16, width: Width) -> u32 {
        check(offset, width);
        self.reads += 1;
        let held = self.held(place);
        let found = self.functions.get_mut(&place).filter(|_| !held);
        let ones = u32::try_from(width.mask()).expect("a double word at most");
        found.map_or(ones, |device| device.read(offset, width))
    }

    fn config_write(&mut self, place: Sbdf, offset: u16, width: Width, value: u32) {
        check(offset, width);
        assert_eq!(u64::from(value) & !width.mask(), 0, "{value:#x} is wider");
        self.writes.push(Write {
            at: place,
            offset,
            width,
            value,
        });
        let held = self.held(place);
        let Some(device) = self.functions.get_mut(&place).filter(|_| !held) else {
            return;
        };
        let before = device.holding();
        device.write(offset, width, value);
        if device.holding() && !before {
            let behind = device.behind();
            for (other, device) in &mut self.functions {
                if other.segment == place.segment && behind.contains(&other.bus) {
                    device.reset();
                }
            }
        }
    }
}

/// What the seam promises of every access.
fn check(offset: u16, width: Width) {
    assert!(width <= Width::Word, "{width:?} is too wide");
    assert!(offset < at::SPACE, "{offset:#x} is too far");
    let bytes = u16::try_from(width.bytes()).expect("few");
    assert!(
        offset.is_multiple_of(bytes),
        "{offset:#x} is not aligned to {width:?}"
    );
}

/// Functions behave as the tests of others rely on: registers keep what can be written, base address registers say how
/// much they decode, and a reset forgets all of it.
#[test]
fn functions_behave() {
    use refhv::pci::{BarKind, Port};

    let place = bdf(0, 1, 0);
    let device = Device::endpoint(0x1234, 0x11e8)
        .bar(0, BarKind::Memory32, 0x10_0000, 0x1000_0000)
        .bar(1, BarKind::Memory64, 0x1_0000_0000, 0x80_0000_0000)
        .prefetchable(1)
        .msi()
        .express(Port::Endpoint, true)
        .pin(1);
    let mut fake = Functions::default().with(place, device);
    let mut read = |offset, width| fake.config_read(place, offset, width);
    assert_eq!(read(at::VENDOR, Width::Word), 0x11e8_1234);
    assert_eq!(read(at::BAR0, Width::Word), 0x1000_0000);
    assert_eq!(read(at::BAR0 + 4, Width::Word), 0x0000_000c);
    assert_eq!(read(at::BAR0 + 8, Width::Word), 0x80);
    assert_eq!(read(0x40, Width::Half), 0x5005);
    assert_eq!(read(0x50, Width::Half), 0x0010);
    for (offset, wanted) in [(0x10, 0xfff0_0000), (0x14, 0xc), (0x18, 0xffff_ffff)] {
        fake.config_write(place, offset, Width::Word, u32::MAX);
        assert_eq!(fake.config_read(place, offset, Width::Word), wanted);
    }
    fake.config_write(place, 0x50 + at::DEVICE_CONTROL, Width::Half, 0x8000);
    assert_eq!(fake.device(place).resets, 1);
    assert_eq!(fake.config_read(place, at::BAR0, Width::Word), 0);
    assert_eq!(
        fake.config_read(bdf(0, 2, 0), at::VENDOR, Width::Half),
        0xffff
    );
}
