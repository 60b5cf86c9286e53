//! What is done with machines that make no sense, and how much at most.

use std::boxed::Box;

use proptest::prelude::*;

use super::*;
use crate::exit::Width;
use crate::hal::ConfigSpace;
use crate::pci::reset::{End, Progress, ResetRun};

/// Reads of one function: the header and its registers, both lists, and what the capabilities are asked for.
const MOST_READS: usize = 8 + 12 + 48 + 64 + 6;
/// Writes to one function: its registers twice each, and its command register twice.
const MOST_WRITES: usize = 14;

/// Functions everywhere, whose registers hold what a hash of their place says, biased to what a scan believes, and keep
/// some of what is written.
#[derive(Clone, Debug)]
struct Garbage {
    seed: u64,
    /// How many of 16 functions are there.
    present: u64,
    /// How many of 16 headers are bridges.
    bridges: u64,
    /// Whether bridges name buses that they may have.
    plausible: bool,
    written: std::collections::BTreeMap<(Sbdf, u16), u32>,
    reads: usize,
    writes: usize,
}

impl Garbage {
    fn hash(&self, at: Sbdf, offset: u16) -> u64 {
        let key = u64::from(at.segment) << 32 | u64::from(at.requester()) << 16 | u64::from(offset);
        let mut value = (key ^ self.seed).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        value ^= value >> 29;
        value = value.wrapping_mul(0xbf58_476d_1ce4_e5b9);
        value ^ value >> 32
    }

    fn register(&self, at: Sbdf, offset: u16) -> u32 {
        let [a, b, c, d, e, f, ..] = self.hash(at, offset).to_le_bytes();
        let raw = u32::from_le_bytes([a, b, c, d]);
        if self.hash(at, 0xfffe) % 16 >= self.present {
            return u32::MAX;
        }
        match offset {
            // Nobody's number, sometimes.
            at::VENDOR if e % 16 == 0 => raw & 0xffff_0000 | u32::from(f % 2),
            at::VENDOR => raw | 2,
            at::CACHE_LINE => {
                let bridge = u64::from(e) % 16 < self.bridges;
                let layout = if f % 16 == 0 {
                    c & 0x7f
                } else {
                    u8::from(bridge)
                };
                raw & 0xff80_ffff | u32::from(layout) << 16
            }
            at::BUSES if self.plausible => {
                let secondary = at.bus.saturating_add(e % 4);
                let subordinate = secondary.saturating_add(f % 64);
                u32::from_le_bytes([0, secondary, subordinate, 0])
            }
            // Half of all lists go on.
            0x40..0x100 if e % 2 == 0 => raw & 0xffff_00ff,
            _ => raw,
        }
    }
}

impl ConfigSpace for Garbage {
    fn config_read(&mut self, at: Sbdf, offset: u16, width: Width) -> u32 {
        self.reads += 1;
        let place = offset & !3;
        let value = match self.written.get(&(at, place)) {
            Some(value) => *value,
            None => self.register(at, place),
        };
        let mask = u32::try_from(width.mask()).unwrap();
        value >> (8 * u32::from(offset & 3)) & mask
    }

    fn config_write(&mut self, at: Sbdf, offset: u16, width: Width, value: u32) {
        self.writes += 1;
        let place = offset & !3;
        // Some registers keep nothing of what is written, and some only parts.
        let sticks = u32::try_from(self.hash(at, offset | 1) >> 32).unwrap()
            | if self.hash(at, offset | 2) % 2 == 0 {
                u32::MAX
            } else {
                0
            };
        let shift = 8 * u32::from(offset & 3);
        let mask = (u32::try_from(width.mask()).unwrap() << shift) & sticks;
        let before = self.register(at, place);
        let now = self.written.entry((at, place)).or_insert(before);
        *now = *now & !mask | value << shift & mask;
    }
}

fn garbage() -> impl Strategy<Value = Garbage> {
    let some = prop_oneof![Just(16_u64), 1_u64..16];
    (any::<u64>(), some, 0_u64..=16, any::<bool>()).prop_map(
        |(seed, present, bridges, plausible)| Garbage {
            seed,
            present,
            bridges,
            plausible,
            written: Default::default(),
            reads: 0,
            writes: 0,
        },
    )
}

