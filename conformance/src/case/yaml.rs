//! YAML to types. No other module knows which library reads it.

use serde::de::DeserializeOwned;
use thiserror::Error;

/// Why a text is not what it should be.
#[derive(Debug, Error)]
#[error("{message}")]
pub struct YamlError {
    /// The line, counted from one; zero where the text as a whole is wrong.
    pub line: usize,
    /// The column, in characters counted from one; zero where the text as a whole is wrong.
    pub column: usize,
    /// What is wrong, with its place.
    pub message: String,
}

/// Reads a text as one value.
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

    /// An error has the place of the culprit: of a key, of a value, of a sign that cannot stand there.
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
