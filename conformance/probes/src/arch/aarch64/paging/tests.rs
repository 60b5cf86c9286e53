//! Tests the tables by a walk like the hardware's.

use super::{
    ACCESSED, ADDRESS, ENTRIES, Full, GIB, Kind, LIMIT, PXN, TABLE, Table, Tables, VALID, index,
    shift_size,
};

const BASE: u64 = 0x4020_0000;
const MIB: u64 = 1 << 20;

/// Walks as the hardware does; returns output address, kind and whether instructions may be fetched.
fn walk(tables: &Tables<'_>, at: u64) -> Option<(u64, u64, bool)> {
    let mut table = 0;
    for level in 0..=3 {
        let entry = tables.entry(table, index(at, level));
        if entry & VALID == 0 {
            return None;
        }
        if level == 3 || entry & TABLE == 0 {
            assert!(level > 0, "no blocks at level 0");
            assert_ne!(entry & ACCESSED, 0);
            let inside = shift_size(level) - 1;
            assert_eq!(entry & ADDRESS & inside, 0, "block is aligned");
            return Some((
                (entry & ADDRESS) | (at & inside),
                (entry >> 2) & 7,
                entry & PXN == 0,
            ));
        }
        table = tables.child(table, index(at, level));
    }
    None
}

#[track_caller]
fn check(tables: &Tables<'_>, at: u64, kind: Kind) {
    assert_eq!(
        walk(tables, at),
        Some((at, kind.index(), kind == Kind::Ram)),
        "{at:#x}"
    );
}

/// Everything below 512 GiB is identity-mapped from the start, and nothing above.
#[test]
fn outside_is_identity() {
    let mut pool = [[0; ENTRIES]; 2];
    let tables = Tables::new(&mut pool, BASE).unwrap();
    for at in [0, 0x0903_0fe0, 0x4000_0000, (1 << 39) - 1] {
        check(&tables, at, Kind::Outside);
    }
    assert_eq!(walk(&tables, 1 << 39), None);
}

/// The probe's RAM is mapped as memory, page by page; neighbouring pages are unchanged.
#[test]
fn ram_is_mapped_to_the_page() {
    let mut pool = [[0; ENTRIES]; 16];
    for (first, last) in [
        (0x4000_0000, 0x4000_0000 + 64 * MIB - 1),
        (0x4000_0000, 0x4000_0000 + 3 * MIB - 1),
        (0x4012_3000, 0x4012_3fff),
        (0x4000_0000, 0x4000_0000 + 2 * GIB - 1),
        (0x2_0000_0000, 0x2_0000_0fff),
        (LIMIT - 4096, LIMIT - 1),
    ] {
        let mut tables = Tables::new(&mut pool, BASE).unwrap();
        tables.map(first, last, Kind::Ram).unwrap();
        for at in [
            first,
            first + 8,
            last & !7,
            last,
            first + (last - first) / 2,
        ] {
            check(&tables, at, Kind::Ram);
        }
        check(&tables, first - 1, Kind::Outside);
        if last + 1 < LIMIT {
            check(&tables, last + 1, Kind::Outside);
        }
    }
}

/// A range that is not a multiple of pages includes its partial pages.
#[test]
fn ranges_are_widened() {
    let mut pool = [[0; ENTRIES]; 4];
    let mut tables = Tables::new(&mut pool, BASE).unwrap();
    tables.map(0x2200_0010, 0x2200_0011, Kind::Device).unwrap();
    check(&tables, 0x2200_0000, Kind::Device);
    check(&tables, 0x2200_0fff, Kind::Device);
    check(&tables, 0x2200_1000, Kind::Outside);
}

/// Any number of high addresses is mapped on demand, including the last one of 48 bits.
#[test]
fn high_addresses_are_reached() {
    let mut pool = [[0; ENTRIES]; 3];
    let mut tables = Tables::new(&mut pool, BASE).unwrap();
    assert_eq!(tables.reach(0x0903_0000), Ok(false));
    assert_eq!(
        tables.reach(1 << 40),
        Ok(false),
        "the first one replaces nothing"
    );
    assert_eq!(tables.reach((1 << 40) + GIB), Ok(false));
    check(&tables, 1 << 40, Kind::Outside);
    for at in [LIMIT - 4096, 1 << 45, 1 << 39] {
        assert_eq!(tables.reach(at), Ok(true));
        check(&tables, at, Kind::Outside);
        assert_eq!(walk(&tables, 1 << 40), None, "one table serves them all");
    }
    assert_eq!(tables.reach(LIMIT), Err(Full));
    assert_eq!(tables.reach(u64::MAX), Err(Full));
    check(&tables, 0, Kind::Outside);
}

/// Permanent mappings are not in the table that high addresses share.
#[test]
fn lasting_entries_do_not_share() {
    let mut pool = [[0; ENTRIES]; 8];
    let mut tables = Tables::new(&mut pool, BASE).unwrap();
    tables.map(1 << 42, (1 << 42) + 0xfff, Kind::Ram).unwrap();
    tables.reach(1 << 40).unwrap();
    tables.reach(1 << 41).unwrap();
    check(&tables, 1 << 42, Kind::Ram);
    assert_eq!(
        tables.map(1 << 41, (1 << 41) + 0xfff, Kind::Device),
        Err(Full)
    );
}

/// A leaf entry can be changed and restored.
#[test]
fn leaves_are_replaced() {
    let mut pool = [[0; ENTRIES]; 8];
    let mut tables = Tables::new(&mut pool, BASE).unwrap();
    tables
        .map(0x4000_0000, 0x4000_0000 + 3 * MIB - 1, Kind::Ram)
        .unwrap();
    for at in [0x0903_0000, 0x4000_0000, 0x4030_0000] {
        let old = tables.replace(at, |_| 0).unwrap();
        assert_eq!(walk(&tables, at), None);
        tables.replace(at, |_| Tables::executable(old)).unwrap();
        assert_eq!(walk(&tables, at).map(|(_, _, code)| code), Some(true));
    }
}

/// A pool that is too small is an error, and is not overrun.
#[test]
fn small_pools_are_refused() {
    let mut pool: [Table; 1] = [[0; ENTRIES]; 1];
    assert!(Tables::new(&mut pool, BASE).is_err());
    let mut pool = [[0; ENTRIES]; 2];
    let mut tables = Tables::new(&mut pool, BASE).unwrap();
    assert_eq!(tables.map(0x4000_0000, 0x4000_0fff, Kind::Ram), Err(Full));
}
