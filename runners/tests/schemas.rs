//! The committed schemas are those of the types that the suite reads and writes.

use std::path::Path;

use runners::Profile;
use runners::adapter::protocol::{Answer, Question};
use schemars::generate::SchemaSettings;
use serde_json::{Value, json};

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
fn assert_current(file: &str, schema: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
    model::check_schema(schema, &path).unwrap_or_else(|why| panic!("{why}"));
}

/// The committed schema of the adapter protocol equals that of its types.
#[test]
fn the_protocol_is_what_is_spoken() {
    assert_current(
        "adapters/protocol-2.schema.json",
        &format!("{:#}\n", protocol()),
    );
}

/// The committed schema of profiles equals that of the type, and has only properties that a profile may have.
#[test]
fn the_profile_is_what_is_read() {
    let text = model::schema_of::<Profile>("Profile of a subject");
    assert_current("profiles/profile.schema.json", &text);
    let schema: Value = serde_json::from_str(&text).expect("JSON");
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
