//! What an architecture finds in a tree.

mod aarch64;

pub use aarch64::{guest, visit};
