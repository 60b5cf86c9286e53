use std::sync::LazyLock;

use proptest::prelude::*;

use super::*;

/// An id is parsed into its parts, and printed as it was written.
#[test]
fn id_has_three_parts() {
    for (text, kind, name, revision) in [
        ("req~a~0", "req", "a", 0),
        (
            "XenSSR~hide_iommu_from_domain~1",
            "XenSSR",
            "hide_iommu_from_domain",
            1,
        ),
        ("dsn~cli.plain-text.1~42", "dsn", "cli.plain-text.1", 42),
        ("req~größe_ß-١~7", "req", "größe_ß-١", 7),
        ("req~a--~2147483647", "req", "a--", MAX_REVISION),
    ] {
        let id: Id = text.parse().expect(text);
        assert_eq!(
            (id.kind(), id.name(), id.revision()),
            (kind, name, revision),
            "{text}"
        );
        assert_eq!(id.to_string(), text);
    }
}

/// The revision is a number: leading zeros and digits of other scripts do not make another id.
#[test]
fn revision_is_a_number() {
    for text in ["req~a~7", "req~a~007", "req~a~٧"] {
        assert_eq!(
            text.parse::<Id>().expect(text).as_str(),
            "req~a~7",
            "{text}"
        );
    }
}

/// A text that is not exactly an id is refused, and the error quotes it.
#[test]
fn malformed_ids_are_refused() {
    for text in [
        "",
        "~",
        "req",
        "req~a",
        "req~a~",
        "req~~1",
        "~a~1",
        "re1~a~1",
        "ré~a~1",
        "req~1a~1",
        "req~_a~1",
        "req~a.~1",
        "req~a..b~1",
        "req~.a~1",
        "req~a b~1",
        "req~a~-1",
        "req~a~1 ",
        " req~a~1",
        "`req~a~1`",
        "req~a~1~2",
    ] {
        assert_eq!(text.parse::<Id>(), Err(IdError::Malformed(text.to_owned())));
    }
    for text in ["req~a~2147483648", "req~a~99999999999999999999999"] {
        assert_eq!(text.parse::<Id>(), Err(IdError::Revision(text.to_owned())));
    }
}

/// Ids sort by kind, then name, then the revision's value.
#[test]
fn ids_sort_by_part() {
    let mut ids: Vec<Id> = ["b~a~1", "a~b~10", "a~b~9", "a~a~1", "aa~a~1"]
        .map(|text| text.parse().expect(text))
        .into();
    ids.sort();
    let texts: Vec<&str> = ids.iter().map(Id::as_str).collect();
    assert_eq!(texts, ["a~a~1", "a~b~9", "a~b~10", "aa~a~1", "b~a~1"]);
}

static PATTERN: LazyLock<regex::Regex> = LazyLock::new(|| {
    let pattern = r"\A([a-zA-Z]+)~(\p{Alphabetic}[\w-]*(?:\.[\w-]+)*)~(\d+)";
    regex::Regex::new(pattern).expect("a fixed pattern")
});

proptest! {
    /// The scanner finds exactly what the format's own regular expression finds.
    #[test]
    fn scanner_is_the_regex(text in "[ab1_é٣.~ -]{0,12}|[ab]{1,2}~[aé1.-]{1,4}~[12٣a]{0,3}[ ~]?") {
        let wanted = PATTERN.captures(&text).map(|found| {
            let end = |group| found.get(group).expect("the group is not optional").end();
            Span { kind: end(1), name: end(2), end: end(3) }
        });
        prop_assert_eq!(Span::at_start(&text), wanted);
    }
}
