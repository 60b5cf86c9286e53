//! The parser reads every form of a script, and reports errors with their positions.

use proptest::collection::vec;
use proptest::prelude::*;
use wire::{
    Attr, BootArgs, Irq, Name, Op, OpErrorKind, Script, Trigger, Width, parse_op, parse_script,
};

use crate::strategies::op;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    /// An op's text form is read as the same op.
    #[test]
    fn ops_round_trip(op in op()) {
        prop_assert_eq!(parse_op(&op.to_string()), Ok(op));
    }

    /// A script's text form is read as the same script, also with a ramdisk's padding, and in both ways to the probe.
    #[test]
    fn scripts_round_trip(nonce: u32, dom: u8, ops in vec(op(), 0..60), padding in 0..64usize) {
        let script = Script { nonce, dom, ops };
        prop_assert_eq!(Script::parse(&script.to_string()), Ok(script.clone()));
        let text = match script.boot_args() {
            BootArgs::Inline(text) => text,
            BootArgs::Ramdisk { args, ramdisk } => {
                let (header, mut ops) = parse_script(args.as_bytes()).unwrap();
                prop_assert_eq!((header.nonce, header.dom, header.in_ramdisk), (nonce, dom, true));
                prop_assert!(ops.next().is_none());
                ramdisk
            }
        };
        let mut bytes = text.into_bytes();
        bytes.extend(std::iter::repeat_n(0, padding));
        let (header, ops) = parse_script(&bytes).unwrap();
        prop_assert!(!header.in_ramdisk);
        prop_assert_eq!(ops.collect::<Result<Vec<_>, _>>().unwrap(), script.ops);
    }

    /// The parser returns for any bytes, and its errors' positions are within them.
    #[test]
    fn any_bytes_are_parsed(bytes in vec(any::<u8>(), 0..200)) {
        check_total(&bytes)?;
    }

    /// The same holds for text that is nearly a script.
    #[test]
    fn near_scripts_are_parsed(text in "n=[0-9a-f]{1,9} d=[0-9a-f]{1,3}([;\n ](r32|w8|hv|hc|hcmem|loop|load|foreign|@1|irq|on|sweep|same|mark|0x[0-9a-f]{1,17}|[0-9_]{1,21}|level|é|x)){0,20}") {
        check_total(text.as_bytes())?;
    }
}

fn check_total(bytes: &[u8]) -> Result<(), TestCaseError> {
    let ops = match parse_script(bytes) {
        Ok((_, ops)) => ops,
        Err(error) => {
            prop_assert!(error.at <= bytes.len());
            return Ok(());
        }
    };
    let text = bytes.split(|byte| *byte == 0).next().unwrap();
    let text = std::str::from_utf8(text).unwrap();
    let mut failed = false;
    for op in ops {
        prop_assert!(!failed, "nothing follows an error");
        if let Err(error) = op {
            failed = true;
            prop_assert!(text.is_char_boundary(error.at), "{error}");
            prop_assert!(error.explain(text).contains(&error.kind.to_string()));
        }
    }
    Ok(())
}

/// Every documented form of an op.
#[test]
fn grammar() {
    use Width::{W8, W16, W32, W64};
    let cases = [
        (
            "r32 0x0903_0fe0",
            Op::Read {
                width: W32,
                at: 0x0903_0fe0,
            },
        ),
        (
            "  w8   4096 255 ",
            Op::Write {
                width: W8,
                at: 0x1000,
                value: 0xff,
            },
        ),
        (
            "sweep r64 0 4 8",
            Op::Sweep {
                width: W64,
                at: 0,
                count: 4,
                stride: 8,
                value: None,
            },
        ),
        (
            "sweep w16 0 4 0x1000 7",
            Op::Sweep {
                width: W16,
                at: 0,
                count: 4,
                stride: 0x1000,
                value: Some(7),
            },
        ),
        (
            "same r32 0x10 2 4 1 1",
            Op::Same {
                width: W32,
                at: 0x10,
                count: 2,
                stride: 4,
                value: 1,
                inc: 1,
            },
        ),
        (
            "wait32 0x10 1 1 50",
            Op::Wait {
                width: W32,
                at: 0x10,
                mask: 1,
                value: 1,
                ms: 50,
            },
        ),
        (
            "wait8 0x10 1 0 50",
            Op::Wait {
                width: W8,
                at: 0x10,
                mask: 1,
                value: 0,
                ms: 50,
            },
        ),
        (
            "ram 0x4000_0000 64",
            Op::Ram {
                at: 0x4000_0000,
                len: 64,
            },
        ),
        ("exec 0x900_0000", Op::Exec { at: 0x900_0000 }),
        ("tree", Op::Tree),
        (
            "irq on 39 level",
            Op::IrqOn {
                irq: Irq(39),
                trigger: Trigger::Level,
                priority: 0xa0,
            },
        ),
        (
            "irq on 39 edge 0x80",
            Op::IrqOn {
                irq: Irq(39),
                trigger: Trigger::Edge,
                priority: 0x80,
            },
        ),
        ("irq off 39", Op::IrqOff { irq: Irq(39) }),
        (
            "irq act 39 w32 0x0903_041c 8",
            Op::IrqAct {
                irq: Irq(39),
                width: W32,
                at: 0x0903_041c,
                value: 8,
            },
        ),
        ("irq noeoi 39", Op::IrqNoEoi { irq: Irq(39) }),
        (
            "irq wait 39 1 50",
            Op::IrqWait {
                irq: Irq(39),
                count: 1,
                ms: 50,
            },
        ),
        ("irq count 39", Op::IrqCount { irq: Irq(39) }),
        ("timer 1", Op::Timer { ms: 1 }),
        ("yield 3", Op::Yield { count: 3 }),
        ("attr device", Op::Attr(Attr::Device)),
        ("attr normal", Op::Attr(Attr::Normal)),
        ("mark gpio-done", Op::Mark(Name::new("gpio-done").unwrap())),
        ("idle", Op::Idle),
        ("off", Op::Off),
        ("reset", Op::Reset),
        ("crash", Op::Crash),
        ("spin", Op::Spin),
        (
            "storm 0x0903_0000 1000",
            Op::Storm {
                at: 0x0903_0000,
                count: 1000,
            },
        ),
    ];
    for (text, op) in cases {
        assert_eq!(parse_op(text), Ok(op), "{text}");
    }
}

