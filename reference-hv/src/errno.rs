//! The numbers by which a hypercall fails: Xen's, which are Linux's (xen/include/public/errno.h).

use core::fmt;

/// Why a hypercall was refused.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Errno(u16);

macro_rules! numbers {
    ($($(#[$doc:meta])* $name:ident = $number:literal;)+) => {
        impl Errno {
            $($(#[$doc])* pub const $name: Self = Self($number);)+

            /// Returns the name that C gives the number.
            const fn name(self) -> &'static str {
                match self.0 {
                    $($number => stringify!($name),)+
                    _ => "error",
                }
            }
        }
    };
}

numbers! {
    /// The caller may not do this.
    EPERM = 1;
    /// There is no such thing.
    ENOENT = 2;
    /// There is no such domain or device.
    ESRCH = 3;
    /// A device failed.
    EIO = 5;
    /// There is no such address.
    ENXIO = 6;
    /// It is more than goes at once.
    E2BIG = 7;
    /// There is no such handle.
    EBADF = 9;
    /// Memory is used up.
    ENOMEM = 12;
    /// It is not meant for this version.
    EACCES = 13;
    /// A pointer of the guest's leads nowhere.
    EFAULT = 14;
    /// Somebody has it.
    EBUSY = 16;
    /// It is there already.
    EEXIST = 17;
    /// It belongs elsewhere.
    EXDEV = 18;
    /// There is no such kind of device.
    ENODEV = 19;
    /// It makes no sense.
    EINVAL = 22;
    /// A table is full.
    ENOSPC = 28;
    /// It is out of range.
    ERANGE = 34;
    /// There is no such call.
    ENOSYS = 38;
    /// It is more than can be counted.
    EOVERFLOW = 75;
    /// It is not supported.
    EOPNOTSUPP = 95;
    /// A buffer is too short.
    ENOBUFS = 105;
}

impl Errno {
    /// Returns what the guest finds in its result register: the number, negated.
    pub const fn value(self) -> u64 {
        // Widening; `From` cannot be used in a constant function.
        let [low, high] = self.0.to_le_bytes();
        u64::from_le_bytes([low, high, 0, 0, 0, 0, 0, 0]).wrapping_neg()
    }
}

impl fmt::Display for Errno {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl fmt::Debug for Errno {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl core::error::Error for Errno {}

#[cfg(test)]
mod tests {
    use super::*;

    /// A guest sees the negative number in all 64 bits.
    #[test]
    fn values_are_negative() {
        for (errno, number, name) in [
            (Errno::EPERM, -1_i64, "EPERM"),
            (Errno::EINVAL, -22, "EINVAL"),
            (Errno::ENOBUFS, -105, "ENOBUFS"),
        ] {
            assert_eq!(errno.value().cast_signed(), number);
            assert_eq!(errno.to_string(), name);
        }
    }
}
