use proptest::prelude::*;

use super::*;

fn plain(note: &Diagnostic) -> String {
    render(note, false)
}

/// The wrong part is marked below its line, and the advice is below the mark.
#[test]
fn culprits_are_marked() {
    let line = "\tCover: req~a~1";
    let note = Diagnostic::error("a.rst", 3, "`Cover:` is no keyword");
    assert_eq!(
        plain(&note.highlight(line, "Cover").suggest("Cover", ["Covers"])),
        "\
error: `Cover:` is no keyword
 --> a.rst:3:2
  |
3 |  Cover: req~a~1
  |  ^^^^^
  |
  = help: did you mean `Covers`?
"
    );
}

/// Without a column the whole line is marked, and without a line only the file is named.
#[test]
fn whole_lines_and_files_are_shown() {
    let note = Diagnostic::warning("a.rst", 12, "lost").excerpt("  lost");
    assert_eq!(
        plain(&note),
        "\
warning: lost
  --> a.rst:12:3
   |
12 |   lost
   |   ^^^^
"
    );
    for (line, shown) in [(0, "error: wrong\n--> a\n"), (4, "error: wrong\n--> a:4\n")] {
        assert_eq!(plain(&Diagnostic::error("a", line, "wrong")), shown);
    }
}

/// A part beyond the kept start of a long line is not marked elsewhere.
#[test]
fn far_culprits_are_not_shown() {
    let line = format!("{}culprit", "x".repeat(400));
    let note = Diagnostic::error("a.rst", 1, "wrong").highlight(&line, "culprit");
    assert_eq!((note.column, note.width), (401, 7));
    assert!(!plain(&note).contains("culprit"));
}

/// Removes the colours that were asked for.
fn without_colours(text: &str) -> String {
    let colour = regex::Regex::new("\x1b\\[[0-9;]*m").expect("a pattern");
    colour.replace_all(text, "").into_owned()
}

/// Control characters of a hostile file are shown, not interpreted.
#[test]
fn hostile_lines_are_shown() {
    let line = "Cover:\u{1b}[2J\u{1b}[31m\u{202e}";
    let note = Diagnostic::error("a\u{1b}c.rst", 3, "no \u{7}").highlight(line, "\u{202e}");
    assert_eq!(
        plain(&note.help("\u{9b}2J")),
        "\
error: no \\x07
 --> a\\x1bc.rst:3:16
  |
3 | Cover:\u{241b}[2J\u{241b}[31m\u{fffd}
  |                ^
  |
  = help: \\x9b2J
"
    );
}

/// Generates texts with terminal control sequences and harmless ones.
fn hostile() -> impl Strategy<Value = String> {
    let parts = [
        "\u{1b}[2J",
        "\u{1b}]0;x\u{7}",
        "\r",
        "\n",
        "\t",
        "\u{9b}1A",
        "\u{202e}",
        "a",
        "漢",
        "é",
        " ",
        "\u{200b}",
    ];
    prop::collection::vec(prop::sample::select(parts.to_vec()), 0..12)
        .prop_map(|parts| parts.concat())
}

proptest! {
    /// Text of a file reaches the terminal only as text, with or without colours.
    #[test]
    fn no_file_drives_the_terminal(
        file in hostile(), message in hostile(), line in hostile(), part in hostile(), help in hostile(), number in 0..3_u32,
    ) {
        let note = Diagnostic::error(file, number, message).highlight(&line, &part).help(help);
        let shown = plain(&note);
        prop_assert!(!shown.chars().any(|c| !matches!(c, '\n' | '\t') && c.is_control() || "\u{202e}\u{200b}".contains(c)), "{shown:?}");
        prop_assert_eq!(without_colours(&render(&note, true)), shown);
    }
}