/// Checks that what is known of functions agrees with itself.
fn agrees(found: &Inventory) {
    let all = found.functions();
    assert!(
        all.is_sorted_by(|one, next| one.at < next.at),
        "sorted, and once each"
    );
    assert!(all.len() <= MAX_FUNCTIONS);
    for function in all {
        if let Some(above) = function.above {
            let bridge = found.get(above).expect("the bridge above is known");
            let inside = found.behind(above).any(|one| one.at == function.at);
            assert!(inside && above.bus < function.at.bus, "{}", function.at);
            assert!(bridge.is_bridge());
        }
        let first = found.get(function.group.first).expect("the first is known");
        assert_eq!(first.group.first, first.at);
        assert!(first.is_bridge() || first.at <= function.at || function.is_bridge());
        let members = found.members(function.group).count();
        assert_eq!(function.group.why.is_some(), members > 1, "{}", function.at);
        let others = found.members(function.group);
        for other in others.filter(|_| !function.is_bridge()) {
            assert_eq!(other.group.first, function.group.first);
        }
        for bar in &function.bars {
            assert!(bar.size.is_power_of_two() && bar.address & (bar.size - 1) == 0);
            assert!(bar.address.checked_add(bar.size - 1).is_some());
        }
        let mut offsets: Vec<_> = function.capabilities.iter().map(|one| one.offset).collect();
        offsets.sort_unstable();
        offsets.dedup();
        assert_eq!(
            offsets.len(),
            function.capabilities.len(),
            "no capability twice"
        );
        assert!(
            offsets
                .iter()
                .all(|offset| *offset >= 0x40 && offset % 4 == 0)
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    /// Any machine at all is looked through in so many accesses, and what is known then agrees with itself, also when
    /// functions are taken out of it, put back, and reset.
    #[test]
    fn any_machine_is_looked_through(mut space in garbage(), picks in prop::collection::vec(any::<usize>(), 8)) {
        let segment = Segment { number: 0, buses: 0..=0xff };
        let mut said = 0;
        let mut found = Inventory::scan(&mut space, &[segment], &mut |_| said += 1);
        agrees(&found);
        let count = found.functions().len();
        let probes = 256 * 32 * 8;
        prop_assert!(space.reads <= probes + (count + 1) * MOST_READS, "{} reads of {count}", space.reads);
        prop_assert!(space.writes <= (count + 1) * MOST_WRITES, "{} writes to {count}", space.writes);
        prop_assert!(said <= 4 * count + 1);
        found.isolate(&mut space, &mut |_| ());
        agrees(&found);

        let before = space.reads + space.writes;
        for pick in &picks {
            let Some(at) = found.functions().get(pick % count.max(1)).map(|one| one.at) else { continue };
            if let Ok(gone) = found.remove(at) {
                agrees(&found);
                let _ = found.add(&mut space, gone.at, None, &mut |_| ());
                agrees(&found);
            }
        }
        // Bridges without buses are asked anew each time.
        prop_assert!(space.reads + space.writes - before <= picks.len() * (MOST_READS + MOST_WRITES + 8 + count));

        for pick in picks {
            let Some(function) = found.functions().get(pick % found.functions().len().max(1)) else { continue };
            let behind = match function.reset {
                Reset::Bus(bridge) => found.behind(bridge).count(),
                _ => 1,
            };
            let before = space.reads + space.writes;
            let mut run = ResetRun::begin(&mut space, function, function.reset);
            let mut waits = 0;
            let end: End = loop {
                match run.advance(&mut space, &found) {
                    Progress::Wait(_) => waits += 1,
                    Progress::Done(end) => break end,
                }
                prop_assert!(waits <= 32, "no end of it");
            };
            let most = 40 + 40 * (behind + 1);
            prop_assert!(space.reads + space.writes - before <= most, "{end:?} after {waits} waits");
        }
    }

    /// Whatever functions say, everything that was written to find out what they decode is as it was before.
    #[test]
    fn everything_is_put_back(
        headers in prop::collection::vec((0_u8..8, any::<[u8; 32]>(), any::<[u8; 64]>(), 0_u8..3), 1..6),
    ) {
        let mut fake = Fake::default();
        for (slot, (function, written, masks, header)) in headers.into_iter().enumerate() {
            let mut device = Device::other(header).multifunction();
            device.set(at::COMMAND, 2, u32::from(written[0]));
            for (offset, byte) in (at::BAR0..at::BAR0 + 24).zip(&written[1..]) {
                let mask = masks[usize::from(offset)];
                device.allow(offset, 1, mask.into());
                device.set(offset, 1, (*byte).into());
            }
            let slot = u8::try_from(slot).unwrap();
            fake = fake.with(bdf(0, slot, 0), device.clone()).with(bdf(0, slot, function), device);
        }
        let before = Box::new(fake.devices().clone());
        let (found, _) = scan(&mut fake);
        agrees(&found);
        prop_assert!(*fake.devices() == *before);
    }
}
