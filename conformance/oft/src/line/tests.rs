use std::{
    sync::LazyLock,
    time::{Duration, Instant},
};

use proptest::prelude::*;
use regex::Regex;

use super::*;

/// The format's own patterns for a regular-expression engine: an id's name and revision are Unicode, everything else is
/// ASCII, and `.` stops at three more characters.
mod pattern {
    pub(super) const ID: &str = r"[a-zA-Z]+~\p{Alphabetic}[\w-]*(?:\.[\w-]+)*~\d+";
    pub(super) const ANY: &str = r"[^\n\r\x{85}\x{2028}\x{2029}]";
    pub(super) const SPACE: &str = r"[ \t\n\x0b\x0c\r]";
    pub(super) const NO_WORD: &str = "[^a-zA-Z0-9_]";
}

fn whole(pattern: &str) -> Regex {
    use self::pattern::{ANY, ID, NO_WORD, SPACE};
    let pattern = pattern
        .replace("ID", ID)
        .replace("ANY", ANY)
        .replace("SP", SPACE)
        .replace("NW", NO_WORD);
    Regex::new(&format!("\\A(?:{pattern})\\z")).expect("a fixed pattern")
}

static ITEM: LazyLock<Regex> = LazyLock::new(|| whole("`?(ID)`?ANY*"));
static REFERENCE: LazyLock<Regex> =
    LazyLock::new(|| whole("SP{0,3}[+*-](?:ANY*NW)?(ID)(?:NWANY*)?"));
static KIND: LazyLock<Regex> =
    LazyLock::new(|| whole("SP{0,3}[+*-](?:ANY*NW)?([a-zA-Z]+)(?:NWANY*)?"));
static TAG: LazyLock<Regex> = LazyLock::new(|| whole("SP{0,3}[+*-]SP*(ANY*)"));
static UNDERLINE: LazyLock<Regex> = LazyLock::new(|| whole("[-=`:.'\"~^_*+#<>]{3,}SP*"));
static FORWARD: LazyLock<Regex> =
    LazyLock::new(|| whole("ANY*?[a-zA-Z]+SP*-->SP*[a-zA-Z]+(?:,SP*[a-zA-Z]+)*SP*:SP*(ID)ANY*?"));
static NEEDS: LazyLock<Regex> =
    LazyLock::new(|| whole("Needs:(SP*[a-zA-Z0-9_]+SP*(?:,SP*[a-zA-Z0-9_]+SP*)*)"));
static TAGS: LazyLock<Regex> =
    LazyLock::new(|| whole("Tags:(SP*[a-zA-Z0-9_]+SP*(?:,SP*[a-zA-Z0-9_]+SP*)*)"));

/// Generates lines that are close to what the format looks for.
fn lines() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        4 => Just("req~a~1".to_owned()),
        2 => Just("dsn~é_b.c-d~2".to_owned()),
        1 => Just("req~a~1٣".to_owned()),
        1 => "[a-c1_~.` -]{1,4}",
        3 => "[ \t\u{a0}\u{2028}\u{85}]",
        3 => Just("- ".to_owned()),
        2 => "[-+*=`:#,()x]",
        2 => Just("impl".to_owned()),
        1 => Just("-->".to_owned()),
        1 => Just("a --> b, c : req~a~1".to_owned()),
        1 => Just("naïve".to_owned()),
        1 => prop_oneof![Just("Covers:"), Just("Needs:"), Just("Tags:"), Just("Status: draft")].prop_map(str::to_owned),
    ];
    prop::collection::vec(piece, 0..8).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2048))]

    /// Every hand-written matcher finds the same as the format's regular expression.
    #[test]
    fn matchers_are_the_regexes(line in lines()) {
        let group = |pattern: &Regex| {
            pattern.captures(&line).map(|found| found.get(1).expect("one group").as_str().to_owned())
        };
        let id = |text: Option<String>| text.map(|text| text.parse::<Id>());

        prop_assert_eq!(item_id(&line), id(group(&ITEM)), "item");
        prop_assert_eq!(reference(&line).map(|found| found.id), id(group(&REFERENCE)), "reference");
        prop_assert_eq!(needed_kind(&line).map(str::to_owned), group(&KIND), "needed kind");
        prop_assert_eq!(tag_entry(&line).map(str::to_owned), group(&TAG), "tag");
        prop_assert_eq!(is_underline(&line), UNDERLINE.is_match(&line), "underline");
        prop_assert_eq!(forward(&line).map(|found| found.original), id(group(&FORWARD)), "forward");
        let (needs, tags) = match keyword(&line) {
            Some(Keyword::NeedsInline(list)) => (Some(list.to_owned()), None),
            Some(Keyword::TagsInline(list)) => (None, Some(list.to_owned())),
            _ => (None, None),
        };
        prop_assert_eq!(needs, group(&NEEDS), "inline needs");
        prop_assert_eq!(tags, group(&TAGS), "inline tags");
    }
}

