//! The serial port as a driver and as the hypervisor see it.

use proptest::prelude::*;

use super::*;
use crate::vdev::text_line::LENGTH;

fn print(port: &mut Pl011, text: &str) -> Vec<String> {
    text.bytes()
        .filter_map(|byte| {
            let line = port.write(DR, Width::Byte, u64::from(byte))?;
            Some(String::from_utf8_lossy(line).into_owned())
        })
        .collect()
}

fn word(port: &mut Pl011, register: u64) -> u64 {
    port.read(register, Width::Word)
}

/// A driver finds a PL011 by its eight identification bytes.
#[test]
fn identity_is_that_of_a_pl011() {
    let mut port = Pl011::new();
    let ids: Vec<u64> = (0..8)
        .map(|index| word(&mut port, 0xfe0 + 4 * index))
        .collect();
    assert_eq!(ids, [0x11, 0x10, 0x14, 0, 0x0d, 0xf0, 0x05, 0xb1]);
}

/// After reset: nothing received, room to send, receiver and transmitter on, no interrupt.
#[test]
fn reset_values_are_those_of_the_manual() {
    let mut port = Pl011::new();
    let table = [
        (DR, 0),
        (RSR, 0),
        (FR, 0x90),
        (ILPR, 0),
        (IBRD, 0),
        (FBRD, 0),
        (LCR_H, 0),
        (CR, 0x300),
        (IFLS, 0x12),
        (IMSC, 0),
        (RIS, 0),
        (MIS, 0),
        (ICR, 0),
        (DMACR, 0),
        (0x800, 0),
    ];
    for (register, value) in table {
        assert_eq!(word(&mut port, register), value, "{register:#x}");
    }
    assert!(!port.irq());
}

/// Settings are kept, and no more bits of them than there are.
#[test]
fn settings_are_kept() {
    let mut port = Pl011::new();
    let table = [
        (IBRD, 0xffff),
        (FBRD, 0x3f),
        (LCR_H, 0xff),
        (CR, 0xff87),
        (IFLS, 0x3f),
        (IMSC, 0x7ff),
        (DMACR, 7),
        (ILPR, 0xff),
        (FR, 0x90),
        (RIS, 0),
        (0xfe0, 0x11),
        (0x7fc, 0),
    ];
    for (register, kept) in table {
        assert_eq!(port.write(register, Width::Word, 0xffff_ffff), None);
        assert_eq!(word(&mut port, register), kept, "{register:#x}");
    }
}

/// Text comes out by lines, without their ends.
#[test]
fn text_comes_out_by_lines() {
    let mut port = Pl011::new();
    assert_eq!(print(&mut port, "one\r\ntwo\n\nthr"), ["one", "two", ""]);
    assert_eq!(print(&mut port, "ee\n"), ["three"]);
}

/// A line that never ends is broken where it is too long, and nothing of it is lost.
#[test]
fn long_lines_are_broken() {
    let mut port = Pl011::new();
    let long = "x".repeat(LENGTH + 10);
    assert_eq!(print(&mut port, &long), [&long[..LENGTH]]);
    assert_eq!(print(&mut port, "\n"), ["x".repeat(10)]);
}

/// An end just behind a broken line makes a line of its own; it is not lost.
#[test]
fn a_full_line_and_its_end() {
    let mut port = Pl011::new();
    assert_eq!(
        print(&mut port, &("x".repeat(LENGTH) + "\ny\n")),
        ["x".repeat(LENGTH), String::new(), "y".into()]
    );
}

/// What a guest prints cannot steer a terminal.
#[test]
fn control_characters_are_replaced() {
    let mut port = Pl011::new();
    assert_eq!(
        print(&mut port, "a\x1b[2J\x07\x00\x7f\tb\u{e4}\n"),
        ["a.[2J...\tb\u{e4}"]
    );
}

/// An unfinished line can be had at the end, once.
#[test]
fn an_unfinished_line_can_be_flushed() {
    let mut port = Pl011::new();
    assert_eq!(port.flush(), None);
    print(&mut port, "login: ");
    assert_eq!(port.flush(), Some(&b"login: "[..]));
    assert_eq!(port.flush(), None);
    assert_eq!(print(&mut port, "x\n"), ["x"]);
    assert_eq!(port.flush(), None);
}

/// Every width reads its part of a register, and writes where a register begins.
#[test]
fn all_widths_work() {
    let mut port = Pl011::new();
    port.write(IBRD, Width::Half, 0xffff_1234);
    assert_eq!(port.read(IBRD, Width::Byte), 0x34);
    assert_eq!(port.read(IBRD + 1, Width::Byte), 0x12);
    assert_eq!(port.read(IBRD, Width::Half), 0x1234);
    assert_eq!(port.read(IBRD, Width::Word), 0x1234);
    port.write(IBRD, Width::Double, 0x21_0000_4321);
    assert_eq!(port.read(IBRD, Width::Double), 0x21_0000_4321);
    port.write(IBRD + 1, Width::Byte, 0xff);
    assert_eq!(port.read(IBRD, Width::Word), 0x4321);
    for width in Width::ALL {
        assert_eq!(port.write(DR, width, u64::from(b'a')), None);
    }
    assert_eq!(port.write(DR, Width::Double, 10), Some(&b"aaaa"[..]));
}

