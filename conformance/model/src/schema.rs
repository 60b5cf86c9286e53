//! JSON schemas of files, made from the types that read them, so that schema and reader cannot differ.

use std::path::Path;

use schemars::JsonSchema;
use schemars::generate::SchemaSettings;

/// Renders the schema (JSON Schema 2020-12) of the files that `T` reads, in the form that is committed.
pub fn schema_of<T: JsonSchema>(title: &str) -> String {
    let mut schema = SchemaSettings::draft2020_12()
        .into_generator()
        .into_root_schema_for::<T>();
    schema.insert("title".to_owned(), title.into());
    // A schema is a JSON value already; the alternate form is indented.
    format!("{:#}\n", schema.as_value())
}

/// Compares a committed file with a schema; writes the file if `SCHEMA_UPDATE` is set.
///
/// For tests: each crate that defines a file form checks its schema with this.
pub fn check_schema(wanted: &str, file: &Path) -> Result<(), String> {
    if std::env::var_os("SCHEMA_UPDATE").is_some() {
        std::fs::write(file, wanted)
            .map_err(|error| format!("{}: cannot be written: {error}", file.display()))?;
    }
    let found = std::fs::read_to_string(file)
        .map_err(|error| format!("{}: cannot be read: {error}", file.display()))?;
    if found == wanted {
        return Ok(());
    }
    Err(format!(
        "{} is not what the types say; run its test again with SCHEMA_UPDATE=1",
        file.display()
    ))
}
