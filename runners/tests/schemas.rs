//! The committed schemas are those of the types that the suite reads and writes.

use std::path::Path;

use runners::Profile;
use runners::adapter::protocol::{Answer, Question};
use schemars::generate::SchemaSettings;
use serde_json::{Value, json};

/// Setting this variable writes the files instead of comparing them.
const ACCEPT: &str = "SCHEMA_UPDATE";

/// Makes one schema of both directions of the adapter protocol.
fn protocol() -> Value {
    let mut generator = SchemaSettings::draft2020_12().into_generator();
    let question = generator.subschema_for::<Question>();
    let answer = generator.subschema_for::<Answer>();
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Adapter protocol, version 2",
        "description": "One line of either side: a question of the suite or an answer of the adapter.",
        "oneOf": [question, answer],
        "$defs": generator.take_definitions(true),
    })
}

/// Compares a file with the schema of the types.
#[track_caller]
fn assert_current(file: &str, schema: &Value) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
    let wanted = serde_json::to_string_pretty(schema).expect("JSON") + "\n";
    if std::env::var_os(ACCEPT).is_some() {
        std::fs::write(&path, &wanted).expect("written");
    }
    let found = std::fs::read_to_string(&path).expect("the schema");
    assert!(
        found == wanted,
        "{file} is not what the types say; `{ACCEPT}=1 cargo test -p runners --test schemas` writes it anew"
    );
}

/// The committed schema of the adapter protocol equals that of its types.
#[test]
fn the_protocol_is_what_is_spoken() {
    assert_current("adapters/protocol-2.schema.json", &protocol());
}

/// The committed schema of profiles equals that of the type, and has only properties that a profile may have.
#[test]
fn the_profile_is_what_is_read() {
    let schema = schemars::schema_for!(Profile).to_value();
    assert_current("profiles/profile.schema.json", &schema);
    let keys = |place: &str| {
        let found = schema.pointer(place).and_then(Value::as_object);
        found.expect(place).keys().cloned().collect::<Vec<_>>()
    };
    assert!(keys("/properties").contains(&"waiver".to_owned()));
    assert_eq!(
        keys("/$defs/Adapter/properties"),
        ["command", "deadline_ms", "image"]
    );
}
