//! What the code of each architecture reads from a tree.

mod aarch64;

pub use aarch64::{guest, visit};
