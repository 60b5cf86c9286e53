//! What devices are made to do: by their procedures, and as copies.

use super::{check, expects, lines, refused};

/// A procedure of a device stands for its accesses, wherever the device is.
#[test]
fn devices_are_operated() {
    check("raise gpio", &["w32 0x9030404 0x10", "w32 0x9030410 0x10"]);
    check("raise edu@0x23000000", &["w32 0x23000060 1"]);
    check("lower edu@(window+4K)", &["w32 0xa001064 0xff"]);
    let start = [
        "w64 0x10000080 0x40200000",
        "w64 0x10000088 0x40000",
        "w64 0x10000090 8",
        "w64 0x10000098 1",
    ];
    check("start-dma-read edu ram+2M 8", &start);
    let wait = "wait32 0x10000098 0xff 0 5000";
    check("dma-read edu ram+2M 8", &[&start[..], &[wait]].concat());
    // Only the domain's probe knows where its scratch memory is.
    let read = lines("dma-read edu @1+8 8").unwrap();
    assert_eq!(read[0].op.to_string(), "hcaim 0x10000080 1+0x8");
    let written = lines("start-dma-write edu@0x23000000 bank1 8").unwrap();
    assert_eq!(written[3].op.to_string(), "w64 0x23000098 0x3");
    for (text, told) in [
        ("dma-read edu ram", "bytes is missing"),
        ("dma-read edu ram 8 8", "`8` is one word too many"),
        (
            "rasie gpio",
            "`rasie` is no operation; did you mean `raise`?",
        ),
        ("raise", "`raise` is no operation"),
        ("raise rtc", "`raise` is no operation"),
        ("raise gpoi", "`raise` is no operation"),
    ] {
        refused(text, told);
    }
}

/// A copy by a device begins with a value in memory and ends with the same value elsewhere.
#[test]
fn devices_copy() {
    let copied = |from: &str, to: &str, value: &str| {
        [
            format!("w64 {from} {value}"),
            format!("w64 0x10000080 {from}"),
            "w64 0x10000088 0x40000".to_owned(),
            "w64 0x10000090 8".to_owned(),
            "w64 0x10000098 1".to_owned(),
            "wait32 0x10000098 0xff 0 5000".to_owned(),
            "w64 0x10000080 0x40000".to_owned(),
            format!("w64 0x10000088 {to}"),
            "w64 0x10000090 8".to_owned(),
            "w64 0x10000098 3".to_owned(),
            "wait32 0x10000098 0xff 2 5000".to_owned(),
            format!("r64 {to}"),
        ]
    };
    let made = copied("0x58000000", "0x58001000", "0x1122334455667788");
    check(
        "copy edu bank1 bank1+4K",
        &made.each_ref().map(String::as_str),
    );
    let made = copied("0x58000000", "0x58000008", "0xcafe");
    check(
        "copy edu bank1 bank1+8 canary",
        &made.each_ref().map(String::as_str),
    );
    let last = lines("copy edu bank1 bank1+8 canary").unwrap().pop();
    assert_eq!(last.unwrap().expect.to_string(), "0xcafe");
    refused("copy gpio ram ram+8", "`gpio` has no procedure `dma-read`");
    refused("copy edu ram", "an address is missing");
}

/// A device is identified by the register that its file names, wherever it is.
#[test]
fn devices_are_identified() {
    check("identify gpio", &["r32 0x9030fe0"]);
    check("identify gpio@window", &["r32 0xa000fe0"]);
    check("identify edu", &["r32 0x10000000"]);
    expects("identify gpio", &["0x61"]);
    expects("identify edu@window", &["0x10000ed"]);
    for (text, told) in [
        ("identify", "a device is missing"),
        (
            "identify flash",
            "`flash` has no register that identifies it",
        ),
        (
            "identify gpoi",
            "nothing defines `gpoi`; did you mean `gpio`?",
        ),
        ("identify gpio 1", "`1` is one word too many"),
    ] {
        refused(text, told);
    }
}
