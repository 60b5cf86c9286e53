//! Whatever the hardware domain does: stage 2 shows what its functions decode, and nothing else.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;

/// What stage 2 must show of the functions as they are; nothing where they decode outside of the windows.
fn said(fake: &mut Functions) -> BTreeSet<(u64, u64)> {
    let mut pages = BTreeSet::new();
    for (at, device) in fake.devices() {
        if device.get(4, 2) & 2 == 0 {
            continue;
        }
        for bar in known(*at).bars {
            let register = 0x10 + 4 * u16::from(bar.index);
            let low = u64::from(device.get(register, 4) & !0xf);
            let (address, size) = match bar.kind {
                BarKind::Io => continue,
                BarKind::Memory32 => (low, bar.size),
                BarKind::Memory64 => (low | u64::from(device.get(register + 4, 4)) << 32, bar.size),
            };
            let cpu = match address {
                0 => continue,
                0x1000_0000..0x3000_0000 => address,
                HIGH_BUS..0x40_1000_0000 => address - HIGH_BUS + HIGH_CPU,
                _ => panic!("{at} decodes {address:#x}"),
            };
            pages.extend((cpu / 0x1000..=(cpu + size - 1) / 0x1000).map(|page| (page, page)));
        }
    }
    pages
}

#[derive(Clone, Debug)]
enum Step {
    Write(usize, u16, Width, u64),
    Forget(usize),
    Refresh(usize),
}

fn steps() -> impl Strategy<Value = Step> {
    let offsets = prop_oneof![
        3 => Just(4_u16),
        4 => (0x10..0x28_u16).prop_map(|offset| offset & !3),
        2 => 0..0xb0_u16,
        1 => any::<u16>(),
    ];
    let values = prop_oneof![
        0..8_u64,
        Just(u64::MAX),
        (0x1000..0x3000_u64).prop_map(|value| value << 16),
        any::<u64>(),
    ];
    let widths = prop::sample::select(&Width::ALL[..]);
    prop_oneof![
        12 => (0..4_usize, offsets, widths, values).prop_map(|(f, o, w, v)| Step::Write(f, o, w, v)),
        1 => (0..4_usize).prop_map(Step::Forget),
        1 => (0..4_usize).prop_map(Step::Refresh),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, ..ProptestConfig::default() })]

    /// Whatever the hardware domain writes: stage 2 shows what its functions decode, all of that lies in
    /// the windows, and the bridge's numbers, MSI and extended capabilities stay as they are.
    #[test]
    fn stage_2_follows_the_hardware(traffic in prop::collection::vec(steps(), 0..120)) {
        let all = [DISK, BRIDGE, CARD, SMALL];
        let mut rig = Rig::new();
        let extended = rig.host.fake.device(CARD).bytes()[0x100..].to_vec();
        for step in traffic {
            match step {
                Step::Write(which, offset, width, value) => {
                    let fits = offset < 0x1000 && u64::from(offset) % width.bytes() == 0;
                    let done = rig.view.write(&mut rig.host, all[which], offset, width, value, Access::Full);
                    prop_assert_eq!(done.is_ok(), fits);
                }
                Step::Forget(which) => {
                    rig.view.forget(&mut rig.host, all[which]);
                    // As whoever takes it switches it off.
                    rig.host.fake.config_write(all[which], 4, Width::Half, 0);
                }
                Step::Refresh(which) => {
                    rig.view.refresh(&mut rig.host, &known(all[which]));
                }
            }
            let shown: BTreeSet<_> = rig
                .host
                .stage
                .mapped
                .iter()
                .flat_map(|(guest, host)| {
                    let (first, to) = (guest.first().raw() / 0x1000, host.raw() / 0x1000);
                    (0..guest.pages()).map(move |page| (first + page, to + page))
                })
                .collect();
            prop_assert_eq!(shown, said(&mut rig.host.fake));
            prop_assert_eq!(rig.hardware(BRIDGE, 0x18, 4), 0x0001_0100);
            prop_assert_eq!(rig.hardware(CARD, MSI + 2, 2) & 1, 0);
            prop_assert_eq!(rig.hardware(CARD, MSIX + 2, 2) & 0x8000, 0);
            prop_assert_eq!(&rig.host.fake.device(CARD).bytes()[0x100..], &extended[..]);
        }
    }
}
