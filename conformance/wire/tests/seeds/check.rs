//! Checks that the readers return for any console output and any boot argument, and that the result
//! matches the text. The fuzz target runs these checks on new bytes, a test runs them on the seeds.

use wire::pack::Pack;
use wire::{Order, Reading, parse_op, parse_script, read};

/// Runs every reader on the bytes, and panics at a wrong result.
pub fn check(data: &[u8]) {
    console(data);
    script(data);
    pack(data);
    forged(data);
}

/// A line is a frame only if it has that frame's text.
fn console(text: &[u8]) {
    let mut order = Order::new(0);
    for line in text.split(|byte| *byte == b'\n') {
        if let Reading::Frame(frame) = read(line) {
            let spelled = frame.encode();
            let spelled = spelled.as_bytes();
            assert!(line.windows(spelled.len()).any(|window| window == spelled));
            assert!(!frame.note.to_string().is_empty());
            let _ = order.accept(&frame);
            // A repeated frame is never in order.
            assert!(order.accept(&frame).is_err());
        }
    }
}

/// An op's text form is read as the same op, and an error's position is in the text.
fn script(text: &[u8]) {
    // The script's text ends before the first NUL.
    let text = text.split(|byte| *byte == 0).next().unwrap_or_default();
    let (_, ops) = match parse_script(text) {
        Ok(script) => script,
        Err(error) => {
            assert!(error.at <= text.len());
            return;
        }
    };
    let text = core::str::from_utf8(text).unwrap_or_default();
    for op in ops {
        match op {
            Ok(op) => assert_eq!(parse_op(&op.to_string()), Ok(op)),
            Err(error) => {
                assert!(error.at <= text.len());
                assert!(!error.explain(text).is_empty());
            }
        }
    }
}

/// A pack's entries are within the pack, and there are at most as many as it says.
fn pack(data: &[u8]) {
    let mut ramdisk = vec![0; 4096];
    ramdisk.extend(b"ptpack01");
    ramdisk.extend(data);
    let pack = Pack::behind(&ramdisk).expect("the mark is there");
    for index in [0, 1, 7, usize::MAX] {
        if let Some(entry) = pack.entry(index) {
            assert!(ramdisk.as_ptr_range().contains(&entry.as_ptr()) || entry.is_empty());
            assert!((index as u64) < pack.len());
        }
    }
}

/// Adds a correct checksum to the body, which a fuzzer does not find by itself.
fn forged(data: &[u8]) {
    const HEAD: &str = "00000000 00 0000 ";
    // A full stop would end the frame early.
    let Ok(body) = core::str::from_utf8(data) else {
        return;
    };
    let crc = crc32(HEAD.bytes().chain(body.bytes()));
    console(format!("@pt2 00000000 00 0000 {crc:08x} {body}.").as_bytes());
}

/// CRC-32 (ISO-HDLC) bit by bit, independent of the crate under test.
fn crc32(bytes: impl Iterator<Item = u8>) -> u32 {
    !bytes.fold(u32::MAX, |crc, byte| {
        (0..8).fold(crc ^ u32::from(byte), |crc, _| {
            (crc >> 1) ^ (0xedb8_8320 & (crc & 1).wrapping_neg())
        })
    })
}
