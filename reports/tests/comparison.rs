//! Tests the text that compares two runs.

use model::{AggregateVerdict, Arch, Level, Subject};
use reports::comparison::{Change, Comparison, Kind, Side};

fn change(
    id: &str,
    kind: Kind,
    old: Option<AggregateVerdict>,
    new: Option<AggregateVerdict>,
) -> Change {
    Change {
        id: id.to_owned(),
        kind,
        old,
        new,
        reason: "read 0x62\u{1b}[2J".to_owned(),
    }
}

fn sample() -> Comparison {
    let side = |digest: &str, conformant| Side {
        subject: Subject {
            name: "reference".to_owned(),
            version: "0.1.0".to_owned(),
            arch: Arch::default(),
            digest: digest.to_owned(),
            level: Level::default(),
        },
        suite: "0.1.0".to_owned(),
        scenarios: 3,
        conformant,
    };
    Comparison {
        old: side("aa", true),
        new: side("bb", false),
        requirements: vec![change(
            "XenSSR~demo~1",
            Kind::Regressed,
            Some(AggregateVerdict::Pass),
            Some(AggregateVerdict::Fail),
        )],
        scenarios: vec![
            change(
                "demo.one",
                Kind::Regressed,
                Some(AggregateVerdict::Pass),
                Some(AggregateVerdict::Fail),
            ),
            change("demo.two", Kind::New, None, Some(AggregateVerdict::Pass)),
            change("demo.three", Kind::Gone, Some(AggregateVerdict::Pass), None),
        ],
        same: 1,
        left_out: 4,
        regression: true,
    }
}

/// The text gives each change and its reason, shows no foreign control character, and ends with the counts and the
/// verdict.
#[test]
fn changes_are_told() {
    insta::assert_snapshot!(sample().text(false));
}

/// Colour adds escape sequences and changes nothing else.
#[test]
fn colour_is_only_colour() {
    let coloured = sample().text(true);
    assert!(coloured.contains('\u{1b}'));
    let mut plain = String::new();
    let mut inside = false;
    for character in coloured.chars() {
        match character {
            '\u{1b}' => inside = true,
            'm' if inside => inside = false,
            _ if inside => {}
            other => plain.push(other),
        }
    }
    let trimmed: Vec<_> = plain.lines().map(str::trim_end).collect();
    assert_eq!(trimmed, sample().text(false).lines().collect::<Vec<_>>());
}
