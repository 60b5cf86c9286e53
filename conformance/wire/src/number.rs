//! Reads numbers: as people write them in scripts, and as frames carry them.

/// Reads a script's number: decimal, or hexadecimal after `0x`; `_` may separate digits.
pub fn script(text: &str) -> Option<u64> {
    match text.strip_prefix("0x") {
        Some(digits) => grouped(digits, 16),
        None => grouped(text, 10),
    }
}

/// Reads bare hexadecimal digits, as in `n=0badcafe`.
pub fn hex(text: &str) -> Option<u64> {
    accumulate(text.bytes(), 16)
}

fn grouped(digits: &str, radix: u32) -> Option<u64> {
    // `_` must have a digit on both sides: `_1`, `1_` and `1__2` are typing errors.
    if digits.split('_').any(str::is_empty) {
        return None;
    }
    accumulate(digits.bytes().filter(|byte| *byte != b'_'), radix)
}

fn accumulate(digits: impl Iterator<Item = u8>, radix: u32) -> Option<u64> {
    let mut value = None;
    for byte in digits {
        let digit = char::from(byte).to_digit(radix)?;
        let shifted = value.unwrap_or(0u64).checked_mul(u64::from(radix))?;
        value = Some(shifted.checked_add(u64::from(digit))?);
    }
    value
}

#[cfg(test)]
mod tests {
    use super::{hex, script};

    /// A number is decimal or `0x` hexadecimal; text that is too large or malformed is not a number.
    #[test]
    fn script_numbers() {
        for (text, value) in [
            ("0", Some(0)),
            ("1_000", Some(1000)),
            ("0x0903_0fe0", Some(0x0903_0fe0)),
            ("0xFFFFFFFFFFFFFFFF", Some(u64::MAX)),
            ("18446744073709551615", Some(u64::MAX)),
            ("18446744073709551616", None),
            ("0x1_0000_0000_0000_0000", None),
            ("", None),
            ("0x", None),
            ("_1", None),
            ("1_", None),
            ("1__2", None),
            ("0X10", None),
            ("1f", None),
            ("+1", None),
            ("-1", None),
        ] {
            assert_eq!(script(text), value, "{text}");
        }
        assert_eq!(hex("0badcafe"), Some(0x0bad_cafe));
        assert_eq!(hex(""), None);
        assert_eq!(hex("0x1"), None);
    }
}
