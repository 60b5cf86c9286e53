//! Finds words in text: whole words, and parts of names.

/// Splits text into runs of identifier characters, each with its line, from 1.
pub fn names(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.lines().enumerate().flat_map(|(index, line)| {
        line.split(|one: char| !one.is_ascii_alphanumeric() && one != '_')
            .filter(|name| !name.is_empty())
            .map(move |name| (index + 1, name))
    })
}

/// Tells whether `name` is `word`, or has it as a part in snake_case or CamelCase. Case is ignored.
pub fn has_part(name: &str, word: &str) -> bool {
    let (name, word) = (name.as_bytes(), word.as_bytes());
    name.windows(word.len().max(1))
        .enumerate()
        .any(|(start, window)| {
            window.eq_ignore_ascii_case(word)
                && is_boundary(name, start)
                && is_boundary(name, start + word.len())
        })
}

/// Tells whether a part of the name may begin or end before the byte at `place`.
fn is_boundary(name: &[u8], place: usize) -> bool {
    let byte = |place: usize| name.get(place).copied();
    let (Some(before), Some(after)) = (place.checked_sub(1).and_then(byte), byte(place)) else {
        return true;
    };
    let hump = after.is_ascii_uppercase()
        // `FirstPart`, `V3Part`, and the last capital of an acronym: `IOPart`.
        && (!before.is_ascii_uppercase() || byte(place + 1).is_some_and(|next| next.is_ascii_lowercase()));
    before == b'_' || after == b'_' || hump || before.is_ascii_digit() != after.is_ascii_digit()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A part is found in each style of name, and never inside a longer word.
    #[test]
    fn parts_are_found() {
        let table = [
            ("pit", true),
            ("PIT", true),
            ("Pit", true),
            ("first_pit", true),
            ("PIT_MAX", true),
            ("MAX_PIT", true),
            ("NoPit", true),
            ("PitMask", true),
            ("noPitHere", true),
            ("PITMask", true),
            ("IOPit", true),
            ("pit0", true),
            ("_pit", true),
            ("cockpit", false),
            ("spite", false),
            ("SPITE", false),
            ("Pity", false),
            ("COCKPIT_A", false),
            ("pi_t", false),
            ("", false),
        ];
        for (name, wanted) in table {
            assert_eq!(has_part(name, "pit"), wanted, "{name}");
        }
    }

    /// A word may end in a digit or hold an underscore.
    #[test]
    fn words_may_have_digits() {
        for (name, word, wanted) in [
            ("at_lv1", "LV1", true),
            ("Lv1Only", "LV1", true),
            ("lv12", "LV1", false),
            ("for_a8_64", "a8_64", true),
            ("a8_640", "a8_64", false),
            ("PITv3Mask", "PITv3", true),
        ] {
            assert_eq!(has_part(name, word), wanted, "{name}");
        }
    }

    /// Names keep their underscores and lose everything around them.
    #[test]
    fn names_have_lines() {
        let found: Vec<_> = names("a_b-c8 d,e\n\n\"f\"").collect();
        assert_eq!(found, [(1, "a_b"), (1, "c8"), (1, "d"), (1, "e"), (3, "f")]);
    }
}
