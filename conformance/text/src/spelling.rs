//! Finds the known name that a misspelled one was most likely meant to be.

/// Returns the entry of `known` that `wanted` was most likely meant to be, if any is near.
///
/// A name is near if at most a quarter of its letters (and always two) are added, dropped, changed or swapped, but
/// never more than half of them, since any two short words would match. Among equals the first in alphabetical order
/// wins. If no entry is near, the shortest entry that begins with the whole of `wanted` is taken.
pub fn nearest<T: AsRef<str>>(wanted: &str, known: impl IntoIterator<Item = T>) -> Option<T> {
    let length = wanted.chars().count();
    let reach = (length / 4).max(2);
    let mut slip: Option<(usize, T)> = None;
    let mut longer: Option<T> = None;
    for entry in known {
        let text = entry.as_ref();
        let other = text.chars().count();
        // The comparison costs the product of both lengths, so names whose lengths differ much are not compared.
        let near = other.abs_diff(length) <= reach;
        let distance = near.then(|| strsim::osa_distance(wanted, text));
        if let Some(distance) =
            distance.filter(|&slips| slips <= reach && slips * 2 <= length.max(other))
        {
            let better = |(best, held): &(usize, T)| (distance, text) < (*best, held.as_ref());
            if slip.as_ref().is_none_or(better) {
                slip = Some((distance, entry));
            }
        } else if length >= SHORTEST_BEGINNING && text.starts_with(wanted) {
            let key = |text: &str| (text.len(), text.to_owned());
            if longer
                .as_ref()
                .is_none_or(|held| key(text) < key(held.as_ref()))
            {
                longer = Some(entry);
            }
        }
    }
    slip.map(|(_, entry)| entry).or(longer)
}

/// A beginning with fewer letters than this matches too many words.
const SHORTEST_BEGINNING: usize = 3;

#[cfg(test)]
mod tests {
    use super::nearest;

    /// A typing error finds its word; an unrelated word finds none; a tie goes by the alphabet.
    #[test]
    fn slips_find_their_word() {
        let known = [
            "XenSSR~map_ident~1",
            "XenSSR~map_ident~2",
            "Covers",
            "Needs",
        ];
        for (wanted, found) in [
            ("XenSSR~map_idnet~1", Some("XenSSR~map_ident~1")),
            ("XenSSR~map_ident~3", Some("XenSSR~map_ident~1")),
            ("Cover", Some("Covers")),
            ("Need", Some("Needs")),
            ("Title", None),
            ("", None),
        ] {
            assert_eq!(nearest(wanted, known), found, "{wanted}");
        }
    }

    /// Short words that share less than half of their letters do not match.
    #[test]
    fn short_words_are_not_all_alike() {
        let known = ["r8", "r16", "on", "off"];
        for (wanted, found) in [
            ("w8", Some("r8")),
            ("onn", Some("on")),
            ("r61", Some("r16")),
            ("xy", None),
            ("abc", None),
        ] {
            assert_eq!(nearest(wanted, known), found, "{wanted}");
        }
    }

    /// A beginning finds the shortest word that continues it, unless a misspelling is nearer.
    #[test]
    fn beginnings_find_their_word() {
        let known = ["memory_window_size", "memory_mib", "member"];
        for (wanted, found) in [
            ("mem", Some("member")),
            ("memory_", Some("memory_mib")),
            ("membe", Some("member")),
            ("memory_w", Some("memory_window_size")),
            ("me", None),
        ] {
            assert_eq!(nearest(wanted, known), found, "{wanted}");
        }
        assert_eq!(
            nearest("memory", ["base", "memory_mib"]),
            Some("memory_mib")
        );
    }

    /// Any type that holds a name can be suggested, and is returned unchanged.
    #[test]
    fn owned_names_are_given_back() {
        let known = vec!["edu".to_owned(), "net".to_owned()];
        assert_eq!(nearest("nett", known), Some("net".to_owned()));
    }
}
