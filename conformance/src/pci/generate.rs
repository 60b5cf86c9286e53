//! Generates topologies from a seed: equal seeds give equal topologies on every machine.

use super::{Model, Wanted};
use crate::library::Library;

/// Maximum number of bridges behind one another.
const DEPTH: u32 = 3;

/// A random number generator (splitmix64): short, and its sequence never changes with the version of a crate.
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// Returns a number from 0 to `below` - 1.
    fn roll(&mut self, below: u64) -> u64 {
        self.next() % below.max(1)
    }

    fn pick<'a, T>(&mut self, from: &'a [T]) -> Option<&'a T> {
        let place = self.roll(u64::try_from(from.len()).unwrap_or(u64::MAX));
        from.get(usize::try_from(place).unwrap_or(0))
    }
}

/// Models that may be at any place.
const ENDPOINTS: [&str; 6] = [
    "edu",
    "pci-testdev",
    "sdhci-pci",
    "qemu-xhci",
    "pci-serial",
    "virtio-rng-pci-non-transitional",
];

/// Generates the functions of a machine: some on the first bus, some behind ports, switches and bridges to conventional
/// buses, some in devices with gaps between their functions.
pub fn topology(library: &Library, seed: u64) -> Result<Vec<Wanted>, String> {
    let mut maker = Maker {
        library,
        dice: Dice(seed),
        made: 0,
    };
    let mut wanted = Vec::new();
    let mut device = 1;
    for _ in 0..4 + maker.dice.roll(4) {
        // Some devices are adjacent, others far apart.
        device += 1 + u8::try_from(maker.dice.roll(4)).unwrap_or(0);
        let found = match maker.dice.roll(5) {
            0 => maker.device(device)?,
            1 => vec![maker.endpoint((device, 0))?],
            2 => vec![maker.conventional((device, 0))?],
            _ => vec![maker.port("pcie-root-port", (device, 0), 1)?],
        };
        wanted.extend(found);
    }
    Ok(wanted)
}

struct Maker<'a> {
    library: &'a Library,
    dice: Dice,
    made: u32,
}

impl Maker<'_> {
    fn one(&mut self, model: &str, slot: (u8, u8)) -> Result<Wanted, String> {
        let model = Model::find(self.library, model)?;
        let name = format!("g{}", self.made);
        self.made += 1;
        Ok(Wanted {
            slot: Some(slot),
            ..Wanted::new(name, model)
        })
    }

    fn endpoint(&mut self, slot: (u8, u8)) -> Result<Wanted, String> {
        let model = self.dice.pick(&ENDPOINTS).copied().unwrap_or("edu");
        self.one(model, slot)
    }

    /// Generates a device with several functions; function 0 always exists.
    fn device(&mut self, device: u8) -> Result<Vec<Wanted>, String> {
        let which = self.dice.next() | 1;
        (0..8)
            .filter(|function| which >> function & 1 == 1)
            .map(|function| self.endpoint((device, function)))
            .collect()
    }

    fn conventional(&mut self, slot: (u8, u8)) -> Result<Wanted, String> {
        let mut bridge = self.one("pcie-pci-bridge", slot)?;
        for device in 1..2 + u8::try_from(self.dice.roll(3)).unwrap_or(0) {
            bridge.below.push(self.endpoint((3 * device, 0))?);
        }
        Ok(bridge)
    }

    fn port(&mut self, model: &str, slot: (u8, u8), depth: u32) -> Result<Wanted, String> {
        let mut port = self.one(model, slot)?;
        let deeper = depth < DEPTH;
        port.below = match self.dice.roll(5) {
            0 => Vec::new(),
            1 if deeper => vec![self.switch(depth)?],
            2 if deeper => vec![self.conventional((0, 0))?],
            3 => self.device(0)?,
            _ => vec![self.endpoint((0, 0))?],
        };
        Ok(port)
    }

    fn switch(&mut self, depth: u32) -> Result<Wanted, String> {
        let mut switch = self.one("x3130-upstream", (0, 0))?;
        for device in 0..1 + u8::try_from(self.dice.roll(3)).unwrap_or(0) {
            let port = self.port("xio3130-downstream", (2 * device, 0), depth + 1)?;
            switch.below.push(port);
        }
        Ok(switch)
    }
}
