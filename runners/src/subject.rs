//! Where a subject's image comes from if it is not built here.

mod package;

pub use package::{FetchError, Package};
