//! Error numbers of hypercalls, by the names that cases use.

/// The largest error number: results from -4095 to -1 are errors (Xen, public/errno.h and lib.h: `IS_ERR_VALUE`).
const MOST: u64 = 4095;

/// Names and numbers (Xen, public/errno.h).
const NAMES: [(&str, u16); 23] = [
    ("EPERM", 1),
    ("ENOENT", 2),
    ("ESRCH", 3),
    ("EIO", 5),
    ("ENXIO", 6),
    ("E2BIG", 7),
    ("EBADF", 9),
    ("EAGAIN", 11),
    ("ENOMEM", 12),
    ("EACCES", 13),
    ("EFAULT", 14),
    ("EBUSY", 16),
    ("EEXIST", 17),
    ("EXDEV", 18),
    ("ENODEV", 19),
    ("EINVAL", 22),
    ("ENOSPC", 28),
    ("ERANGE", 34),
    ("ENOSYS", 38),
    ("ENOTEMPTY", 39),
    ("EOVERFLOW", 75),
    ("EOPNOTSUPP", 95),
    ("ENOBUFS", 105),
];

/// Lists the known names.
pub fn names() -> impl Iterator<Item = &'static str> {
    NAMES.into_iter().map(|(name, _)| name)
}

/// Returns the number of a name.
pub fn number(name: &str) -> Option<u16> {
    NAMES
        .into_iter()
        .find(|(known, _)| *known == name)
        .map(|(_, number)| number)
}

/// Returns the error number of a hypercall's result, if it is an error.
pub fn of(result: u64) -> Option<u16> {
    let number = result.wrapping_neg();
    (1..=MOST)
        .contains(&number)
        .then(|| u16::try_from(number).ok())?
}

/// Shows an error number by its name, if it has one.
pub fn shown(number: u16) -> String {
    let known = NAMES.into_iter().find(|(_, known)| *known == number);
    known.map_or_else(|| format!("error {number}"), |(name, _)| name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A result from -4095 to -1 is an error, and is shown by its name.
    #[test]
    fn errors_are_told_from_values() {
        assert_eq!(of(0), None);
        assert_eq!(of(1), None);
        assert_eq!(of(u64::MAX), Some(1));
        assert_eq!(of(u64::MAX - 4094), Some(4095));
        assert_eq!(of(u64::MAX - 4095), None);
        assert_eq!(number("EBUSY").map(shown).as_deref(), Some("EBUSY"));
        assert_eq!(shown(4095), "error 4095");
        assert_eq!(number("EBUSSY"), None);
    }
}
