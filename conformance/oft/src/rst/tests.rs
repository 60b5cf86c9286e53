use super::*;
use crate::{Severity, Status};

fn found(text: &str) -> (Vec<Item>, Vec<Diagnostic>) {
    let (mut items, mut notes) = (Vec::new(), Vec::new());
    read(&"a.rst".into(), text, &mut items, &mut notes);
    (items, notes)
}

/// Returns the part of the line that a diagnostic marks.
fn marked(note: &Diagnostic) -> String {
    let characters = note.excerpt.chars().skip(note.column as usize - 1);
    characters.take(note.width as usize).collect()
}

/// Reads a text that holds exactly one item.
#[track_caller]
fn item(text: &str) -> Item {
    let (mut items, _) = found(text);
    assert_eq!(items.len(), 1, "{items:#?}");
    items.remove(0)
}

fn ids(references: &[Reference]) -> Vec<&str> {
    references
        .iter()
        .map(|reference| reference.id.as_str())
        .collect()
}

/// A complete item has every part, each without surrounding blanks.
#[test]
fn item_has_all_parts() {
    let item = item(
        "\
Chapter
=======

Title
-----

`req~a~1`

Status: draft

Description:
First line.

Second line.

Rationale:

 - why

Comment:
 what else

Covers:
 - `feat~x~2`
 + feat~y~3

Depends:
* req~z~1

Needs:

 - dsn
 - impl

Tags:
- one, two
",
    );
    assert_eq!(item.title.as_deref(), Some("Title"));
    assert_eq!(item.group.as_deref(), Some("Chapter"));
    assert_eq!(item.status, Status::Draft);
    assert_eq!(item.description, "First line.\n\nSecond line.");
    assert_eq!(item.rationale, "- why");
    assert_eq!(item.comment, "what else");
    assert_eq!(ids(&item.covers), ["feat~x~2", "feat~y~3"]);
    assert_eq!(item.covers.first().map(|covered| covered.line), Some(24));
    assert_eq!(ids(&item.depends), ["req~z~1"]);
    assert_eq!(item.needs, ["dsn", "impl"]);
    assert_eq!(item.tags, ["one", "two"]);
    assert_eq!(item.at.to_string(), "a.rst:7");
    assert!(!item.forwards);
}

/// A line that begins with an id starts an item; with anything else before the id it is prose.
#[test]
fn item_begins_in_column_zero() {
    for (line, count) in [
        ("req~a~1", 1),
        ("`req~a~1`", 1),
        ("`req~a~1 and more", 1),
        ("req~a~1.", 1),
        (" req~a~1", 0),
        ("- req~a~1", 0),
        ("``req~a~1``", 0),
        ("The req~a~1", 0),
        ("req~a~1\u{2028}", 0),
    ] {
        assert_eq!(found(line).0.len(), count, "{line:?}");
        assert_eq!(
            found(&format!("\r\n{line}\r\nDescription:\r\n")).0.len(),
            count,
            "{line:?}"
        );
    }
}

/// A heading belongs to the id below it, unless text is between; blank lines may be.
#[test]
fn text_drops_the_title() {
    for (text, title) in [
        ("T\n===\nreq~a~1", Some("T")),
        ("T\n===\n\n \n\nreq~a~1", Some("T")),
        ("T\n===\ntext\n\nreq~a~1", None),
        ("T\n===\nU\n---\nreq~a~1", Some("U")),
        ("T\n==\nreq~a~1", None),
        ("T\n=== x\nreq~a~1", None),
        ("T\n-=~\nreq~a~1", Some("T")),
        ("===\nT\n===\nreq~a~1", Some("T")),
        ("req~a~1", None),
    ] {
        assert_eq!(item(text).title.as_deref(), title, "{text:?}");
    }
    let (items, _) = found("T\n===\nreq~a~1\nreq~b~1\n");
    let titles: Vec<_> = items.iter().map(|item| item.title.as_deref()).collect();
    assert_eq!(titles, [Some("T"), None], "a title is spent on one item");
}

/// An item's group is the heading around it, by the nesting of the marks.
#[test]
fn group_is_the_heading_above() {
    let (items, _) = found(
        "\
Document
========
First
=====
A
-
Aa
---
req~a~1

req~b~1

Second
======

B
---
req~c~1

C
~~~
req~d~1

D
---
text
req~e~1
",
    );
    let groups: Vec<_> = items
        .iter()
        .map(|item| (item.id.name(), item.group.as_deref()))
        .collect();
    assert_eq!(
        groups,
        [
            ("a", Some("First")),
            ("b", Some("Aa")),
            ("c", Some("Second")),
            ("d", Some("B")),
            ("e", Some("D")),
        ]
    );
}

