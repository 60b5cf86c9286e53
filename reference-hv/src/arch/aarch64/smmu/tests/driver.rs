//! What the driver makes the model do.

use std::string::{String, ToString};
use std::vec;
use std::vec::Vec;

use super::model::{Fate, Model};
use super::{QEMU, SHAPE, tag};
use crate::addr::Pa;
use crate::arch::aarch64::smmu::*;
use crate::ids::{DomainId, IrqLine, SourceId, Stream};

const CONTEXT: Context = Context {
    control: 0x8005_3558,
    forced: false,
};
const PAUSE: u64 = 100;

fn open(model: &Model) -> Result<Smmu<Model>, Unusable> {
    let mut tables = model.clone();
    Blocked::new(model.clone())?.open(&mut tables, SHAPE, 33, CONTEXT)
}

/// One SMMU that is called `smmu`, with line 106.
fn set(model: &Model) -> Set<Model> {
    let lines = vec![IrqLine::new(106)];
    let unit = Unit::new("smmu".into(), open(model).unwrap(), lines);
    Set::new(vec![None, Some(unit)], PAUSE)
}

fn stream(id: u32) -> Stream {
    Stream {
        iommu: 1,
        id: SourceId(id),
    }
}

fn owner(domain: u16, number: u8) -> Owner {
    Owner {
        domain: DomainId::new(domain).unwrap(),
        tag: tag(number),
        root: Pa::new(0x1000_0000 * u64::from(number)),
    }
}

/// From the first access on nothing passes, and commands and tables are there before translation is.
#[test]
fn everything_is_stopped_before_anything_is_translated() {
    let model = Model::new();
    assert_eq!(model.access(0x18), Fate::Passed);
    let blocked = Blocked::new(model.clone()).unwrap();
    assert_eq!(model.access(0x18), Fate::Stopped);
    assert_eq!(model.log(), ["GBPA 0x80100000", "CR0 0x0"]);
    let mut tables = model.clone();
    let opened = blocked.open(&mut tables, SHAPE, 33, CONTEXT);
    let log: Vec<String> = model.log();
    let order: Vec<&str> = log.iter().map(String::as_str).collect();
    assert_eq!(order[0], "IRQ_CTRL 0x0");
    assert!(order[1].starts_with("STRTAB_BASE 0x4000000080"));
    assert_eq!(
        order[2..],
        [
            "CR0 0x8",
            "CFGI_ALL",
            "TLBI_NSNH_ALL",
            "SYNC",
            "CR0 0xc",
            "IRQ_CTRL 0x5",
            "CR0 0xd"
        ]
    );
    assert!(opened.is_ok());
    assert_eq!(model.access(0x18), Fate::Stopped);
}

/// An SMMU that firmware left translating, or passing everything, is stopped as well.
#[test]
fn what_firmware_left_is_overruled() {
    let model = Model::new();
    model.set(register::CR0, 1);
    model.set(register::CR0ACK, 1);
    let opened = Blocked::new(model.clone());
    assert!(opened.is_ok());
    assert_eq!(model.access(0), Fate::Stopped);
}

/// An SMMU that does not take what is asked of it is not used.
#[test]
fn registers_that_do_not_answer_are_named() {
    for (offset, name) in [
        (register::GBPA, "SMMU_GBPA"),
        (register::IRQ_CTRL, "SMMU_IRQ_CTRL"),
    ] {
        let model = Model::new();
        model.set(register::IRQ_CTRLACK, 4);
        model.0.borrow_mut().stuck = Some(offset);
        assert_eq!(open(&model).err(), Some(Unusable::Silent(name)));
    }
    let model = Model::new();
    model.0.borrow_mut().deaf = true;
    assert_eq!(open(&model).err(), Some(Unusable::Command(0)));
    assert_eq!(model.access(0), Fate::Stopped);
    let model = Model::new();
    model.0.borrow_mut().left = 2;
    assert_eq!(open(&model).err(), Some(Unusable::NoRoom));
}

/// A small or a simple SMMU has a table in one piece.
#[test]
fn tables_are_as_large_as_the_streams_are_many() {
    for (sid, levels, log2, two) in [
        (16, 1, 16, true),
        (32, 1, 21, true),
        (6, 1, 6, false),
        (16, 0, 10, false),
        (0, 0, 0, false),
    ] {
        let model = Model::new();
        let idr1 = QEMU.idr1 & !0x3f | sid;
        let idr0 = QEMU.idr0 & !(3 << 27) | levels << 27;
        model.set(register::IDR1, idr1.into());
        model.set(register::IDR0, idr0.into());
        let mut smmu = open(&model).unwrap();
        assert_eq!(smmu.count(), 1 << log2);
        assert_eq!(model.get(register::STRTAB_BASE_CFG) >> 16 == 1, two);
        let last = SourceId((1 << log2) - 1);
        assert!(smmu.covers(last));
        assert!(!smmu.covers(SourceId(1 << log2)));
        let mut tables = model.clone();
        smmu.attach(&mut tables, last, Pa::new(0x1000_0000), tag(1))
            .unwrap();
        assert_eq!(model.access(last.0), Fate::Translated(0x1000_0000, 1));
        assert_eq!(model.access(1 << log2), Fate::Stopped);
    }
}

