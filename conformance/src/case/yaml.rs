//! Parses YAML into types. Only this module knows which library does it.

use std::fmt;
use std::marker::PhantomData;

use oft::Diagnostic;
use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{DeserializeOwned, Deserializer, MapAccess, SeqAccess, Visitor};
use thiserror::Error;

use crate::case::Text;

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

/// A name where that says enough, or a map.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NameOr<T> {
    /// The name.
    Name(String),
    /// The map.
    Map(T),
}

/// Reads a name or a map; an error in the map is reported as such.
pub fn name_or<'de, T: Deserialize<'de>, D: Deserializer<'de>>(
    from: D,
    wanted: &'static str,
) -> Result<NameOr<T>, D::Error> {
    struct Either<T>(&'static str, PhantomData<T>);
    impl<'de, T: Deserialize<'de>> Visitor<'de> for Either<T> {
        type Value = NameOr<T>;
        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str(self.0)
        }
        fn visit_str<E>(self, name: &str) -> Result<Self::Value, E> {
            Ok(NameOr::Name(name.to_owned()))
        }
        fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
            T::deserialize(MapAccessDeserializer::new(map)).map(NameOr::Map)
        }
    }
    from.deserialize_any(Either(wanted, PhantomData))
}

/// Reads a list of texts, or one text as a list of one.
pub fn one_or_many<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<Text>, D::Error> {
    struct Texts;
    impl<'de> Visitor<'de> for Texts {
        type Value = Vec<Text>;
        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a list of texts, or one text")
        }
        fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
            Ok(vec![Text(text.to_owned())])
        }
        // As within a list: YAML reads `on gpio.irq: lower gpio` as a map.
        fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
            Text::deserialize(MapAccessDeserializer::new(map)).map(|text| vec![text])
        }
        fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
            let mut texts = Vec::new();
            while let Some(text) = list.next_element()? {
                texts.push(text);
            }
            Ok(texts)
        }
    }
    from.deserialize_any(Texts)
}

/// Reports that a file is not what its reader expects, with the nearest known key.
pub fn not_of_its_kind(shown: &str, text: &str, error: &YamlError) -> Diagnostic {
    let line = error.line.checked_sub(1);
    let excerpt = line.and_then(|line| text.lines().nth(line)).unwrap_or("");
    let number = u32::try_from(error.line).unwrap_or(0);
    let told = Diagnostic::error(shown, number, &error.message);
    // serde names the key and every key that it knows: "unknown field `scrip`, expected one of `id`, `title`".
    let quoted: Vec<&str> = error.message.split('`').skip(1).step_by(2).collect();
    let unknown = error.message.contains("unknown ");
    let from = |column: usize| {
        let mut places = excerpt.char_indices().map(|(at, _)| at);
        let at = column.checked_sub(1).and_then(|column| places.nth(column));
        at.and_then(|at| excerpt.get(at..)).unwrap_or_default()
    };
    let rest = from(error.column);
    match quoted.as_slice() {
        [name, known @ ..] if unknown => {
            let wrong = match rest.find(name).and_then(|at| rest.get(at..at + name.len())) {
                Some(there) => there,
                None => name,
            };
            let told = told.highlight(excerpt, wrong);
            told.suggest(name, known.iter().copied())
        }
        _ => {
            let next = rest.char_indices().nth(1).map_or(rest.len(), |(at, _)| at);
            told.highlight(excerpt, rest.get(..next).unwrap_or_default())
        }
    }
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

    #[derive(Debug, serde::Deserialize)]
    struct Lines {
        #[serde(deserialize_with = "one_or_many")]
        script: Vec<Text>,
    }

    /// A list of one can do without its brackets; a text that YAML reads as a pair is put together again.
    #[test]
    fn one_text_is_a_list() {
        let lines = |text: &str| {
            let read = read::<Lines>(text).unwrap().script;
            read.into_iter().map(|text| text.0).collect::<Vec<_>>()
        };
        assert_eq!(lines("script: a; b"), ["a; b"]);
        assert_eq!(
            lines("script: [a, 'on 1: b', on 2: c]"),
            ["a", "on 1: b", "on 2: c"]
        );
        assert_eq!(lines("script:\n  - on 1: b; c\n"), ["on 1: b; c"]);
        assert_eq!(lines("script:\n  on 1: b; c\n"), ["on 1: b; c"]);
        assert!(read::<Lines>("script: {a: b, c: d}").is_err());
        assert!(read::<Lines>("script:\n  - {a: b, c: d}\n").is_err());
    }
}
