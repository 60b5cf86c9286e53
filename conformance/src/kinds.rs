//! The kinds of items that this suite is about. The format leaves them to whoever writes the files.

/// The kind of the requirements that the cases verify.
pub const REQUIREMENT_KIND: &str = "XenSSR";

/// The kind of a test case's item.
pub const CASE_KIND: &str = "XenValTestCase";