/// A heading ends the open item, except right after an id, where three keywords have priority.
#[test]
fn heading_ends_the_item() {
    let (items, _) = found("req~a~1\ntext\nCovers:\n---\nCovers:\n- req~x~1\n");
    assert_eq!(items.len(), 1);
    assert_eq!(
        items.first().map(|item| item.covers.len()),
        Some(0),
        "an underlined `Covers:` is a heading"
    );
    let kept = item("req~a~1\nRationale:\n---\nwhy\n");
    assert_eq!(kept.rationale, "---\nwhy");
    let kept = item("req~a~1\nStatus: draft\n---\n");
    assert_eq!(
        (kept.status, kept.description.as_str()),
        (Status::Draft, "---")
    );
}

/// The status counts only before the description.
#[test]
fn status_stands_before_the_description() {
    for (text, status) in [
        ("req~a~1\nStatus: rejected\ntext", Status::Rejected),
        ("req~a~1\n\nStatus: proposed\nStatus: draft", Status::Draft),
        ("req~a~1\ntext\nStatus: rejected", Status::Approved),
        ("req~a~1\nNeeds: dsn\nStatus: rejected", Status::Rejected),
        ("req~a~1\nStatus: rejectd", Status::Approved),
    ] {
        assert_eq!(item(text).status, status, "{text:?}");
    }
}

/// Needs may be a list or on one line, and the item continues after them.
#[test]
fn needs_stand_on_one_line_or_in_a_list() {
    for (text, needs) in [
        (
            "req~a~1\nNeeds: dsn, utest\nCovers:\n",
            &["dsn", "utest"][..],
        ),
        (
            "req~a~1\nNeeds:\n- dsn\n\n- utest (text)\n",
            &["dsn", "text"],
        ),
        ("req~a~1\nNeeds:\n- dsn\nNeeds: utest\n", &["dsn"]),
        ("req~a~1\nNeeds: dsn\nNeeds: utest\n", &["dsn", "utest"]),
        ("req~a~1\nCovers:\n- req~b~1\nNeeds: dsn\n", &["dsn"]),
        ("req~a~1\nNeeds: a-b\n", &[]),
    ] {
        assert_eq!(item(text).needs, needs, "{text:?}");
    }
}

/// After tags a blank line returns to the item, so what follows is its description.
#[test]
fn blank_line_ends_the_tags() {
    let tagged = item("req~a~1\nTags: x\n- y, z\n\nStatus: draft\ntext\n");
    assert_eq!(tagged.tags, ["x", "y", "z"]);
    assert_eq!(
        (tagged.status, tagged.description.as_str()),
        (Status::Draft, "text")
    );
}

/// A forward is an item of its own and ends the open one; in a rationale it is text.
#[test]
fn forward_makes_an_item() {
    let (items, _) = found("req~a~1\nDescription:\n- arch --> dsn, impl : req~b~2\nNeeds: utest\n");
    let [first, second] = items.as_slice() else {
        panic!("{items:#?}")
    };
    assert_eq!(
        (first.id.as_str(), first.needs.len()),
        ("req~a~1", 0),
        "the item has ended"
    );
    assert_eq!((second.id.as_str(), second.forwards), ("arch~b~2", true));
    assert_eq!(ids(&second.covers), ["req~b~2"]);
    assert_eq!(second.needs, ["dsn", "impl"]);
    assert_eq!(second.at.line, 3);
    for part in ["Rationale", "Comment"] {
        assert_eq!(
            item(&format!("req~a~1\n{part}:\na --> b : req~c~1\n"))
                .id
                .as_str(),
            "req~a~1"
        );
    }
}

/// Lines between the switches are not read; a missing second switch is a warning.
#[test]
fn switches_hide_what_is_between() {
    let (items, notes) = found("req~a~1\n.. oft:off\nreq~b~1\n.. oft:on\ntext\nreq~c~1\n");
    let names: Vec<_> = items
        .iter()
        .map(|item| (item.id.name(), item.description.as_str()))
        .collect();
    assert_eq!(names, [("a", "text"), ("c", "")]);
    assert_eq!(notes, []);
    let (items, notes) = found("oft:off\nreq~a~1\n");
    assert_eq!((items.len(), notes.len()), (0, 1));
}

/// `Comments:` counts as `Comment:`, with a warning.
#[test]
fn plural_comment_is_a_comment() {
    let (items, notes) = found("req~a~1\nRationale:\nwhy\nComments:\nwhat\nCovers:\n- req~b~1\n");
    let item = items.first().expect("one item");
    assert_eq!(
        (item.rationale.as_str(), item.comment.as_str()),
        ("why", "what")
    );
    assert_eq!(item.covers.len(), 1);
    let [note] = notes.as_slice() else {
        panic!("{notes:#?}")
    };
    assert_eq!(
        (note.severity, note.line, note.excerpt.as_str()),
        (Severity::Warning, 4, "Comments:")
    );
}

