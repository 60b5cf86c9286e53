//! The ops of a control domain, and the pack in its ramdisk.

use proptest::collection::vec;
use proptest::prelude::*;
use wire::pack::{Pack, append};
use wire::{Hv, Op, Path, Place, Script, Value, Values, Width, parse_op, parse_script};

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    /// A pack returns the entries that were written, and the script is unchanged.
    #[test]
    fn packs_round_trip(length in 0..9000usize, entries in vec(vec(any::<u8>(), 0..9000), 0..5)) {
        let text = format!("n=1 d=2;{}", " ".repeat(length));
        let slices: Vec<&[u8]> = entries.iter().map(Vec::as_slice).collect();
        let ramdisk = append(&text, &slices);
        prop_assert_eq!(parse_script(&ramdisk).unwrap().1.count(), 0);
        let pack = Pack::behind(&ramdisk).unwrap();
        prop_assert_eq!(pack.len(), entries.len() as u64);
        for (index, entry) in entries.iter().enumerate() {
            prop_assert_eq!(pack.entry(index), Some(entry.as_slice()));
        }
        prop_assert_eq!(pack.entry(entries.len()), None);
    }

    /// A pack with arbitrary numbers has only entries within its bytes, or none.
    #[test]
    fn any_pack_is_read(head in vec(prop_oneof![Just(u64::MAX), 0..9000u64, any::<u64>()], 0..9), len in 0..9000usize) {
        let mut ramdisk = append("", &[]);
        ramdisk.truncate(4096 + 8);
        ramdisk.extend(head.iter().flat_map(|number| number.to_le_bytes()));
        ramdisk.resize(4096 + 8 + len, 7);
        if let Some(pack) = Pack::behind(&ramdisk) {
            for index in [0, 1, 2, 3, usize::MAX] {
                prop_assert!(pack.entry(index).is_none_or(|entry| entry.len() <= ramdisk.len()));
            }
        }
    }
}

fn place(slot: u8, offset: u16) -> Place {
    Place::new(slot, offset).unwrap()
}

fn values(all: &[Value]) -> Values {
    let mut values = Values::NONE;
    all.iter().for_each(|value| values.push(*value).unwrap());
    values
}

/// Every documented form of raw calls and loops.
#[test]
fn calls_and_loops() {
    let cases = [
        (
            "hc 17 0",
            Op::Hypercall {
                number: 17,
                args: values(&[Value::Number(0)]),
            },
        ),
        (
            "hc 36 @3+0xff0",
            Op::Hypercall {
                number: 36,
                args: values(&[Value::At(place(3, 0xff0))]),
            },
        ),
        (
            "hcmem 0 1 @1+8",
            Op::ScratchWrite {
                at: place(0, 0),
                values: values(&[Value::Number(1), Value::At(place(1, 8))]),
            },
        ),
        (
            "hcr 2+4 32",
            Op::ScratchRead {
                at: place(2, 4),
                width: Width::W32,
            },
        ),
        (
            "loop 300 4",
            Op::Loop {
                passes: 300,
                ops: 4,
            },
        ),
    ];
    for (text, op) in cases {
        assert_eq!(parse_op(text), Ok(op), "{text}");
    }
}

