use super::*;

fn found(file: &str, text: &str) -> (Vec<Item>, Vec<Diagnostic>) {
    let (mut items, mut notes) = (Vec::new(), Vec::new());
    read(&file.into(), text, &mut items, &mut notes);
    (items, notes)
}

/// A tag is an item that covers the id it names, with or without a name and needs of its own.
#[test]
fn tag_is_an_item() {
    for (text, id, covers, needs) in [
        (
            "// [impl~name~2->dsn~x~1]",
            "impl~name~2",
            "dsn~x~1",
            &[][..],
        ),
        ("[ impl~name~2 -> dsn~x~1 ]", "impl~name~2", "dsn~x~1", &[]),
        (
            "[dsn->req~x~1>>impl,test]",
            "dsn~x~0",
            "req~x~1",
            &["impl", "test"],
        ),
        (
            "[dsn~~4->req~x~1 >> impl , test ]",
            "dsn~x~4",
            "req~x~1",
            &["impl", "test"],
        ),
        ("[[impl~name~2->dsn~x~1]]", "impl~name~2", "dsn~x~1", &[]),
        ("[x] [impl~name~2->dsn~x~٢]", "impl~name~2", "dsn~x~2", &[]),
    ] {
        let (items, notes) = found("a.rs", text);
        let item = items.first().expect(text);
        assert_eq!((items.len(), notes.len()), (1, 0), "{text}");
        assert_eq!(item.id.as_str(), id, "{text}");
        assert_eq!(
            item.covers
                .iter()
                .map(|covered| covered.id.as_str())
                .collect::<Vec<_>>(),
            [covers],
            "{text}"
        );
        assert_eq!(item.needs, needs, "{text}");
        assert_eq!(item.at.to_string(), "a.rs:1");
    }
}

/// A tag without a name gets one from its place, so two tags for one item differ. The numbers are the CRC-32 of path,
/// line, position in the line and covered id, as OFT prints them.
#[test]
fn unnamed_tags_are_told_apart() {
    let (items, _) = found(
        "src/a.rs",
        "[impl->dsn~x~1] [impl->dsn~x~1]\n\n[impl~~7->dsn~x~1]\n",
    );
    let ids: Vec<&str> = items.iter().map(|item| item.id.as_str()).collect();
    assert_eq!(
        ids,
        [
            "impl~x-2924162124~0",
            "impl~x-1658924242~0",
            "impl~x-2159871178~7"
        ]
    );
    assert_eq!(
        items.iter().map(|item| item.at.line).collect::<Vec<_>>(),
        [1, 1, 3]
    );
}

/// A text that is not exactly a tag is ignored.
#[test]
fn near_tags_are_nothing() {
    for text in [
        "impl->dsn~x~1",
        "[impl->dsn~x~1",
        "[impl-->dsn~x~1]",
        "[impl->dsn~x]",
        "[impl->dsn~x~1 text]",
        "[impl~name->dsn~x~1]",
        "[impl~name~٢->dsn~x~1]",
        "[impl1->dsn~x~1]",
        "[->dsn~x~1]",
        "[impl->dsn~x~1>>]",
        "[impl->dsn~x~1>>a,]",
        "[impl->\ndsn~x~1]",
    ] {
        assert_eq!(found("a.rs", text).0, [], "{text}");
    }
}

/// A revision out of range is an error that shows its line, and the other tags still count.
#[test]
fn revision_out_of_range_is_an_error() {
    let (items, notes) = found(
        "a.rs",
        "ok\n[a->b~c~2147483648] [a~d~99999999999->b~c~1] [a~d~1->b~c~1] [a~~88888888888->b~c~1>>d]",
    );
    assert_eq!(items.len(), 1);
    let shown: Vec<_> = notes
        .iter()
        .map(|note| (note.line, note.column, note.message.as_str()))
        .collect();
    assert_eq!(
        shown,
        [
            (2, 9, "`b~c~2147483648` has a revision above 2147483647"),
            (2, 26, "`a~d~99999999999` has a revision above 2147483647"),
            (2, 65, "`a~c~88888888888` has a revision above 2147483647"),
        ]
    );
}

/// Only source files hold tags; the list is sorted, since it is searched by bisection.
#[test]
fn endings_say_what_may_hold_tags() {
    assert!(ENDINGS.is_sorted());
    for (file, holds) in [
        ("a.rs", true),
        ("dir/a.toml", true),
        ("a.b.yaml", true),
        ("a.C", true),
        ("a.RS", false),
        ("a.md", false),
        ("a.rst", false),
        ("rs", false),
        (".rs", false),
        ("a.rs/b", false),
        ("", false),
    ] {
        assert_eq!(may_hold_tags(file), holds, "{file}");
    }
}