/// A keyword is a whole line with exactly this spelling.
#[test]
fn keyword_is_the_whole_line() {
    for (line, found) in [
        ("Description:", Some(Keyword::Description)),
        ("Rationale: \t", Some(Keyword::Rationale)),
        ("Comment:", Some(Keyword::Comment { plural: false })),
        ("Comments:", Some(Keyword::Comment { plural: true })),
        ("Covers:", Some(Keyword::Covers)),
        ("Depends:", Some(Keyword::Depends)),
        ("Needs:", Some(Keyword::Needs)),
        ("Needs:  ", Some(Keyword::Needs)),
        ("Needs: a, b_2", Some(Keyword::NeedsInline(" a, b_2"))),
        ("Needs: a-b", None),
        ("Needs: a,", None),
        ("Tags:", Some(Keyword::Tags)),
        ("Tags:x ,y", Some(Keyword::TagsInline("x ,y"))),
        ("Status: rejected", Some(Keyword::Status(Status::Rejected))),
        ("Status:draft ", Some(Keyword::Status(Status::Draft))),
        ("Status:", None),
        ("Status: Draft", None),
        ("covers:", None),
        (" Covers:", None),
        ("Covers :", None),
        ("Covers: x", None),
        ("Covers:\u{a0}", None),
        ("Description", None),
    ] {
        assert_eq!(keyword(line), found, "{line:?}");
    }
}

/// Of several ids on a bullet the last one counts, and the others are counted as hidden.
#[test]
fn last_id_on_a_bullet_counts() {
    for (line, id, hidden) in [
        ("- req~a~1", "req~a~1", 0),
        ("   * `req~a~1`", "req~a~1", 0),
        ("+req~a~1.", "req~a~1", 0),
        ("- see [req~a~1](#req~b~2): why", "req~b~2", 1),
        ("- req~a~1, req~b~2, req~c~3", "req~c~3", 2),
        ("- req~a~1, xreq2~b~2", "req~a~1", 0),
        ("- req~a~1٣x", "req~a~1", 0),
    ] {
        let found = reference(line).expect(line);
        assert_eq!((found.id, found.hidden), (id.parse(), hidden), "{line}");
    }
    for line in [
        "    - req~a~1",
        "1. req~a~1",
        "req~a~1",
        "- req~a",
        "- xreq1~a~1",
        "- req~a~1b",
    ] {
        assert_eq!(reference(line), None, "{line}");
    }
}

/// Of several words on a bullet of needs, the last one that has only letters counts.
#[test]
fn last_word_on_a_bullet_is_needed() {
    for (line, kind) in [
        (" - XenValTestCase", Some("XenValTestCase")),
        ("- impl (text)", Some("text")),
        ("- impl, utest 2", Some("utest")),
        ("- naïve", Some("ve")),
        ("- a_b", None),
        ("- impl2", None),
        ("    - impl", None),
        ("impl", None),
    ] {
        assert_eq!(needed_kind(line), kind, "{line}");
    }
}

/// A forward may be anywhere on its line and names one id to cover.
#[test]
fn forward_is_found_in_a_line() {
    let found = forward("see: * arch-->dsn , utest : req~a~1.").map(|_| ());
    assert_eq!(found, None, "no blank may stand before a comma");
    let found = forward("* `arch --> dsn, utest : req~a~1` because").expect("a forward");
    assert_eq!((found.kind, found.needs), ("arch", vec!["dsn", "utest"]));
    assert_eq!(found.original, "req~a~1".parse());
    let second = forward("a --> b, x1 --> dsn : req~a~1").map(|found| found.kind);
    assert_eq!(second, None, "the kind before the arrow is letters only");
    let second = forward("a --> 1, arch --> dsn : req~a~1").map(|found| found.kind);
    assert_eq!(second, Some("arch"));
}

/// A list ends with its last entry that is not empty, and blanks around entries are ignored.
#[test]
fn lists_split_at_commas() {
    for (text, entries) in [
        ("a, b ,c", &["a", "b", "c"][..]),
        ("", &[""]),
        (",", &[]),
        ("a,,", &["a"]),
        (",a", &["", "a"]),
        ("a, ,", &["a", ""]),
    ] {
        assert_eq!(list(text), entries, "{text:?}");
    }
}

/// The switch is a whole word, in the Unicode sense.
#[test]
fn switch_is_a_word() {
    for (line, found) in [
        (".. oft:off", true),
        ("(oft:off)", true),
        ("xoft:off oft:off", true),
        ("éoft:off", false),
        ("oft:offline", false),
        ("oft:on", false),
    ] {
        assert_eq!(has_switch(line, "oft:off"), found, "{line}");
    }
}

/// The time for a hostile line is linear in its length: a megabyte takes milliseconds. (Quadratic time would be a
/// quarter of an hour; the limit between the two leaves room for the busiest machine.)
#[test]
fn matchers_are_linear() {
    for unit in [
        "a~b~1 ",
        "a~b-",
        "a-->a:a~b~1 ",
        "-->a,",
        "é~",
        "a~b~1٣",
        "a ",
        "oft:offx ",
    ] {
        let line = format!("- \u{2028}{}\u{2028}x", unit.repeat(1_000_000 / unit.len()));
        let start = Instant::now();
        assert_eq!(item_id(&line), None, "{unit}");
        assert_eq!(reference(&line), None, "{unit}");
        assert_eq!(needed_kind(&line), None, "{unit}");
        assert_eq!(forward(&line), None, "{unit}");
        assert!(!has_switch(&line, "oft:off"), "{unit}");
        let spent = start.elapsed();
        assert!(spent < Duration::from_secs(20), "{unit:?}: {spent:?}");
    }
}
