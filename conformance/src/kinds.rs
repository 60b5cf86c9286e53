//! The kinds of items that this suite uses. The file format leaves them to its users.

/// The kind of the requirements that the cases verify.
pub const REQUIREMENT_KIND: &str = "XenSSR";

/// The kind of a test case's item.
pub const CASE_KIND: &str = "XenValTestCase";
