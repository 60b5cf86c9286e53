//! Makes untrusted text harmless to show: on a terminal, in a page and in XML.

use std::borrow::Cow;
use std::fmt::Write as _;

/// Returns the text with every character visible, or a line break or tab.
///
/// Control characters, escape sequences, reordering and invisible marks, and the noncharacters that XML forbids become
/// `\x1b` or `\u{202e}`. Line feeds and tabs stay.
pub fn visible(text: &str) -> Cow<'_, str> {
    // Almost all text is plain, and the suite reads many megabytes of it.
    let plain = |byte: &u8| matches!(byte, b' '..=b'~' | b'\n' | b'\t');
    if text.as_bytes().iter().all(plain) || !text.chars().any(hidden) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 16);
    let mut rest = text.chars().peekable();
    while let Some(character) = rest.next() {
        match character {
            // A serial console ends its lines with CR and LF.
            '\r' if rest.peek() == Some(&'\n') => {}
            _ if !hidden(character) => shown.push(character),
            // Writing to a string does not fail.
            _ if character <= '\u{ff}' => drop(write!(shown, "\\x{:02x}", u32::from(character))),
            _ => drop(write!(shown, "\\u{{{:x}}}", u32::from(character))),
        }
    }
    Cow::Owned(shown)
}

/// Returns the same for text on one line: line breaks and tabs are spelled out too, as `\n`, `\r` and `\t`.
pub fn visible_line(text: &str) -> Cow<'_, str> {
    let breaks = |character| matches!(character, '\n' | '\r' | '\t');
    if !text.contains(breaks) {
        return visible(text);
    }
    let mut shown = String::with_capacity(text.len() + 16);
    for part in text.split_inclusive(breaks) {
        let plain = part.strip_suffix(breaks).unwrap_or(part);
        shown.push_str(&visible(plain));
        shown.extend(
            part.chars()
                .skip(plain.chars().count())
                .flat_map(char::escape_default),
        );
    }
    Cow::Owned(shown)
}

/// Returns the words of the text on one line: line breaks and tabs become single spaces.
pub fn one_line(text: &str) -> String {
    let words: Vec<_> = text
        .split(['\n', '\r', '\t'])
        .map(str::trim)
        .filter(|word| !word.is_empty())
        .collect();
    visible(&words.join(" ")).into_owned()
}

fn hidden(character: char) -> bool {
    match character {
        '\n' | '\t' => false,
        // Soft hyphen; combining joiner; Arabic letter mark; Hangul and Khmer fillers; zero-width and
        // reordering marks; line and paragraph separators; invisible operators; byte-order mark;
        // interlinear marks; tags.
        '\u{ad}'
        | '\u{34f}'
        | '\u{61c}'
        | '\u{115f}'..='\u{1160}'
        | '\u{17b4}'..='\u{17b5}'
        | '\u{180b}'..='\u{180e}'
        | '\u{200b}'..='\u{200f}'
        | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}'
        | '\u{3164}'
        | '\u{fdd0}'..='\u{fdef}'
        | '\u{fe00}'..='\u{fe0f}'
        | '\u{feff}'
        | '\u{ffa0}'
        | '\u{fff0}'..='\u{fffb}'
        | '\u{e0000}'..='\u{e0fff}' => true,
        _ => character.is_control() || u32::from(character) & 0xfffe == 0xfffe,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{hidden, one_line, visible, visible_line};

    /// Characters that move the cursor, reorder a line or hide text are spelled out; the rest stays as it is.
    #[test]
    fn hidden_characters_are_spelled_out() {
        for (given, wanted) in [
            ("plain\ttext\non two lines", "plain\ttext\non two lines"),
            ("Grüße, 漢字", "Grüße, 漢字"),
            ("\x1b[2Jgone", "\\x1b[2Jgone"),
            ("line\r\nline", "line\nline"),
            ("over\rwritten", "over\\x0dwritten"),
            ("nul\0", "nul\\x00"),
            ("c1 \u{9b}31m", "c1 \\x9b31m"),
            ("\u{202e}drawkcab", "\\u{202e}drawkcab"),
            ("zero\u{200b}width", "zero\\u{200b}width"),
            ("\u{fffe}\u{ffff}\u{1ffff}", "\\u{fffe}\\u{ffff}\\u{1ffff}"),
        ] {
            assert_eq!(visible(given), wanted);
        }
    }

    /// On one line nothing is lost: line breaks are spelled out as well.
    #[test]
    fn line_breaks_are_spelled_out() {
        for (given, wanted) in [
            ("plain", "plain"),
            ("two\r\nlines\n", "two\\r\\nlines\\n"),
            ("\tup\x1b[A", "\\tup\\x1b[A"),
            ("\u{85}\u{2028}", "\\x85\\u{2028}"),
        ] {
            assert_eq!(visible_line(given), wanted);
        }
    }

    /// Line breaks and tabs become spaces.
    #[test]
    fn one_line_is_one_line() {
        assert_eq!(one_line("a\r\n  b\tc\n\nd\x07"), "a b c d\\x07");
    }

    proptest! {
        /// Whatever the text, no result has a character that a terminal interprets, and a line stays one line.
        #[test]
        fn no_answer_drives_a_terminal(text in any::<String>()) {
            prop_assert!(!visible(&text).chars().any(hidden));
            for line in [visible_line(&text).into_owned(), one_line(&text)] {
                prop_assert!(!line.chars().any(|c| hidden(c) || matches!(c, '\n' | '\t')), "{line:?}");
            }
        }
    }
}
