//! Finds, provisions, builds and calls.
fn main() {}
