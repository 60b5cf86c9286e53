//! A frame is read if and only if it arrives as it was sent.

use proptest::collection::vec;
use proptest::prelude::*;
use wire::{Damage, Disorder, Frame, Irq, MAX_FRAME, Note, Order, Reading, read};

use crate::strategies::{frame, note};

const SYNC: &str = "@pt2 ";

/// Foreign text without the beginning of a frame, which is the only text around a frame that is an error.
fn noise() -> impl Strategy<Value = Vec<u8>> {
    vec(
        any::<u8>().prop_filter("sync", |byte| *byte != b'@'),
        0..160,
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    /// Any frame fits, has a full stop only at its end, and is found between any other text.
    #[test]
    fn frames_survive_their_surroundings(frame in frame(), before in noise(), after in noise()) {
        let line = frame.encode();
        prop_assert!(line.as_bytes().len() <= MAX_FRAME);
        prop_assert_eq!(line.as_bytes().iter().filter(|byte| **byte == b'.').count(), 1);
        let told = [&before, line.as_bytes(), &after].concat();
        prop_assert_eq!(read(&told), Reading::Frame(frame));
    }

    /// Text without the beginning of a frame is chatter.
    #[test]
    fn noise_is_chatter(noise in noise()) {
        prop_assert_eq!(read(&noise), Reading::Chatter);
    }

    /// Random text that begins like a frame is a frame only if its checksum matches and it has that frame's text.
    #[test]
    fn soup_is_no_frame(soup in "@pt2 [ -~]{0,120}", at in 0..60usize, tail in vec(any::<u8>(), 0..80)) {
        let mut soup = soup.into_bytes();
        let at = at.min(soup.len());
        soup.splice(at..at, tail);
        if let Reading::Frame(frame) = read(&soup) {
            let line = frame.encode();
            prop_assert!(soup.windows(line.as_bytes().len()).any(|window| window == line.as_bytes()));
        }
    }

    /// A line with a well-formed head and any body is a frame only if the checksum matches.
    #[test]
    fn forged_bodies_are_damaged(head in "@pt2 [0-9a-f]{8} [0-9a-f]{2} [0-9a-f]{4} [0-9a-f]{8} ", body in "[ -~&&[^.@]]{0,70}") {
        let line = format!("{head}{body}.");
        let checksum = matches!(read(line.as_bytes()), Reading::Damaged(Damage::Checksum { .. }));
        // One forgery in 2^32 would pass.
        prop_assert!(checksum);
    }

    /// A truncated frame is damaged, or chatter if even its beginning is incomplete.
    #[test]
    fn truncation_is_seen(frame in frame(), keep in 0..MAX_FRAME) {
        let line = frame.encode();
        let text = line.as_bytes();
        let kept = &text[..keep.min(text.len() - 1)];
        let wanted = if kept.len() >= SYNC.len() { Reading::Damaged(Damage::Unterminated) } else { Reading::Chatter };
        prop_assert_eq!(read(kept), wanted);
    }

    /// A change of one byte never makes another frame.
    #[test]
    fn corruption_is_seen(frame in frame(), at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let mut text = frame.encode().as_bytes().to_vec();
        let at = at.index(text.len());
        prop_assume!(text[at] != byte);
        text[at] = byte;
        prop_assert!(!matches!(read(&text), Reading::Frame(_)));
    }

    /// Another writer's text within a frame is damage (unless it has a full stop, which could end the frame correctly).
    #[test]
    fn interleaving_is_seen(frame in frame(), at in any::<prop::sample::Index>(), noise in "[ -~&&[^@.]]{1,40}") {
        let text = frame.encode().as_str().to_owned();
        let at = SYNC.len() + at.index(text.len() - SYNC.len());
        let mixed = format!("{}{noise}{}", &text[..at], &text[at..]);
        prop_assert!(matches!(read(mixed.as_bytes()), Reading::Damaged(_)), "{}", mixed);
    }

    /// A whole frame after a truncated one is still read.
    #[test]
    fn a_torn_frame_hides_no_other(torn in frame(), frame in frame(), keep in SYNC.len()..30) {
        let text = [&torn.encode().as_bytes()[..keep], frame.encode().as_bytes()].concat();
        prop_assert_eq!(read(&text), Reading::Frame(frame));
    }

    /// Frames in order are accepted, and each lost or repeated one is reported.
    #[test]
    fn order_is_kept(notes in vec(note(), 3..20), drop in any::<prop::sample::Index>(), repeat in any::<prop::sample::Index>()) {
        let frames: Vec<Frame> =
            (0u16..).zip(notes).map(|(seq, note)| Frame { nonce: 7, dom: 3, seq, note }).collect();
        let mut order = Order::new(7);
        prop_assert!(frames.iter().all(|frame| order.accept(frame).is_ok()));

        let lost = drop.index(frames.len() - 1);
        let mut order = Order::new(7);
        let told: Vec<_> = frames.iter().enumerate().filter(|(at, _)| *at != lost).map(|(_, frame)| order.accept(frame)).collect();
        let from = u16::try_from(lost).unwrap();
        prop_assert_eq!(told.iter().filter(|told| told.is_err()).count(), 1);
        prop_assert_eq!(told[lost], Err(Disorder::Lost { dom: 3, from, to: from + 1 }));

        // Frame 0 twice is an echo only as long as nothing else came; a hello in its place later is a restart.
        let again = 1 + repeat.index(frames.len() - 1);
        let mut order = Order::new(7);
        frames.iter().for_each(|frame| order.accept(frame).unwrap());
        let seq = u16::try_from(again).unwrap();
        prop_assert_eq!(order.accept(&frames[again]), Err(Disorder::Repeated { dom: 3, seq }));
    }
}

/// A note's readable form has all of its fields.
#[test]
fn notes_are_shown() {
    let cases = [
        (
            Note::Hello {
                version: 1,
                privilege: 1,
                frequency: 62_500_000,
                cpu: 0x8000_0000,
            },
            "hello version=1 privilege=1 frequency=62500000 cpu=0x80000000",
        ),
        (Note::Stray(Irq(39)), "unexpected interrupt 39"),
    ];
    for (note, text) in cases {
        assert_eq!(note.to_string(), text);
    }
}

/// The text on the wire is pinned, so that a change is deliberate.
#[test]
fn frames_are_spelled() {
    let hello = Note::Hello {
        version: 1,
        privilege: 1,
        frequency: 62_500_000,
        cpu: 0x8000_0000,
    };
    let cases = [
        (
            0,
            hello,
            "@pt2 0badcafe 01 0000 3d5381ff h 1 1 3b9aca0 80000000.",
        ),
        (
            1,
            op(wire::Answer::Value(0x61)),
            "@pt2 0badcafe 01 0001 57251c85 o 3 v 61.",
        ),
        (
            2,
            Note::End { ops: 4 },
            "@pt2 0badcafe 01 0002 e4e68b38 z 4.",
        ),
    ];
    for (seq, note, text) in cases {
        assert_eq!(
            Frame {
                nonce: 0x0bad_cafe,
                dom: 1,
                seq,
                note
            }
            .encode()
            .as_str(),
            text
        );
    }
}

fn op(answer: wire::Answer) -> Note {
    Note::Op { index: 3, answer }
}
