//! The driver against a model of an SMMU, and layouts against the manual.

use std::vec;
use std::vec::Vec;

use super::command::Command;
use super::event::{Access, Event, Reason};
use super::features::{Identity, Unusable};
use super::queue::{Index, Ring};
use super::table::{Entry, Translated};
use crate::addr::{Ipa, Pa};
use crate::ids::{IommuDomainId, SourceId, Vmid};
use crate::paging::Shape;

mod driver;
mod model;

const SHAPE: Shape = Shape { bits: 40, start: 1 };

/// What QEMU 10 says of its SMMU.
const QEMU: Identity = Identity {
    idr0: 0x0d44_101b,
    idr1: 0x0273_0010,
    idr3: 0x0000_0004,
    idr5: 0x0000_0074,
};

fn tag(number: u8) -> IommuDomainId {
    Vmid::new(number).unwrap().iommu_domain()
}

/// What the driver cannot do without is missed by name.
#[test]
fn what_is_missing_is_named() {
    let table: &[(Identity, Unusable)] = &[
        (
            Identity {
                idr0: QEMU.idr0 & !1,
                ..QEMU
            },
            Unusable::NoStage2,
        ),
        (
            Identity {
                idr0: QEMU.idr0 & !(3 << 2),
                ..QEMU
            },
            Unusable::NoTables,
        ),
        (
            Identity {
                idr0: QEMU.idr0 & !(3 << 2) | 1 << 2,
                ..QEMU
            },
            Unusable::NoTables,
        ),
        (
            Identity {
                idr0: QEMU.idr0 & !(1 << 4),
                ..QEMU
            },
            Unusable::Incoherent,
        ),
        (
            Identity {
                idr0: QEMU.idr0 | 3 << 21,
                ..QEMU
            },
            Unusable::BigEndian,
        ),
        (
            Identity {
                idr0: QEMU.idr0 & !(3 << 24) | 2 << 24,
                ..QEMU
            },
            Unusable::StallsAlways,
        ),
        (
            Identity {
                idr5: QEMU.idr5 & !(1 << 4),
                ..QEMU
            },
            Unusable::NoSmallPages,
        ),
        (
            Identity {
                idr1: QEMU.idr1 | 1 << 29,
                ..QEMU
            },
            Unusable::Preset,
        ),
        (
            Identity {
                idr1: QEMU.idr1 | 1 << 30,
                ..QEMU
            },
            Unusable::Preset,
        ),
        (
            Identity {
                idr1: QEMU.idr1 & !(0x1f << 16),
                ..QEMU
            },
            Unusable::NoEvents,
        ),
    ];
    for (identity, missing) in table {
        assert_eq!(identity.judge(), Err(*missing));
    }
}

/// What QEMU's SMMU offers is read as QEMU means it.
#[test]
fn qemus_features() {
    let features = QEMU.judge().unwrap();
    assert_eq!(features.stream_bits, 16);
    assert_eq!(features.output_bits, 44);
    assert_eq!((features.commands, features.events), (19, 19));
    assert!(features.two_levels && !features.messages && !features.remote_translation);
    assert!(!features.forces_write_back && !features.hypervisor);
}

/// Tables reach as far as the SMMU does, and no further.
#[test]
fn widths_must_fit() {
    let mut features = QEMU.judge().unwrap();
    assert_eq!(features.fit(SHAPE, 44), Ok(()));
    let narrow = |bits, needed| Err(Unusable::Narrow { bits, needed });
    assert_eq!(features.fit(SHAPE, 45), narrow(44, 45));
    features.output_bits = 36;
    assert_eq!(features.fit(SHAPE, 32), narrow(36, 40));
}

/// Commands stand as the manual has them.
#[test]
fn commands() {
    let table: &[(Command, [u64; 2])] = &[
        (Command::ForgetStream(SourceId(0x18)), [0x18_0000_0003, 0]),
        (Command::ForgetAllStreams, [0x04, 31]),
        (Command::ForgetHypervisorTranslations, [0x20, 0]),
        (Command::ForgetTag(tag(0xab)), [0xab_0000_0028, 0]),
        (
            Command::ForgetPage(tag(1), Ipa::new(0x4000_1234)),
            [0x1_0000_002a, 0x4000_1000],
        ),
        (Command::ForgetAllTranslations, [0x30, 0]),
        (Command::Sync, [0x46, 0]),
    ];
    for (command, words) in table {
        assert_eq!(command.encode(), *words, "{command:?}");
    }
}

/// Entries stand as the manual has them.
#[test]
fn entries() {
    assert_eq!(Entry::Nobody.encode(), [0; 8]);
    assert_eq!(Entry::Released.encode(), [1, 0, 0, 0, 0, 0, 0, 0]);
    let mut to = Translated {
        root: Pa::new(0x1_2345_6000),
        tag: tag(5),
        control: 0x8005_3558,
        forced: false,
        output_bits: 44,
    };
    // S2R, S2AA64, S2PS = 44 bits, then TG0 to T0SZ as in VTCR_EL2, and the tag.
    let third = 1 << 58 | 1 << 51 | 4 << 48 | 0x3558 << 32 | 5;
    assert_eq!(
        Entry::Translated(to).encode(),
        [0b1101, 1 << 44, third, 0x1_2345_6000, 0, 0, 0, 0]
    );
    // Where the tables put out fewer bits than the SMMU could, they decide.
    to.control = 0x8002_3558;
    to.forced = true;
    let words = Entry::Translated(to).encode();
    assert_eq!(words[2] >> 48 & 7, 2);
    assert_eq!(words[1], 1 << 44 | 1 << 25);
}

/// Events are read as QEMU writes them.
#[test]
fn events() {
    let written = [
        0x18_0000_0010,
        0x0000_0288_0000_0000,
        0x5000_0004,
        0x5000_0000,
    ];
    let event = Event::decode(written);
    let access = Access {
        address: 0x5000_0004,
        read: true,
        second_stage: true,
        class: 2,
    };
    assert_eq!(event.reason, Reason(0x10));
    assert_eq!(event.stream, SourceId(0x18));
    assert_eq!(event.access, Some(access));
    let bad = Event::decode([0x1234_0000_0002, 0, 0, 0]);
    assert_eq!((bad.stream, bad.access), (SourceId(0x1234), None));
    assert_eq!(bad.reason.to_string(), "C_BAD_STREAMID");
    assert_eq!(Reason(0x7f).to_string(), "event 0x7f");
}

/// A ring that went round is told from one that did not move.
#[test]
fn rings_turn_over() {
    let ring = Ring::of_a_page(16, 2);
    let mut produced = Index::default();
    let mut places = Vec::new();
    for _ in 0..4 {
        assert!(!ring.is_full(produced, Index::default()));
        places.push(ring.place(produced));
        produced = ring.next(produced);
    }
    assert_eq!(places, vec![0, 2, 4, 6]);
    assert!(ring.is_full(produced, Index::default()));
    assert!(!ring.is_empty(produced, Index::default()));
    for _ in 0..4 {
        produced = ring.next(produced);
    }
    assert_eq!(produced, Index::default());
    // What else a register holds is no part of the index.
    assert_eq!(ring.index(0x8000_0005), Index(5));
    assert_eq!(Ring::of_a_page(32, 19).log2(), 7);
    assert_eq!(Ring::of_a_page(16, 19).log2(), 8);
}