/// A stream is its domain's from the one call to the other, whatever the SMMU remembers of it.
#[test]
fn streams_come_and_go() {
    let model = Model::new();
    let mut tables = model.clone();
    let mut set = set(&model);
    for number in 1..4 {
        let who = owner(number.into(), number);
        assert_eq!(model.access(0x18), Fate::Stopped);
        set.attach(&mut tables, stream(0x18), who).unwrap();
        let root = who.root.raw();
        assert_eq!(model.access(0x18), Fate::Translated(root, number.into()));
        assert_eq!(model.access(0x19), Fate::Stopped);
        set.release(&mut tables, who.tag);
        assert_eq!(model.access(0x18), Fate::Stopped);
        assert!(model.0.borrow().remembered.is_empty());
    }
}

/// What is changed is invalidated in this order, and waited for.
#[test]
fn changes_are_followed_by_invalidation() {
    let model = Model::new();
    let mut tables = model.clone();
    let mut set = set(&model);
    model.log();
    set.attach(&mut tables, stream(0x18), owner(1, 7)).unwrap();
    assert_eq!(model.log(), ["CFGI_STE 0x18", "SYNC"]);
    set.attach(&mut tables, stream(0x18), owner(1, 7)).unwrap();
    assert_eq!(model.log(), Vec::<String>::new());
    set.attach(&mut tables, stream(0x20), owner(1, 7)).unwrap();
    model.log();
    set.invalidate(&mut tables, tag(7));
    assert_eq!(model.log(), ["TLBI_S12_VMALL 7", "SYNC"]);
    set.invalidate_page(&mut tables, tag(7), crate::addr::Ipa::new(0x4000_0000));
    assert_eq!(model.log(), ["TLBI_S2_IPA 7 0x40000000", "SYNC"]);
    // Nobody's devices use it.
    set.invalidate(&mut tables, tag(8));
    assert_eq!(model.log(), Vec::<String>::new());
    set.detach(&mut tables, stream(0x18));
    assert_eq!(model.log(), ["CFGI_STE 0x18", "SYNC"]);
    set.detach(&mut tables, stream(0x20));
    assert_eq!(
        model.log(),
        ["CFGI_STE 0x20", "SYNC", "TLBI_S12_VMALL 7", "SYNC"]
    );
    // Released streams are made invalid before they are made another's.
    set.attach(&mut tables, stream(0x18), owner(2, 8)).unwrap();
    assert_eq!(
        model.log(),
        ["CFGI_STE 0x18", "SYNC", "CFGI_STE 0x18", "SYNC"]
    );
}

/// A stream has one owner, and one of an SMMU that works.
#[test]
fn streams_have_one_owner() {
    let model = Model::new();
    let mut tables = model.clone();
    let mut set = set(&model);
    assert_eq!(set.streams(), [None, Some(0x1_0000)]);
    set.attach(&mut tables, stream(0x18), owner(1, 1)).unwrap();
    let taken = AttachError::Owned(SourceId(0x18), DomainId::new(1).unwrap());
    assert_eq!(
        set.attach(&mut tables, stream(0x18), owner(2, 2)),
        Err(taken)
    );
    assert_eq!(model.access(0x18), Fate::Translated(0x1000_0000, 1));
    let beyond = Err(AttachError::Range(SourceId(0x1_0000)));
    assert_eq!(
        set.attach(&mut tables, stream(0x1_0000), owner(2, 2)),
        beyond
    );
    assert_eq!(set.prepare(&mut tables, stream(0x1_0000)), beyond);
    for iommu in [0, 2] {
        let id = SourceId(1);
        let stream = Stream { iommu, id };
        assert_eq!(
            set.attach(&mut tables, stream, owner(2, 2)),
            Err(AttachError::NoSmmu)
        );
    }
}