/// Every documented request to the hypervisor.
#[test]
fn questions() {
    let path = Path::new("/pl061@9030000").unwrap();
    let (dom, gfn, mfn, line) = (1, 0x40000, 0x9030, 39);
    let pages = 1;
    let cases = [
        ("version", Hv::Version),
        ("free", Hv::Free),
        ("list", Hv::List),
        ("info 1", Hv::Info { dom }),
        ("pages 1", Hv::Pages { dom }),
        (
            "wait 1 4 4 50",
            Hv::Wait {
                dom,
                mask: 4,
                value: 4,
                ms: 50,
            },
        ),
        (
            "create 1 32768 2 64",
            Hv::Create {
                dom,
                kib: 32768,
                cpus: 2,
                lines: 64,
                flags: 3,
            },
        ),
        (
            "create 0 0 0 0 0x23",
            Hv::Create {
                dom: 0,
                kib: 0,
                cpus: 0,
                lines: 0,
                flags: 0x23,
            },
        ),
        ("destroy 1", Hv::Destroy { dom }),
        ("pause 1", Hv::Pause { dom }),
        ("unpause 1", Hv::Unpause { dom }),
        ("shutdown 1 3", Hv::Shutdown { dom, reason: 3 }),
        (
            "populate 1 0x40000 9 16",
            Hv::Populate {
                dom,
                gfn,
                order: 9,
                count: 16,
            },
        ),
        ("depopulate 1 0x40000", Hv::Depopulate { dom, gfn }),
        (
            "foreign 0x50000 1 0x40000",
            Hv::Foreign {
                gfn: 0x50000,
                dom,
                from: gfn,
            },
        ),
        ("unforeign 0x50000", Hv::Unforeign { gfn: 0x50000 }),
        (
            "iomem 1 0x9030 1 0",
            Hv::Iomem {
                dom,
                mfn,
                count: pages,
                allow: false,
            },
        ),
        (
            "map 1 0x40000 0x9030 1",
            Hv::Map {
                dom,
                gfn,
                mfn,
                count: pages,
            },
        ),
        (
            "unmap 1 0x40000 0x9030 1",
            Hv::Unmap {
                dom,
                gfn,
                mfn,
                count: pages,
            },
        ),
        ("bind 1 39", Hv::Bind { dom, line }),
        ("unbind 1 39", Hv::Unbind { dom, line }),
        ("assign 1 /pl061@9030000", Hv::Assign { dom, path }),
        ("testassign 1 /pl061@9030000", Hv::TestAssign { dom, path }),
        ("deassign 1 /pl061@9030000", Hv::Deassign { dom, path }),
        (
            "pciadd 0x18",
            Hv::PciAdd {
                at: 0x18,
                flags: 0,
                physfn: 0,
            },
        ),
        (
            "pciadd 0x1_0418 2 0x400",
            Hv::PciAdd {
                at: 0x1_0418,
                flags: 2,
                physfn: 0x400,
            },
        ),
        ("pciremove 0xffffffff", Hv::PciRemove { at: u32::MAX }),
        ("pcireset 0x18", Hv::PciReset { at: 0x18, flags: 0 }),
        ("pcireset 0x18 3", Hv::PciReset { at: 0x18, flags: 3 }),
        ("pciassign 1 0x18", Hv::PciAssign { dom, at: 0x18 }),
        ("pcitest 1 0x18", Hv::PciTest { dom, at: 0x18 }),
        ("pcideassign 1 0x18", Hv::PciDeassign { dom, at: 0x18 }),
        ("pcigroup 1 0x18", Hv::PciGroup { dom, at: 0x18 }),
        ("pciknown 0x18", Hv::PciKnown { at: 0x18 }),
        ("pcilist 0x40", Hv::PciList { at: 0x40 }),
        (
            "load 1 2 0x40200000",
            Hv::Load {
                dom,
                entry: 2,
                at: 0x4020_0000,
            },
        ),
        (
            "start 1 0x40200000 0x48000000",
            Hv::Start {
                dom,
                pc: 0x4020_0000,
                argument: 0x4800_0000,
            },
        ),
    ];
    for (text, hv) in cases {
        assert_eq!(parse_op(&format!("hv {text}")), Ok(Op::Hv(hv)), "{text}");
    }
}

/// A loop needs as many repeatable ops after it as it names.
#[test]
fn loops_are_checked() {
    let good = "n=1 d=1;loop 3 2;hv free;hv list;idle";
    assert_eq!(Script::parse(good).unwrap().ops.len(), 4);
    for (text, wanted) in [
        (
            "n=1 d=1;loop 3 2;hv free;",
            "byte 25: an op of the loop is missing",
        ),
        (
            "n=1 d=1;loop 3 2;hv free;idle;hv list",
            "byte 25: `idle`: a loop cannot repeat it",
        ),
        (
            "n=1 d=1;loop 3 1;loop 2 1;hv free",
            "byte 17: `loop`: a loop cannot repeat it",
        ),
    ] {
        assert_eq!(Script::parse(text).unwrap_err().explain(text), wanted);
    }
}

/// An error names its position.
#[test]
fn errors_point() {
    for (text, wanted) in [
        (
            "hv creat 1",
            "byte 3: `creat`: no such question to the hypervisor; did you mean `create`?",
        ),
        (
            "hv destroy 65536",
            "byte 11: `65536`: the domain is not within 0x0 to 0xffff",
        ),
        ("hv foreign 1 2", "byte 14: the other's frame is missing"),
        (
            "hv iomem 1 2 3 2",
            "byte 15: `2`: whether it is given is not within 0x0 to 0x1",
        ),
        ("hv assign 1", "byte 11: the path is missing"),
        (
            "hv pciassign 1 0x100000000",
            "byte 15: `0x100000000`: the function is not within 0x0 to 0xffffffff",
        ),
        ("hv pciadd", "byte 9: the function is missing"),
        (
            "hv load 1 0 8",
            "byte 12: `8`: the address is not a multiple of 4096",
        ),
        (
            "hc 1 @4",
            "byte 5: `@4`: not `SLOT+OFFSET` with a slot of 0 to 3 and an offset below 4096",
        ),
        ("hc 1 1 2 3 4 5 6", "byte 15: `6`: one operand too many"),
        ("hcmem 0", "byte 7: a value is missing"),
        (
            "hcmem 1+4096 1",
            "byte 6: `1+4096`: not `SLOT+OFFSET` with a slot of 0 to 3 and an offset below 4096",
        ),
        (
            "hcr 0 24",
            "byte 6: `24`: no such width (known: 8, 16, 32, 64); did you mean `64`?",
        ),
        (
            "loop 1 1",
            "byte 5: `1`: the number of passes is not within 0x2 to 0xffffffff",
        ),
    ] {
        let error = parse_op(text).expect_err(text);
        assert_eq!(error.explain(text), wanted);
    }
}
