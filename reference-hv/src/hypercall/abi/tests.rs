//! Layouts as bytes.

use super::create::{CreateDomain, HAP, HVM, IOMMU};
use super::domctl::{
    self, AssignDevice, BindPtIrq, DomainInfo, Domctl, IomemPermission, MemoryMapping,
};
use super::memory_op::{AddToPhysmap, AddToPhysmapBatch, RemoveFromPhysmap, Reservation};
use super::sched::RemoteShutdown;
use super::sysctl::{InfoList, PhysInfo, Sysctl};

/// A buffer whose bytes count up from one.
fn counted<const N: usize>() -> [u8; N] {
    let mut next = 0_u8;
    [(); N].map(|()| {
        next = next.wrapping_add(1);
        next
    })
}

/// Each structure reads what stands at its offsets and nothing else, and writes it back to them.
#[test]
fn fields_are_where_the_manual_has_them() {
    let bytes = counted::<352>();
    let wide = |at: usize| u64::from_le_bytes(bytes[at..at + 8].try_into().unwrap());
    let word = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap());
    let half = |at: usize| u16::from_le_bytes(bytes[at..at + 2].try_into().unwrap());

    let reservation = Reservation::decode(&bytes);
    assert_eq!((reservation.extents, reservation.count), (wide(0), wide(8)));
    assert_eq!((reservation.order, reservation.flags), (word(16), word(20)));
    assert_eq!(reservation.domain, half(24));

    let batch = AddToPhysmapBatch::decode(&bytes);
    assert_eq!(
        (batch.domain, batch.space, batch.size, batch.foreign),
        (half(0), half(2), half(4), half(6))
    );
    assert_eq!(
        (batch.indices, batch.frames, batch.errors),
        (wide(8), wide(16), wide(24))
    );

    let add = AddToPhysmap::decode(&bytes);
    assert_eq!(
        (add.domain, add.size, add.space, add.index, add.frame),
        (half(0), half(2), word(4), wide(8), wide(16))
    );
    let remove = RemoveFromPhysmap::decode(&bytes);
    assert_eq!((remove.domain, remove.frame), (half(0), wide(8)));
    let remote = RemoteShutdown::decode(&bytes);
    assert_eq!((remote.domain, remote.reason), (half(0), word(4)));

    let domctl = Domctl::decode(&bytes);
    assert_eq!(
        (domctl.command, domctl.version, domctl.domain),
        (word(0), word(4), half(8))
    );
    assert_eq!(domctl.rest_bytes(), bytes[16..144]);
    let sysctl = Sysctl::decode(&bytes);
    assert_eq!((sysctl.command, sysctl.version), (word(0), word(4)));
    assert_eq!(sysctl.rest_bytes(), bytes[8..136]);

    let create = CreateDomain::decode(&bytes);
    assert_eq!(
        (create.flags, create.max_vcpus, create.altp2m_opts),
        (word(20), word(28), word(48))
    );
    assert_eq!(create.arch, bytes[60..72]);
    assert_eq!(create.encode(), bytes[..72]);

    let permission = IomemPermission::decode(&bytes);
    assert_eq!(
        (permission.first, permission.count, permission.allow),
        (wide(0), wide(8), bytes[16])
    );
    let mapping = MemoryMapping::decode(&bytes);
    assert_eq!(
        (mapping.guest, mapping.host, mapping.count, mapping.add),
        (wide(0), wide(8), wide(16), word(24))
    );
    let bind = BindPtIrq::decode(&bytes);
    assert_eq!(
        (bind.machine_irq, bind.kind, bind.guest),
        (word(0), word(4), word(8).to_le_bytes())
    );
    let assign = AssignDevice::decode(&bytes);
    assert_eq!(
        (assign.kind, assign.flags, assign.length, assign.path),
        (word(0), word(4), word(8), wide(16))
    );

    let info = DomainInfo::decode(&bytes).encode();
    // The two bytes behind the number are padding of C's.
    assert_eq!(
        (&info[..2], &info[2..4], &info[4..]),
        (&bytes[..2], &[0, 0][..], &bytes[4..120])
    );
    let physinfo = PhysInfo::decode(&bytes);
    assert_eq!(
        (physinfo.total_pages, physinfo.free_pages, physinfo.max_mfn),
        (wide(40), wide(48), wide(72))
    );
    let list = InfoList::decode(&bytes);
    assert_eq!(
        (list.first, list.max, list.buffer, list.count),
        (half(0), word(4), wide(8), word(16))
    );
}

/// Offsets from the start of the whole argument, as callers count them.
#[test]
fn unions_begin_where_callers_expect() {
    let mut bytes = [0; 144];
    bytes[8] = 7;
    let answer = CreateDomain {
        arch: [2, 0, 0, 0, 0x11, 0, 0, 0, 0, 0, 0, 0],
        ..CreateDomain::decode(&[])
    };
    bytes[domctl::REST..domctl::REST + 72].copy_from_slice(&answer.encode());
    assert_eq!((bytes[76], bytes[80]), (2, 0x11));
    assert_eq!(Domctl::decode(&bytes).domain, 7);
    assert_eq!(
        super::sysctl::REST + core::mem::offset_of!(PhysInfo, free_pages),
        56
    );
    assert_eq!(
        super::sysctl::REST + core::mem::offset_of!(InfoList, count),
        24
    );
}

/// A short buffer is no error: what it lacks is zero, in part and as a whole.
#[test]
fn short_buffers_read_as_zero() {
    assert_eq!(Reservation::decode(&[]), Reservation::decode(&[0; 32]));
    let short = Reservation::decode(&counted::<15>());
    assert_eq!(
        (short.extents, short.count, short.domain),
        (0x0807_0605_0403_0201, 0, 0)
    );
}

/// Only what a domain here can be is possible; each other request is told apart from it by one field.
#[test]
fn what_a_domain_can_be() {
    let fine = CreateDomain {
        flags: 3,
        max_vcpus: 1,
        ..CreateDomain::decode(&[])
    };
    assert!(fine.is_possible(false));
    let behind = CreateDomain {
        flags: HVM | HAP | IOMMU,
        ..fine
    };
    assert!(behind.is_possible(true) && !behind.is_possible(false));
    assert!(fine.is_possible(true));
    assert!(
        CreateDomain {
            grant_opts: 2,
            max_grant_frames: -1,
            ssidref: 9,
            handle: [7; 16],
            ..fine
        }
        .is_possible(false)
    );
    for flags in [0, 1, 2, 7, 0x13, 0x23, 0x43, 0x83, 0x103, u32::MAX] {
        assert!(
            !CreateDomain { flags, ..fine }.is_possible(false),
            "{flags:#x}"
        );
    }
    for other in [
        CreateDomain {
            iommu_opts: 1,
            ..fine
        },
        CreateDomain {
            grant_opts: 0x10,
            ..fine
        },
        CreateDomain {
            altp2m_opts: 1,
            ..fine
        },
        CreateDomain {
            vmtrace_size: 4096,
            ..fine
        },
        CreateDomain {
            cpupool_id: 1,
            ..fine
        },
    ] {
        assert!(!other.is_possible(false), "{other:?}");
    }
}