/// Sending raises the transmit interrupt until it is cleared; the mask decides whether it shows.
#[test]
fn sending_raises_the_transmit_interrupt() {
    let mut port = Pl011::new();
    port.write(IMSC, Width::Word, 0x20);
    assert!(!port.irq(), "nothing sent yet");
    port.write(DR, Width::Word, u64::from(b'a'));
    assert!(port.irq());
    assert_eq!((word(&mut port, RIS), word(&mut port, MIS)), (0x20, 0x20));
    port.write(IMSC, Width::Word, 0x10);
    assert!(!port.irq());
    assert_eq!((word(&mut port, RIS), word(&mut port, MIS)), (0x20, 0));
    port.write(IMSC, Width::Word, 0x30);
    port.write(ICR, Width::Word, 0x20);
    assert!(!port.irq());
    assert_eq!(word(&mut port, RIS), 0);
}

/// Without FIFO one byte fits; with it sixteen do, in order, and the interrupt follows the level.
#[test]
fn receiving_follows_the_fifo() {
    let mut port = Pl011::new();
    port.write(IMSC, Width::Word, 0x10);
    assert!(port.feed(b'a') && !port.feed(b'b'));
    assert_eq!(word(&mut port, FR), 0x80 | 0x40, "full");
    assert!(port.irq());
    assert_eq!(word(&mut port, DR), u64::from(b'a'));
    assert!(!port.irq());
    assert_eq!(word(&mut port, FR), 0x90);

    port.write(LCR_H, Width::Word, 0x70);
    for (levels, trigger) in [(0, 2), (1, 4), (2, 8), (3, 12), (4, 14)] {
        port.write(IFLS, Width::Word, levels << 3);
        for count in 0..16_u8 {
            assert!(port.feed(count));
            assert_eq!(
                port.irq(),
                count + 1 >= trigger,
                "level {levels}, {} bytes",
                count + 1
            );
        }
        assert!(!port.feed(99));
        for count in 0..16_u8 {
            assert_eq!(word(&mut port, DR), u64::from(count));
            assert_eq!(
                port.irq(),
                15 - count >= trigger,
                "level {levels}, {} left",
                15 - count
            );
        }
    }
}

/// A few bytes that wait below the level are told by the timeout interrupt.
#[test]
fn a_lone_byte_is_told_by_timeout() {
    let mut port = Pl011::new();
    port.write(LCR_H, Width::Word, 0x70);
    port.write(IMSC, Width::Word, 0x40);
    assert!(port.feed(b'x'));
    assert_eq!(word(&mut port, MIS), 0x40);
    port.read(DR, Width::Byte);
    assert!(!port.irq());
}

/// Switching the FIFO empties it.
#[test]
fn switching_the_fifo_empties_it() {
    let mut port = Pl011::new();
    port.write(LCR_H, Width::Word, 0x10);
    for byte in 0..16 {
        port.feed(byte);
    }
    port.write(LCR_H, Width::Word, 0);
    assert_eq!((word(&mut port, FR), word(&mut port, RIS)), (0x90, 0));
}

/// In loopback what is sent comes back, and nothing is printed.
#[test]
fn loopback_returns_what_is_sent() {
    let mut port = Pl011::new();
    port.write(CR, Width::Word, 0x381);
    assert_eq!(print(&mut port, "\n"), [""; 0]);
    assert_eq!(word(&mut port, DR), 10);
    assert_eq!(port.flush(), None);
}

proptest! {
    /// Random traffic neither panics nor lets a line grow.
    #[test]
    fn any_traffic_is_survived(
        traffic in prop::collection::vec(
            (any::<bool>(), prop_oneof![0..0x60_u64, any::<u64>()], 0..4_usize, any::<u64>()), 0..600),
    ) {
        let mut port = Pl011::new();
        for (write, offset, width, value) in traffic {
            let width = Width::ALL[width];
            // The policy hands out places in the page only.
            let offset = offset & 0xfff;
            if write {
                let line = port.write(offset, width, value);
                prop_assert!(line.is_none_or(|line| line.len() <= LENGTH && !line.contains(&b'\n')));
            } else {
                prop_assert!(port.read(offset, width) <= width.mask());
            }
            port.feed(value.to_le_bytes()[0]);
            prop_assert!(port.waiting <= FIFO);
        }
    }
}