/// What was prepared needs no memory any more.
#[test]
fn prepared_streams_need_no_room() {
    let model = Model::new();
    let mut tables = model.clone();
    let mut set = set(&model);
    set.prepare(&mut tables, stream(0x18)).unwrap();
    model.0.borrow_mut().left = 0;
    set.attach(&mut tables, stream(0x18), owner(1, 1)).unwrap();
    set.attach(&mut tables, stream(0xff), owner(1, 1)).unwrap();
    assert_eq!(
        set.attach(&mut tables, stream(0x100), owner(1, 1)),
        Err(AttachError::Dead)
    );
    assert_eq!(model.access(0x100), Fate::Stopped);
}

/// An SMMU that no longer carries commands out lets nothing pass.
#[test]
fn an_smmu_that_fails_stops_everything() {
    let model = Model::new();
    let mut tables = model.clone();
    let mut set = set(&model);
    set.attach(&mut tables, stream(0x18), owner(1, 1)).unwrap();
    assert_ne!(model.access(0x18), Fate::Stopped);
    model.0.borrow_mut().deaf = true;
    set.release(&mut tables, tag(1));
    assert_eq!(model.access(0x18), Fate::Stopped);
    model.0.borrow_mut().deaf = false;
    assert_eq!(
        set.attach(&mut tables, stream(0x18), owner(2, 2)),
        Err(AttachError::Dead)
    );
    assert_eq!(model.access(0x18), Fate::Stopped);
}

fn fault(stream: u32, address: u64) -> [u64; 4] {
    [
        u64::from(stream) << 32 | 0x10,
        0x0000_0280_0000_0000,
        address,
        address,
    ]
}

fn look(set: &mut Set<Model>, model: &Model, now: u64) -> Vec<String> {
    let mut lines = Vec::new();
    set.look(model, now, |line| lines.push(line.to_string()));
    lines
}

/// A burst is one line, which says whose it was; then there is silence for a while, and no event is lost to it.
#[test]
fn a_burst_is_one_line() {
    let model = Model::new();
    let mut tables = model.clone();
    let mut set = set(&model);
    set.attach(&mut tables, stream(0x18), owner(3, 1)).unwrap();
    assert!(set.has_line(IrqLine::new(106)));
    assert!(!set.has_line(IrqLine::new(107)));
    assert_eq!(look(&mut set, &model, 0), Vec::<String>::new());
    assert_eq!(set.due(), None);
    model.event(fault(0x18, 0x5000_0000));
    model.event(fault(0x18, 0x5000_0004));
    model.event([0x99_0000_0004, 0, 0, 0]);
    model.log();
    assert_eq!(
        look(&mut set, &model, 1),
        [
            "smmu: stream 0x18 (d3): write at 0x50000000 stopped, F_TRANSLATION, and 1 more; stream 0x99 (nobody): stopped, C_BAD_STE"
        ]
    );
    assert_eq!(model.log(), ["IRQ_CTRL 0x1"]);
    assert_eq!(set.due(), Some(1 + PAUSE));
    // It goes on: a line a pause, and no interrupts.
    model.event(fault(0x18, 0x6000_0000));
    assert_eq!(look(&mut set, &model, PAUSE).len(), 0);
    model.set(register::GERROR, 4);
    let lines = look(&mut set, &model, 1 + PAUSE);
    assert_eq!(
        lines,
        ["smmu: stream 0x18 (d3): write at 0x60000000 stopped, F_TRANSLATION; more were lost"]
    );
    assert_eq!(model.log(), Vec::<String>::new());
    assert_eq!(look(&mut set, &model, 1 + 2 * PAUSE).len(), 0);
    assert_eq!(model.log(), ["IRQ_CTRL 0x5"]);
    assert_eq!(set.due(), None);
}

/// A hundred thousand events are as many lines as the queue was looked at, and one stream's do not hide another's.
#[test]
fn a_storm_is_not_a_flood() {
    let model = Model::new();
    let mut set = set(&model);
    let mut lines = Vec::new();
    for nth in 0..100_000_u32 {
        let stream = if nth == 3 { 7 } else { 0x18 };
        model.event(fault(stream, u64::from(nth) * 4));
        if nth % 1000 == 999 {
            lines.extend(look(&mut set, &model, u64::from(nth)));
        }
    }
    assert_eq!(lines.len(), 100);
    assert_eq!(
        lines[0],
        "smmu: stream 0x18 (nobody): write at 0x0 stopped, F_TRANSLATION, and 126 more; stream 0x7 (nobody): write at 0xc stopped, F_TRANSLATION; more were lost"
    );
    assert!(lines[99].ends_with("and 127 more; more were lost"));
}

/// More streams than a line has room for are counted.
#[test]
fn many_streams_are_counted() {
    let model = Model::new();
    let mut set = set(&model);
    for id in 0..9 {
        model.event(fault(id, 0));
    }
    let lines = look(&mut set, &model, 0);
    assert!(lines[0].ends_with("; 5 of other streams"));
}