/// An error names its position and, for a word, the nearest right one.
#[test]
fn errors_point_and_suggest() {
    for (text, wanted) in [
        ("", "byte 0: op is missing"),
        ("r23 0", "byte 0: `r23`: no such op; did you mean `r32`?"),
        (
            "swep r32 0 1 1",
            "byte 0: `swep`: no such op; did you mean `sweep`?",
        ),
        ("r32", "byte 3: the address is missing"),
        ("r32 0x1g", "byte 4: `0x1g`: not a number (the address)"),
        ("r32 0 0", "byte 6: `0`: one operand too many"),
        (
            "w8 0 0x100",
            "byte 5: `0x100`: the value is not within 0x0 to 0xff",
        ),
        (
            "sweep r32 0 0 4",
            "byte 12: `0`: the count is not within 0x1 to 0xffffffff",
        ),
        ("sweep r32 0 1 4 5", "byte 16: `5`: one operand too many"),
        ("sweep w32 0 1 4", "byte 15: the value is missing"),
        (
            "same w32 0 1 4 5 6",
            "byte 5: `w32`: no such access (known: r8, r16, r32, r64); did you mean `r32`?",
        ),
        ("ram 4 8", "byte 4: `4`: the address is not a multiple of 8"),
        (
            "irq onn 3 level",
            "byte 4: `onn`: no such interrupt op; did you mean `on`?",
        ),
        (
            "irq on 3 levle",
            "byte 9: `levle`: no such trigger (known: level, edge); did you mean `level`?",
        ),
        (
            "irq on 1020 level",
            "byte 7: `1020`: the interrupt is not within 0x0 to 0x3fb",
        ),
        (
            "mark a.b",
            "byte 5: `a.b`: not a name of 1 to 24 letters, digits, `_` and `-`",
        ),
        (
            "timer 60001",
            "byte 6: `60001`: the time in ms is not within 0x1 to 0xea60",
        ),
    ] {
        let error = parse_op(text).expect_err(text);
        assert_eq!(error.explain(text), wanted);
    }
}

/// A position counts bytes from the beginning of the script, and the script ends at its first error.
#[test]
fn script_errors_point_into_the_script() {
    let text = "n=1 d=2;\nr32 0;;r32 oops\nidle";
    let (_, mut ops) = parse_script(text.as_bytes()).unwrap();
    assert!(matches!(ops.next(), Some(Ok(Op::Read { .. }))));
    let error = ops.next().unwrap().unwrap_err();
    assert_eq!(
        error.explain(text),
        "byte 20: `oops`: not a number (the address)"
    );
    assert_eq!(ops.next(), None);
    for text in [
        "",
        ";",
        "idle",
        "n=1",
        "d=1 n=1",
        "n=1 d=100;idle",
        "n=100000000 d=1",
        "n=1 d=1 x",
        "n=1 d=1 script=ramdisk x",
    ] {
        let error = parse_script(text.as_bytes()).expect_err(text);
        assert_eq!(error.kind, OpErrorKind::Header, "{text}");
    }
    assert_eq!(
        parse_script(b"n=1 d=1;\xff").unwrap_err().kind,
        OpErrorKind::Encoding
    );
}
