//! Checks that the committed schemas of case files, machines and devices are those of the reader.

use std::path::Path;

use conformance::case::CaseFile;
use conformance::library::{Device, Machine};

/// Editors complete and check files by these schemas, so they must follow the types.
#[test]
fn schemas_are_current() {
    let schemas = [
        (
            model::schema_of::<CaseFile>("Test cases of one requirement"),
            "case",
        ),
        (
            model::schema_of::<Machine>("What lies where on a machine"),
            "machine",
        ),
        (
            model::schema_of::<Device>("A device and how it is operated"),
            "device",
        ),
    ];
    for (schema, name) in schemas {
        let file = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("../requirements")
            .join(format!("{name}.schema.json"));
        model::check_schema(&schema, &file).unwrap_or_else(|why| panic!("{why}"));
    }
}
