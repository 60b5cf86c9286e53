//! Accesses that every domain with devices makes in every case: the pages next to each mapped region are not mapped,
//! and a region that was moved is not at its physical address as well.

use wire::{Op, Width};

use crate::case::expect::Expect;
use crate::scenario::{Domain, From, Line, Range};

/// Size of the smallest mapping.
const PAGE: u64 = 0x1000;

/// Parts of the guest's address space that the hypervisor uses itself: isolation checks do not access them.
#[derive(Clone, Debug, Default)]
pub struct Occupied(pub Vec<(u64, u64)>);

impl Occupied {
    fn holds(&self, at: u64) -> bool {
        self.0
            .iter()
            .any(|(first, last)| (*first..=*last).contains(&at))
    }
}

/// Returns the isolation checks of a domain that runs.
pub fn isolation_checks(domain: &Domain, occupied: &Occupied, ipa_bits: u8) -> Vec<Line> {
    let ranges: Vec<Range> = domain
        .partial
        .iter()
        .flat_map(|partial| &partial.devices)
        .flat_map(|device| device.ranges.iter().copied())
        .collect();
    let mut at: Vec<u64> = Vec::new();
    for range in &ranges {
        let Some(last) = range.guest.checked_add(range.size.wrapping_sub(1)) else {
            continue;
        };
        at.extend(range.guest.checked_sub(PAGE));
        at.extend(last.checked_add(1));
        if range.guest != range.host {
            at.push(range.host);
            at.push(range.host.saturating_add(range.size.saturating_sub(PAGE)));
        }
    }
    at.sort_unstable();
    at.dedup();
    let limit = 1_u64.checked_shl(u32::from(ipa_bits)).unwrap_or(u64::MAX);
    let mapped = |at: u64| {
        ranges
            .iter()
            .any(|range| at.wrapping_sub(range.guest) < range.size)
    };
    at.retain(|at| *at < limit && !mapped(*at) && !occupied.holds(*at));
    at.into_iter()
        .map(|at| Line {
            op: Op::Read {
                width: Width::W32,
                at,
            },
            expect: Expect::Fault,
            from: From::Isolation,
            said: None,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::{Device, Partial};

    fn domain(ranges: &[(u64, u64, u64)]) -> Domain {
        let ranges = ranges
            .iter()
            .map(|&(host, size, guest)| Range { host, size, guest })
            .collect();
        let device = Device {
            node: "d".into(),
            ranges,
            path: None,
            force: true,
            describe_as: None,
            interrupts: Vec::new(),
            props: Vec::new(),
        };
        Domain {
            partial: Some(Partial {
                devices: vec![device],
                ..Partial::default()
            }),
            ..Domain::plain("dA", 1, 0x4000_0000)
        }
    }

    fn check(ranges: &[(u64, u64, u64)], wanted: &[u64]) {
        let occupied = Occupied(vec![(0x4000_0000, 0x407f_ffff)]);
        let found: Vec<u64> = isolation_checks(&domain(ranges), &occupied, 40)
            .iter()
            .map(|line| line.op.address().unwrap())
            .collect();
        assert_eq!(found, wanted);
    }

    /// The checks access the pages before and after a region, and the physical address of a moved one.
    #[test]
    fn neighbours_and_origins_are_tried() {
        check(
            &[(0x903_0000, 0x1000, 0x903_0000)],
            &[0x902_f000, 0x903_1000],
        );
        check(
            &[(0x903_0000, 0x1000, 0x3a00_0000)],
            &[0x903_0000, 0x39ff_f000, 0x3a00_1000],
        );
    }

    /// The checks skip what another range maps, the domain's memory, and what lies beyond the address width.
    #[test]
    fn what_is_there_is_left_alone() {
        check(
            &[
                (0x903_0000, 0x1000, 0x903_0000),
                (0x903_1000, 0x1000, 0x903_1000),
            ],
            &[0x902_f000, 0x903_2000],
        );
        check(&[(0x3fff_f000, 0x1000, 0x3fff_f000)], &[0x3fff_e000]);
        check(
            &[(0x903_0000, 0x1000, 0xff_ffff_f000)],
            &[0x903_0000, 0xff_ffff_e000],
        );
    }
}
