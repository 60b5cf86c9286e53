//! Character classes of the format.
//!
//! Java regular expressions define the format. They have two sets of classes: the plain ones are ASCII, and the Unicode
//! ones apply only inside an item's name and revision.

/// Tells whether `c` is `\s` (ASCII only).
pub(super) const fn is_space(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\n' | '\x0b' | '\x0c' | '\r')
}

/// Tells whether `c` is `\w` (ASCII only).
pub(super) const fn is_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

/// Tells whether `c` is `\w` in Unicode: letters, marks, decimal digits, connectors, joiners.
pub(super) fn is_unicode_word(c: char) -> bool {
    if c.is_ascii() {
        is_word(c)
    } else {
        regex_syntax::is_word_character(c)
    }
}

/// Returns the value of `c` if it is `\d` in Unicode.
pub(super) fn digit(c: char) -> Option<u32> {
    if c.is_ascii() {
        return c.to_digit(10);
    }
    if !is_decimal(c) {
        return None;
    }
    // Unicode assigns decimal digits in runs of ten, zero first; runs may be adjacent.
    let below = (1..).map_while(|step| u32::from(c).checked_sub(step));
    let run = below.take_while(|&code| char::from_u32(code).is_some_and(is_decimal));
    u32::try_from(run.count()).ok().map(|offset| offset % 10)
}

/// Tells whether `c` is in Unicode's class Nd. Of the other numeric classes, letter numbers are alphabetic and other
/// numbers are no word characters.
fn is_decimal(c: char) -> bool {
    c.is_numeric() && !c.is_alphabetic() && is_unicode_word(c)
}

/// Tells whether `c` ends a line for `.`, but not for the reader.
pub(super) const fn is_break(c: char) -> bool {
    matches!(c, '\u{85}' | '\u{2028}' | '\u{2029}')
}

/// Tells whether `.*` matches the whole of `text`, a piece of one line.
pub(super) fn is_one_line(text: &str) -> bool {
    text.is_ascii() || !text.contains(is_break)
}

/// Tells whether `c` is trimmed at the ends of a text: blanks and control characters.
pub(super) const fn is_trimmed(c: char) -> bool {
    c <= ' '
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The classes agree with those of a regular-expression engine for every character.
    #[test]
    fn classes_agree_with_a_regex_engine() {
        let word = regex::Regex::new(r"\A\w\z").expect("a fixed pattern");
        let decimal = regex::Regex::new(r"\A\d\z").expect("a fixed pattern");
        let mut text = String::new();
        for c in '\0'..=char::MAX {
            text.clear();
            text.push(c);
            assert_eq!(is_unicode_word(c), word.is_match(&text), "\\w for {c:?}");
            assert_eq!(digit(c).is_some(), decimal.is_match(&text), "\\d for {c:?}");
        }
    }

    /// A digit has its value in every script, adjacent runs included.
    #[test]
    fn digits_have_values() {
        for (c, value) in [
            ('0', 0),
            ('9', 9),
            ('\u{661}', 1),
            ('\u{96f}', 9),
            ('\u{1d7ce}', 0),
            ('\u{1d7d8}', 0),
            ('\u{1d7ff}', 9),
        ] {
            assert_eq!(digit(c), Some(value), "{c:?}");
        }
        for c in ['a', '½', 'Ⅷ', '一'] {
            assert_eq!(digit(c), None, "{c:?}");
        }
    }
}
