//! What is done with machines that make no sense, and how much at most.

use std::boxed::Box;
use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::access::Width;
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
    /// Whether each bus has two bridges, which name buses that they may have, mostly.
    plausible: bool,
    written: BTreeMap<(Sbdf, u16), u32>,
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

    /// The buses behind a bridge of a machine that makes some sense: it divides in two those that its own bus has behind
    /// it, with the other bridge of that bus. Nothing for what is no bridge there.
    fn half(&self, at: Sbdf) -> Option<(u8, u8)> {
        let slot =
            |which| u8::try_from(self.hash(Sbdf { devfn: 0, ..at }, which) % 32).unwrap() * 8;
        let bus = u16::from(at.bus);
        let (mut first, mut last) = (0_u16, 0xff);
        // Down the tree, to this bus.
        let (lower, upper) = loop {
            let middle = first + (last - first) / 2 + 1;
            let lower = (first + 1, middle.max(first + 2) - 1);
            let upper = (lower.1 + 1, last);
            if first == bus {
                break (lower, upper);
            }
            (first, last) = if bus <= lower.1 { lower } else { upper };
        };
        let (first, last) = match at.devfn {
            one if one == slot(1) => lower,
            other if other == slot(2) => upper,
            _ => return None,
        };
        let number = |bus| u8::try_from(bus).ok();
        (first <= last).then_some((number(first)?, number(last)?))
    }

    fn register(&self, at: Sbdf, offset: u16) -> u32 {
        let [a, b, c, d, e, f, g, _] = self.hash(at, offset).to_le_bytes();
        let raw = u32::from_le_bytes([a, b, c, d]);
        let half = self.half(at).filter(|_| self.plausible);
        if half.is_none() && self.hash(at, 0xfffe) % 16 >= self.present {
            return u32::MAX;
        }
        match (offset, half) {
            (at::VENDOR, Some(_)) => 0x000c_1b36,
            (at::CACHE_LINE, Some(_)) => 0x0001_0000,
            (at::BUSES, Some((secondary, subordinate))) => {
                // A lie, sometimes.
                let secondary = if g % 32 == 0 { e } else { secondary };
                u32::from_le_bytes([0, secondary, subordinate, 0])
            }
            // Nobody's number, sometimes.
            (at::VENDOR, None) if e % 16 == 0 => raw & 0xffff_0000 | u32::from(f % 2),
            (at::VENDOR, None) => raw | 2,
            (at::CACHE_LINE, None) => {
                let bridge = !self.plausible && u64::from(e) % 16 < self.bridges;
                let layout = if f % 16 == 0 {
                    c & 0x7f
                } else {
                    u8::from(bridge)
                };
                raw & 0xff80_ffff | u32::from(layout) << 16
            }
            // The first capability of many is one of PCI Express, and many lists go on.
            (at::CAPABILITIES, _) if e % 2 == 0 => 0x40,
            (0x40, _) if e % 2 == 0 => raw & 0xffff_fc00 | u32::from(at::CAP_EXPRESS),
            (0x40..0x100, _) if e % 2 == 0 => raw & 0xffff_00ff,
            (at::EXTENDED, _) if e % 2 == 0 => at::EXT_ACS.into(),
            (0x104, _) if e % 2 == 0 => 0xffff,
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
            | if self.hash(at, offset | 2).is_multiple_of(2) {
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
    let mut members = BTreeMap::new();
    for function in all.iter().filter(|function| !function.is_bridge()) {
        *members.entry(function.group.first).or_insert(0) += 1;
    }
    for (first, count) in &members {
        let group = found.get(*first).expect("the first is known").group;
        assert_eq!(
            (group.first, found.members(group).count()),
            (*first, *count)
        );
        let lowest = found.members(group).next().expect("the first at least");
        assert_eq!(lowest.at, *first);
    }
    for function in all {
        if let Some(above) = function.above {
            let bridge = found.get(above).expect("the bridge above is known");
            let Kind::Bridge { secondary, .. } = bridge.kind else {
                panic!("{above} is no bridge");
            };
            assert_eq!(secondary, Some(function.at.bus), "{}", function.at);
            assert!(above.bus < function.at.bus);
        }
        let bound = members.get(&function.group.first);
        let bound = bound.is_some_and(|count| *count > 1);
        assert_eq!(function.group.why.is_some(), bound, "{}", function.at);
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
        let mut fake = Functions::default();
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