/// A revision out of range is an error; the rest of the file still counts.
#[test]
fn revision_out_of_range_is_an_error() {
    let (items, notes) = found(
        "req~a~1\nCovers:\n- req~b~2147483648\n- req~c~1\n\nreq~d~99999999999\ntext\n\nreq~e~1\n",
    );
    let names: Vec<_> = items
        .iter()
        .map(|item| (item.id.name(), item.covers.len()))
        .collect();
    assert_eq!(names, [("a", 1), ("e", 0)]);
    let shown: Vec<_> = notes
        .iter()
        .map(|note| (note.severity, note.line))
        .collect();
    assert_eq!(shown, [(Severity::Error, 3), (Severity::Error, 6)]);
    let revisions: Vec<_> = notes.iter().map(marked).collect();
    assert_eq!(revisions, ["2147483648", "99999999999"]);
}

/// What the format ignores silently gives a warning, with the line and advice.
#[test]
fn silent_losses_are_warned_of() {
    for (text, line, message, culprit) in [
        (
            "req~a~1\nCovers:\n- req~b~1, req~c~1\n",
            3,
            "of the 2 ids on this bullet only `req~c~1` counts",
            "req~c~1",
        ),
        (
            "req~a~1\nCovers:\n    - req~b~1\n",
            3,
            "this line is ignored: it is no entry of `Covers:`",
            "- req~b~1",
        ),
        (
            "req~a~1\nDepends:\n1. req~b~1\n",
            3,
            "this line is ignored: it is no entry of `Depends:`",
            "1. req~b~1",
        ),
        (
            "req~a~1\nCovers:\nNeed:\n- dsn",
            3,
            "`Need:` is no keyword",
            "Need",
        ),
        (
            "req~a~1\nNeeds:\n- dsn (text)\n",
            3,
            "of the 2 words on this bullet only `text` counts",
            "text",
        ),
        (
            "req~a~1\nNeeds:\n- dsn_2\n",
            3,
            "this line is ignored: it is no entry of `Needs:`",
            "- dsn_2",
        ),
        (
            "req~a~1\nNeeds: a-b\n",
            2,
            "`Needs:` with this text after it is no keyword",
            "a-b",
        ),
        (
            "req~a~1\nCovers: req~b~1\n",
            2,
            "`Covers:` with text after it is no keyword",
            "req~b~1",
        ),
        (
            "req~a~1\ntext\n\ncovers:\n- req~b~1\n",
            4,
            "`covers:` is no keyword",
            "covers",
        ),
        (
            "req~a~1\ntext\nRational:\n",
            3,
            "`Rational:` is no keyword",
            "Rational",
        ),
        (
            "req~a~1\ntext\n Covers:\n",
            3,
            "`Covers:` is no keyword here",
            "Covers",
        ),
        (
            "req~a~1\ntext\nStatus: draft\n",
            3,
            "`Status:` does not count here",
            "Status",
        ),
        (
            "req~a~1\nStatus: drft\n",
            2,
            "`Status:` does not count here",
            "Status",
        ),
        (
            "T\n---\n\n  `req~a~1`\n",
            4,
            "this id is indented, so it begins no item",
            "req~a~1",
        ),
        (
            "T\n---\n\n``req~a~1``\n",
            4,
            "this id is in double back-quotes, so it begins no item",
            "req~a~1",
        ),
        (
            "T\n---\n\n`req~a`\n",
            4,
            "this looks like an item id without a revision",
            "req~a",
        ),
    ] {
        let (_, notes) = found(text);
        let first = notes.first().expect(text);
        assert_eq!(
            (first.line, first.message.as_str()),
            (line, message),
            "{text:?}"
        );
        assert_eq!(first.severity, Severity::Warning, "{text:?}");
        assert!(first.help.is_some(), "{text:?}");
        assert_eq!(marked(first), culprit, "{text:?}");
    }
}

/// A well-formed text gives no warning, prose with colons included.
#[test]
fn sound_text_draws_no_warning() {
    let (_, notes) = found(
        "\
Title
-----

As follows:

`req~a~1`

Description:
Note: three things, see `req~b~1`:

 - one:
 - Needs no more

Note:
text

Covers:

 - `feat~x~1`

Needs:
 - dsn

Words that end the file
=======================

- req~a~1 is explained above
",
    );
    assert_eq!(notes, []);
}
