//! Replaces `${name}` in the texts of a case.

use std::collections::BTreeMap;

use crate::case::Text;
use crate::case::value::number;

/// The names that the texts of one scenario may use, with their values.
#[derive(Clone, Debug, Default)]
pub struct Names(BTreeMap<String, String>);

impl Names {
    /// Collects the constants of a subject and the parameters of one row; the row has priority.
    pub fn new<'a>(
        constants: impl IntoIterator<Item = (&'a String, &'a String)>,
        row: &BTreeMap<String, Text>,
    ) -> Self {
        let mut all: BTreeMap<String, String> = constants
            .into_iter()
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect();
        let constants = Self(all.clone());
        // A value of a row may refer to a constant; any other name in it is reported where the value is used.
        let value = |text: &Text| constants.fill(&text.0).unwrap_or_else(|_| text.0.clone());
        all.extend(row.iter().map(|(name, text)| (name.clone(), value(text))));
        Self(all)
    }

    /// Replaces every `${name}`, and every `${name+NUMBER}` by the sum, or reports the first undefined name.
    pub fn fill(&self, text: &str) -> Result<String, String> {
        let mut filled = String::with_capacity(text.len());
        let mut rest = text;
        while let Some((before, from)) = rest.split_once("${") {
            filled.push_str(before);
            let Some((name, after)) = from.split_once('}') else {
                return Err(format!("`${{` without `}}` in `{text}`"));
            };
            match name.split_once('+') {
                None => filled.push_str(self.value(name)?),
                Some((name, offset)) => {
                    let sum = number(self.value(name)?)?.checked_add(number(offset)?);
                    let sum = sum.ok_or_else(|| format!("`${{{name}+{offset}}}` is no address"))?;
                    filled.push_str(&format!("{sum:#x}"));
                }
            }
            rest = after;
        }
        filled.push_str(rest);
        Ok(filled)
    }

    fn value(&self, name: &str) -> Result<&str, String> {
        let value = self.0.get(name).map(String::as_str);
        value.ok_or_else(|| self.unknown(name))
    }

    fn unknown(&self, name: &str) -> String {
        let near = text::nearest(name, self.0.keys().map(String::as_str));
        match near {
            Some(near) => format!("nothing defines `${{{name}}}`; did you mean `${{{near}}}`?"),
            None => format!("nothing defines `${{{name}}}`"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A row hides a constant of the same name; an unknown name is reported with the nearest one.
    #[test]
    fn names_are_replaced_or_reported() {
        let constants = BTreeMap::from([("uart".to_owned(), "0x3001000".to_owned())]);
        let row = BTreeMap::from([("size".to_owned(), Text("7".to_owned()))]);
        let names = Names::new(&constants, &row);
        assert_eq!(
            names.fill("r32 ${uart} x${size}").unwrap(),
            "r32 0x3001000 x7"
        );
        assert_eq!(names.fill("plain").unwrap(), "plain");
        assert_eq!(names.fill("${uart+0x104}").unwrap(), "0x3001104");
        assert!(
            names
                .fill("${uart+x}")
                .unwrap_err()
                .contains("not a number")
        );
        assert!(
            names
                .fill("${uarx}")
                .unwrap_err()
                .contains("did you mean `${uart}`")
        );
        assert!(names.fill("${uart").unwrap_err().contains("without"));
    }
}
