//! The schema that strangers read is the one that the suite speaks by.

use std::path::Path;

use libtest_mimic::Trial;
use runners::adapter::protocol::{Answer, Question};
use schemars::generate::SchemaSettings;
use serde_json::{Value, json};

use crate::trial;

/// Writes the file instead of judging it.
const ACCEPT: &str = "SCHEMA_UPDATE";

pub fn trials() -> Vec<Trial> {
    vec![trial("schema::the_file_is_what_is_spoken", current)]
}

/// Makes one schema of both directions.
fn schema() -> Value {
    let mut generator = SchemaSettings::draft2020_12().into_generator();
    let question = generator.subschema_for::<Question>();
    let answer = generator.subschema_for::<Answer>();
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Adapter protocol, version 1",
        "description": "One line of either side: a question of the suite or an answer of the adapter.",
        "oneOf": [question, answer],
        "$defs": generator.take_definitions(true),
    })
}

fn current() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("adapters/protocol-1.schema.json");
    let wanted = serde_json::to_string_pretty(&schema()).expect("JSON") + "\n";
    if std::env::var_os(ACCEPT).is_some() {
        std::fs::write(&path, &wanted).expect("written");
    }
    let found = std::fs::read_to_string(&path).expect("the schema");
    assert!(
        found == wanted,
        "{} is not what the types say; `{ACCEPT}=1 cargo test -p runners --test adapter schema` writes it anew",
        path.display()
    );
}
