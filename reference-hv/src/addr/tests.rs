use super::*;

#[track_caller]
fn check(base: u64, size: u64, wanted: Result<(u64, u64), SpanError>) {
    let seen = Span::new(Pa::new(base), size).map(|s| (s.first().raw(), s.last().raw()));
    assert_eq!(seen, wanted, "{base:#x} + {size:#x}");
}

/// A span may end on the last byte of the address space, and not beyond it.
#[test]
fn span_may_touch_the_top() {
    check(u64::MAX, 1, Ok((u64::MAX, u64::MAX)));
    check(
        u64::MAX,
        2,
        Err(SpanError::Wraps {
            base: u64::MAX,
            size: 2,
        }),
    );
    check(1, u64::MAX, Ok((1, u64::MAX)));
    check(
        2,
        u64::MAX,
        Err(SpanError::Wraps {
            base: 2,
            size: u64::MAX,
        }),
    );
    check(
        0xffff_ffff_ffff_f000,
        0x1000,
        Ok((0xffff_ffff_ffff_f000, u64::MAX)),
    );
    check(0x1000, 0, Err(SpanError::Empty { base: 0x1000 }));
}

fn span(first: u64, last: u64) -> Span<Pa> {
    Span::new(Pa::new(first), last - first + 1).expect("a range of the test")
}

/// What is cut out of a span is exactly the hole.
#[test]
fn a_hole_leaves_its_surroundings() {
    let whole = span(0x1000, 0x4fff);
    for (hole, before, after) in [
        (span(0, 0xfff), Some(whole), None),
        (span(0, 0x1fff), None, Some(span(0x2000, 0x4fff))),
        (
            span(0x2000, 0x2fff),
            Some(span(0x1000, 0x1fff)),
            Some(span(0x3000, 0x4fff)),
        ),
        (span(0x4fff, 0x5000), Some(span(0x1000, 0x4ffe)), None),
        (whole, None, None),
        (span(0, u64::MAX - 1), None, None),
    ] {
        assert_eq!(whole.without(hole), (before, after), "hole {hole}");
    }
}

/// Narrowing never leaves the span, widening never loses a byte of it.
#[test]
fn pages_in_and_around() {
    for (given, inner, outer) in [
        (
            span(0x1000, 0x1fff),
            Some(span(0x1000, 0x1fff)),
            span(0x1000, 0x1fff),
        ),
        (span(0x1001, 0x1fff), None, span(0x1000, 0x1fff)),
        (
            span(0x0fff, 0x2000),
            Some(span(0x1000, 0x1fff)),
            span(0, 0x2fff),
        ),
        (
            span(0xa00_0000, 0xa00_01ff),
            None,
            span(0xa00_0000, 0xa00_0fff),
        ),
        (
            span(u64::MAX - 0x1000, u64::MAX),
            Some(span(u64::MAX - 0xfff, u64::MAX)),
            span(u64::MAX - 0x1fff, u64::MAX),
        ),
    ] {
        assert_eq!(given.narrowed_to_pages(), inner, "inside {given}");
        assert_eq!(given.widened_to_pages(), outer, "around {given}");
        assert!(outer.covers(given) && outer.is_page_exact());
    }
}

/// Neighbours do not overlap; one shared byte does.
#[test]
fn overlap_is_one_shared_byte() {
    assert!(!span(0, 0xfff).overlaps(span(0x1000, 0x1fff)));
    assert!(span(0, 0x1000).overlaps(span(0x1000, 0x1fff)));
    assert_eq!(
        span(0, 0x1000).intersection(span(0x1000, 0x1fff)),
        Some(span(0x1000, 0x1000))
    );
}
