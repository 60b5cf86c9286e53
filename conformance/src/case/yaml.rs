//! Parses YAML into types. Only this module knows which library does it.

use serde::de::DeserializeOwned;
use thiserror::Error;

/// A YAML error with its place.
#[derive(Debug, Error)]
#[error("{message}")]
pub struct YamlError {
    /// The line, counted from one; zero if the error concerns the whole text.
    pub line: usize,
    /// The column, in characters counted from one; zero if the error concerns the whole text.
    pub column: usize,
    /// The message, with its place.
    pub message: String,
}

/// Parses a text as one value.
pub fn read<T: DeserializeOwned>(text: &str) -> Result<T, YamlError> {
    serde_yaml::from_str(text).map_err(|error| {
        let place = error.location();
        YamlError {
            line: place.as_ref().map_or(0, serde_yaml::Location::line),
            column: place.as_ref().map_or(0, serde_yaml::Location::column),
            message: error.to_string(),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, serde::Deserialize, PartialEq)]
    #[serde(deny_unknown_fields)]
    struct Part {
        name: String,
    }

    /// An error has the place of its cause: of a key, of a value, of a misplaced character.
    #[test]
    fn errors_have_a_place() {
        assert_eq!(
            read::<Part>("name: é").unwrap(),
            Part {
                name: "é".to_owned()
            }
        );
        for (text, place, message) in [
            ("- name: a\n- é: 1\n", (2, 3), "unknown field `é`"),
            ("- name: [a]\n", (1, 9), "invalid type: sequence"),
            ("- name: é\n- name: @\n", (2, 9), "cannot start any token"),
            ("- name: a\n- {}\n", (2, 3), "missing field `name`"),
        ] {
            let error = read::<Vec<Part>>(text).unwrap_err();
            assert_eq!((error.line, error.column), place, "{text}: {error}");
            assert!(error.to_string().contains(message), "{text}: {error}");
        }
    }
}
