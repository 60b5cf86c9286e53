//! The committed schema of ledgers is the form that the types write.

use std::path::Path;

/// Readers of ledgers can rely on the schema beside this crate.
#[test]
fn ledger_schema_is_current() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("ledger.schema.json");
    let schema = model::schema_of::<model::Ledger>("Ledger of a conformance run, version 1");
    model::check_schema(&schema, &file).unwrap_or_else(|why| panic!("{why}"));
}
