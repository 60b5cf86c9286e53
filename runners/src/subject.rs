//! Where the image of a subject comes from, when it is not built here.

mod package;

pub use package::{FetchError, Package};
