//! Checks that the committed schema of case files is that of the reader.

use std::path::Path;

use conformance::case::CaseFile;

/// Editors complete and check case files by this schema, so it must follow the types.
#[test]
fn case_schema_is_current() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../requirements/case.schema.json");
    let schema = model::schema_of::<CaseFile>("Test cases of one requirement");
    model::check_schema(&schema, &file).unwrap_or_else(|why| panic!("{why}"));
}
